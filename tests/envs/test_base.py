"""The contract that every environment keeps: T and R are functions of an explicit state."""

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from muzero_probe import agents
from muzero_probe.envs import Environment, Replayed
from muzero_probe.envs.base import in_play, object_array
from muzero_probe.envs.planted import bandit, chain, tree


def of_agents() -> dict[str, Callable[[], Environment]]:
    """The environments of all agents' profiles, each once."""
    found: dict[str, Callable[[], Environment]] = {}
    for agent in map(agents.load, agents.names()):
        for profile in agent.profiles.values():
            sizes = [f"{name}={value}" for name, value in profile.environment.items()]
            found[" ".join([agent.name, *sizes])] = partial(agent.make, profile.environment)
    return found


EVERY = of_agents() | {
    "chain": chain,
    "tree": tree,
    "bandit": bandit,
    "replayed": partial(Replayed, "CartPole-v1"),
}
SEEDS = [0, 1, 7, 123456789]
T = 14


@pytest.fixture(scope="module", params=EVERY)
def env(request: pytest.FixtureRequest) -> Environment:
    return EVERY[request.param]()


def walk(env: Environment, *, steps: int = T) -> np.ndarray:
    """States met along random and constant action sequences, ends of episodes included."""
    rng = np.random.default_rng(3)
    states, _ = env.reset(SEEDS)
    met = [states]
    for _ in range(steps):
        actions = rng.integers(0, env.num_actions, len(SEEDS))
        actions[0] = env.num_actions - 1
        states = env.step(states, actions).states
        met.append(states)
    return np.concatenate([met[0], met[1], met[2], met[-2], met[-1]])


def frozen(states: np.ndarray) -> np.ndarray:
    """A copy that raises where it is written to."""
    copy = states.copy()
    copy.setflags(write=False)
    return copy


def same(env: Environment, first: np.ndarray, second: np.ndarray) -> bool:
    return env.to_bytes(first) == env.to_bytes(second)


def ended(env: Environment) -> np.ndarray:
    """States of which at least one is terminal, by playing one action to the end."""
    states, _ = env.reset(SEEDS)
    action = 1 if env.name.startswith("breakout") else env.num_actions - 1  # that of ALE serves, or nothing ends
    for _ in range(1000):
        states = env.step(states, np.full(len(SEEDS), action)).states
        if env.is_terminal(states).any():
            return states
    raise AssertionError("no termination within 1000 steps")


def test_every_environment_of_an_agent_is_here():
    assert {"cartpole", "lunar_lander", "minatar", "breakout"} <= EVERY.keys()
    small = "breakout side=48 serve=True field=True"
    assert {"breakout", small, "breakout side=48 field=True time_limit=40"} <= EVERY.keys()


def test_a_name_tells_an_environment_from_all_others(env):
    """It is all that stands before states in bytes."""
    assert env.name
    names = []
    for make in EVERY.values():
        with contextlib.suppress(ImportError):  # no package for this Python
            names.append(make().name)
    assert names.count(env.name) == 1


def test_shapes_and_types(env):
    states, observations = env.reset(SEEDS)
    B = len(SEEDS)
    assert len(states) == B
    assert observations.shape == (B, *env.observation_shape)
    assert observations.dtype == env.observation_dtype
    result = env.step(states, [0] * B)
    assert len(result.states) == B
    assert result.states.dtype == states.dtype
    assert result.observations.shape == (B, *env.observation_shape)
    assert result.observations.dtype == env.observation_dtype
    assert result.rewards.shape == (B,)
    assert result.rewards.dtype == np.float32
    assert result.terminated.shape == (B,)
    assert result.terminated.dtype == np.bool_
    assert env.is_terminal(states).dtype == np.bool_
    rewards, alive = env.rollout(states, np.zeros((B, 3), int))
    assert rewards.shape == alive.shape == (B, 3)
    assert rewards.dtype == np.float32
    assert alive.dtype == np.bool_


def test_reset_is_a_function_of_the_seed(env):
    together, observations = env.reset(SEEDS)
    assert same(env, together, env.reset(np.array(SEEDS, np.uint32))[0])
    alone, observation = env.reset(SEEDS[2:3])
    assert same(env, alone, together[2:3])
    assert np.array_equal(observation, observations[2:3])
    assert not env.is_terminal(together).any()


