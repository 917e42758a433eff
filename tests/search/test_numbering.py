"""Does anything depend on how actions are numbered?

A task whose actions have other numbers is the same task: searches of it visit, and planners in it return, the same in
distribution. Streams are fixed, so a p-value is what it is; one below 0.01 is no accident of a run.
"""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment, StepResult
from muzero_probe.envs.minatar import MinAtarBreakout
from muzero_probe.models import TrueModel
from muzero_probe.probes.planning import play_planner
from muzero_probe.randomness import row_keys
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import search
from tests.doubles import TableModel

ROOTS = 2000
RULES = ("muzero", "efficientzero")


def tied(order: list[int]) -> TableModel:
    """60 states, 4 actions, rewards of -1, 0 and 1: many of a node's actions are worth the same. `order` renumbers."""
    rng = np.random.default_rng(0)
    transitions, rewards = rng.integers(0, 60, (60, 4)), rng.integers(-1, 2, (60, 4))
    values = rng.integers(-1, 2, 60)
    return TableModel(transitions[:, order], rewards[:, order], values, np.zeros((60, 4)))


def visited(order: list[int], simulations: int, rule: Any, leaf: RolloutLeaf | None, purpose: str) -> np.ndarray:
    """Visits [roots, A] by the first numbers of the actions."""
    given: dict[str, Any] = {} if leaf is None else {"leaf": leaf}
    roots, keys = np.arange(ROOTS) % 60, row_keys(0, purpose, ROOTS)
    config = SearchConfig(simulations=simulations, rule=rule, discount=0.9)
    found = search(tied(order), roots, config, prior="uniform", keys=keys, **given).visits
    return found[:, np.argsort(order)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("leaf", [None, RolloutLeaf(horizon=6)], ids=("value", "rollout"))
@pytest.mark.parametrize("simulations", [1, 4, 16, 64])
def test_visits_do_not_depend_on_the_numbers_of_actions(simulations: int, leaf: RolloutLeaf | None, rule: Any):
    a = visited([0, 1, 2, 3], simulations, rule, leaf, "first")
    b = visited([3, 1, 0, 2], simulations, rule, leaf, "second")
    for action in range(4):
        counts = [np.bincount(x[:, action], minlength=simulations + 1) for x in (a, b)]
        filled = np.array(counts)[:, (np.array(counts).sum(0) >= 10)]
        if filled.shape[1] > 1:
            found: Any = stats.chi2_contingency(filled)
            assert found.pvalue > 0.01, action


def test_every_action_is_looked_at():
    """Where nothing is known, four simulations see each of four actions equally often."""
    rewards = np.zeros((60, 4))
    model = TableModel(np.random.default_rng(0).integers(0, 60, (60, 4)), rewards, np.zeros(60), rewards)
    visits = search(
        model, np.arange(ROOTS) % 60, SearchConfig(simulations=4), prior="uniform", keys=row_keys(0, "test", ROOTS)
    ).visits
    assert stats.chisquare(visits.sum(0)).pvalue > 0.01


class Renumbered(MinAtarBreakout):
    """MinAtar's Breakout whose action a is the game's `order[a]`."""

    rollout = Environment.rollout

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.order = np.array(order)

    def step(self, states: np.ndarray, actions: Any) -> StepResult:
        return super().step(states, self.order[np.asarray(actions)])


def returns(order: list[int], simulations: int, rule: Any, episodes: int, purpose: str) -> np.ndarray:
    """Of the free planner in the true dynamics."""
    env = Renumbered(order)
    config = SearchConfig(simulations=simulations, rule=rule)
    keys = row_keys(0, purpose, episodes)
    starts = np.arange(episodes)
    return play_planner(env, TrueModel(env), starts, config, prior="uniform", horizon=16, keys=keys).returns


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("simulations", [4, 16])
def test_a_planner_s_returns_do_not_depend_on_the_numbers_of_actions(simulations: int, rule: Any):
    found = [returns(order, simulations, rule, 16, str(order)) for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0])]
    assert stats.kruskal(*found).pvalue > 0.01
