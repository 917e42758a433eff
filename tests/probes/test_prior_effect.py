"""Is what is said of a search's trajectories and visits what a recursive search and the formulas give?"""

import math
from typing import Any

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, chain, tree
from muzero_probe.probes.prior_effect import PriorEffect, prior_effect
from muzero_probe.randomness import random_plans, row_keys
from tests.doubles import Observing, OneAtATime, OneLatent, OneState, TrueDynamics, random_nets, random_theta
from tests.reference import prior_effect as formulas
from tests.reference import search as reference
from tests.reference.value_error import unroll

BUDGETS = [1, 3, 8, 20]


def config(budgets: list[int], discount: float = 0.9) -> SearchConfig:
    return SearchConfig(simulations=max(budgets), discount=discount, c1=1.1, c2=15.0)


def measured(
    env: Environment, model: Any, states: np.ndarray, *, prior: Any, horizon: int, budgets: list[int] = BUDGETS
) -> PriorEffect:
    return prior_effect(
        env, model, states, config(budgets), prior=prior, horizon=horizon, budgets=budgets,
        keys=row_keys(0, "test", len(states)),
    )  # fmt: skip


def expected(env: Environment, model: Any, states: np.ndarray, *, prior: str, horizon: int) -> PriorEffect:
    """One recursive search of each length, all its trajectories one by one."""
    keys = row_keys(0, "test", len(states))
    world, A = OneState(env), env.num_actions
    out = PriorEffect(*(np.empty((len(states), len(BUDGETS))) for _ in PriorEffect._fields))
    for b, state in enumerate(states):
        observation = env.observe(states[b : b + 1])[0]
        planner, guess = OneAtATime(model.rows(np.array([b]))), OneLatent(model, b)
        p = reference.softmax(planner.root(observation)[2])
        for i, budget in enumerate(BUDGETS):
            found = reference.search(
                planner, observation, simulations=budget, discount=0.9, c1=1.1, c2=15.0, uniform=prior == "uniform",
                horizon=horizon, plan=lambda n, steps, b=b: random_plans(keys[b : b + 1], n, steps, A)[0].tolist(),
                key=int(keys[b]),
            )  # fmt: skip

            def error(actions: list[int], state: Any = state, guess: Any = guess, seen: Any = observation) -> float:
                return unroll(world, guess, state, guess.root(seen), actions, discount=0.9).error

            whole = [path + rollout for path, rollout in zip(found.paths, found.rollouts, strict=True)]
            assert {len(actions) for actions in whole} == {horizon}
            q = formulas.visit_distribution([path[0] for path in found.paths], A)
            out.error[b, i] = sum(map(error, whole)) / budget
            out.path_error[b, i] = sum(map(error, found.paths)) / budget
            out.tv[b, i] = formulas.total_variation(p, q)
            out.kl[b, i] = formulas.divergence(p, q)
    return out


def assert_close(found: PriorEffect, wanted: PriorEffect, tolerance: float) -> None:
    for name in PriorEffect._fields:
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=tolerance, rtol=0, err_msg=name)


def mistaken(env: TabularEnvironment, rows: int) -> Observing:
    rng = np.random.default_rng(0)
    N, A = env.transitions.shape
    return Observing(rng.integers(0, N, (N, A)), rng.integers(-16, 16, (N, A)) / 8)


def random_table() -> TabularEnvironment:
    rng = np.random.default_rng(5)
    return TabularEnvironment(
        rng.integers(0, 7, (7, 3)), rng.integers(-8, 8, (7, 3)) / 4, np.arange(7) >= 5, name="random"
    )


@pytest.mark.parametrize("horizon", [1, 3, 9])  # within the trees, and beyond them
@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize("environment", ["tree", "random"])
def test_equals_recursive_searches_of_every_length(environment: str, prior: str, horizon: int):
    env = tree() if environment == "tree" else random_table()
    states = np.flatnonzero(~env.terminal)
    found = measured(env, mistaken(env, len(states)), states, prior=prior, horizon=horizon)
    wanted = expected(env, mistaken(env, len(states)), states, prior=prior, horizon=horizon)
    assert_close(found, wanted, 1e-7)  # the prior comes from float32 logits
    assert found.error.max() > 0.5 and found.tv.max() > 0.1
    assert horizon == 1 or not np.allclose(found.error, found.path_error)


@pytest.mark.parametrize("prior", ["policy", "uniform"])
def test_equals_recursive_searches_with_nets(prior: str):
    env = CartPole()
    nets = random_nets(observation=4, actions=2)
    model = learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], 2))
    states = np.random.default_rng(0).uniform([-1, -1, 0.1, 0.0], [1, 1, 0.2, 2.0], (4, 4))
    found = measured(env, model, states, prior=prior, horizon=6)
    assert_close(found, expected(env, model, states, prior=prior, horizon=6), 1e-5)


