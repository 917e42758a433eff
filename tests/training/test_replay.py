"""Are drawn positions trained on what the study defines, and drawn as often as their priority says?"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest
from scipy import stats

from muzero_probe.training.replay import PRIORITY_FLOOR, Replay
from tests.doubles import tiny_training
from tests.reference import targets as reference
from tests.reference.targets import Episode

A = 3
DISCOUNT = 0.5  # with targets that are multiples of 1/8 every sum below is exact in float32


def config(**changes: Any):
    settings = {"n_step": 2, "unroll_steps": 3, "warmup_slots": 13, "replay_slots": 24, "checkpoints": (0,)}
    return tiny_training(**(settings | changes))


def build(settings: Any, *, seeds: int = 1) -> Replay:
    return Replay(settings, seeds=seeds, observation_shape=(2,), num_actions=A, discount=DISCOUNT)


def random_episode(rng: np.random.Generator, end: Literal["termination", "limit"]) -> Episode:
    T = int(rng.integers(1, 10))
    states = T + (end == "limit")
    return Episode(
        observations=list(rng.normal(size=(states, 2)).astype(np.float32)),
        actions=rng.integers(0, A, T).tolist(),
        rewards=(rng.integers(-64, 64, T) / 8).tolist(),
        policies=list(rng.dirichlet(np.ones(A), states).astype(np.float32)),
        values=(rng.integers(-64, 64, states) / 8).tolist(),
        end=end,
    )


def slots(episode: Episode) -> Iterator[dict[str, Any]]:
    """What is written for each of its states. Action and reward of a final state are bait: nobody may take them."""
    for t, observation in enumerate(episode.observations):
        final = t == episode.length
        yield {
            "observations": observation,
            "actions": 2 if final else episode.actions[t],
            "rewards": 99.0 if final else episode.rewards[t],
            "terminated": t == episode.length - 1 and episode.end == "termination",
            "final": final,
            "policies": episode.policies[t],
            "values": episode.values[t],
        }


class Streams:
    """Endless random episodes of S x E environments, written in lockstep."""

    def __init__(self, rng: np.random.Generator, *, seeds: int, environments: int, length: int) -> None:
        self.S, self.E = seeds, environments
        self.written: dict[tuple[int, int], list[dict[str, Any]]] = {}
        self.at: dict[tuple[int, int], list[tuple[Episode, int]]] = {}  # slot -> episode and time
        for key in np.ndindex(seeds, environments):
            mine, where = [], []
            while len(mine) < length:
                episode = random_episode(rng, "limit" if rng.random() < 0.5 else "termination")
                where += [(episode, t) for t in range(len(episode.observations))]
                mine += slots(episode)
            self.written[key], self.at[key] = mine, where

    def add(self, replay: Replay) -> None:
        i = replay.written
        slot = {
            name: np.array([[self.written[s, e][i][name] for e in range(self.E)] for s in range(self.S)])
            for name in self.written[0, 0][0]
        }
        replay.add(**slot)


def drawable(replay: Replay) -> list[list[tuple[int, int]]]:
    """(environment, slot) of every position with a weight, per seed."""
    C = replay.config.replay_slots
    found = []
    for s in range(len(replay.weights)):
        e, c = np.nonzero(replay.weights[s])
        newest = replay.written - 1
        found.append([(int(a), int(newest - (newest - b) % C)) for a, b in zip(e, c, strict=True)])
    return found


@pytest.mark.parametrize(("n", "K"), [(1, 1), (2, 3), (4, 2), (5, 5), (3, 7)])
def test_random_episodes_equal_the_explicit_sums(n: int, K: int):
    S, E, C = 2, 2, 26
    settings = config(n_step=n, unroll_steps=K, replay_slots=C, environments=E, value_weight=0.25, batch_size=4)
    replay = build(settings, seeds=S)
    rng = np.random.default_rng(100 * n + K)
    streams = Streams(rng, seeds=S, environments=E, length=90)
    for i in range(90):
        streams.add(replay)
        if i % 11 == 0 or 20 < i < 30:
            check_everything(replay, streams, rng)


def check_everything(replay: Replay, streams: Streams, rng: np.random.Generator) -> None:
    settings = replay.config
    C, n, K = settings.replay_slots, settings.n_step, settings.unroll_steps
    lag = n + K  # slots that targets may need behind a position
    complete = range(max(0, replay.written - C), max(0, replay.written - lag))
    alive = [
        [(e, i) for e in range(streams.E) for i in complete if streams.at[s, e][i][1] < streams.at[s, e][i][0].length]
        for s in range(streams.S)
    ]
    assert [sorted(rows) for rows in drawable(replay)] == alive
    B = max(len(rows) for rows in alive)
    if B == 0:
        return
    rows = [mine + [mine[0]] * (B - len(mine)) for mine in alive]
    positions = np.array([[[e * C + i % C for e, i in mine]] for mine in rows])
    importance = rng.uniform(0.1, 1, positions.shape).astype(np.float32)
    absorbing = rng.integers(0, A, (streams.S, 1, K, B))
    batch = replay.batch(positions, importance, absorbing)
    bootstraps = replay.bootstraps(positions)
    for s in range(streams.S):
        for b, (e, i) in enumerate(rows[s]):
            episode, t = streams.at[s, e][i]
            wanted = reference.unroll(episode, t, unroll_steps=K, n=n, discount=DISCOUNT)
            weight = float(importance[s, 0, b]) / B
            assert np.array_equal(batch.observations[0, s, b], episode.observations[t])
            taken = [absorbing[s, 0, k, b] if a is None else a for k, a in enumerate(wanted.actions)]
            assert batch.actions[0, s, :, b].tolist() == taken
            assert batch.rewards[0, s, :, b].tolist() == wanted.rewards
            assert batch.values[0, s, :, b].tolist() == wanted.values
            for k, policy in enumerate(wanted.policies):
                if policy is not None:
                    assert np.array_equal(batch.policies[0, s, k, b], policy)
            for found, factors, scale in (
                (batch.reward_weights, wanted.reward_factors, 1.0),
                (batch.value_weights, wanted.value_factors, settings.value_weight),
                (batch.policy_weights, wanted.policy_factors, 1.0),
            ):
                np.testing.assert_allclose(found[0, s, :, b], weight * scale * np.array(factors), rtol=1e-6)
            priority = max(abs(episode.values[t] - wanted.values[0]), PRIORITY_FLOOR) ** settings.priority_alpha
            assert replay.weights[s, e, i % C] == pytest.approx(priority, rel=1e-6)
            behind = reference.bootstrap(episode, t, n=n)
            assert bootstraps[s, 0, b] == (-1 if behind is None else e * C + (i - t + behind) % C)


def one_episode(end: Literal["termination", "limit"], *, settings: Any) -> Replay:
    """Rewards 1, 2, 4 with values 8, 16, 32; after a time limit 64. Then something else, at once."""
    episode = Episode(
        observations=list(np.eye(4, 2, dtype=np.float32)[: 3 + (end == "limit")]),
        actions=[0, 1, 2],
        rewards=[1.0, 2.0, 4.0],
        policies=[np.array([1, 0, 0]), np.array([0.5, 0.5, 0]), np.array([0, 0, 1]), np.array([0, 1, 0])],
        values=[8.0, 16.0, 32.0, 64.0],
        end=end,
    )
    replay = build(settings)
    rng = np.random.default_rng(0)
    rows = [*slots(episode)]
    while len(rows) < 20:
        rows += slots(random_episode(rng, "termination"))
    for row in rows[:20]:
        replay.add(**{name: np.array(x)[None, None] for name, x in row.items()})
    return replay


def row_of(replay: Replay, t: int):
    """The batch of one position, twice (an update has two rows at least), without the row axis."""
    K = replay.config.unroll_steps
    absorbing = np.full((1, 1, K, 2), 2)
    batch = replay.batch(np.full((1, 1, 2), t), np.ones((1, 1, 2), np.float32), absorbing)
    return type(batch)(*(np.take(field[0, 0], 0, axis=0 if i == 0 else 1) for i, field in enumerate(batch)))


def test_a_termination_by_hand():
    replay = one_episode("termination", settings=config(environments=1))
    row = row_of(replay, 1)
    assert row.values.tolist() == [2 + 4 / 2, 4, 0, 0]  # absorbing
    assert row.rewards.tolist() == [2, 4, 0]
    assert row.actions.tolist() == [1, 2, 2]
    assert row.policies[:2].tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    np.testing.assert_allclose(2 * row.value_weights, [1, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(2 * row.reward_weights, [1 / 3, 1 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(2 * row.policy_weights, [1, 1 / 3, 0, 0], rtol=1e-6)
    assert row_of(replay, 0).values.tolist() == [1 + 2 / 2 + 32 / 4, 4, 4, 0]
    assert row_of(replay, 2).values.tolist() == [4, 0, 0, 0]


def test_a_time_limit_by_hand():
    replay = one_episode("limit", settings=config(environments=1))
    row = row_of(replay, 1)
    assert row.values[:2].tolist() == [2 + 4 / 2 + 64 / 4, 4 + 64 / 2]  # through the limit
    assert row.rewards[:2].tolist() == [2, 4]
    np.testing.assert_allclose(2 * row.value_weights, [1, 1 / 3, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(2 * row.reward_weights, [1 / 3, 1 / 3, 0], rtol=1e-6)  # the second leads to the limit
    np.testing.assert_allclose(2 * row.policy_weights, [1, 1 / 3, 0, 0], rtol=1e-6)
    assert row_of(replay, 0).values[:3].tolist() == [1 + 2 / 2 + 32 / 4, 2 + 4 / 2 + 64 / 4, 4 + 64 / 2]
    assert row_of(replay, 2).values[0] == 4 + 64 / 2
    assert replay.weights[0, 0, 3] == 0  # the final state has no action, so it is never drawn


@pytest.mark.parametrize("end", ["termination", "limit"])
def test_nothing_of_the_next_episode_leaks(end: Literal["termination", "limit"]):
    settings = config(environments=1)
    replay, other = (one_episode(end, settings=settings) for _ in range(2))
    first = 3 + (end == "limit")
    for name in ("actions", "rewards", "policies", "values", "observations", "terminated", "final"):
        array = other.state_dict()[name]
        array[:, :, first:] = ~array[:, :, first:] if array.dtype == bool else array[:, :, first:] * -3 + 1
    for t in range(3):
        for a, b in zip(row_of(replay, t), row_of(other, t), strict=True):
            assert np.array_equal(a, b)


def filled(*, alpha: float = 0.5, seeds: int = 2, slots_written: int = 40) -> tuple[Replay, Streams]:
    replay = build(config(priority_alpha=alpha, batch_size=32), seeds=seeds)
    streams = Streams(np.random.default_rng(3), seeds=seeds, environments=2, length=slots_written)
    for _ in range(slots_written):
        streams.add(replay)
    return replay, streams


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_weights_are_powers_of_the_priorities(alpha: float):
    replay, streams = filled(alpha=alpha)
    for s, rows in enumerate(drawable(replay)):
        for e, i in rows:
            episode, t = streams.at[s, e][i]
            target = reference.n_step_return(episode, t, n=2, discount=DISCOUNT)
            assert replay.weights[s, e, i % 24] == pytest.approx(
                max(abs(episode.values[t] - target), PRIORITY_FLOOR) ** alpha, rel=1e-6
            )
    assert (np.unique(replay.weights).size > 10) == (alpha > 0)


def test_positions_are_drawn_as_often_as_their_weights_say():
    replay, _ = filled()
    positions, _ = replay.sample([np.random.default_rng(s) for s in range(2)], 1000, 0.4)
    assert positions.shape == (2, 1000, 32)
    for s in range(2):
        weights = replay.weights[s].ravel()
        counts = np.bincount(positions[s].ravel(), minlength=weights.size)
        possible = weights > 0
        assert not counts[~possible].any()
        expected = counts.sum() * weights[possible] / weights.sum()
        common = expected > 5  # rarer ones count together
        observed = [*counts[possible][common], counts[possible][~common].sum()]
        wanted = [*expected[common], expected[~common].sum()]
        if wanted[-1] == 0:
            observed, wanted = observed[:-1], wanted[:-1]
        assert len(wanted) > 10
        assert stats.chisquare(observed, wanted).pvalue > 1e-3


class Extreme:
    """Draws the smallest and the largest number that a generator can."""

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        draws = np.zeros(shape)
        draws[:, 1::2] = 1 - 2**-53
        return draws


def test_extreme_draws_stay_within_what_can_be_drawn():
    replay, _ = filled(slots_written=27)
    assert not replay.weights[:, 0, 0].any() and not replay.weights[:, -1, -1].any()  # at the ends are others
    positions, importance = replay.sample([Extreme(), Extreme()], 3, 0.4)  # pyright: ignore
    for s in range(2):
        possible = np.flatnonzero(replay.weights[s].ravel())
        assert (positions[s, :, 0] == possible[0]).all() and (positions[s, :, 1] == possible[-1]).all()
    assert np.isfinite(importance).all()


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_importance_weights_equal_formula(beta: float):
    replay, _ = filled()
    positions, importance = replay.sample([np.random.default_rng(s) for s in range(2)], 5, beta)
    assert importance.dtype == np.float32
    for s in range(2):
        weights = replay.weights[s].ravel()
        N = np.count_nonzero(weights)
        for u in range(5):
            raw = [(N * weights[p] / weights.sum()) ** -beta for p in positions[s, u]]
            np.testing.assert_allclose(importance[s, u], np.array(raw) / max(raw), rtol=1e-5)


def test_a_seed_draws_the_same_alone():
    replay, streams = filled()
    together, importance = replay.sample([np.random.default_rng(s) for s in range(2)], 4, 0.4)
    alone = build(replay.config)
    other = Streams(np.random.default_rng(3), seeds=1, environments=2, length=1)
    other.written = {(0, e): streams.written[1, e] for e in range(2)}
    for _ in range(40):
        other.add(alone)
    found, weights = alone.sample([np.random.default_rng(1)], 4, 0.4)
    assert np.array_equal(found[0], together[1]) and np.array_equal(weights[0], importance[1])


def test_renewed_searches_change_targets_at_once_and_priorities_when_drawn():
    replay = one_episode("limit", settings=config(environments=1, priority_alpha=1.0))
    before = replay.weights.copy()
    assert before[0, 0, 1] == abs(16 - 20)
    policies = np.array([[0.25, 0.25, 0.5], [0.0, 0.0, 1.0]])
    replay.renew(np.array([0, 0]), np.array([1, 3]), policies, np.array([1.0, 128.0]))
    assert np.array_equal(replay.weights, before)
    row = row_of(replay, 1)
    assert row.values[:2].tolist() == [2 + 4 / 2 + 128 / 4, 4 + 128 / 2]
    assert row.policies[0].tolist() == [0.25, 0.25, 0.5]
    assert replay.weights[0, 0, 1] == abs(1 - 36)
    before[0, 0, 1] = 35
    assert np.array_equal(replay.weights, before)  # no other priority


def test_renew_addresses_seed_environment_and_slot():
    replay, _ = filled()
    values, policies = replay.values.copy(), replay.policies.copy()
    replay.renew(np.array([1, 0]), np.array([24 + 7, 3]), np.array([[1.0, 0, 0], [0, 1.0, 0]]), np.array([55.0, 66.0]))
    values[1, 1, 7], values[0, 0, 3] = 55, 66
    policies[1, 1, 7], policies[0, 0, 3] = [1, 0, 0], [0, 1, 0]
    assert np.array_equal(replay.values, values) and np.array_equal(replay.policies, policies)


@pytest.mark.parametrize("written", [0, 10, 24, 40])
def test_state_dict_round_trip(written: int):
    replay = filled(slots_written=written)[0] if written else build(filled()[0].config, seeds=2)
    saved = {name: array.copy() for name, array in replay.state_dict().items()}
    other = build(replay.config, seeds=2)
    other.load_state_dict(saved)
    assert other.written == written
    more = Streams(np.random.default_rng(9), seeds=2, environments=2, length=written + 30)
    for _ in range(30):
        more.add(replay)
        more.add(other)
    for name in ("observations", "actions", "rewards", "terminated", "final", "policies", "values", "weights"):
        assert np.array_equal(replay.state_dict()[name], other.state_dict()[name])
    drawn = [r.sample([np.random.default_rng(0), np.random.default_rng(1)], 2, 0.5) for r in (replay, other)]
    assert np.array_equal(drawn[0][0], drawn[1][0]) and np.array_equal(drawn[0][1], drawn[1][1])


def test_a_diverged_seed_s_values_harm_no_other():
    replay, _ = filled()
    replay.values[0] = np.nan
    replay.weights[0] = np.nan
    healthy, _ = filled()
    absorbing = np.zeros((2, 3, 3, 32), int)
    for r in (replay, healthy):
        rngs = [np.random.default_rng(s) for s in range(2)]
        positions, importance = r.sample(rngs, 3, 0.4)
        batch = r.batch(positions, importance, absorbing)
        if r is replay:
            spoiled, at = batch, positions
    assert np.array_equal(at[1], positions[1])
    for a, b in zip(spoiled, batch, strict=True):
        assert np.array_equal(a[:, 1], b[:, 1])
