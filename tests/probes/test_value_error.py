"""Is the value error of a policy (eq 7) what enumerating every action sequence gives?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment
from muzero_probe.probes.policies import search_policy
from tests.doubles import Observing, OneAtATime, TrueDynamics
from tests.probes.value_errors import (
    ENVIRONMENTS,
    Tabled,
    always,
    assert_close,
    enumerated,
    measured,
    mistaken,
    nets_on,
    off_by_turns,
    plank,
    rows_of_all_states,
)
from tests.reference import search


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_equals_all_sequences_enumerated(name: str):
    env = ENVIRONMENTS[name]()
    states, row_seeds = rows_of_all_states(env, seeds=2)
    policy = Tabled(env, len(states))
    # the nets' rounding may depend on the number of rows
    for model, tolerance in ((mistaken(env), 1e-12), (nets_on(env, row_seeds), 1e-5)):
        found = measured(env, model, states, policy, horizon=4)
        assert_close(found, enumerated(env, model, states, policy.of, horizon=4), tolerance)
        assert found.error.max() > 0.1  # there is something to find
        assert np.isnan(found.invented).all() == (env.alive_reward is None)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_of_the_search_policy_equals_all_sequences_enumerated(temperature: float):
    """A search at every real state on the way; eq 2 turns its visits into the policy."""
    env = plank()
    states, row_seeds = rows_of_all_states(env, seeds=2)
    model = nets_on(env, row_seeds)
    config = SearchConfig(simulations=7, discount=0.9)

    def visits(b: int, state: Any) -> list[int]:
        planner = OneAtATime(model.rows(np.array([b])))
        observation = env.observe(np.asarray(state)[None])[0]
        return search.search(planner, observation, simulations=7, discount=0.9, c1=config.c1, c2=config.c2).visits

    def policy_of(b: int) -> Callable[[Any], list[float]]:
        def policy(state: Any) -> list[float]:
            powers = [n ** (1 / temperature) for n in visits(b, state)]
            return [power / sum(powers) for power in powers]

        return policy

    found = measured(
        env, model, states, lambda rows, seen: search_policy(model.rows(rows), seen, config, temperature), horizon=4
    )
    assert_close(found, enumerated(env, model, states, policy_of, horizon=4), 1e-5)
    assert found.error.max() > 0.1


@pytest.mark.parametrize("alive_reward", [1.0, -1.0])
def test_a_plank_by_hand(alive_reward: float):
    """Discount 1/2, from the middle; a step pays 1, or costs 1: then every reward below has the other sign.

    The policy goes to the left with 3/4 from the middle, 1/2 from cell 0, 4/5 from cell 2. The model does not
    know of the fall to the right, it stays in cell 2, and gives 1/4 for that step; else it is right.

    h = 2: RR, with 1/4 * 1/5 = 1/20, is worth 1 + 1/2 but predicted as 1 + 1/2 * 1/4 = 1.125: the model invents
    an end. All others are right. E[v - v_hat] = 0.375 / 20.

    h = 3: LL (3/8) has fallen, and the model knows. RR (1/20) has fallen, each third action has probability 1/2:
    RRL is predicted as 1.125 + 1/4 (not foreseen), RRR as 1.125 + 1/4 * 1/4 (foreseen), both are worth 1.5.
    E[v - v_hat] = (0.125 + 0.3125) / 40; over 3/8 + 1/20, foreseen 3/8 + 1/40.
    """
    env = plank(alive_reward)
    model = Observing(
        np.array([[3, 1], [0, 2], [1, 2], [3, 3]]),
        alive_reward * np.array([[1, 1], [1, 1], [1, 0.25], [0, 0]]),
    )
    policies = np.array([[1 / 2, 1 / 2], [3 / 4, 1 / 4], [4 / 5, 1 / 5]])
    found = measured(env, model, np.array([1]), lambda rows, seen: policies[seen.argmax(1)], horizon=3, discount=0.5)
    np.testing.assert_allclose(found.bias[0], np.array([0, 0.01875, 0.0109375]) * alive_reward, atol=1e-15)
    np.testing.assert_allclose(found.error[0], [0, 0.01875, 0.0109375], atol=1e-15)
    np.testing.assert_allclose(found.over[0], [0, 0, 0.425], atol=1e-15)
    np.testing.assert_allclose(found.foreseen[0], [0, 0, 0.4], atol=1e-15)
    np.testing.assert_allclose(found.invented[0], [0, 0.05, 0], atol=1e-15)
    assert not found.standard_error.any()


def test_the_absolute_value_stands_outside_the_expectation():
    env, model, states, policy = off_by_turns(1)
    found = measured(env, model, states, policy, horizon=2)
    assert found.error.max() < 1e-15


def nearly_fallen(rows: int) -> np.ndarray:
    """Cart Pole states from which poles fall within a few steps, or carts leave the track."""
    rng = np.random.default_rng(0)
    return rng.uniform([2.2, 0.5, 0.1, 0.0], [2.39, 2.0, 0.2, 2.0], (rows, 4))


@pytest.mark.parametrize("samples", [None, 20])
@pytest.mark.parametrize("environment", ["cartpole", "alive", "tree", "plank"])
def test_the_true_dynamics_have_no_error(environment: str, samples: int | None):
    env = CartPole() if environment == "cartpole" else ENVIRONMENTS[environment]()
    if isinstance(env, TabularEnvironment):
        states, row_seeds = rows_of_all_states(env, seeds=2)
    else:
        states, row_seeds = nearly_fallen(6), np.repeat([0, 1], 3)
    model = TrueDynamics(env, states)
    rngs = [np.random.default_rng(seed) for seed in (0, 1)]
    policy = always(*np.full(env.num_actions, 1 / env.num_actions))
    found = measured(env, model, states, policy, horizon=6, samples=samples, rngs=rngs, groups=row_seeds)
    assert found.over.max() > 0.5  # so that ends are among what is predicted
    for none in (found.error, found.bias, found.standard_error):
        assert none.shape == (len(states), 6) and not none.any()
    if env.alive_reward is not None:
        np.testing.assert_array_equal(found.foreseen, found.over)
        assert not found.invented.any()
