"""Does the search find in planted environments what is known of them?"""

from typing import Any

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree
from muzero_probe.models import Prediction, TrueModel
from muzero_probe.randomness import row_keys
from muzero_probe.search.leaves import RolloutLeaf
from muzero_probe.search.mcts import search
from tests.doubles import TableModel, random_nets, random_theta
from tests.search.searches import LEAVES, assert_same


def test_a_bandit_by_hand():
    """Priors 0.8, 0.2; rewards 1, 3; one step: worked out below with n the visits so far.

    While only action 0 was met, min = max = 1 and Q(0) = 1 is left as it is. Action 1 wins when
    0.2 c sqrt(n) > 1 + 0.8 c sqrt(n) / (1 + n), c = 1.25 + log((n + 19653) / 19652): at n = 22 it is
    1.1737 < 1.2041, at n = 23 1.20013 > 1.20002 (without the logarithm 1.19896 < 1.19983). From then on
    Q = 0, 1 on the normalised scale, and at n < 60 action 0's bonus 0.8 c sqrt(n) / 24 < 0.33 never makes
    up for that.
    """
    env = bandit((1.0, 3.0))
    logits = np.log(np.array([[0.8, 0.2], [0.5, 0.5]]))
    model = TableModel(env.transitions, env.rewards, np.zeros(2), logits)
    for simulations, visits in ((1, [1, 0]), (23, [23, 0]), (24, [23, 1]), (60, [23, 37])):
        config = SearchConfig(simulations=simulations, discount=0.9)
        found = search(model, np.zeros(1, int), config, leaf=RolloutLeaf(horizon=1), keys=row_keys(0, "t", 1))
        assert found.visits.tolist() == [visits]
        assert found.values[0] == pytest.approx((visits[0] + 3 * visits[1]) / simulations)


class Learned(TrueModel):
    """The true dynamics as a model that was learned perfectly: it sees observations and has latents of its own."""

    def __init__(self, env: Environment) -> None:
        super().__init__(env)

    def rows(self, selection: Any) -> "Learned":
        return Learned(self.env)

    def root(self, observations: np.ndarray, states: Any = None) -> Prediction:
        # observations are one-hot; a latent is the negative of the state
        found = super().root(observations, observations.argmax(-1))
        return found._replace(states=-found.states)

    def step(self, states: np.ndarray, actions: np.ndarray) -> Prediction:
        found = super().step(-states, actions)
        return found._replace(states=-found.states)

    def rollout(self, states: np.ndarray, plans: np.ndarray) -> np.ndarray:
        return super().rollout(-states, plans)


@pytest.mark.parametrize("env", [chain(3), tree(3, 2), tree(2, 3), bandit()], ids=lambda env: env.name)
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES.keys())
def test_the_true_dynamics_as_learned_model_give_the_same_tree(env: TabularEnvironment, leaf: Any):
    B = 11
    states = np.random.default_rng(0).choice(np.flatnonzero(~env.terminal), B)
    config = SearchConfig(simulations=40, discount=0.9)
    given = {"leaf": leaf, "keys": row_keys(0, "test", B), "record": True}
    assert_same(
        search(Learned(env), env.observe(states), config, **given),
        search(TrueModel(env), env.observe(states), config, states=states, **given),
    )


@pytest.mark.parametrize("depth", [2, 3])
def test_search_finds_the_best_plan_of_the_planted_tree(depth: int):
    """Every inner step deceives, so only who looks to the end prefers the right first action."""
    env = tree(depth)
    found = search(
        TrueModel(env), env.observe(np.zeros(4, int)), SearchConfig(simulations=400, discount=1.0),
        states=np.zeros(4, int),
        prior="uniform", leaf=RolloutLeaf(horizon=depth), keys=row_keys(0, "test", 4),
    )  # fmt: skip
    best = np.argmax([env.rollout(np.zeros(2**depth, int), plans_of(depth))[0].sum(1).reshape(2, -1).max(1)])
    assert (found.visits.argmax(1) == best).all()
    assert (found.visits.max(1) > 200).all()


def plans_of(depth: int) -> np.ndarray:
    return np.array([[(i >> (depth - 1 - k)) & 1 for k in range(depth)] for i in range(2**depth)])


def test_terminal_states_are_absorbing_in_a_true_model_s_tree():
    env = chain(2)
    nets = random_nets(observation=3, actions=2)
    predictor = learned_model(nets, random_theta(nets), np.zeros(1, int))
    config = SearchConfig(simulations=50, discount=1.0, c1=50.0)  # tries every action again and again
    result = search(TrueModel(env, predictor), env.observe(np.array([1])), config, states=np.array([1]), record=True)
    assert result.record is not None
    built = result.record.tree
    end = built.children[0, 0, 1]  # the step to the right pays 1 and ends the episode
    assert built.rewards[0, end] == 1
    assert built.visits[0, 0, 1] > 5 and built.visits[0, end].sum() > 5
    assert built.totals[0, 0, 1] == built.visits[0, 0, 1]  # each return is exactly 1: nothing comes after
    assert not built.totals[0, end].any()
