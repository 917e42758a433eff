"""Are the policies those of eqs 1 and 2, and are ties drawn fairly?"""

import math

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.models import Model
from muzero_probe.probes.policies import most_visited, prior_policy, search_policy, softmax
from tests.doubles import OneAtATime, random_nets, random_theta
from tests.reference import search as reference


def model_and_observations(*, spread: float = 2.0) -> tuple[Model, np.ndarray]:
    nets = random_nets()
    model = learned_model(nets, random_theta(nets, seeds=2, spread=spread), np.repeat([0, 1], 3))
    return model, np.random.default_rng(0).normal(size=(6, nets.observation)).astype(np.float32)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.25])
def test_search_policy_is_a_power_of_a_recursive_search_s_visits(temperature: float):
    model, observations = model_and_observations()
    config = SearchConfig(simulations=13, discount=0.9)
    found = search_policy(model, observations, config, temperature)
    for b, observation in enumerate(observations):
        planner = OneAtATime(model.rows(np.array([b])))
        visits = reference.search(planner, observation, simulations=13, discount=0.9, c1=config.c1, c2=config.c2).visits
        powers = [n ** (1 / temperature) for n in visits]
        assert found[b].tolist() == pytest.approx([power / sum(powers) for power in powers], abs=1e-12)
        assert len(set(visits)) > 1


def test_search_policy_has_no_noise():
    """The same whatever the settings of the noise that training adds."""
    model, observations = model_and_observations()
    policies = [
        search_policy(model, observations, SearchConfig(dirichlet_fraction=f, dirichlet_alpha=a), 1.0)
        for f, a in ((0.25, 0.25), (1.0, 0.1))
    ]
    assert np.array_equal(policies[0], policies[1])


def test_prior_policy_is_the_softmax_of_the_root_s_logits():
    model, observations = model_and_observations()
    found = prior_policy(model, observations)
    assert found.dtype == np.float64
    for b, observation in enumerate(observations):
        _, _, logits = OneAtATime(model.rows(np.array([b]))).root(observation)
        weights = [math.exp(logit) for logit in logits]
        assert found[b].tolist() == pytest.approx([weight / sum(weights) for weight in weights], abs=1e-6)


def test_softmax_of_large_logits():
    found = softmax(np.array([[1000.0, 1000.0 + math.log(3)], [-1000.0, 0.0]], np.float64))
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(softmax(np.array([[0.1, 0.2]], np.float32)).sum(), 1.0, atol=1e-15)


def test_the_most_visited_action():
    visits = np.array([[3, 1, 2], [0, 0, 5], [1, 7, 7]])
    for draw in (0.0, 0.3, 0.999999):
        chosen = most_visited(visits, np.full(3, draw))
        assert chosen[:2].tolist() == [0, 2]
        assert chosen[2] in (1, 2)


@pytest.mark.parametrize(
    ("visits", "best"),
    [([4, 4, 4], [0, 1, 2]), ([1, 4, 4], [1, 2]), ([4, 0, 4], [0, 2]), ([2, 2], [0, 1]), ([0, 3, 0, 3, 3], [1, 3, 4])],
)
def test_equally_visited_actions_share_the_draws(visits: list[int], best: list[int]):
    """Evenly spaced draws, 60 for each of the best actions, the ends of [0, 1) included."""
    n = 60 * len(best)
    draws = np.arange(n) / n
    draws[-1] = np.nextafter(1.0, 0.0)
    chosen = most_visited(np.tile(visits, (n, 1)), draws)
    counts = {int(action): int(count) for action, count in zip(*np.unique(chosen, return_counts=True), strict=True)}
    assert counts == dict.fromkeys(best, 60)
