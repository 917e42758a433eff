"""How well do agents play during training? (Fig 2)

Undiscounted return of pi_MuZero, and of the policy prior alone.
"""

import pandas as pd

from analyses.banks import search_actor, starts_and_keys
from analyses.population import Agents
from analyses.settings import Returns
from muzero_probe.probes.episodes import play
from muzero_probe.probes.planning import play_prior


def measure(agents: Agents, own: Returns, **_: object) -> pd.DataFrame:
    """Returns a row per seed and policy. Both policies start from the same states."""
    starts, keys, row_seeds = starts_and_keys(agents.seeds, "returns", own.episodes, agents.step)
    played = {
        "search": play(agents.env, starts, search_actor(agents, row_seeds, keys)),
        "prior": play_prior(agents.env, agents.model(row_seeds), starts, keys),
    }
    rows = []
    for policy, episodes in played.items():
        for index, seed in enumerate(agents.seeds):
            mine = row_seeds == index
            rows.append(
                {
                    "seed": seed,
                    "step": agents.step,
                    "policy": policy,
                    "return_mean": episodes.returns[mine].mean(),
                    "length_mean": episodes.lengths[mine].mean(),
                    "episodes": own.episodes,
                }
            )
    return pd.DataFrame(rows)
