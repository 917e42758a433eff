"""Do n-step returns and discounted sums equal explicit sums?"""

import numpy as np
import pytest

from muzero_probe.targets import discounted_sums, n_step_return

OPEN = np.zeros(8, bool)


def mark(*positions: int) -> np.ndarray:
    return np.isin(np.arange(8), positions)


REWARDS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
VALUES = np.array([1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0, 7000.0, 8000.0])


def n_step(start: int, n: int, *, terminated: np.ndarray = OPEN, final: np.ndarray = OPEN) -> float:
    return n_step_return(REWARDS, VALUES, terminated, final, start, n, 0.5)


def test_bootstrap_by_hand():
    assert n_step(0, 1) == 1 + 0.5 * 2000
    assert n_step(0, 3) == 1 + 0.5 * 2 + 0.25 * 4 + 0.125 * 4000
    assert n_step(2, 2) == 4 + 0.5 * 8 + 0.25 * 5000


def test_termination_ends_the_sum_without_a_bootstrap():
    ends = mark(2)  # the action taken at 2 ended the episode
    assert n_step(0, 5, terminated=ends) == 1 + 1 + 1
    assert n_step(0, 3, terminated=ends) == 1 + 1 + 1
    assert n_step(0, 2, terminated=ends) == 1 + 1 + 0.25 * 3000
    assert n_step(2, 5, terminated=ends) == 4
    assert n_step(3, 2, terminated=ends) == 8 + 8 + 0.25 * 6000


def test_time_limit_bootstraps_with_the_final_state():
    cut = mark(2)  # position 2 is the state at which the episode was cut
    assert n_step(0, 5, final=cut) == 1 + 1 + 0.25 * 3000
    assert n_step(0, 2, final=cut) == 1 + 1 + 0.25 * 3000
    assert n_step(0, 1, final=cut) == 1 + 0.5 * 2000
    assert n_step(1, 5, final=cut) == 2 + 0.5 * 3000


def test_the_ring_wraps():
    assert n_step(6, 3) == 64 + 64 + 0.25 * 1 + 0.125 * 2000
    assert n_step(14, 3) == n_step(6, 3)
    assert n_step(7, 3, terminated=mark(0)) == 128 + 0.5 * 1
    assert n_step(7, 3, final=mark(1)) == 128 + 0.5 * 1 + 0.25 * 2000


def test_discounted_sums_equal_loops():
    rewards = np.random.default_rng(0).normal(size=(3, 4, 9)).astype(np.float32)
    found = discounted_sums(rewards, 0.97)
    assert found.dtype == np.float64 and found.shape == rewards.shape
    for i in range(3):
        for j in range(4):
            for h in range(1, 10):
                expected = sum(0.97**k * float(rewards[i, j, k]) for k in range(h))
                assert found[i, j, h - 1] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_horizon_behind_the_end_is_the_full_return():
    rewards = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])  # over after the third step
    found = discounted_sums(rewards, 0.5)
    assert found.tolist() == [1.0, 1.5, 1.75, 1.75, 1.75, 1.75]


def test_a_row_is_summed_alike_whatever_follows_it():
    rewards = np.random.default_rng(1).normal(size=(5, 40))
    whole = discounted_sums(rewards, 0.997)
    for T in range(1, 41):
        for b in range(5):
            assert np.array_equal(discounted_sums(rewards[b : b + 1, :T], 0.997)[0], whole[b, :T])
