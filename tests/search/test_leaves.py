"""What is a leaf worth, and are random rollouts uniform and a row's own?"""

import numpy as np
import pytest
from scipy import stats

from muzero_probe.envs.planted import chain
from muzero_probe.models import TrueModel
from muzero_probe.randomness import random_plans, row_keys
from muzero_probe.search.leaves import NO_HORIZON, RolloutLeaf, ValueLeaf
from tests.doubles import TableModel


def test_value_leaf_is_the_prediction():
    model = TableModel.random(np.random.default_rng(0), states=9, actions=2)
    leaves = model.root(np.array([3, 1, 4]))
    values, plans = ValueLeaf().evaluate(model, leaves, np.array([1, 2, 3]), np.zeros(3, np.uint64), 0, 0.9)
    assert np.array_equal(values, model.values[[3, 1, 4]])
    assert plans.shape == (3, 0)
    assert ValueLeaf().horizon == NO_HORIZON


def test_rollout_leaf_sums_rewards_up_to_the_horizon_from_the_root():
    """In the chain of length 1 every step to the right ends the episode with reward 1."""
    env = chain(1)
    model = TrueModel(env)
    depths = np.array([1, 3, 6, 7, 4])
    keys = row_keys(0, "test", 5)
    leaves = model.root(env.observe(np.zeros(5, int)), np.zeros(5, int))
    values, plans = RolloutLeaf(horizon=7).evaluate(model, leaves, depths, keys, 4, 0.5)
    assert plans.shape == (5, 6)
    for b, depth in enumerate(depths):
        steps = 7 - depth
        own = random_plans(keys[[b]], 4, 6, 2)[0]
        assert plans[b].tolist() == [*own[:steps], *[-1] * (6 - steps)]
        right = np.flatnonzero(own[:steps] == 1)
        assert values[b] == (0.5 ** right[0] if right.size else 0.0)
    assert values[3] == 0  # at the horizon
    assert np.unique(values).size > 2


def test_rollout_leaf_at_the_horizon_everywhere():
    env = chain(1)
    model = TrueModel(env)
    leaves = model.root(env.observe(np.zeros(2, int)), np.zeros(2, int))
    values, plans = RolloutLeaf(horizon=2).evaluate(model, leaves, np.array([2, 2]), row_keys(0, "test", 2), 0, 0.5)
    assert values.tolist() == [0, 0] and plans.shape == (2, 0)


def test_rollout_leaf_equals_formula_and_ignores_the_other_rows():
    model = TableModel.random(np.random.default_rng(0), states=50, actions=3)
    B, horizon, discount = 40, 30, 0.97
    rng = np.random.default_rng(1)
    roots, depths, keys = rng.integers(0, 50, B), rng.integers(1, horizon + 1, B), row_keys(0, "test", B)
    leaf = RolloutLeaf(horizon=horizon)
    values, plans = leaf.evaluate(model, model.root(roots), depths, keys, 2, discount)
    for b in range(B):
        state, total = int(roots[b]), 0.0
        for k in range(horizon - int(depths[b])):
            total += discount**k * float(model.rewards[state, plans[b, k]])
            state = int(model.transitions[state, plans[b, k]])
        assert values[b] == pytest.approx(total, rel=1e-12, abs=1e-12)
        alone, plan = leaf.evaluate(model, model.root(roots[[b]]), depths[[b]], keys[[b]], 2, discount)
        assert alone[0] == values[b]  # bit for bit
        assert plan[0].tolist() == plans[b, : plan.shape[1]].tolist()


def test_horizon_is_refused_below_a_step():
    with pytest.raises(ValueError, match="planning horizon is 0"):
        RolloutLeaf(horizon=0)


@pytest.mark.parametrize("actions", [2, 3, 4])
def test_plans_are_uniform_in_every_direction(actions: int):
    B, T = 300, 40
    keys = row_keys(0, "test", B)
    plans = np.stack([random_plans(keys, simulation, T, actions) for simulation in range(6)])
    assert plans.dtype == np.int64
    counts = np.bincount(plans.ravel(), minlength=actions)
    assert len(counts) == actions and stats.chisquare(counts).pvalue > 1e-3
    for axis in range(3):  # neighbours in simulation, row and time are unrelated
        ahead, behind = np.moveaxis(plans, axis, 0)[1:].ravel(), np.moveaxis(plans, axis, 0)[:-1].ravel()
        pairs = np.bincount(ahead * actions + behind, minlength=actions**2)
        assert stats.chisquare(pairs).pvalue > 1e-3


def test_plans_of_neighbouring_keys_are_unrelated():
    plans = random_plans(np.arange(4000, dtype=np.uint64), 0, 8, 2)
    pairs = np.bincount((plans[1:] * 2 + plans[:-1]).ravel(), minlength=4)
    assert stats.chisquare(pairs).pvalue > 1e-3


def test_a_plan_depends_on_key_simulation_and_step_alone():
    keys = row_keys(0, "test", 20)
    plans = random_plans(keys, 3, 40, 3)
    assert np.array_equal(random_plans(keys, 3, 40, 3), plans)
    assert np.array_equal(random_plans(keys, 3, 9, 3), plans[:, :9])
    assert np.array_equal(random_plans(keys[[7, 2]], 3, 40, 3), plans[[7, 2]])
    assert not np.array_equal(random_plans(keys, 4, 40, 3), plans)
    assert len({tuple(plan) for plan in plans}) == 20
