"""How accurate is the model for earlier and later policies of the same agent? (Fig 5)

Eq 7 at h = K with the model of one checkpoint, in states of its own policy, and pi_MuZero of every checkpoint.
"""

import pandas as pd

from analyses.own_policy import against, means
from analyses.population import Agents
from analyses.settings import CrossCheckpoint
from analyses.units import Unit


def measure(
    agents: Agents, own: CrossCheckpoint, *, bank: Unit, others: dict[int, Agents], **_: object
) -> pd.DataFrame:
    """Returns a row per seed and behaving checkpoint."""
    K = agents.config.training.unroll_steps
    rows = []
    for policy_step, behaving in others.items():
        errors, row_seeds = against(agents, behaving, own, bank)
        for index, seed in enumerate(agents.seeds):
            columns = means(errors, row_seeds == index, K)
            rows.append({"seed": seed, "step": agents.step, "policy_step": policy_step, "horizon": K, **columns})
    return pd.DataFrame(rows)
