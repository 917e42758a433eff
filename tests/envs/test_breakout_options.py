"""Serving by the environment is FIRE pressed until there is a ball, and the field's screens keep the ball."""

import cv2
import numpy as np
import pytest

from muzero_probe.envs.base import Environment
from muzero_probe.envs.breakout import BALL, Breakout
from muzero_probe.training.frames import Frames

FIRE, RIGHT, LEFT = 1, 2, 3


OTHER = Breakout(side=48)


def ball(states: np.ndarray) -> bool:
    """Whether the game's first state has a ball, as an emulator of its own says."""
    console = OTHER._console(0).ale
    console.restoreState(states[0].machine)
    return bool(console.getRAM()[BALL])


def plan(seed: int, steps: int) -> np.ndarray:
    """Random actions, none of which serves."""
    return np.random.default_rng(seed).choice([0, RIGHT, LEFT], steps)


def served(env: Environment, states: np.ndarray, over: bool) -> np.ndarray:
    """The oracle: presses FIRE."""
    while not over and not ball(states):
        step = env.step(states, [FIRE])
        states, over = step.states, step.terminated[0]
    return states


@pytest.mark.parametrize("field", [False, True])
def test_a_game_with_service_is_one_in_which_fire_is_pressed_before_every_ball(field: bool):
    asked, plain = Breakout(side=48, serve=True, field=field).evaluation, Breakout(side=48, field=field).evaluation
    states, observations = asked.reset([3])
    by_hand = served(plain, plain.reset([3])[0], False)
    screens = [plain.observe(by_hand)[0, -1]] * 4
    assert np.array_equal(observations[0], screens)
    balls = 1
    for action in plan(0, 1500):
        step, other = asked.step(states, [action]), plain.step(by_hand, [action])
        lost = not other.terminated[0] and not ball(other.states)
        balls += lost
        states, by_hand = step.states, served(plain, other.states, other.terminated[0])
        newest = plain.observe(by_hand)[0, -1]
        screens = [newest] * 4 if lost else [*screens[1:], newest]
        assert step.rewards[0] == other.rewards[0] and step.terminated[0] == other.terminated[0]
        if step.terminated[0]:
            break
        assert np.array_equal(step.observations[0], screens) and ball(states)
    assert step.terminated[0] and balls == 5


def test_training_with_service_ends_with_a_life_and_restarts_with_a_ball():
    env = Breakout(side=48, serve=True)
    states, _ = env.reset([0])
    for lives in (4, 3):
        while not (step := env.step(states, [LEFT])).terminated[0]:
            assert ball(states)
            states = step.states
        states, observations = env.restart(step.states, [0])
        assert states[0].lives == lives and not states[0].lost and ball(states)
        assert np.array_equal(observations, env.observe(states))


def test_lives_with_service_are_kept_in_replay_screen_by_screen():
    env, frames = Breakout(side=48, serve=True), Frames((1, 2, 60), (4, 48, 48, 3), np.uint8, 4)
    states, observations = env.reset([0, 1])
    seen, lives = [], 0
    for slot in range(60):
        frames.write(slot, observations[None])
        seen.append(observations)
        step = env.step(states, [0, LEFT])
        states, observations, over = step.states.copy(), step.observations.copy(), step.terminated
        if over.any():
            states[over], observations[over] = env.restart(states[over], np.arange(2)[over])
            lives += 1
    assert lives > 1
    for slot, wanted in enumerate(seen):
        assert np.array_equal(frames.read(np.zeros(2, int), np.arange(2), np.full(2, slot)), wanted)


@pytest.mark.parametrize("whole", [False, True])
def test_rollouts_with_service_are_steps(whole: bool):
    env = Breakout(side=48, serve=True)
    env = env.evaluation if whole else env
    plans = np.stack([plan(seed, 150) for seed in range(10)])
    states, _ = env.reset(np.arange(10))
    rewards, alive = env.rollout(states, plans)
    for t in range(plans.shape[1]):
        step = env.step(states, plans[:, t])
        assert np.array_equal(rewards[:, t], np.where(alive[:, t], step.rewards, 0))
        assert t + 1 == plans.shape[1] or np.array_equal(alive[:, t + 1], ~step.terminated)
        states = step.states
    assert rewards.any()


def test_a_screen_of_the_field_is_the_largest_of_its_pixels():
    env = Breakout(side=48, field=True)
    states, observations = env.reset([0])
    assert observations.shape == (1, 4, 48, 48, 1) and env.name == "breakout-48-field"
    console = env._console(0)
    for action in (FIRE, RIGHT, RIGHT, LEFT, FIRE):
        states = env.step(states, [action]).states
        frame = np.maximum(*console._frames)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[32:195]
        wanted = [
            [grey[i * 163 // 48 : (i + 1) * 163 // 48, j * 160 // 48 : (j + 1) * 160 // 48].max() for j in range(48)]
            for i in range(48)
        ]
        assert np.array_equal(env.observe(states)[0, -1, :, :, 0], wanted)


def test_states_of_the_field_are_packed_and_put_back():
    env = Breakout(side=48, field=True, serve=True)
    states, observations = env.reset([0, 1])
    assert np.array_equal(env.observe(env.from_bytes(env.to_bytes(states))), observations)
    with pytest.raises(ValueError, match=r"states must have screens \[48, 48, 3\], got \[48, 48, 1\]"):
        Breakout(side=48).step(states, [0, 0])


def test_a_field_of_more_pixels_than_the_screen_has_is_refused():
    with pytest.raises(ValueError, match="breakout: side is 161, of the field at most 160 are possible"):
        Breakout(side=161, field=True)
