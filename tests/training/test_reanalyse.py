"""Are exactly the chosen positions searched again, and are both of their targets fresh?"""

from functools import partial

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.randomness import row_keys
from muzero_probe.search.mcts import search
from muzero_probe.search.policies import visit_policy
from muzero_probe.training.reanalyse import chosen, reanalyse, revalue
from muzero_probe.training.replay import Replay
from tests.doubles import random_nets, random_theta, tiny_training

S, E, A, SLOTS = 2, 2, 3, 40
NETS = random_nets(observation=2, actions=A)
THETA = random_theta(NETS, seeds=S)
SEARCH = SearchConfig(simulations=6, discount=0.9)
KEYS = row_keys(0, "test", S)
STALE = 1e6  # no search finds such a value


def stale_replay() -> Replay:
    """Filled once and a half, ends of both kinds now and then; all search results are marked as stale."""
    settings = tiny_training(n_step=4, unroll_steps=3, replay_slots=SLOTS, environments=E)
    replay = Replay(settings, seeds=S, observation_shape=(2,), num_actions=A, discount=0.9)
    rng = np.random.default_rng(0)
    for _ in range(60):
        end = rng.random((S, E))
        replay.add(
            observations=rng.normal(size=(S, E, 2)).astype(np.float32),
            actions=rng.integers(0, A, (S, E)),
            rewards=rng.normal(size=(S, E)),
            terminated=end < 0.08,
            final=end > 0.92,
            policies=np.full((S, E, A), STALE),
            values=np.full((S, E), STALE) + rng.normal(size=(S, E)),
        )
    return replay


def drawn(replay: Replay, updates: int = 2, rows: int = 8) -> np.ndarray:
    rng = np.random.default_rng(1)
    possible = [np.flatnonzero(replay.weights[s].ravel()) for s in range(S)]
    return np.stack([rng.choice(p, (updates, rows)) for p in possible])


def streams() -> list[np.random.Generator]:
    return [np.random.default_rng(10 + s) for s in range(S)]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 1 / 3, 0.25, 0.7, 1.0])
@pytest.mark.parametrize("blocks", [[1000], [16] * 60, [1, 7, 128, 3, 500, 2, 2]])
def test_exactly_the_fraction_is_chosen_over_a_run(fraction: float, blocks: list[int]):
    first, total = 0, 0
    for count in blocks:
        mask = chosen(first, count, fraction)
        assert mask.dtype == bool and mask.shape == (count,)
        first += count
        total += mask.sum()
        assert total == int(first * fraction + 1e-9)


def test_chosen_positions_are_spread_evenly():
    gaps = np.diff(np.flatnonzero(chosen(0, 1000, 0.3)))
    assert set(gaps.tolist()) == {3, 4}


def run(replay: Replay, positions: np.ndarray, fraction: float, first: int = 0) -> tuple[int, int]:
    model = partial(learned_model, NETS, THETA)
    return reanalyse(model, replay, positions, SEARCH, streams(), KEYS, first=first, fraction=fraction)


def targets(replay: Replay, positions: np.ndarray):
    shape = (*positions.shape[:2], replay.config.unroll_steps, positions.shape[2])
    return replay.batch(positions, np.ones(positions.shape, np.float32), np.zeros(shape, int))


def test_without_reanalyse_nothing_is_searched():
    replay = stale_replay()
    values, policies = replay.values.copy(), replay.policies.copy()
    assert run(replay, drawn(replay), 0.0) == (0, 0)
    assert np.array_equal(replay.values, values) and np.array_equal(replay.policies, policies)


