"""Do copies play the environment as training of MuZero does: its steps, its ends, its resets?"""

from typing import Any

import numpy as np
import pytest

from baselines.copies import Copies, view
from muzero_probe import agents
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment


def made(name: str) -> Environment:
    agent = agents.load(name)
    if lacking := agent.lacks():  # `agents.test_load` says where that may be
        pytest.skip(lacking)
    return agent.make(agent.profile("smoke").environment)


def corridor(limit: int) -> TabularEnvironment:
    """Action 1 leads on, from place 0 over 1 to 2, which is the end; action 0 stays. A step pays its action + 1."""
    return TabularEnvironment(
        [[0, 1], [1, 2], [2, 2]], [[1, 2], [1, 2], [0, 0]], [False, False, True], time_limit=limit
    )


def stepped(copies: Copies, *actions: list[int]) -> list[Any]:
    copies.reset()
    return [copies.step(np.array(of_step)) for of_step in actions]


def test_ends_are_told_apart():
    """Copy 0 reaches the end, copy 1 the limit of three steps, copy 2 both at once: that is an end."""
    copies = Copies(corridor(3), 3, np.random.default_rng(0))
    first, second, third, fourth = stepped(copies, [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0])
    start, middle, end = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(first[0], [middle, start, middle])
    np.testing.assert_array_equal(first[1], [2, 1, 2])
    assert not first[2].any() and first[3] == [{}, {}, {}]
    np.testing.assert_array_equal(second[2], [True, False, False])
    np.testing.assert_array_equal(second[0], [start, start, middle])  # what follows an end is the next start
    assert second[3][0]["TimeLimit.truncated"] is False
    np.testing.assert_array_equal(second[3][0]["terminal_observation"], end)
    np.testing.assert_array_equal(third[2], [False, True, True])
    assert [info.get("TimeLimit.truncated") for info in third[3]] == [None, True, False]
    np.testing.assert_array_equal(third[3][1]["terminal_observation"], start)
    np.testing.assert_array_equal(third[3][2]["terminal_observation"], end)
    assert not fourth[2].any()


def test_steps_and_resets_are_the_environment_s():
    """Random play of Cart Pole, held against one episode at a time from the seeds that the stream gives."""
    env = CartPole()
    copies = Copies(env, 2, np.random.default_rng(5))
    seeds = np.random.default_rng(5)
    states, observations = env.reset(seeds.integers(2**31, size=2))
    np.testing.assert_array_equal(copies.reset(), observations)
    ended = 0
    for action in np.random.default_rng(1).integers(2, size=(120, 2)):
        seen, rewards, dones, _ = copies.step(action)
        for row in range(2):
            one = env.step(states[row : row + 1], action[row : row + 1])
            states[row], observations[row] = one.states[0], one.observations[0]
            assert (rewards[row], dones[row]) == (one.rewards[0], one.terminated[0])
        over = np.flatnonzero(env.is_terminal(states))
        if over.size:
            ended += over.size
            states[over], observations[over] = env.reset(seeds.integers(2**31, size=over.size))
        np.testing.assert_array_equal(seen, observations)
    assert ended > 4


def test_a_lost_life_goes_on_with_the_game():
    """As in training of MuZero, it is an end; the next life is of the same game."""
    env = agents.load("breakout").make({"side": 48})
    copies = Copies(env, 1, np.random.default_rng(0))
    *_, last = stepped(copies, [1], *[[0]] * 8)  # serves and waits
    steps = 9
    while not last[2][0]:
        last, steps = copies.step(np.array([0])), steps + 1
        assert steps < 200
    assert last[3][0]["TimeLimit.truncated"] is False
    state: Any = copies.states[0]
    assert state.lives == 4 and not state.over and copies.lengths[0] == 0


@pytest.mark.parametrize("name", ["cartpole", "lunar_lander", "minatar", "breakout"])
def test_observations_are_of_the_space(name: str):
    env = made(name)
    copies = Copies(env, 2, np.random.default_rng(0))
    observations = copies.reset()
    assert observations.dtype == env.observation_dtype
    assert all(copies.observation_space.contains(observation) for observation in observations)


def test_planes_come_first():
    observations = np.random.default_rng(0).integers(2, size=(3, 10, 10, 4), dtype=np.uint8)
    shown, _ = view(made("minatar"))
    for plane in range(4):
        np.testing.assert_array_equal(shown(observations)[:, plane], observations[..., plane])
    observations = np.random.default_rng(0).integers(256, size=(2, 4, 48, 48, 3), dtype=np.uint8)
    shown, _ = view(made("breakout"))
    for screen in range(4):
        for colour in range(3):
            found = shown(observations)[:, 3 * screen + colour]
            np.testing.assert_array_equal(found, observations[:, screen, :, :, colour])


def test_other_shapes_are_refused():
    env = CartPole()
    env.observation_shape = (2, 2)
    with pytest.raises(
        ValueError, match=r"^cartpole: observations \[2, 2\] are neither vectors nor planes nor screens$"
    ):
        view(env)
