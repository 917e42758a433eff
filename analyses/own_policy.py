"""How accurate is the model for its own behaviour policy? (Fig 3)

Eq 7 with pi = pi_MuZero of the same checkpoint, at every horizon 1..K.
"""

import numpy as np
import pandas as pd

from analyses import banks
from analyses.population import Agents
from analyses.settings import CrossCheckpoint, OwnPolicy
from analyses.units import Unit
from muzero_probe.probes.value_error import PolicyError, policy_value_error
from muzero_probe.randomness import stream


def measure(agents: Agents, own: OwnPolicy, *, bank: Unit, **_: object) -> pd.DataFrame:
    """Returns a row per seed and horizon."""
    errors, row_seeds = against(agents, agents, own, bank)
    K = agents.config.training.unroll_steps
    rows = [
        {"seed": seed, "step": agents.step, "horizon": h, **means(errors, row_seeds == index, h)}
        for index, seed in enumerate(agents.seeds)
        for h in range(1, K + 1)
    ]
    return pd.DataFrame(rows)


def against(
    agents: Agents, behaving: Agents, own: OwnPolicy | CrossCheckpoint, bank: Unit
) -> tuple[PolicyError, np.ndarray]:
    """Returns eq 7 of one checkpoint's models for another one's pi_MuZero, and the rows' seed index.

    States come from the bank of the models' checkpoint.
    """
    states, row_seeds = banks.read(bank, agents, own.states)
    rngs = [stream(seed, "sequences", agents.step, behaving.step) for seed in agents.seeds]
    errors = policy_value_error(
        agents.env,
        agents.model(row_seeds),
        states,
        behaving.behaviour(row_seeds),
        horizon=agents.config.training.unroll_steps,
        discount=agents.config.search.discount,
        samples=own.samples or None,
        rngs=rngs,
    )
    return errors, row_seeds


def means(errors: PolicyError, mine: np.ndarray, horizon: int) -> dict[str, float]:
    """Returns the columns of one seed at one horizon, means over its states.

    `foreseen` is the share of the episodes that are over which the model sees as over, `invented` the share of
    those that are not over; NaN where there are none.
    """
    at = PolicyError(*(array[mine, horizon - 1] for array in errors))
    over = at.over.mean()
    return {
        "error": at.error.mean(),
        "bias": at.bias.mean(),
        "monte_carlo_se": np.sqrt((at.standard_error**2).sum()) / len(at.error),
        "states": int(mine.sum()),
        "over": over,
        "foreseen": at.foreseen.mean() / over if over > 0 else np.nan,
        "invented": at.invented.mean() / (1 - over) if over < 1 else np.nan,
    }
