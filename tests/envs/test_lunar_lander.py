"""Lunar Lander is Gymnasium's, and its states are put back bit for bit."""

import gc
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from muzero_probe import agents

lunar_lander = pytest.importorskip("muzero_probe.envs.lunar_lander", exc_type=ImportError)  # no Box2D on Python 3.14

# isort: split
from muzero_probe.envs.lunar_lander import (
    DeterministicLunarLander,
    LunarLander,
    ReplayedLunarLander,
)
from muzero_probe.envs.lunar_lander.image import LayoutError

# isort: split
from gymnasium.envs.box2d.lunar_lander import LunarLander as Original  # Box2D is loaded, without its warnings
from gymnasium.envs.box2d.lunar_lander import heuristic


class Zero:
    """Random numbers of a step without dispersion."""

    def uniform(self, low, high):
        return 0.0


@pytest.fixture(scope="module")
def env() -> LunarLander:
    return LunarLander()


def episode(seed: int, *, clumsiness: float) -> list[int]:
    """Actions of Gymnasium's landing heuristic, some of them replaced by random ones, to the end of the episode."""
    rng = np.random.default_rng(seed)
    game = DeterministicLunarLander()
    observation, _ = game.reset(seed=seed)
    actions, terminated = [], False
    while not terminated and len(actions) < 600:
        wise = heuristic(game, observation)
        actions.append(int(rng.integers(4)) if rng.random() < clumsiness else int(wise))
        observation, _, terminated, _, _ = game.step(actions[-1])
    return actions


@pytest.mark.parametrize("seed", range(5))
def test_with_dispersion_it_is_gymnasiums(seed):
    ours, theirs = DeterministicLunarLander(dispersion=True), gymnasium.make("LunarLander-v3").unwrapped
    actions = np.random.default_rng(seed).integers(4, size=400)
    assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
    for action in actions:
        a, b = ours.step(int(action)), theirs.step(int(action))
        assert np.array_equal(a[0], b[0])
        assert a[1:4] == b[1:4]
        if a[2]:
            break
    assert a[2]


@pytest.mark.parametrize("seed", range(5))
def test_without_dispersion_both_random_numbers_of_a_step_are_0(seed):
    ours, theirs = DeterministicLunarLander(), Original()
    assert np.array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
    theirs.np_random = Zero()  # pyright: ignore[reportAttributeAccessIssue]
    for action in np.random.default_rng(seed).integers(4, size=100):
        a, b = ours.step(int(action)), theirs.step(int(action))
        assert np.array_equal(a[0], b[0])
        assert a[1:4] == b[1:4]
        if a[2]:
            break


def test_flat_terrain_lies_at_the_pad():
    game = DeterministicLunarLander(flat_terrain=True)
    game.reset(seed=3)
    heights = {point[1] for polygon in game.sky_polys for point in polygon[:2]}
    assert len(heights) == 1
    assert heights.pop() == pytest.approx(0.99 * game.helipad_y)  # Gymnasium smoothes by thirds, 0.33 each
    rough = DeterministicLunarLander()
    rough.reset(seed=3)
    assert len({point[1] for polygon in rough.sky_polys for point in polygon[:2]}) > 2


@pytest.mark.parametrize("settings", [{}, {"flat_terrain": True}, {"dispersion": True}])
def test_gymnasium_makes_and_checks_it(settings):
    game = gymnasium.make("muzero_probe/LunarLander-v3", **settings)
    assert game.spec is not None
    assert game.spec.max_episode_steps == LunarLander.time_limit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that unwrapped environments should be checked
        check_env(game.unwrapped, skip_render_check=True)


def test_states_put_back_go_on_as_gymnasium_does(env):
    """1,000 states of ten episodes, in the air, touching, settling and at the end, 100 steps on from each."""
    rng = np.random.default_rng(0)
    chosen, plans, shown, earned, over = [], [], [], [], []
    kinds = {"touching": 0, "resting": 0, "last ten steps": 0}
    game = DeterministicLunarLander()
    for seed in range(10):
        actions = episode(seed, clumsiness=(0.0, 0.2, 0.5, 1.0)[seed % 4])
        states = [env.reset([seed])[0]]
        for action in actions[:-1]:
            states.append(env.step(states[-1], [action]).states)
        late = np.arange(len(actions) - 10, len(actions))
        times = np.concatenate([late, rng.integers(len(actions), size=90)])
        kinds["last ten steps"] += len(late)
        for time in times:
            plan = rng.integers(4, size=100) if rng.random() < 0.7 else np.zeros(100, np.int64)
            game.reset(seed=seed)
            for action in actions[:time]:
                observation = game.step(action)[0]
            if time:
                kinds["touching"] += bool(observation[6] or observation[7])
                kinds["resting"] += bool(observation[6] and observation[7] and abs(observation[3]) < 1e-3)
            terminated = False
            path = np.zeros((100, 8), np.float32), np.zeros(100, np.float32), np.ones(100, np.bool_)
            for t, action in enumerate(plan):
                observation, reward, terminated, _, _ = game.step(int(action))
                path[0][t], path[1][t], path[2][t] = observation, reward, terminated
                if terminated:
                    path[0][t:] = observation
                    break
            chosen.append(states[time])
            plans.append(plan)
            for kept, new in zip((shown, earned, over), path, strict=True):
                kept.append(new)
    assert min(kinds.values()) >= 30, kinds
    states, actions = np.concatenate(chosen), np.stack(plans)
    order = rng.permutation(len(states))  # neighbours share no world
    assert len(order) == 1000
    rewards, _ = env.rollout(states[order], actions[order])
    assert np.array_equal(rewards, np.stack(earned)[order])
    current = states[order]
    for t in range(100):
        result = env.step(current, actions[order, t])
        assert np.array_equal(result.observations, np.stack([path[t] for path in shown])[order])
        assert np.array_equal(result.rewards, np.stack([path[t] for path in earned])[order])
        assert np.array_equal(result.terminated, np.stack([path[t] for path in over])[order])
        current = result.states