def test_step_is_pure(env):
    states = walk(env)
    actions = np.arange(len(states)) % env.num_actions
    first = env.step(states, actions)
    env.step(env.reset([5])[0], [0])
    second = env.step(states, actions)
    assert same(env, first.states, second.states)
    for a, b in zip(first[1:], second[1:], strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(first.observations, env.observe(first.states))
    assert np.array_equal(first.terminated, env.is_terminal(first.states))


def test_inputs_are_not_modified(env):
    states = walk(env)
    before = env.to_bytes(states)
    actions = np.ones(len(states), int)
    plans = np.ones((len(states), T), int)
    env.step(frozen(states), frozen(actions))
    env.rollout(frozen(states), frozen(plans))
    env.observe(frozen(states))
    env.is_terminal(frozen(states))
    env.step(states, actions)
    env.rollout(states, plans)
    assert env.to_bytes(states) == before
    assert (actions == 1).all()
    assert (plans == 1).all()


def test_results_are_not_views_of_the_inputs(env):
    states = walk(env)
    following = env.step(states, np.zeros(len(states), int)).states
    assert not np.shares_memory(states, following)
    if env.observe(states).ndim:
        assert not np.shares_memory(states, env.observe(states))


def test_rows_are_independent(env):
    states = walk(env)
    actions = np.arange(len(states)) % env.num_actions
    whole = env.step(states, actions)
    order = np.random.default_rng(0).permutation(len(states))
    shuffled = env.step(states[order], actions[order])
    assert same(env, shuffled.states, whole.states[order])
    assert np.array_equal(shuffled.rewards, whole.rewards[order])
    for b in (0, len(states) - 1):
        alone = env.step(states[b : b + 1], actions[b : b + 1])
        assert same(env, alone.states, whole.states[b : b + 1])


def test_states_index_and_concatenate(env):
    states = walk(env)
    mask = np.arange(len(states)) % 2 == 0
    parts = np.concatenate([states[mask], states[~mask], states[[0, 0]], states[::-1]])
    actions = np.zeros(len(states), int)
    expected = env.step(states, actions).observations
    observed = env.step(parts, np.zeros(len(parts), int)).observations
    assert np.array_equal(
        observed,
        np.concatenate([expected[mask], expected[~mask], expected[[0, 0]], expected[::-1]]),
    )


def test_rollout_equals_repeated_steps(env):
    states = walk(env)
    plans = np.random.default_rng(1).integers(0, env.num_actions, (len(states), T))
    rewards, alive = env.rollout(states, plans)
    current = states
    for t in range(T):
        assert np.array_equal(alive[:, t], ~env.is_terminal(current))
        result = env.step(current, plans[:, t])
        assert np.array_equal(rewards[:, t], result.rewards)
        current = result.states
    assert (rewards[~alive] == 0).all()


def test_threads_do_not_meet(env):
    """A search in the truth cuts its rows into parts that run side by side."""
    states = walk(env)
    plans = np.random.default_rng(2).integers(0, env.num_actions, (len(states), 4 * T))
    rewards, alive = env.rollout(states, plans)
    following = env.step(states, plans[:, 0])
    parts = [slice(b, b + 5) for b in range(0, len(states), 5)]
    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(4) as pool:
            for _ in range(3):
                rolled = list(pool.map(lambda part: env.rollout(states[part], plans[part]), parts))
                stepped = list(pool.map(lambda part: env.step(states[part], plans[part, 0]), parts))
                assert np.array_equal(np.concatenate([r for r, _ in rolled]), rewards)
                assert np.array_equal(np.concatenate([a for _, a in rolled]), alive)
                assert same(env, np.concatenate([s.states for s in stepped]), following.states)
                assert np.array_equal(np.concatenate([s.observations for s in stepped]), following.observations)
    finally:
        sys.setswitchinterval(interval)


def test_terminal_states_are_absorbing(env):
    states = ended(env)
    over = states[env.is_terminal(states)]
    for action in range(env.num_actions):
        result = env.step(over, np.full(len(over), action))
        assert same(env, result.states, over)
        assert np.array_equal(result.observations, env.observe(over))
        assert (result.rewards == 0).all()
        assert result.terminated.all()
    rewards, alive = env.rollout(over, np.zeros((len(over), 3), int))
    assert not alive.any()
    assert not rewards.any()


def test_alive_reward_is_paid_on_every_step_from_a_live_state(env):
    states = np.concatenate([walk(env), ended(env)])
    plans = np.full((len(states), T), env.num_actions - 1)
    rewards, alive = env.rollout(states, plans)
    if env.alive_reward is not None:
        assert (rewards[alive] == env.alive_reward).all()


def test_no_rows_and_no_steps(env):
    states, observations = env.reset([])
    assert len(states) == len(observations) == 0
    result = env.step(states, [])
    assert len(result.states) == len(result.rewards) == 0
    assert env.rollout(states, np.zeros((0, 3), int))[0].shape == (0, 3)
    assert env.is_terminal(states).shape == (0,)
    assert len(env.from_bytes(env.to_bytes(states))) == 0
    assert env.rollout(walk(env), np.zeros((5 * len(SEEDS), 0), int))[0].shape[1] == 0


def test_bytes_round_trip(env):
    states = np.concatenate([walk(env), ended(env)])
    data = env.to_bytes(states)
    restored = env.from_bytes(data)
    assert restored.dtype == states.dtype
    assert restored.shape == states.shape
    assert restored.flags.writeable
    assert env.to_bytes(restored) == data
    assert env.to_bytes(env.from_bytes(bytearray(data))) == data
    actions = np.arange(len(states)) % env.num_actions
    assert np.array_equal(env.step(states, actions).observations, env.step(restored, actions).observations)
    assert np.array_equal(env.step(states[:0], []).rewards, np.zeros(0))


def refused(env: Environment, data: bytes) -> str:
    with pytest.raises(ValueError, match=env.name) as caught:
        env.from_bytes(data)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_bytes_of_another_environment_are_refused(env):
    other = chain(9)
    message = refused(env, other.to_bytes(other.reset([0])[0]))
    assert "chain-9" in message


def test_bytes_of_another_version_are_refused(env, monkeypatch):
    data = env.to_bytes(walk(env))
    monkeypatch.setattr(type(env), "state_version", 99)
    assert "version 99, not those of" in refused(env, data)


def test_truncated_bytes_are_refused(env):
    data = env.to_bytes(walk(env))
    for length in (0, 5, 30, data.index(b"\n"), data.index(b"\n") + 1, len(data) - 1):
        assert "truncated" in refused(env, data[:length])


def test_damaged_bytes_are_refused(env):
    data = env.to_bytes(walk(env))
    assert "too long" in refused(env, data + b"x")
    assert "not states" in refused(env, b"\x00" + data)
    assert "header" in refused(env, b'muzero-probe states {"rows": 1}\n')
    assert "header" in refused(env, b"muzero-probe states {\xff\n")
    rows = f'"rows": {5 * len(SEEDS)}'.encode()
    assert rows in data
    assert "damaged" in refused(env, data.replace(rows, b'"rows": 3'))
    assert "header" in refused(env, data.replace(rows, b'"rows": -1'))
    at = data.index(b"\n") + 1
    for place in (at, (at + len(data)) // 2, len(data) - 1):
        assert "damaged" in refused(env, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 0, 0], r"actions must have shape \[4\], got \[3\]"),
        (np.zeros((4, 1), int), r"actions must have shape \[4\], got \[4, 1\]"),
        (0, r"actions must have shape \[4\], got \[\]"),
        ([0, 0, 0, 99], r"actions must lie in 0\.\.\d+, got 99"),
        ([0, -1, 0, 0], r"actions must lie in 0\.\.\d+, got -1"),
        ([0.0, 0.0, 0.0, 0.0], "actions must be integers, got float64"),
        ([True, False, True, True], "actions must be integers, got bool"),
    ],
)
def test_wrong_actions_are_refused(env, actions, message):
    with pytest.raises(ValueError, match=message):
        env.step(env.reset(SEEDS)[0], actions)


