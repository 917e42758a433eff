"""Is what a model expected along an episode the model's own answer, and is what came the environment's?"""

from typing import Any

import numpy as np
import pytest

from muzero_probe.envs.planted import TabularEnvironment
from muzero_probe.models.contract import ModelError
from muzero_probe.probes import foresight as module
from muzero_probe.probes.foresight import foresight
from tests.doubles import Observing, OneLatent, TableModel, treadmill

DISCOUNT = 0.9


def lives() -> TabularEnvironment:
    """0 -> 1 -> 2 -> 3, the end; every step pays 1, 2, 4, of action 1 eight more."""
    rewards = np.array([[1, 9], [2, 10], [4, 12], [0, 0]], float)
    return TabularEnvironment([[1, 1], [2, 2], [3, 3], [3, 3]], rewards, [False] * 3 + [True], name="lives")


class Guesses(Observing):
    """A random model of a tabular environment; its predictions depend on the observation."""

    def __init__(self, states: int, actions: int) -> None:
        table = TableModel.random(np.random.default_rng(5), states=states, actions=actions)
        super().__init__(table.transitions, table.rewards)
        self.values = table.values


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_the_model_is_asked_at_every_state_along_the_actions(rows: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ROWS", rows)
    env, model = treadmill(time_limit=None), Guesses(7, 2)
    actions = np.random.default_rng(1).integers(0, 2, 10)
    states = [0]
    for action in actions[:-1]:
        states.append((states[-1] + 1 + action) % 7)
    found = foresight(env, model, np.array(states), actions, unroll=4, discount=DISCOUNT)
    for t, state in enumerate(states):
        assert found.values[t] == model.values[state]
        one = OneLatent(model, t)
        latent = one.root(env.observe(np.array([state]))[0])
        for k in range(4):
            if t + k == len(actions):
                assert np.isnan(found.predicted[t, k:]).all() and np.isnan(found.real[t, k:]).all()
                break
            latent, reward = one.step(latent, actions[t + k])
            assert found.predicted[t, k] == np.float32(reward)
            assert found.real[t, k] == env.rewards[states[t + k], actions[t + k]]


def test_the_return_is_the_discounted_sum_of_what_came():
    env, actions = treadmill(time_limit=None), np.array([1, 0, 0, 1, 1])
    states = np.array([0, 2, 3, 4, 6])
    found = foresight(env, Guesses(7, 2), states, actions, unroll=1, discount=DISCOUNT)
    rewards = [env.rewards[s, a] for s, a in zip(states, actions, strict=True)]
    for t in range(5):
        assert found.returns[t] == pytest.approx(sum(DISCOUNT**k * r for k, r in enumerate(rewards[t:])))


def test_a_lost_life_ends_reward_and_value_though_the_game_goes_on():
    """The environment that is asked is the one that the model learned, in which nothing follows a termination."""
    states, actions = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 0, 0, 0])
    found = foresight(lives(), Guesses(4, 2), states, actions, unroll=3, discount=DISCOUNT)
    assert found.returns == pytest.approx([1 + 0.9 * (10 + 0.9 * 4), 10 + 0.9 * 4, 4, 1 + 0.9 * 2, 2])
    nan = np.nan
    assert np.array_equal(found.real, [[1, 10, 4], [10, 4, 0], [4, 0, 0], [1, 2, nan], [2, nan, nan]], equal_nan=True)
    assert not np.isnan(found.predicted[:3]).any()  # the model is unrolled on


def test_a_model_that_answers_otherwise_is_named():
    class Wrong(Guesses):
        def step(self, states: np.ndarray, actions: np.ndarray) -> Any:
            return super().step(states, actions)._replace(rewards=np.zeros(1, np.float32))

    with pytest.raises(ModelError, match="Wrong: rewards must have shape"):
        foresight(lives(), Wrong(4, 2), np.array([0, 1]), np.array([0, 0]), unroll=2, discount=DISCOUNT)