def test_a_landing_is_worth_100_and_a_crash_minus_100(env):
    landing, crash = episode(2, clumsiness=0.0), [0] * 300
    rewards, alive = env.rollout(env.reset([2])[0], [landing])
    assert rewards[alive][-1] == 100
    rewards, alive = env.rollout(env.reset([2])[0], [crash])
    assert rewards[alive][-1] == -100


def test_replayed_prefixes_say_the_same(env):
    replayed = ReplayedLunarLander()
    assert replayed.name == env.name
    assert replayed.time_limit == env.time_limit
    states, _ = env.reset([0, 1, 2])
    for action in (2, 1, 3, 2):
        states = env.step(states, [action] * 3).states
    read = replayed.from_bytes(env.to_bytes(states))
    assert np.array_equal(replayed.observe(read), env.observe(states))
    plans = np.random.default_rng(0).integers(4, size=(3, 120))
    for ours, theirs in zip(env.rollout(states, plans), replayed.rollout(read, plans), strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(env.observe(env.from_bytes(replayed.to_bytes(read))), env.observe(states))


def test_another_process_reads_the_states(env, tmp_path: Path):
    states, _ = env.reset([4, 5])
    for action in (2, 0, 1):
        states = env.step(states, [action] * 2).states
    (tmp_path / "states").write_bytes(env.to_bytes(states))
    program = (
        "import sys; from muzero_probe import agents; env = agents.load('lunar_lander').make({});"
        "states = env.from_bytes(open(sys.argv[1], 'rb').read());"
        "print(env.step(states, [2, 3]).observations.tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "states")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == env.step(states, [2, 3]).observations.tobytes().hex()


def test_rows_of_one_flight_do_not_disturb_each_other(env):
    start, _ = env.reset([8])
    states = np.concatenate([start] * 200)
    plans = np.random.default_rng(0).integers(4, size=(200, 40))
    for t in range(10):
        states = env.step(states, plans[:, t]).states
    rewards, alive = env.rollout(states, plans[:, 10:])
    for b in range(0, 200, 37):
        alone = env.rollout(start, plans[b : b + 1])
        assert np.array_equal(alone[0][0, 10:], rewards[b])
        assert np.array_equal(alone[1][0, 10:], alive[b])


def resident() -> int:
    """KiB of memory that the process holds."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_taking_and_restoring_leaks_nothing(env):
    states, _ = env.reset([0, 0])
    states[1:] = env.step(states[1:], [2]).states

    def pairs(count: int) -> None:
        for _ in range(count // 2):
            env.step(states, [0, 1])  # both states share a world: two restores, two takes

    states[1] = env.step(states[:1], [2]).states[0]
    pairs(2_000)
    before = resident()
    pairs(100_000)
    assert resident() - before < 2_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_ended_flights_are_freed(env):
    for seed in range(50):
        env.reset([seed])
    before = resident()
    for seed in range(300):
        env.reset([seed])
    assert resident() - before < 10_000  # a world takes more than 100 KiB


def test_memory_of_a_state_is_bounded(env):
    state, _ = env.reset([0])
    largest = 0
    for action in episode(0, clumsiness=0.1):
        state = env.step(state, [action]).states
        largest = max(largest, state[0].lines.nbytes)
    assert largest < 6_000
    assert state[0].flight.memory.base.nbytes < 40_000


def test_states_of_other_ground_are_refused(env):
    flat = LunarLander(flat_terrain=True)
    states, _ = flat.reset([0])
    with pytest.raises(ValueError, match=r"lunar_lander: .*lunar_lander-flat"):
        env.step(states, [0])
    with pytest.raises(ValueError, match=r"lunar_lander: .*lunar_lander-flat"):
        env.from_bytes(flat.to_bytes(states))


def test_a_failed_proof_falls_back_with_one_warning(monkeypatch):
    def fails() -> None:
        raise LayoutError("the proof failed")

    monkeypatch.setattr(lunar_lander, "prove", fails)
    with pytest.warns(RuntimeWarning, match="the proof failed; states are replayed from their reset") as caught:
        env = agents.load("lunar_lander").make({})
    assert len(caught) == 1
    assert isinstance(env, ReplayedLunarLander)
    assert env.step(env.reset([0])[0], [2]).observations.shape == (1, 8)


def test_the_proof_notices_a_wrong_step(monkeypatch):
    monkeypatch.setattr(lunar_lander.physics, "follow", wrong(lunar_lander.physics.follow))
    lunar_lander.prove.cache_clear()
    with pytest.raises(LayoutError, match="do not equal Gymnasium's"):
        LunarLander()


def wrong(follow):
    """The compiled step with a reward off by one bit."""

    def off(*arguments):
        result = follow(*arguments)
        rewards = arguments[-2]
        rewards[: result[0]] = np.nextafter(rewards[: result[0]], np.float32(np.inf))
        return result

    return off
