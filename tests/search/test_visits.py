"""Is a policy what the formula makes of visits, and are actions drawn as often as it says?"""

import numpy as np
import pytest
from scipy import stats

from muzero_probe.search.policies import sample_actions, visit_policy


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.25])
def test_visit_policy_equals_formula(temperature: float):
    visits = np.array([[3, 1, 0], [10, 25, 15], [0, 0, 7], [1, 1, 1]])
    powers = [[int(n) ** int(1 / temperature) for n in row] for row in visits]
    expected = [[p / sum(row) for p in row] for row in powers]
    found = visit_policy(visits, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found[visits == 0] == 0).all()
    np.testing.assert_allclose(visit_policy(visits[0], temperature), expected[0], rtol=1e-12)


def test_visit_policy_of_huge_counts_and_low_temperatures():
    visits = np.array([[10**9, 10**9 // 2, 0], [5, 4, 3]])
    found = visit_policy(visits, 0.25)
    np.testing.assert_allclose(found[0], [16 / 17, 1 / 17, 0], rtol=1e-9)
    np.testing.assert_allclose(visit_policy(visits, 1e-3), [[1, 0, 0], [1, 0, 0]], atol=1e-9)
    assert np.isfinite(visit_policy(visits.astype(np.int32), 1e-3)).all()
    np.testing.assert_allclose(visit_policy(visits.astype(np.int32), 1.0).sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_visit_policy_refuses_impossible_temperatures(temperature: float):
    with pytest.raises(ValueError, match=r"it must lie in \[1e-06, 1e\+06\]"):
        visit_policy(np.array([1, 2]), temperature)


def test_actions_are_sampled_as_often_as_the_policy_says():
    policy = np.array([0.5, 0.0, 0.3, 0.2])
    draws = np.random.default_rng(0).random(40_000)
    actions = sample_actions(np.tile(policy, (len(draws), 1)), draws)
    counts = np.bincount(actions, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[policy > 0], len(draws) * policy[policy > 0]).pvalue > 1e-3


@pytest.mark.parametrize("policy", [[0.0, 1.0, 0.0], [0.0, 0.4, 0.6], [0.7, 0.3, 0.0], [0.1] * 10 + [0.0]])
def test_impossible_actions_are_never_sampled(policy: list[float]):
    draws = np.array([0.0, 1e-300, 0.5, 1 - 2**-53])
    actions = sample_actions(np.tile(policy, (4, 1)), draws)
    assert (np.array(policy)[actions] > 0).all()
