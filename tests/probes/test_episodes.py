"""Are episodes played to their end and no further, and are banks fair draws from what they visit?"""

from typing import Any

import numpy as np
import pytest
from gymnasium import make
from scipy import stats

from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, chain
from muzero_probe.probes import episodes
from muzero_probe.probes.episodes import draw_bank, play, reset_seeds
from tests.doubles import treadmill


def always(action: int) -> Any:
    return lambda rows, states, observations, time: np.full(len(rows), action)


class Watched:
    """A policy [n] -> actions that checks and keeps what it is shown."""

    def __init__(self, env: Any, choose: Any) -> None:
        self.env = env
        self.choose = choose
        self.shown: list[list[int]] = []  # rows per call

    def __call__(self, rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
        assert time == len(self.shown)
        assert len(rows) == len(states) == len(observations)
        assert np.array_equal(observations, self.env.observe(states))
        assert not self.env.is_terminal(states).any()
        self.shown.append(rows.tolist())
        return self.choose(rows, time)


def test_returns_are_undiscounted_sums():
    """Two steps on at a time: states 0, 2, 4, each paying (state + 1) / 4; the time limit is 3."""
    episodes = play(treadmill(), np.arange(4), always(1))
    assert episodes.returns.tolist() == [(1 + 3 + 5) / 4] * 4
    assert episodes.lengths.tolist() == [3] * 4
    assert episodes.visited is None and episodes.visited_rows is None


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_the_time_limit_counts_steps(limit: int):
    env = treadmill(time_limit=limit)
    policy = Watched(env, lambda rows, time: np.zeros(len(rows), int))
    episodes = play(env, np.arange(2), policy)
    assert policy.shown == [[0, 1]] * limit
    assert episodes.lengths.tolist() == [limit] * 2
    assert episodes.returns.tolist() == [sum(range(limit)) / 8] * 2


def test_episodes_that_are_over_drop_out():
    """A chain of 5: row b dawdles b steps at its left end, and is over after 5 + b; the limit of 8 cuts the last."""
    plain = chain()
    env = TabularEnvironment(plain.transitions, plain.rewards, plain.terminal, time_limit=8)
    policy = Watched(env, lambda rows, time: (time >= rows).astype(int))
    episodes = play(env, np.arange(5), policy, keep_states=True)
    running = [[row for row in range(5) if time < 5 + row] for time in range(8)]
    assert policy.shown == running
    assert episodes.lengths.tolist() == [5, 6, 7, 8, 8]
    assert episodes.returns.tolist() == [1, 1, 1, 1, 0]  # the end pays, the cut does not
    assert episodes.visited is not None and episodes.visited_rows is not None
    # in order of time, the rows of a time in order
    assert episodes.visited_rows.tolist() == [row for rows in running for row in rows]
    wanted = [max(0, time - row) for time, rows in enumerate(running) for row in rows]
    assert episodes.visited.tolist() == wanted


def test_every_visited_state_is_one_in_which_an_action_was_taken():
    env = CartPole()
    rng = np.random.default_rng(0)
    starts = np.arange(12)
    episodes = play(env, starts, lambda rows, *_: rng.integers(0, 2, len(rows)), keep_states=True)
    assert episodes.visited is not None and episodes.visited_rows is not None
    assert not env.is_terminal(episodes.visited).any()
    assert np.bincount(episodes.visited_rows).tolist() == episodes.lengths.tolist() == episodes.returns.tolist()
    assert np.array_equal(episodes.visited[:12], env.reset(starts)[0])


def test_episodes_are_gymnasium_s():
    def choose(rows: np.ndarray, time: int) -> np.ndarray:
        return (time // (2 + rows)) % 2

    episodes = play(CartPole(), np.arange(5), lambda rows, states, observations, time: choose(rows, time))
    for row in range(5):
        env = make("CartPole-v1")
        env.reset(seed=row)
        total, steps, over = 0.0, 0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(int(choose(np.array(row), steps)))
            total, steps, over = total + float(reward), steps + 1, terminated or truncated
        assert (episodes.returns[row], episodes.lengths[row]) == (total, steps)
    assert len(set(episodes.lengths)) > 2


def test_reset_seeds_are_the_seed_s_own():
    seeds = reset_seeds(3, "bank starts", 50, 500)
    assert np.array_equal(seeds[:7], reset_seeds(3, "bank starts", 7, 500))
    assert len(set(seeds.tolist())) == 50 and seeds.min() >= 0
    for other in ((4, "bank starts", 50, 500), (3, "returns starts", 50, 500), (3, "bank starts", 50, 501)):
        assert not set(seeds.tolist()) & set(reset_seeds(*other).tolist())


# Banks


def test_a_bank_is_drawn_without_replacement_from_the_agent_s_own_states():
    visited = np.arange(60.0).reshape(30, 2)
    row_seeds = np.arange(30) % 3  # mixed, as in the order of time
    banks = draw_bank(visited, row_seeds, [5, 6, 9], 4, 500)
    assert len(banks) == 3
    for index, bank in enumerate(banks):
        assert bank.shape == (4, 2)
        chosen = (bank[:, 0] / 2).astype(int)
        assert len(set(chosen)) == 4
        assert (row_seeds[chosen] == index).all()
        assert np.array_equal(visited[chosen], bank)


@pytest.mark.parametrize("states", [3, 7])
def test_every_visited_state_is_equally_likely_at_every_place(states: int):
    """Seven states visited, three of them drawn, or all: each comes first, second, third equally often."""
    visited = np.arange(7)
    seeds = list(range(1500))
    banks = draw_bank(np.tile(visited, 1500), np.repeat(np.arange(1500), 7), seeds, states, 500)
    for place in range(states):
        counts = np.bincount([bank[place] for bank in banks], minlength=7)
        assert stats.chisquare(counts).pvalue > 1e-3
    pairs = np.zeros((7, 7))
    for bank in banks:
        pairs[bank[0], bank[1]] += 1
    assert not pairs.diagonal().any()
    assert stats.chisquare(pairs[~np.eye(7, dtype=bool)]).pvalue > 1e-3


def test_fewer_states_than_asked_for_are_kept_all():
    banks = draw_bank(np.arange(10), np.array([0] * 2 + [1] * 8), [0, 1], 5, 0)
    assert sorted(banks[0].tolist()) == [0, 1]
    assert len(banks[1]) == 5
    assert [len(bank) for bank in draw_bank(np.arange(3), np.array([1, 1, 1]), [0, 1], 5)] == [0, 3]


def test_a_bank_depends_on_seed_and_checkpoint_alone():
    visited, owners = np.arange(40), np.repeat([0, 1], 20)
    both = draw_bank(visited, owners, [3, 8], 6, 500)
    (alone,) = draw_bank(visited[20:], np.zeros(20, int), [8], 6, 500)
    assert np.array_equal(alone, both[1])
    assert not np.array_equal(draw_bank(visited, owners, [3, 8], 6, 501)[1], both[1])
    assert not np.array_equal(both[0] + 20, both[1])


def test_an_episode_without_end_or_limit_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(episodes, "MOST_STEPS", 50)
    env = treadmill(time_limit=None)
    with pytest.raises(ValueError, match="treadmill has no time limit, and an episode goes on after 50 steps"):
        play(env, np.arange(3), lambda rows, states, observations, time: np.zeros(len(rows), int))
