"""Do observations come back whole, though every screen is stored once?"""

import numpy as np
import pytest

from muzero_probe.envs.breakout import Breakout
from muzero_probe.training.frames import Frames
from muzero_probe.training.replay import Replay
from tests.doubles import tiny_training

F = 3
SCREEN = (2, 3, 2)  # rows, columns, planes
OBSERVATION = (F, *SCREEN)
S, E, C = 2, 3, 11


def games(rng: np.random.Generator, length: int, shades: int) -> tuple[np.ndarray, np.ndarray]:
    """Stacks [length, S, E, ...] of random screens, and the age [length, S, E] of their game; games end at random."""
    stacks = np.empty((length, S, E, *OBSERVATION), np.uint8)
    ages = np.zeros((length, S, E), int)
    for s, e in np.ndindex(S, E):
        for t in range(length):
            screen = rng.integers(0, shades, SCREEN)
            if t == 0 or rng.random() < 0.2:
                stacks[t, s, e] = screen
            else:
                stacks[t, s, e] = [*stacks[t - 1, s, e][1:], screen]
                ages[t, s, e] = ages[t - 1, s, e] + 1
    return stacks, ages


@pytest.mark.parametrize("shades", [256, 2, 1])  # with few, screens that differ in time look alike
def test_observations_are_put_together(shades: int):
    stacks, ages = games(np.random.default_rng(shades), 40, shades)
    frames = Frames((S, E, C), OBSERVATION, np.uint8, F)
    assert frames.newest.nbytes == S * E * C * np.prod(SCREEN)
    for slot in range(40):
        frames.write(slot, stacks[slot])
        for s, e in np.ndindex(S, E):
            for t in range(max(0, slot - C + 1), slot + 1):
                whole = t - min(ages[t, s, e], F - 1) > slot - C
                if whole:
                    found = frames.read(*(np.array([x]) for x in (s, e, t % C)))[0]
                    assert np.array_equal(found, stacks[t, s, e]), (slot, t)
                elif shades == 256:
                    assert any(
                        index == t % C and invalidated[s, e] for index, invalidated in frames.invalidated(slot)
                    ), (slot, t)


@pytest.mark.parametrize("shades", [256, 2])
def test_what_is_drawn_is_whole(shades: int):
    settings = tiny_training(environments=E, replay_slots=C, warmup_slots=6, n_step=2, unroll_steps=3, batch_size=4)
    replay = Replay(
        settings, seeds=S, observation_shape=OBSERVATION, num_actions=2, discount=0.9, observation_dtype=np.uint8,
        screens=F,
    )  # fmt: skip
    rng = np.random.default_rng(shades)
    stacks, ages = games(rng, 60, shades)
    drawable = 0
    for slot in range(60):
        shape = (S, E)
        replay.add(
            observations=stacks[slot], actions=np.zeros(shape, int), rewards=rng.random(shape),
            terminated=ages[min(slot + 1, 59)] == 0, final=np.zeros(shape, bool),
            policies=np.full((*shape, 2), 0.5), values=rng.random(shape),
        )  # fmt: skip
        weights = replay.weights.copy()
        for s, e, c in zip(*np.nonzero(weights), strict=True):
            t = slot - (slot - c) % C
            found = replay.batch(
                np.full((S, 1, 1), e * C + c), np.ones((S, 1, 1), np.float32), np.zeros((S, 1, 3, 1), int)
            ).observations
            assert found.dtype == np.uint8
            assert np.array_equal(found[0, s, 0], stacks[t, s, e])
            drawable += 1
        replay.weights[:] = weights  # drawing gave the other seed's position one
        if slot >= C and shades == 256:  # all that can be drawn are: enough behind them, no screen lost
            oldest = slot - C + 1
            expected = {
                (s, e, t % C)
                for t in range(oldest, slot - replay.lag + 1)
                for s, e in np.ndindex(S, E)
                if t - min(ages[t, s, e], F - 1) >= oldest
            }
            assert {tuple(int(x) for x in row) for row in np.argwhere(replay.weights)} == expected
    assert drawable > 100


def test_states_round_trip():
    settings = tiny_training(environments=E, replay_slots=C, warmup_slots=6, n_step=2, unroll_steps=3, batch_size=4)
    stacks, _ = games(np.random.default_rng(5), 17, 256)
    rings = []
    for _ in range(2):
        rings.append(
            Replay(
                settings, seeds=S, observation_shape=OBSERVATION, num_actions=2, discount=0.9,
                observation_dtype=np.uint8, screens=F,
            )
        )  # fmt: skip
    first, second = rings
    zeros = np.zeros((S, E))
    for stack in stacks[:16]:
        first.add(
            observations=stack, actions=zeros.astype(int), rewards=zeros, terminated=zeros > 0, final=zeros > 0,
            policies=np.full((S, E, 2), 0.5), values=zeros,
        )  # fmt: skip
    second.load_state_dict(first.state_dict())
    for replay in rings:
        replay.frames.write(16, stacks[16])
    s, e = np.indices((S, E))
    for back in range(4):
        c = np.full_like(s, (16 - back) % C)
        assert np.array_equal(second.frames.read(s, e, c), stacks[16 - back])
        assert np.array_equal(first.frames.read(s, e, c), stacks[16 - back])


def test_screens_that_do_not_follow_are_refused():
    frames = Frames((S, E, C), OBSERVATION, np.uint8, F)
    stacks = np.random.default_rng(0).integers(0, 256, (S, E, *OBSERVATION)).astype(np.uint8)
    with pytest.raises(ValueError, match="does not follow from the one before"):
        frames.write(0, stacks)


def test_rings_too_short_for_screens_are_refused():
    settings = tiny_training(environments=E, replay_slots=7, warmup_slots=6, n_step=2, unroll_steps=3)
    with pytest.raises(ValueError, match="replay_slots is 7, at least 8 are needed"):
        Replay(settings, seeds=S, observation_shape=OBSERVATION, num_actions=2, discount=0.9, screens=F)


def test_a_game_of_breakout_with_lost_lives():
    """Its observations follow as replay expects it, across lives and games."""
    env = Breakout(side=48)
    frames = Frames((1, 2, 400), env.observation_shape, np.uint8, env.screens)
    states, observations = env.reset([3, 4])
    seen = []
    lost = games_over = 0
    for slot in range(400):
        frames.write(slot, observations[None])
        seen.append(observations)
        step = env.step(states, [1 if slot % 7 == 0 else 2 + slot % 2] * 2)
        states, observations = step.states.copy(), step.observations.copy()
        ended = np.flatnonzero(step.terminated)
        if ended.size:
            lost += ended.size
            games_over += sum(states[row].over for row in ended)
            states[ended], observations[ended] = env.restart(states[ended], ended + slot)
    assert lost > 8 and games_over > 0
    for slot, expected in enumerate(seen):
        assert np.array_equal(frames.read(np.array(0), np.arange(2), np.full(2, slot)), expected), slot
