"""Are likely action sequences predicted better than unlikely ones? (Fig 4)

All |A|^h sequences at each state, ranked by their probability under pi_MuZero; means over states per rank.
"""

import pandas as pd

from analyses import banks
from analyses.population import Agents
from analyses.settings import Sequences
from analyses.units import Unit
from muzero_probe.probes.sequences import by_rank, enumerate_sequences
from muzero_probe.randomness import stream


def measure(agents: Agents, own: Sequences, *, bank: Unit, **_: object) -> pd.DataFrame:
    """Returns a row per seed and rank."""
    states, row_seeds = banks.read(bank, agents, own.states)
    found = enumerate_sequences(
        agents.env,
        agents.model(row_seeds),
        states,
        agents.behaviour(row_seeds),
        length=own.length,
        discount=agents.config.search.discount,
    )
    tables = []
    for index, seed in enumerate(agents.seeds):
        mine = row_seeds == index
        rngs = [stream(seed, "rank ties", agents.step, row) for row in range(int(mine.sum()))]
        ranked = by_rank(type(found)(*(array[mine] for array in found)), rngs)
        tables.append(
            pd.DataFrame(
                {
                    "seed": seed,
                    "step": agents.step,
                    "rank": range(1, ranked.error.shape[1] + 1),
                    "probability": ranked.probability.mean(0),
                    "error": ranked.error.mean(0),
                }
            )
        )
    return pd.concat(tables)
