"""Breakout is Gymnasium's, preprocessed as EfficientZero does, and its states are put back screen by screen."""

from types import SimpleNamespace
from typing import Any

import ale_py
import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

from muzero_probe.envs.base import object_array
from muzero_probe.envs.breakout import Breakout, GameState

gymnasium.register_envs(ale_py)


@pytest.fixture(scope="module")
def env() -> Breakout:
    return Breakout()


def gymnasiums() -> gymnasium.Env:
    game = gymnasium.make("ALE/Breakout-v5", frameskip=1, repeat_action_probability=0.0)
    game = AtariPreprocessing(game, noop_max=30, frame_skip=4, screen_size=96, grayscale_obs=False)
    return FrameStackObservation(game, 4)


def plan(seed: int, steps: int) -> np.ndarray:
    """Random actions, of which a third serve."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(steps) < 0.3, 1, rng.integers(4, size=steps))


@pytest.mark.parametrize("seed", [0, 7])
def test_whole_games_are_gymnasiums(env: Breakout, seed: int):
    game, whole = gymnasiums(), env.evaluation
    observation, _ = game.reset(seed=seed)
    states, ours = whole.reset([seed])
    assert np.array_equal(ours[0], observation)
    lives = 0
    for action in plan(seed, 2000):
        observation, reward, terminated, _, info = game.step(int(action))
        step = whole.step(states, [action])
        assert step.rewards[0] == reward
        assert step.terminated[0] == terminated
        if terminated:
            break
        assert np.array_equal(step.observations[0], observation)
        assert step.states[0].lives == info["lives"]
        lives += step.states[0].lives < states[0].lives
        states = step.states
    assert terminated and lives == 4


def test_training_ends_with_a_life_and_counts_bricks(env: Breakout):
    states, _ = env.reset([3])
    whole, _ = env.evaluation.reset([3])
    scores, rewards = [], []
    for action in plan(3, 2000):
        step, played = env.step(states, [action]), env.evaluation.step(whole, [action])
        rewards.append(step.rewards[0])
        scores.append(played.rewards[0])
        assert step.terminated[0] == (played.terminated[0] or played.states[0].lives < whole[0].lives)
        if step.terminated[0]:
            states, _ = env.restart(step.states, [99])  # the next life; a new game at the end
            if played.terminated[0]:
                break
        else:
            states = step.states
        whole = played.states
        assert np.array_equal(env.observe(states), env.evaluation.observe(whole))
    assert played.terminated[0]
    assert set(rewards) == {0.0, 1.0} and np.array_equal(rewards, np.sign(scores))
    assert np.array_equal(env.observe(states), env.reset([99])[1])


def test_restored_states_show_the_same_screens(env: Breakout):
    """200 states x 100 steps, put back in any order, against games played through."""
    whole = env.evaluation
    rng = np.random.default_rng(0)
    kept, wanted = [], []
    for seed in range(4):
        actions = plan(seed + 10, 260)
        states, _ = whole.reset([seed])
        path, shown = [states], []
        for action in actions:
            step = whole.step(path[-1], [action])
            path.append(step.states)
            shown.append((step.observations[0], step.rewards[0], step.states[0].lives))
        for time in rng.integers(160, size=50):
            kept.append((path[time], actions[time : time + 100]))
            wanted.append(shown[time : time + 100])
    states = np.concatenate([state for state, _ in kept])
    for t in range(100):
        order = rng.permutation(len(states))
        step = whole.step(states[order], [kept[k][1][t] for k in order])
        states[order] = step.states
        for row, k in enumerate(order):
            screens, reward, lives = wanted[k][t]
            assert np.array_equal(step.observations[row], screens)
            assert (step.rewards[row], step.states[row].lives) == (reward, lives)


def test_states_share_their_screens(env: Breakout):
    states, _ = env.reset([0])
    following = env.step(states, [1]).states
    assert all(a is b for a, b in zip(states[0].screens[1:], following[0].screens[:-1], strict=True))


def test_states_of_another_size_are_refused(env: Breakout):
    states, _ = Breakout(side=48).reset([0])
    with pytest.raises(ValueError, match=r"breakout: states must have screens \[96, 96, 3\], got \[48, 48, 3\]"):
        env.step(states, [0])
    with pytest.raises(ValueError, match="breakout: reads its own states, version 1, not those of breakout-48"):
        env.from_bytes(Breakout(side=48).to_bytes(states))


def test_an_emulator_state_cut_short_is_one_clear_line():
    env = Breakout(side=48)
    whole = env.reset([0])[0][0]
    machine: Any = SimpleNamespace(serialize=lambda: whole.machine.serialize()[:100])
    damaged = GameState(machine, whole.screens, lives=whole.lives, lost=whole.lost, over=whole.over)
    with pytest.raises(ValueError, match=r"damaged \(an emulator state of 100 bytes, which ale-py cannot read\)"):
        env.from_bytes(env.to_bytes(object_array([damaged])))


def test_a_missing_rom_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    with pytest.raises(OSError, match=r"breakout: its ROM cannot be read \(.*\): install ale-py anew") as caught:
        Breakout()
    assert "\n" not in str(caught.value)


def test_the_ball_is_in_play_from_the_serve_to_its_loss(env: Breakout):
    """Seen on the screen: between paddle and bricks the court is black but for the ball."""
    states, _ = env.reset([3])
    assert not env.in_play(states)[0]
    waiting = env.step(states, [0]).states
    assert not env.in_play(waiting)[0]
    served = env.step(waiting, [1])
    met = 0
    while not served.terminated[0]:
        assert env.in_play(served.states)[0]
        court = env.render(served.states)[0, 95:187, 16:304]
        met += bool(court.any())
        served = env.step(served.states, [0])
    assert met > 10
    assert not env.in_play(served.states)[0]
    assert not env.render(served.states)[0, 95:187, 16:304].any()
    restarted, _ = env.restart(served.states, [5])
    assert not env.in_play(restarted)[0]


def test_asking_for_the_ball_changes_nothing():
    """Whichever state the emulator is in."""
    asked, plain = Breakout(side=48), Breakout(side=48)
    states, others = asked.reset([1, 2])[0], plain.reset([1, 2])[0]
    for t, action in enumerate(plan(5, 60)):
        asked.in_play(states[:: -1 if t % 2 else 1])
        step, other = (env.step(x, [action, 3 - action]) for env, x in ((asked, states), (plain, others)))
        assert np.array_equal(step.observations, other.observations)
        assert np.array_equal(step.rewards, other.rewards)
        states, others = step.states, other.states
    assert asked.to_bytes(states) == plain.to_bytes(others)
