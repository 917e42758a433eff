"""Is every prefix searched once, with its own probability, and is a row's number its own?"""

from typing import Any

import numpy as np
import pytest

from muzero_probe.envs.planted import tree
from muzero_probe.probes.value_error import PolicyError, every, exact, grow
from muzero_probe.randomness import stream
from tests.probes.value_errors import (
    Tabled,
    assert_close,
    measured,
    mistaken,
    nets_on,
    random_table,
    rows_of_all_states,
)


@pytest.mark.parametrize("samples", [None, 500])
def test_shared_prefixes_are_searched_once(samples: int | None):
    """Of a tree every prefix is a state of its own: 1, 2 and 4 of them; none behind its leaves."""
    env = tree(3)
    policy = Tabled(env, 2)
    policy.table = np.full_like(policy.table, 0.5)
    states = np.zeros(2, int)
    measured(
        env, mistaken(env), states, policy, horizon=5, samples=samples,
        rngs=[np.random.default_rng(0)],
    )  # fmt: skip
    levels = [[0], [1, 2], [3, 4, 5, 6]]
    assert policy.asked == [[(row, state) for row in (0, 1) for state in level] for level in levels]


def test_what_is_never_taken_is_never_searched():
    env = tree(3)
    policy = Tabled(env, 1)
    policy.table[:] = [0.0, 1.0]
    measured(env, mistaken(env), np.zeros(1, int), policy, horizon=3)
    assert policy.asked == [[(0, 0)], [(0, 2)], [(0, 6)]]


def test_a_row_does_not_depend_on_the_others():
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=2)
    policy, model = Tabled(env, len(states)), nets_on(env, row_seeds)
    whole = measured(env, model, states, policy, horizon=4)
    for kept in (np.array([6]), np.array([0, 3, 7])):
        policy_of_kept = Tabled(env, len(states))
        policy_of_kept.table = policy.table[kept]
        part = measured(env, model.rows(kept), states[kept], policy_of_kept, horizon=4)
        assert_close(part, PolicyError(*(array[kept] for array in whole)), 1e-5)


def test_a_seed_s_samples_do_not_depend_on_the_other_seeds():
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=3)
    policy, model = Tabled(env, len(states)), mistaken(env)

    def streams(*seeds: int) -> list[np.random.Generator]:
        return [stream(seed, "sequences", 500) for seed in seeds]

    whole = measured(env, model, states, policy, horizon=4, samples=9, rngs=streams(10, 11, 12), groups=row_seeds)
    kept = np.flatnonzero(row_seeds == 1)
    policy.table = policy.table[kept]
    alone = measured(env, mistaken(env), states[kept], policy, horizon=4, samples=9, rngs=streams(11))
    assert_close(alone, PolicyError(*(array[kept] for array in whole)), 0.0)
    others = [array[row_seeds == 0] for array in (whole.bias, whole.standard_error)]
    assert not np.array_equal(others[0], alone.bias) and not np.array_equal(others[1], alone.standard_error)


@pytest.mark.parametrize("spread", [exact, every])
def test_probabilities_of_prefixes_sum_to_one(spread: Any):
    """At every length, behind terminations too, and whether or not impossible ones are kept."""
    env = random_table()
    states, _ = rows_of_all_states(env, seeds=1)
    model, policy = mistaken(env), Tabled(env, len(states))
    lengths = grow(env, model, states, policy, spread, horizon=4, discount=0.9)
    for h, prefixes in enumerate(lengths, 1):
        np.testing.assert_allclose(np.bincount(prefixes.rows, prefixes.weights), 1.0, atol=1e-12)
        assert (np.diff(prefixes.rows) >= 0).all()
        count = np.bincount(prefixes.rows)
        if spread is every:
            assert (count == 3**h).all()
        else:
            assert (prefixes.weights > 0).all() and count.min() < 3**h
    assert not prefixes.was_alive.all() and prefixes.was_alive.any()
