"""Does the prior keep the search where the model is right? (Fig 6)"""

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyses.harness import banks
from analyses.harness.agents import Agents, Inputs
from analyses.harness.settings import check_ascending, check_rules
from analyses.tables import Column
from muzero_probe.config import MOST, at_least
from muzero_probe.probes.prior_effect import prior_effect
from muzero_probe.randomness import row_keys

FIGURE = 6
BANK = True
COLUMNS = {
    "rule": Column("word", "", "rule of the search"),
    "prior": Column("word", "", "prior of the search: policy or uniform"),
    "simulations": Column("int", "", "simulations of the search"),
    "error": Column("float", "reward", "eq 5 of the simulated trajectories, mean"),
    "path_error": Column("float", "reward", "eq 5 of their part in the tree, mean"),
    "tv": Column("float", "", "total variation distance of policy prior and smoothed visit distribution"),
    "kl": Column("float", "nats", "KL(policy prior || smoothed visit distribution)"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 6."""

    states: int = 50
    """States per seed, from the bank."""
    step: int | None = None
    """Checkpoint; by default the last."""
    horizon: int = 16
    """Planning horizon, steps from the root."""
    budgets: tuple[int, ...] = (4, 8, 16, 32, 64, 128)
    """Simulations of a search."""
    rules: tuple[str, ...] = ("muzero", "efficientzero")
    """Rules of the search that are measured; the agent's own, with which claims and figures are made, always is."""

    def __post_init__(self) -> None:
        at_least(self, "prior_effect", 1, "states", "horizon")
        if self.step is not None and self.step < 0:
            raise ValueError(f"prior_effect.step is {self.step}, it must be 0 or more")
        check_ascending("prior_effect.budgets", self.budgets, least=1, most=MOST, empty=False)
        check_rules("prior_effect.rules", self.rules)


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed, rule, prior and number of simulations."""
    states, row_seeds = banks.read(inputs.bank, agents, settings.states)
    budgets = sorted(settings.budgets)
    counts = np.bincount(row_seeds, minlength=len(agents.seeds))
    keys = [row_keys(seed, "prior effect", n, agents.step) for seed, n in zip(agents.seeds, counts, strict=True)]
    rows = []
    for search, prior in itertools.product(agents.searches(settings.rules), ("policy", "uniform")):
        effect = prior_effect(
            agents.env,
            agents.model(row_seeds),
            states,
            dataclasses.replace(search, simulations=budgets[-1]),
            prior=prior,
            horizon=settings.horizon,
            budgets=budgets,
            keys=np.concatenate(keys),
        )
        for seed, of_seed in agents.each(row_seeds):
            for i, budget in enumerate(budgets):
                columns = {name: array[of_seed, i].mean() for name, array in effect._asdict().items()}
                rows.append({"seed": seed, "rule": search.rule, "prior": prior, "simulations": budget, **columns})
    return rows
