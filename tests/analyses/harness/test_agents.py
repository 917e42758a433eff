"""Do agents act as their checkpoint searches, alone and in company?"""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from analyses.harness.checkpoints import Checkpoints
from muzero_probe.models import LearnedModel
from muzero_probe.probes.policies import search_policy
from muzero_probe.search.mcts import search
from tests.doubles import OneAtATime
from tests.reference import search as reference


@pytest.mark.parametrize(("step", "temperature"), [(0, 1.0), (20, 1.0), (60, 0.25)])
def test_behaviour_is_the_training_search_at_the_checkpoint_s_temperature(
    tiny: Checkpoints, step: int, temperature: float
):
    """Eq 2 on a recursive search's visits: as many simulations as in training, no noise; 60 of 60 steps: T = 1/4."""
    agents = tiny.agents((0, 1), step, "cpu")
    row_seeds = np.array([0, 0, 1, 1, 1])
    behaviour = agents.behaviour(row_seeds)
    observations = np.random.default_rng(0).uniform(-0.2, 0.2, (5, 4)).astype(np.float32)
    rows = np.array([0, 2, 3])
    found = behaviour(rows, observations[rows])
    for i, b in enumerate(rows):
        visits = reference.search(
            OneAtATime(agents.model(row_seeds[b : b + 1])), observations[b],
            simulations=8, discount=0.997, c1=1.25, c2=19652,
        ).visits  # fmt: skip
        powers = [n ** (1 / temperature) for n in visits]
        assert found[i].tolist() == pytest.approx([power / sum(powers) for power in powers], abs=1e-12)
    one = search(agents.model(row_seeds[:1]), observations[:1], tiny.config.search)
    assert one.visits.sum() == 8


def test_behaviour_searches_once_for_what_an_agent_sees_again(tiny: Checkpoints, monkeypatch: pytest.MonkeyPatch):
    agents = tiny.agents((0, 1), 20, "cpu")
    row_seeds = np.array([0, 0, 0, 1, 1])
    seen = np.random.default_rng(0).uniform(-0.2, 0.2, (3, 4)).astype(np.float32)[[0, 1, 0, 0, 2]]
    alone = [agents.behaviour(row_seeds[b : b + 1])(np.array([0]), seen[b : b + 1])[0] for b in range(5)]
    searched = []

    def counted(model: LearnedModel, observations: np.ndarray, *rest: Any, **settings: Any):
        searched.append((model.row_seeds.tolist(), observations.tolist()))
        return search_policy(model, observations, *rest, **settings)

    monkeypatch.setattr("analyses.harness.agents.search_policy", counted)
    behaviour = agents.behaviour(row_seeds)
    found = behaviour(np.arange(5), seen)
    assert searched == [([0, 0, 1, 1], seen[[0, 1, 3, 4]].tolist())]  # the first of equals; agents apart
    np.testing.assert_allclose(found, alone, rtol=1e-12)
    assert np.array_equal(behaviour(np.array([0, 4]), seen[[1, 0]]), found[[1, 3]])
    assert len(searched) == 1


def test_actions_are_drawn_from_the_search_policy(tiny: Checkpoints):
    agents = tiny.agents((0, 1), 20, "cpu")
    row_seeds = np.repeat([0, 1], 1500)
    observations = np.full((3000, 4), 0.1, np.float32)
    policy = agents.behaviour(row_seeds)(np.array([0, 1500]), observations[:2])
    act = agents.actor(row_seeds, np.arange(3000, dtype=np.uint64))
    actions = act(np.arange(3000), np.empty(0), observations, 7)
    for agent in (0, 1):
        assert (policy[agent] > 0.05).all()
        counts = np.bincount(actions[row_seeds == agent], minlength=2)
        assert stats.chisquare(counts, 1500 * policy[agent]).pvalue > 1e-3
    assert not np.array_equal(act(np.arange(3000), np.empty(0), observations, 8), actions)


def test_episodes_start_as_the_seed_says(tiny: Checkpoints):
    all_seeds, one_seed = tiny.agents((0, 1, 2), 20, "cpu"), tiny.agents((1,), 20, "cpu")
    whole = all_seeds.episodes("bank", 4, 20)
    assert whole[2].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    alone = one_seed.episodes("bank", 4, 20)
    for all_, own in zip(whole[:2], alone[:2], strict=True):
        assert len(set(all_.tolist())) == 12
        assert np.array_equal(all_[4:8], own)
    for other in (("returns", 20), ("bank", 60)):
        starts, keys, _ = one_seed.episodes(other[0], 4, other[1])
        assert not set(starts) & set(alone[0]) and not set(keys) & set(alone[1])
