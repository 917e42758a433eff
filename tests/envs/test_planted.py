"""The planted environments have the answers that their docstrings promise."""

import itertools

import numpy as np
import pytest

from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree


def every_plan(num_actions: int, length: int) -> np.ndarray:
    return np.array(list(itertools.product(range(num_actions), repeat=length)))


def returns(env: TabularEnvironment, plans: np.ndarray) -> np.ndarray:
    states, _ = env.reset(range(len(plans)))
    return env.rollout(states, plans)[0].sum(axis=1)


def test_chain_by_hand():
    env = chain(3)
    states, observations = env.reset([0, 1])
    assert states.tolist() == [0, 0]
    assert observations.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]
    rewards, alive = env.rollout(states, [[1, 1, 1, 1, 0], [0, 1, 0, 1, 1]])
    assert rewards.tolist() == [[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert alive.tolist() == [[True, True, True, False, False], [True] * 5]
    assert env.step(np.array([2]), [1]).states.tolist() == [3]
    assert env.step(np.array([2]), [0]).states.tolist() == [1]
    assert env.is_terminal(np.arange(4)).tolist() == [False, False, False, True]


def test_chain_values():
    gamma, length = 0.5, 4
    env = chain(length)
    for state in range(length):
        plans = every_plan(2, length)
        rewards, _ = env.rollout(np.full(len(plans), state), plans)
        best = (rewards @ gamma ** np.arange(length)).max()
        assert best == gamma ** (length - 1 - state)


def test_tree_by_hand():
    env = tree()
    plans = every_plan(2, 3)
    rewards, alive = env.rollout(np.zeros(8, int), plans)
    assert plans.tolist()[2] == [0, 1, 0]
    assert rewards.tolist() == [
        [4, 0, -2],
        [4, 0, -1],
        [4, 2, -6],
        [4, 2, -5],
        [0, 0, 6],
        [0, 0, 7],
        [0, 2, 2],
        [0, 2, 3],
    ]
    assert rewards.sum(axis=1).tolist() == [2, 3, 0, 1, 6, 7, 4, 5]
    assert alive.all()
    assert env.step(np.array([2]), [1]).states.tolist() == [6]
    assert env.is_terminal(np.arange(15)).tolist() == [False] * 7 + [True] * 8


@pytest.mark.parametrize(("depth", "num_actions"), [(1, 2), (3, 2), (4, 2), (3, 3), (2, 5)])
def test_tree_returns_are_all_different_and_deceive(depth, num_actions):
    env = tree(depth, num_actions)
    full = returns(env, every_plan(num_actions, depth))
    assert sorted(full) == list(range(num_actions**depth))
    worst = every_plan(num_actions, depth)[full.argmin()]
    for length in range(1, depth):
        plans = every_plan(num_actions, length)
        short = returns(env, plans)
        assert len(set(short)) == num_actions**length
        assert plans[short.argmax()].tolist() == worst[:length].tolist()


def test_bandit_by_hand():
    env = bandit((1.0, 0.0, 2.0))
    result = env.step(np.zeros(3, int), [0, 1, 2])
    assert result.rewards.tolist() == [1, 0, 2]
    assert result.terminated.all()
    assert env.rollout(np.array([0]), [[2, 2, 2]])[0].tolist() == [[2, 0, 0]]


def test_constant_rewards_are_the_alive_reward():
    assert bandit().alive_reward is None
    assert chain().alive_reward is None
    assert bandit((3.0, 3.0)).alive_reward == 3.0


def test_terminal_rows_of_the_table_are_not_used():
    env = TabularEnvironment([[1, 1], [0, 0]], [[1, 2], [5, 5]], [False, True], start=0)
    assert env.rollout(np.array([0]), [[1, 1, 1]])[0].tolist() == [[2, 0, 0]]


def test_the_table_is_copied():
    rewards = np.zeros((2, 1), np.float32)
    env = TabularEnvironment(np.ones((2, 1), int), rewards, [False, True])
    rewards[0, 0] = 9
    assert env.step(np.array([0]), [0]).rewards.tolist() == [0]
    with pytest.raises(ValueError, match="read-only"):
        env.rewards[0, 0] = 9


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (([0, 1], [0, 0], [False]), r"transitions must be integers \[N, A\], got \[2\]"),
        (([[0.5]], [[0]], [False]), "transitions must be integers"),
        (([[0]], [[0, 1]], [False]), r"rewards must have shape \[1, 1\] and terminal \[1\]"),
        (([[0]], [[0]], [False, True]), r"got \[1, 1\] and \[2\]"),
        (([[1]], [[0]], [False]), r"transitions must lie in 0\.\.0"),
        (([[0]], [[0]], [True]), "start must be a non-terminal state"),
    ],
)
def test_wrong_tables_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        TabularEnvironment(*table)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="length of the chain is 0, at least 1 is needed"):
        chain(0)
    with pytest.raises(ValueError, match="depth of the tree is 0"):
        tree(0)
    with pytest.raises(ValueError, match="num_actions of the tree is 1"):
        tree(3, 1)
    with pytest.raises(ValueError, match="at least one arm"):
        bandit(())


def test_states_outside_the_table_are_refused():
    with pytest.raises(ValueError, match=r"states must lie in 0\.\.5"):
        chain(5).observe(np.array([6]))
