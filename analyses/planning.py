"""How much does planning with the model improve the policy? (Fig 7)

{learned, true} model x {policy, uniform} prior against the number of simulations, and the prior alone. A seed's
episodes start alike at every checkpoint: checkpoints are compared on the same starts, and the planner with the true
model and the uniform prior, the dearest, which owes nothing to the agent, plays once for all checkpoints.
"""

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from analyses.banks import starts_and_keys
from analyses.population import Agents, Population
from analyses.settings import Planning
from analyses.units import Unit, write_rows
from muzero_probe.envs import make
from muzero_probe.probes.episodes import Episodes
from muzero_probe.probes.planning import PlanningModel, play_planner, play_prior
from muzero_probe.search.mcts import Prior

OF_THE_AGENT: tuple[tuple[PlanningModel, Prior], ...] = (
    ("learned", "policy"),
    ("learned", "uniform"),
    ("true", "policy"),
)  # model, prior


def free_search(population: Population, own: Planning, seeds: tuple[int, ...], folder: Path) -> Unit:
    """The episodes of the true model with the uniform prior, as a unit of work."""
    config = population.config
    return Unit(
        name="planning",
        label=f"{population.profile}_{population.agent}_{seeds[0]:03d}-{seeds[-1]:03d}_free",
        measure=partial(_measure_free_search, population, own, seeds),
        depends=(
            {"episodes": own.episodes, "horizon": own.horizon, "budgets": own.budgets},
            config.environment,
            vars(config.search),
            seeds,
        ),
        folder=folder,
        write=write_rows,
        suffix=".csv",
    )


def measure(agents: Agents, own: Planning, *, shared: Unit, **_: object) -> pd.DataFrame:
    """Returns a row per seed, planner and number of simulations; all play from the same starts.

    Args:
        agents: some seeds at one step.
        own: settings.
        shared: `free_search` of these seeds.
    """
    starts, keys, row_seeds = starts_and_keys(agents.seeds, "planning", own.episodes)
    model = agents.model(row_seeds)
    rows = list(_rows(play_prior(agents.env, model, starts, keys), agents.seeds, own, "none", "policy", 0))
    for plans_with, prior in OF_THE_AGENT:
        for budget in own.budgets:
            search = dataclasses.replace(agents.config.search, simulations=budget)
            episodes = play_planner(
                agents.env, model, starts, search, model=plans_with, prior=prior, horizon=own.horizon, keys=keys
            )
            rows += _rows(episodes, agents.seeds, own, plans_with, prior, budget)
    free = pd.read_csv(shared.path, dtype={"model": str})  # the model "true" is a word, not a truth value
    table = pd.concat([pd.DataFrame(rows), free])
    table.insert(1, "step", agents.step)
    return table


def _measure_free_search(population: Population, own: Planning, seeds: tuple[int, ...]) -> pd.DataFrame:
    env = make(population.config.environment)
    starts, keys, _ = starts_and_keys(seeds, "planning", own.episodes)
    rows = []
    for budget in own.budgets:
        search = dataclasses.replace(population.config.search, simulations=budget)
        episodes = play_planner(
            env, None, starts, search, model="true", prior="uniform", horizon=own.horizon, keys=keys
        )
        rows += _rows(episodes, seeds, own, "true", "uniform", budget)
    return pd.DataFrame(rows)


def _rows(
    episodes: Episodes, seeds: tuple[int, ...], own: Planning, model: str, prior: str, budget: int
) -> Iterator[dict[str, object]]:
    for seed, returns in zip(seeds, episodes.returns.reshape(len(seeds), own.episodes), strict=True):
        yield {
            "seed": seed,
            "model": model,
            "prior": prior,
            "simulations": budget,
            "return_mean": returns.mean(),
            "episodes": own.episodes,
        }
