"""Cart Pole is Gymnasium's, to the last bit."""

import functools

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv

from muzero_probe import threads
from muzero_probe.envs import Replayed, cartpole
from muzero_probe.envs.cartpole import CartPole


@pytest.fixture(params=["compiled", "numpy"])
def env(request: pytest.FixtureRequest) -> CartPole:
    """Both ways to compute: compiled, and the one for machines whose C library is not numpy's."""
    env = CartPole()
    if request.param == "compiled" and not env._compiled:
        pytest.skip("this machine's C library and numpy differ in the last bit")
    env._compiled = request.param == "compiled"
    return env


def bits(array: np.ndarray) -> bytes:
    """The array's bytes: also tells 0.0 from -0.0."""
    return np.ascontiguousarray(array).tobytes()


def true_state(simulator: gymnasium.Env) -> np.ndarray:
    """Gymnasium's own float64 state."""
    inner = simulator.unwrapped
    assert isinstance(inner, CartPoleEnv)
    assert inner.state is not None
    return inner.state


def balance(observation: np.ndarray) -> int:
    """Pushes towards the side to which the pole falls; keeps it up for thousands of steps."""
    x, x_dot, theta, theta_dot = (float(value) for value in observation)
    return int(theta + 0.3 * theta_dot + 0.05 * x + 0.1 * x_dot > 0)


def alternate(t: int, _: np.ndarray) -> int:
    return t % 2


def at_random(t: int, _: np.ndarray, *, key: int) -> int:
    return int(np.random.default_rng([key, t]).integers(2))


POLICIES = {
    "left": lambda t, _: 0,
    "right": lambda t, _: 1,
    "alternating": alternate,
    "in pairs": lambda t, _: t // 2 % 2,
    "balancing": lambda t, observation: balance(observation),
    "random": functools.partial(at_random, key=0),
    "random again": functools.partial(at_random, key=1),
}


def test_constants_are_gymnasiums():
    simulator = gymnasium.make("CartPole-v1")
    assert simulator.spec is not None
    assert CartPole().time_limit == simulator.spec.max_episode_steps
    assert CartPole().observation_shape == simulator.observation_space.shape


def test_reset_is_gymnasiums(env):
    simulator = gymnasium.make("CartPole-v1")
    seeds = [*range(300), 2**31 - 1, 2**32, 2**63]
    states, observations = env.reset(np.array(seeds, np.uint64))
    for seed, state, observation in zip(seeds, states, observations, strict=True):
        expected, _ = simulator.reset(seed=seed)
        assert bits(observation) == bits(expected)
        assert bits(state) == bits(true_state(simulator))


@pytest.mark.parametrize("policy", POLICIES)
def test_episodes_are_gymnasiums(env, policy):
    simulator = gymnasium.make("CartPole-v1", max_episode_steps=-1)
    for seed in range(3):
        observation, _ = simulator.reset(seed=seed)
        states, _ = env.reset([seed])
        actions = []
        for t in range(1200):
            action = POLICIES[policy](t, observation)
            observation, reward, terminated, _, _ = simulator.step(action)
            result = env.step(states, [action])
            states = result.states
            assert bits(states[0]) == bits(true_state(simulator))
            assert bits(result.observations[0]) == bits(observation)
            assert result.rewards[0] == reward
            assert result.terminated[0] == terminated
            actions.append(action)
            if terminated:
                break
        assert (len(actions) == 1200) == (policy == "balancing")
        rewards, alive = env.rollout(env.reset([seed])[0], [[*actions, 0, 1, 0]])
        assert rewards[0].tolist()[: len(actions)] == [1.0] * len(actions)
        assert alive[0, : len(actions)].all()
        if policy != "balancing":
            assert not alive[0, len(actions) :].any()