@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize("environment", ["tree", "cartpole"])
def test_the_true_dynamics_have_no_error(environment: str, prior: str):
    env = CartPole() if environment == "cartpole" else tree()
    states = np.zeros(3, int)
    if environment == "cartpole":
        states = np.random.default_rng(0).uniform([2.2, 0.5, 0.1, 0.0], [2.39, 2.0, 0.2, 2.0], (3, 4))
    model = TrueDynamics(env, states)
    found = measured(env, model, states, prior=prior, horizon=8)
    assert not found.error.any() and not found.path_error.any()
    assert found.tv.all() and found.kl.all()


def test_budgets_are_the_beginnings_of_one_search():
    env = random_table()
    states = np.flatnonzero(~env.terminal)
    model = mistaken(env, len(states))
    together = measured(env, model, states, prior="policy", horizon=5)
    for i, budget in enumerate(BUDGETS):
        alone = measured(env, model, states, prior="policy", horizon=5, budgets=[budget])
        assert_close(alone, PriorEffect(*(array[:, i : i + 1] for array in together)), 0.0)


def test_what_lies_behind_the_horizon_does_not_count():
    """A model that gives nothing is wrong about a chain of 4 once its end is within reach: 0.9^3 on every right plan.

    Plans of 4 steps from state 0 that reach the end: only 1111.
    """
    env = chain(4)
    model = Observing(np.zeros((5, 2), int), np.zeros((5, 2)))
    states = np.zeros(50, int)
    short = measured(env, model, states, prior="uniform", horizon=3)
    assert not short.error.any() and not short.path_error.any()
    long = measured(env, model, states, prior="uniform", horizon=4)
    hits = long.error[:, -1] * 20 / 0.9**3  # how many of 20 trajectories are 1111
    np.testing.assert_allclose(hits, hits.round(), atol=1e-9)
    assert 0.5 < hits.mean() < 2.5  # 20 / 16 if plans were uniform
    assert (long.path_error <= long.error + 1e-12).all() and long.path_error.mean() < long.error.mean()


def test_visits_and_distances_by_hand():
    """One state, two actions, nothing to gain: with the uniform prior, action 0 first, then 1, 0, 1 ...

    Prior 4/5, 1/5. After one simulation visits are 1, 0 and the distribution is 2/3, 1/3: total variation 2/15,
    divergence 4/5 log(6/5) + 1/5 log(3/5). After two it is 1/2, 1/2; after three 3/5, 2/5.
    """
    env = TabularEnvironment([[0, 0]], np.zeros((1, 2)), [False], name="still")
    model = Observing(np.zeros((1, 2), int), np.zeros((1, 2)), np.log([[4.0, 1.0]]))
    found = measured(env, model, np.zeros(1, int), prior="uniform", horizon=4, budgets=[1, 2, 3])
    np.testing.assert_allclose(found.tv[0], [2 / 15, 3 / 10, 1 / 5], atol=1e-7)
    wanted = [
        0.8 * math.log(6 / 5) + 0.2 * math.log(3 / 5),
        0.8 * math.log(8 / 5) + 0.2 * math.log(2 / 5),
        0.8 * math.log(4 / 3) + 0.2 * math.log(1 / 2),
    ]
    np.testing.assert_allclose(found.kl[0], wanted, atol=1e-7)


def test_an_impossible_action_adds_nothing_to_the_divergence():
    env = TabularEnvironment([[0, 0]], np.zeros((1, 2)), [False], name="still")
    model = Observing(np.zeros((1, 2), int), np.zeros((1, 2)), np.array([[0.0, -1000.0]]))
    found = measured(env, model, np.zeros(1, int), prior="policy", horizon=4, budgets=[2])
    # both simulations take action 0: 3/4, 1/4
    np.testing.assert_allclose([found.tv[0, 0], found.kl[0, 0]], [1 / 4, math.log(4 / 3)])


def test_a_row_does_not_depend_on_the_others():
    env = random_table()
    states = np.flatnonzero(~env.terminal)
    nets = random_nets(observation=7, actions=3)
    model = learned_model(nets, random_theta(nets), np.zeros(5, int))
    keys = row_keys(0, "test", 5)
    arguments: dict[str, Any] = {"prior": "policy", "horizon": 5, "budgets": BUDGETS}
    whole = prior_effect(env, model, states, config(BUDGETS), keys=keys, **arguments)
    kept = np.array([1, 4])
    part = prior_effect(env, model.rows(kept), states[kept], config(BUDGETS), keys=keys[kept], **arguments)
    assert_close(part, PriorEffect(*(array[kept] for array in whole)), 1e-5)


def test_the_search_must_have_the_largest_budget():
    env = tree()
    with pytest.raises(ValueError, match=r"search\.simulations is 20, the largest budget is 8"):
        prior_effect(
            env, mistaken(env, 1), np.zeros(1, int), config(BUDGETS), prior="policy", horizon=3, budgets=[8, 2],
            keys=row_keys(0, "test", 1),
        )  # fmt: skip
