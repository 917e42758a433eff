"""How accurate is the model for its own behaviour policy? (Fig 3)

Eq 7 with pi = pi_MuZero of the same checkpoint, at every horizon 1..K.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analyses.harness import banks
from analyses.harness.agents import Agents, Inputs
from analyses.harness.settings import check_samples
from analyses.tables import Column
from muzero_probe.config import at_least
from muzero_probe.probes.value_error import PolicyError, policy_value_error
from muzero_probe.randomness import stream

FIGURE = 3
BANK = True
ERRORS = {
    "error": Column("float", "reward", "eq 7, mean over states"),
    "bias": Column("float", "reward", "E[v - v_hat], mean over states"),
    "monte_carlo_se": Column("float", "reward", "Monte Carlo standard error of the bias; 0 where it is exact"),
    "states": Column("int", "", "states of the seed"),
    "over": Column("float", "", "probability that the episode is over before the last action"),
    "foreseen": Column("float", "", "share of these that the model sees as over; nan where there are none"),
    "invented": Column("float", "", "share of the others that the model sees as over; nan where there are none"),
}
COLUMNS = {"horizon": Column("int", "steps", "horizon h"), **ERRORS}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 3."""

    states: int = 50
    """States per seed, from the bank."""
    samples: int = 0
    """Action sequences per state; 0 takes the exact expectation over all of them."""

    def __post_init__(self) -> None:
        at_least(self, "own_policy", 1, "states")
        check_samples("own_policy", self.samples)


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed and horizon."""
    errors, row_seeds = against(agents, agents, settings.states, settings.samples, inputs.bank)
    return [
        {"seed": seed, "horizon": h, **means(errors, of_seed, h)}
        for seed, of_seed in agents.each(row_seeds)
        for h in range(1, agents.horizon + 1)
    ]


def against(
    agents: Agents, behaving: Agents, states: int, samples: int, bank: Path | None
) -> tuple[PolicyError, np.ndarray]:
    """Returns eq 7 of one checkpoint's models for another one's pi_MuZero, and the rows' seed index.

    States come from the bank of the models' checkpoint.
    """
    roots, row_seeds = banks.read(bank, agents, states)
    errors = policy_value_error(
        agents.env,
        agents.model(row_seeds),
        roots,
        behaving.behaviour(row_seeds),
        horizon=agents.horizon,
        discount=agents.search.discount,
        samples=samples or None,
        rngs=[stream(seed, "sequences", agents.step, behaving.step) for seed in agents.seeds],
        groups=row_seeds,
    )
    return errors, row_seeds


def means(errors: PolicyError, of_seed: np.ndarray, horizon: int) -> dict[str, float]:
    """Returns the columns of one seed at one horizon, means over its states."""
    at = PolicyError(*(array[of_seed, horizon - 1] for array in errors))
    over = at.over.mean()
    return {
        "error": at.error.mean(),
        "bias": at.bias.mean(),
        "monte_carlo_se": np.sqrt((at.standard_error**2).sum()) / len(at.error),
        "states": int(of_seed.sum()),
        "over": over,
        "foreseen": at.foreseen.mean() / over if over > 0 else np.nan,
        "invented": at.invented.mean() / (1 - over) if over < 1 else np.nan,
    }