def gymnasium_step(states: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of Gymnasium's own code from each state, scalar by scalar."""
    simulator = CartPoleEnv()
    following = np.empty_like(states)
    terminated = np.empty(len(states), bool)
    for b, (state, action) in enumerate(zip(states, actions, strict=True)):
        simulator.state = state
        simulator.steps_beyond_terminated = None
        _, _, terminated[b], _, _ = simulator.step(int(action))
        following[b] = simulator.state
    return following, terminated


def test_steps_from_anywhere_are_gymnasiums(env):
    rng = np.random.default_rng(0)
    B = 15_000
    wide = rng.uniform(-1, 1, (B, 4)) * [2.4, 5.0, 0.2094, 5.0]
    tiny = rng.uniform(-1, 1, (B, 4)) * 10.0 ** -rng.integers(0, 20, (B, 1)) * 0.2
    states = np.concatenate([wide, tiny, np.zeros((2, 4)), -np.zeros((2, 4))])
    actions = rng.integers(0, 2, len(states))
    following, terminated = gymnasium_step(states, actions)
    result = env.step(states, actions)
    assert bits(result.states) == bits(following)
    assert bits(result.observations) == bits(following.astype(np.float32))
    assert np.array_equal(result.terminated, terminated)
    assert 0 < terminated.sum() < len(states)


def test_bounds_are_gymnasiums():
    limit = CartPoleEnv().theta_threshold_radians
    for column, bound in ((0, 2.4), (2, limit)):
        for sign in (-1, 1):
            states = np.zeros((2, 4))
            states[0, column] = sign * bound
            states[1, column] = sign * np.nextafter(bound, 9)
            assert CartPole().is_terminal(states).tolist() == [False, True]
            assert CartPole().step(states, [0, 0]).rewards.tolist() == [1.0, 0.0]


def test_compiled_and_numpy_agree_on_a_million_steps():
    compiled, plain = CartPole(), CartPole()
    plain._compiled = False
    rng = np.random.default_rng(1)
    states, _ = compiled.reset(range(20_000))
    for _ in range(60):
        actions = rng.integers(0, 2, len(states))
        first, second = compiled.step(states, actions), plain.step(states, actions)
        assert bits(first.states) == bits(second.states)
        assert np.array_equal(first.terminated, second.terminated)
        assert np.array_equal(first.rewards, second.rewards)
        states = np.where(first.terminated[:, None], rng.permutation(states), first.states)


def test_one_wrong_bit_is_noticed(monkeypatch):
    euler = cartpole._euler
    monkeypatch.setattr(cartpole, "_euler", lambda *args: (*euler(*args)[:3], np.nextafter(euler(*args)[3], 9)))
    assert not cartpole._compiled_is_exact.__wrapped__()


def test_rollout_is_the_same_for_any_batch_and_number_of_threads(monkeypatch):
    env = CartPole()
    rng = np.random.default_rng(2)
    states, _ = env.reset(range(3000))
    plans = rng.integers(0, 2, (3000, 40))
    rewards, alive = env.rollout(states, plans)
    assert 0 < alive[:, -1].sum() < len(alive)
    monkeypatch.setattr(threads, "run", lambda tasks: [task() for task in tasks])
    assert np.array_equal(alive, env.rollout(states, plans)[1])
    for rows in (slice(0, 1), slice(17, 900)):
        again = env.rollout(states[rows], plans[rows])
        assert np.array_equal(again[0], rewards[rows])
        assert np.array_equal(again[1], alive[rows])
    plain = CartPole()
    plain._compiled = False
    assert np.array_equal(alive, plain.rollout(states, plans)[1])


def test_layouts_of_the_inputs_do_not_matter(env):
    states, _ = env.reset(range(6))
    plans = np.random.default_rng(3).integers(0, 2, (6, 30))
    expected = env.rollout(states, plans)[1]
    for s, p in (
        (np.asfortranarray(states), np.asfortranarray(plans)),
        (np.repeat(states, 2, axis=0)[::2], np.repeat(plans, 2, axis=1)[:, ::2]),
        (states, plans.astype(np.uint8)),
        (states, plans.tolist()),
    ):
        assert np.array_equal(env.rollout(s, p)[1], expected)
        assert bits(env.step(s, np.asarray(p)[:, 0]).states) == bits(env.step(states, plans[:, 0]).states)


def test_agrees_with_replay(env):
    oracle = Replayed("CartPole-v1")
    rng = np.random.default_rng(4)
    states, observations = env.reset([3, 4, 5])
    prefixes, replayed = oracle.reset([3, 4, 5])
    assert bits(observations) == bits(replayed)
    plans = rng.integers(0, 2, (3, 70))
    for ours, theirs in zip(env.rollout(states, plans), oracle.rollout(prefixes, plans), strict=True):
        assert np.array_equal(ours, theirs)
    for t in range(30):
        result, expected = env.step(states, plans[:, t]), oracle.step(prefixes, plans[:, t])
        assert bits(result.observations) == bits(expected.observations)
        assert np.array_equal(result.rewards, expected.rewards)
        assert np.array_equal(result.terminated, expected.terminated)
        states, prefixes = result.states, expected.states


def test_float32_states_are_refused():
    with pytest.raises(ValueError, match="states must be a float64 array, got float32"):
        CartPole().step(np.zeros((1, 4), np.float32), [0])
