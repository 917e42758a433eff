"""How accurate is the model for earlier and later policies of the same agent? (Fig 5)

Eq 7 at h = K with the model of one checkpoint, in states of its own policy, and pi_MuZero of every checkpoint.
"""

from dataclasses import dataclass
from typing import Any

from analyses.harness.agents import Agents, Inputs
from analyses.harness.settings import check_samples
from analyses.own_policy import ERRORS, against, means
from analyses.tables import Column
from muzero_probe.config import at_least

FIGURE = 5
BANK = True
EVERY_CHECKPOINT = True  # a row of one is measured with all of them
COLUMNS = {
    "policy_step": Column("int", "updates", "training step of the behaving policy"),
    "horizon": Column("int", "steps", "horizon h"),
    **ERRORS,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 5."""

    states: int = 8
    """States per seed, from the bank of the model's checkpoint."""
    samples: int = 0
    """Action sequences per state; 0 takes the exact expectation over all of them."""

    def __post_init__(self) -> None:
        at_least(self, "cross_checkpoint", 1, "states")
        check_samples("cross_checkpoint", self.samples)


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed and behaving checkpoint."""
    rows = []
    for policy_step, behaving in inputs.checkpoints.items():
        errors, row_seeds = against(agents, behaving, settings.states, settings.samples, inputs.bank)
        for seed, of_seed in agents.each(row_seeds):
            columns = means(errors, of_seed, agents.horizon)
            rows.append({"seed": seed, "policy_step": policy_step, "horizon": agents.horizon, **columns})
    return rows
