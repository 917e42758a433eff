"""How much does planning with the model improve the policy? (Fig 7)

{learned, true} model x {policy, uniform} prior against the number of simulations, and the prior alone.
"""

import dataclasses

import pandas as pd

from analyses.banks import starts_and_keys
from analyses.population import Agents
from analyses.settings import Planning
from muzero_probe.probes.planning import play_planner, play_prior


def measure(agents: Agents, own: Planning, **_: object) -> pd.DataFrame:
    """Returns a row per seed, planner and number of simulations; all play from the same starts."""
    starts, keys, row_seeds = starts_and_keys(agents, "planning", own.episodes)
    model = agents.model(row_seeds)
    played = {("none", "policy", 0): play_prior(agents.env, model, starts, keys)}
    for plans_with in ("learned", "true"):
        for prior in ("policy", "uniform"):
            for budget in sorted(own.budgets):
                played[plans_with, prior, budget] = play_planner(
                    agents.env,
                    model,
                    starts,
                    dataclasses.replace(agents.config.search, simulations=budget),
                    model=plans_with,
                    prior=prior,
                    horizon=own.horizon,
                    keys=keys,
                )
    rows = []
    for (plans_with, prior, budget), episodes in played.items():
        for index, seed in enumerate(agents.seeds):
            rows.append(
                {
                    "seed": seed,
                    "step": agents.step,
                    "model": plans_with,
                    "prior": prior,
                    "simulations": budget,
                    "return_mean": episodes.returns[row_seeds == index].mean(),
                    "episodes": own.episodes,
                }
            )
    return pd.DataFrame(rows)
