"""A replayed environment is the Gymnasium environment, from any state."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.wrappers import TimeLimit, TransformAction, TransformObservation

from muzero_probe.envs.replayed import Prefix, Replayed


@pytest.mark.parametrize("gym_id", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "FrozenLake-v1"])
def test_follows_gymnasium(gym_id):
    simulator = gymnasium.make(gym_id, disable_env_checker=True)
    env = Replayed(gym_id)
    assert simulator.spec is not None
    assert env.time_limit == simulator.spec.max_episode_steps
    assert isinstance(simulator.action_space, gymnasium.spaces.Discrete)
    assert env.num_actions == simulator.action_space.n
    observation, _ = simulator.reset(seed=9)
    states, observations = env.reset([9])
    assert np.array_equal(observations[0], np.float32(observation))
    rng = np.random.default_rng(0)
    for _ in range(30):
        action = int(rng.integers(env.num_actions))
        observation, reward, terminated, _, _ = simulator.step(action)
        result = env.step(states, [action])
        assert np.array_equal(result.observations[0], np.float32(observation))
        assert result.rewards[0] == np.float32(reward)
        assert result.terminated[0] == terminated
        states = result.states
        if terminated:
            break


def test_a_state_is_its_prefix():
    env = Replayed("CartPole-v1")
    states, _ = env.reset([2])
    states = env.step(states, [1]).states
    states = env.step(states, [0]).states
    assert states[0] == Prefix(2, (1, 0))


def test_time_limit_is_no_part_of_the_dynamics():
    env = Replayed("MountainCar-v0")
    assert env.time_limit == 200
    states, _ = env.reset([0])
    rewards, alive = env.rollout(states, np.zeros((1, 250), int))
    assert alive.all()
    assert (rewards == -1).all()
    late = np.empty(1, object)
    late[0] = Prefix(0, (0,) * 250)
    assert not env.is_terminal(late).any()


def test_actions_start_at_zero():
    def build() -> gymnasium.Env:
        space = gymnasium.spaces.Discrete(2, start=-1)
        return TransformAction(CartPoleEnv(), lambda action: action + 1, space)

    shifted, plain = Replayed("shifted", build=build), Replayed("CartPole-v1")
    assert shifted.time_limit is None
    states, prefixes = shifted.reset([1])[0], plain.reset([1])[0]
    for action in (0, 1, 1, 0):
        states = shifted.step(states, [action]).states
        prefixes = plain.step(prefixes, [action]).states
    assert np.array_equal(shifted.observe(states), plain.observe(prefixes))


def test_only_discrete_actions():
    with pytest.raises(ValueError, match="actions must be discrete, got Box"):
        Replayed("Pendulum-v1")


def test_unknown_environment():
    with pytest.raises(ValueError, match="replayed:Nothing-v0: Gymnasium cannot make it"):
        Replayed("Nothing-v0")


def test_observations_must_be_one_array():
    def build() -> gymnasium.Env:
        space = gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)])
        return TransformObservation(CartPoleEnv(), lambda observation: (0,), space)

    with pytest.raises(ValueError, match="observations must be one array, got Tuple"):
        Replayed("pair", build=build)


def test_a_time_limit_inside_the_simulator_is_reported():
    with pytest.raises(ValueError, match="short: the simulator ended an episode by a time limit of its own"):
        Replayed("short", build=lambda: TimeLimit(CartPoleEnv(), 3))
    env = Replayed("longer", build=lambda: TimeLimit(CartPoleEnv(), 30))
    states, _ = env.reset([0])
    with pytest.raises(ValueError, match="longer: the simulator ended an episode by a time limit of its own"):
        env.rollout(states, [[0, 1] * 20])


class Drifting(CartPoleEnv):
    """Ignores its seed, or draws what it pays from elsewhere, as home-made environments do."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what
        self.chance = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        return super().reset(seed=None if self.what == "observation" else seed, options=options)

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        if self.what == "reward":
            reward = float(self.chance.normal())
        return observation, reward, terminated or (self.what == "end" and self.chance.random() < 0.5), truncated, info


@pytest.mark.parametrize("what", ["observation", "reward", "end"])
def test_what_does_not_repeat_itself_is_refused(what: str):
    says = (
        f"drifting: it does not repeat itself, which a replay needs: seed 0 and the same . actions gave another {what}"
    )
    with pytest.raises(ValueError, match=says):
        Replayed("drifting", build=lambda: Drifting(what))


def test_foreign_objects_are_refused():
    env = Replayed("CartPole-v1")
    states = np.empty(1, object)
    states[0] = (0, (1,))
    with pytest.raises(ValueError, match="states must hold Prefix objects, got tuple"):
        env.step(states, [0])


def test_impossible_prefixes_are_refused():
    env = Replayed("CartPole-v1")
    for prefix, message in (
        (Prefix(0, (2,)), "actions must lie in 0..1"),
        (Prefix(-1, ()), "seeds"),
    ):
        states = np.empty(1, object)
        states[0] = prefix
        with pytest.raises(ValueError, match=message):
            env.from_bytes(env.to_bytes(states))


class Tiring(CartPoleEnv):
    """Repeats itself for 200 resets, and no longer then."""

    resets = 0

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        self.resets += 1
        late = seed is not None and self.resets > 200
        return super().reset(seed=seed + 1 if seed is not None and late else seed, options=options)


def test_what_no_longer_repeats_itself_is_refused():
    env = Replayed("tiring", build=Tiring)
    with pytest.raises(ValueError, match=r"tiring: it does not repeat itself.*: seed \d and the same \d+ actions led"):
        for _ in range(20):
            states, _ = env.reset([0, 1])
            for t in range(8):
                states = env.step(states, [t % 2, 0]).states


def test_a_time_limit_of_one_s_own():
    assert Replayed("free", build=CartPoleEnv).time_limit is None
    assert Replayed("free", build=CartPoleEnv, time_limit=7).time_limit == 7
    assert Replayed("CartPole-v1", time_limit=7).time_limit == 7
    with pytest.raises(ValueError, match="time_limit is 0, at least 1 is needed"):
        Replayed("free", build=CartPoleEnv, time_limit=0)