@pytest.mark.parametrize(
    ("plans", "message"),
    [
        ([0, 0, 0, 0], r"plans must have shape \[4, T\], got \[4\]"),
        (np.zeros((3, 2), int), r"plans must have shape \[4, T\], got \[3, 2\]"),
        (np.zeros((4, 2, 1), int), r"plans must have shape \[4, T\], got \[4, 2, 1\]"),
        (np.full((4, 2), 99), r"plans must lie in 0\.\.\d+, got 99"),
        (np.full((4, 2), 256), r"plans must lie in 0\.\.\d+, got 256"),
        (np.zeros((4, 2)), "plans must be integers, got float64"),
    ],
)
def test_wrong_plans_are_refused(env, plans, message):
    with pytest.raises(ValueError, match=message):
        env.rollout(env.reset(SEEDS)[0], plans)


def test_wrong_states_are_refused(env):
    good, _ = env.reset(SEEDS)
    for bad in (
        good[0],
        good[None],
        list(good),
        good.astype(np.complex64) if good.dtype != object else 3,
    ):
        for use in (
            lambda states: env.step(states, [0] * 4),
            lambda states: env.rollout(states, np.zeros((4, 2), int)),
            env.observe,
            env.is_terminal,
            env.to_bytes,
        ):
            with pytest.raises(ValueError, match=f"{env.name}: states must") as caught:
                use(bad)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seeds", [3, [[1, 2]], [-1], [0.5], ["a"]])
def test_wrong_seeds_are_refused(env, seeds):
    with pytest.raises(ValueError, match="seeds must"):
        env.reset(seeds)


def test_who_says_where_the_game_is_on(env: Environment):
    states = walk(env)
    found = in_play(env, frozen(states))
    assert (found is not None) == env.name.startswith("breakout")
    if found is not None:
        assert found.shape == (len(states),) and found.dtype == bool
        for state, on in zip(states, found, strict=True):
            assert in_play(env, object_array([state])) == on


@pytest.mark.parametrize("wrong", [np.ones(2, bool), np.ones(3), [True] * 3, "yes"])
def test_an_environment_that_says_nonsense_is_named(wrong: object, monkeypatch: pytest.MonkeyPatch):
    env = chain()
    monkeypatch.setattr(env, "in_play", lambda _: wrong)
    with pytest.raises(ValueError, match=f"^{env.name}: in_play"):
        in_play(env, env.reset([0, 1, 2])[0])