def test_with_all_of_it_both_targets_are_fresh():
    replay = stale_replay()
    positions = drawn(replay)
    old = targets(replay, positions)
    assert old.values[:, :, 0].max() > 1000 and old.policies[:, :, 0].max() == STALE
    fresh, searches = run(replay, positions, 1.0)
    assert fresh == positions.size
    new = targets(replay, positions)
    assert np.abs(new.values[:, :, 0]).max() < 1000
    assert np.allclose(new.policies[:, :, 0].sum(-1), 1)
    assert searches == int((replay.policies[..., 0] < STALE).sum())


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_results_are_those_of_a_fresh_search(fraction: float):
    replay = stale_replay()
    positions = drawn(replay)
    before_values, before_policies = replay.values.copy(), replay.policies.copy()
    fresh, searches = run(replay, positions, fraction, first=5)
    mask = np.array([int((5 + i + 1) * fraction + 1e-9) > int((5 + i) * fraction + 1e-9) for i in range(16)])
    assert fresh == S * mask.sum() and fresh > 0
    made = 0
    for s, rng in enumerate(streams()):
        wanted: set[int] = set()
        for position in positions[s].ravel()[mask]:
            wanted |= {int(position)}
            e, c = divmod(int(position), SLOTS)
            for k in range(4):  # to the state whose value bootstraps, if there is one
                at = (c + k) % SLOTS
                if replay.final[s, e, at] or replay.terminated[s, e, at]:
                    wanted |= {e * SLOTS + at} if replay.final[s, e, at] else set()
                    break
            else:
                wanted |= {e * SLOTS + (c + 4) % SLOTS}
        order = sorted(wanted)
        made += len(order)
        noise = rng.dirichlet(np.full(A, SEARCH.dirichlet_alpha), len(order))
        model = learned_model(NETS, THETA, np.full(len(order), s))
        result = search(model, replay.frames.newest[s].reshape(-1, 2)[order], SEARCH, noise=noise)
        before_values[s].reshape(-1)[order] = result.values
        before_policies[s].reshape(-1, A)[order] = visit_policy(result.visits, 1.0)
    assert searches == made
    assert np.array_equal(replay.values, before_values)  # and all others are as they were
    assert np.array_equal(replay.policies, before_policies)


def test_a_fraction_leaves_the_others_stale():
    replay = stale_replay()
    positions = np.array([np.flatnonzero(replay.weights[s].ravel())[:16] for s in range(S)]).reshape(S, 2, 8)
    run(replay, positions, 0.25)
    fresh = replay.policies.reshape(S, -1, A)[np.arange(S)[:, None], positions.reshape(S, -1)][..., 0] < STALE
    assert (fresh[:, 3::4]).all()
    assert not fresh.all()  # bootstraps are fresh, too, but not everything


def test_a_seed_is_reanalysed_alike_alone():
    together, alone = stale_replay(), stale_replay()
    positions = drawn(together)
    run(together, positions, 0.5)
    alone.frames.newest = alone.frames.newest[[1]]
    for name in ("actions", "rewards", "terminated", "final", "policies", "values", "weights"):
        setattr(alone, name, getattr(alone, name)[[1]])
    reanalyse(
        partial(learned_model, NETS, THETA[[1]]),
        alone,
        positions[[1]],
        SEARCH,
        streams()[1:],
        KEYS[1:],
        first=0,
        fraction=0.5,
    )
    assert np.array_equal(alone.values[0], together.values[1])
    assert np.array_equal(alone.policies[0], together.policies[1])


@pytest.mark.parametrize("fraction", [0.25, 1.0])
def test_values_of_the_current_nets_replace_those_that_whole_unrolls_bootstrap_from(fraction: float):
    replay = stale_replay()
    positions = drawn(replay)
    wanted, policies = replay.values.copy(), replay.policies.copy()
    for s in range(S):
        for i, position in enumerate(positions[s].ravel()):
            if int((6 + i) * fraction + 1e-9) == int((5 + i) * fraction + 1e-9):
                continue
            e, c = divmod(int(position), SLOTS)
            for start in range(c, c + 4):  # K = 3
                ends = [k for k in range(4) if (replay.final | replay.terminated)[s, e, (start + k) % SLOTS]]
                at = (start + (ends[0] if ends else 4)) % SLOTS
                if not ends or replay.final[s, e, at]:
                    observation = replay.frames.newest[s, e, at][None]
                    wanted[s, e, at] = learned_model(NETS, THETA, np.array([s])).root(observation).values[0]
    revalue(partial(learned_model, NETS, THETA), replay, positions, first=5, fraction=fraction)
    assert np.array_equal(replay.values, wanted) and (np.abs(wanted) < 1000).any()
    assert np.array_equal(replay.policies, policies)


def test_without_revaluing_no_net_is_asked():
    replay = stale_replay()
    revalue(None, replay, drawn(replay), first=0, fraction=0.0)  # pyright: ignore
