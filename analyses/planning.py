"""How much does planning with the model improve the policy? (Fig 7)

{learned, real} model x {policy, uniform} prior against the number of simulations, and the prior alone. A seed's
episodes start alike at every checkpoint: checkpoints are compared on the same starts, and the planner with the real
model and the uniform prior, the dearest, which owes nothing to the agent, plays once for all checkpoints.
"""

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

from analyses.harness.agents import Agents, Inputs
from analyses.harness.settings import check_ascending, check_rules, check_seeds
from analyses.tables import Column
from muzero_probe.config import MOST, MOST_STEPS, SearchConfig, at_least
from muzero_probe.models.true import TrueModel
from muzero_probe.probes.episodes import Episodes
from muzero_probe.probes.planning import play_planner, play_prior
from muzero_probe.search.mcts import Prior

FIGURE = 7
COLUMNS = {
    "model": Column("word", "", "model that is planned with: learned, real, or no search"),
    "rule": Column("word", "", "rule of the search"),
    "prior": Column("word", "", "prior of the search: policy or uniform"),
    "simulations": Column("int", "", "simulations per step; 0 without search"),
    "return_mean": Column("float", "reward", "undiscounted return, mean over the episodes"),
    "episodes": Column("int", "", "episodes of a seed and planner"),
}
OF_THE_AGENT: tuple[tuple[str, Prior], ...] = (
    ("learned", "policy"),
    ("learned", "uniform"),
    ("real", "policy"),
)  # model, prior


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Figure 7."""

    seeds: int = 0
    """Seeds of the population that plan, lowest first; 0 takes all."""
    episodes: int = 3
    """Episodes per seed and planner."""
    steps: tuple[int, ...] = ()
    """Checkpoints; by default all."""
    horizon: int = 16
    """Planning horizon, steps from the root."""
    budgets: tuple[int, ...] = (4, 8, 16, 32, 64, 128)
    """Simulations per step."""
    rules: tuple[str, ...] = ("muzero", "efficientzero")
    """Rules of the search that are measured; the agent's own, with which claims and figures are made, always is."""

    def __post_init__(self) -> None:
        at_least(self, "planning", 1, "episodes", "horizon")
        check_seeds("planning", self.seeds)
        check_ascending("planning.steps", self.steps, least=0, most=MOST_STEPS)
        check_ascending("planning.budgets", self.budgets, least=1, most=MOST, empty=False)
        check_rules("planning.rules", self.rules)


def measure_once(agents: Agents, settings: Settings) -> list[dict[str, Any]]:
    """Returns the rows of the real model with the uniform prior, the same at all checkpoints."""
    starts, keys, _ = agents.episodes("planning", settings.episodes)
    rows = []
    for search, budget in itertools.product(agents.searches(settings.rules), settings.budgets):
        search = dataclasses.replace(search, simulations=budget)
        model = TrueModel(agents.env)
        played = play_planner(agents.env, model, starts, search, prior="uniform", horizon=settings.horizon, keys=keys)
        rows += _rows(played, agents.seeds, "real", "uniform", search)
    return rows


def measure(agents: Agents, settings: Settings, inputs: Inputs) -> list[dict[str, Any]]:
    """Returns a row per seed, rule, planner and number of simulations; all play from the same starts."""
    starts, keys, row_seeds = agents.episodes("planning", settings.episodes)
    learned = agents.model(row_seeds)
    models = {"learned": learned, "real": TrueModel(agents.env, learned)}
    rows = _rows(play_prior(agents.env, learned, starts, keys), agents.seeds, "no search", "policy", None)
    searches = agents.searches(settings.rules)
    for search, (model, prior), budget in itertools.product(searches, OF_THE_AGENT, settings.budgets):
        search = dataclasses.replace(search, simulations=budget)
        played = play_planner(
            agents.env, models[model], starts, search, prior=prior, horizon=settings.horizon, keys=keys
        )
        rows += _rows(played, agents.seeds, model, prior, search)
    assert inputs.once is not None
    return rows + inputs.once.loc[:, ["seed", *COLUMNS]].to_dict("records")


def _rows(
    played: Episodes, seeds: tuple[int, ...], model: str, prior: str, search: SearchConfig | None
) -> list[dict[str, Any]]:
    returns = played.returns.reshape(len(seeds), -1)
    return [
        {
            "seed": seed,
            "model": model,
            "rule": search.rule if search else "no search",
            "prior": prior,
            "simulations": search.simulations if search else 0,
            "return_mean": of_seed.mean(),
            "episodes": len(of_seed),
        }
        for seed, of_seed in zip(seeds, returns, strict=True)
    ]
