"""Does the prior keep the search where the model is right? (Fig 6)"""

import dataclasses

import numpy as np
import pandas as pd

from analyses import banks
from analyses.population import Agents
from analyses.settings import PriorEffect
from analyses.units import Unit
from muzero_probe.probes.prior_effect import prior_effect
from muzero_probe.randomness import row_keys


def measure(agents: Agents, own: PriorEffect, *, bank: Unit, **_: object) -> pd.DataFrame:
    """Returns a row per seed, prior and number of simulations."""
    states, row_seeds = banks.read(bank, agents, own.states)
    budgets = sorted(own.budgets)
    config = dataclasses.replace(agents.config.search, simulations=budgets[-1])
    counts = np.bincount(row_seeds, minlength=len(agents.seeds))
    keys = [row_keys(seed, "prior effect", n, agents.step) for seed, n in zip(agents.seeds, counts, strict=True)]
    rows = []
    for prior in ("policy", "uniform"):
        effect = prior_effect(
            agents.env,
            agents.model(row_seeds),
            states,
            config,
            prior=prior,
            horizon=own.horizon,
            budgets=budgets,
            keys=np.concatenate(keys),
        )
        for index, seed in enumerate(agents.seeds):
            for i, budget in enumerate(budgets):
                columns = {name: array[row_seeds == index, i].mean() for name, array in effect._asdict().items()}
                rows.append({"seed": seed, "step": agents.step, "prior": prior, "simulations": budget, **columns})
    return pd.DataFrame(rows)
