"""Are sampled value errors centred on the exact ones, and do they know their spread?"""

import numpy as np
import pytest

from muzero_probe.envs.planted import tree
from tests.doubles import OneLatent, OneState
from tests.probes.value_errors import (
    Tabled,
    always,
    measured,
    mistaken,
    nets_on,
    off_by_turns,
    plank,
    random_table,
    rows_of_all_states,
)
from tests.reference import value_error as reference


@pytest.mark.parametrize("samples", [2, 30])
def test_sampled_estimates_are_centred_and_know_their_spread(samples: int):
    """4000 independent estimates of the same numbers, as rows; bands of four of their own standard deviations."""
    env = plank()
    n = 4000
    policies = np.array([[0.5, 0.5], [0.7, 0.3], [0.8, 0.2]])

    def policy(rows: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return policies[seen.argmax(1)]

    wanted = measured(env, mistaken(env), np.ones(1, int), policy, horizon=4)
    found = measured(
        env, mistaken(env), np.ones(n, int), policy, horizon=4, samples=samples,
        rngs=[np.random.default_rng(3)],
    )  # fmt: skip
    variances = found.standard_error**2
    spread = found.bias.var(0, ddof=1)
    assert (spread > 0).all()
    for name in ("bias", "over", "foreseen", "invented"):
        each = getattr(found, name)
        assert (np.abs(each.mean(0) - getattr(wanted, name)) <= 4 * each.std(0) / np.sqrt(n)).all(), name
    # the squared standard error is an unbiased estimate of the variance; both have a spread of their own
    squares = (found.bias - found.bias.mean(0)) ** 2
    band = 4 * np.sqrt((squares.var(0) + variances.var(0)) / n)
    assert (np.abs(variances.mean(0) - spread) < band).all()
    assert (band < 0.15 * spread).all()
    np.testing.assert_array_equal(found.error, np.abs(found.bias))


def test_sampled_estimates_converge_within_their_standard_error():
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=4)
    policy = Tabled(env, len(states))
    model = nets_on(env, row_seeds)
    wanted = measured(env, model, states, policy, horizon=4)
    distances, errors = [], []
    for samples in (25, 2500):
        rngs = [np.random.default_rng([samples, seed]) for seed in range(4)]
        found = measured(env, model, states, policy, horizon=4, samples=samples, rngs=rngs, groups=row_seeds)
        distances.append(found.bias - wanted.bias)
        errors.append(found.standard_error)
    assert (np.abs(distances[1]) <= 4 * errors[1] + 1e-12).all()
    # a hundred times the samples: a tenth of the distance
    ratio = np.sqrt((distances[1] ** 2).mean() / (distances[0] ** 2).mean())
    assert 0.07 < ratio < 0.14
    np.testing.assert_allclose(np.sqrt((errors[1] ** 2).mean() / (errors[0] ** 2).mean()), 0.1, rtol=0.05)


def test_few_samples_inflate_the_error_but_not_the_bias():
    """Exactly 0 in truth. Two samples of 1, 0, -2 with 1/2, 1/4, 1/4 have a mean of size 3/4, on average.

    1 with 1/4 (1, 1), 1/2 with 1/4 (1, 0), 1/2 with 1/4 (1, -2), 0 with 1/16, 1 with 1/8 (0, -2), 2 with 1/16.
    """
    n = 4000
    env, model, states, policy = off_by_turns(n)
    few = measured(env, model, states, policy, horizon=1, samples=2, rngs=[np.random.default_rng(0)])
    many = measured(env, model, states, policy, horizon=1, samples=200, rngs=[np.random.default_rng(0)])
    variance = 1.5  # of 1, 0, -2
    assert few.error.mean() == pytest.approx(0.75, abs=4 * np.sqrt(variance / 2 / n))
    assert abs(few.bias.mean()) < 4 * np.sqrt(variance / 2 / n)
    assert (few.standard_error**2).mean() == pytest.approx(variance / 2, rel=0.05)
    assert many.error.mean() < 0.11 * few.error.mean()


def test_a_sampled_sequence_is_one_for_all_horizons():
    """Shorter horizons are measured with its beginning: nothing is drawn anew for a longer one."""
    env, n = tree(3), 200
    model = mistaken(env)
    rngs = [np.random.default_rng(0)]
    found = measured(env, model, np.zeros(n, int), always(0.5, 0.5), horizon=3, samples=2, rngs=rngs, discount=1.0)
    # v - v_hat of the 2, 4, 8 prefixes
    world, guess = OneState(env), OneLatent(model, 0)
    halves = []
    for h in (1, 2, 3):
        all_ = reference.enumerate_all(world, guess, 0, np.zeros(1, int), lambda s: [0.5, 0.5], length=h, discount=1.0)
        halves.append([(s.true - s.predicted) / 2 for s in all_])
    allowed = {
        tuple(round(halves[h][i >> (2 - h)] + halves[h][j >> (2 - h)], 9) for h in range(3))
        for i in range(8)
        for j in range(8)
    }
    assert len(allowed) > 20
    assert {tuple(bias) for bias in found.bias.round(9).tolist()} <= allowed


@pytest.mark.parametrize("samples", [1, 0, -3])
def test_too_few_samples(samples: int):
    env, model, states, policy = off_by_turns(1)
    with pytest.raises(ValueError, match=f"samples is {samples}, at least 2 is needed"):
        measured(env, model, states, policy, horizon=1, samples=samples, rngs=[np.random.default_rng(0)])


def test_samples_need_streams():
    env, model, states, policy = off_by_turns(1)
    with pytest.raises(ValueError, match="sampling needs random streams"):
        measured(env, model, states, policy, horizon=1, samples=2)
