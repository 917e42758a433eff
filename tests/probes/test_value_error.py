"""Is the value error of a policy what enumerating every action sequence gives, and its sampled estimate sound?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree
from muzero_probe.models import LearnedModel
from muzero_probe.probes.policies import search_policy
from muzero_probe.probes.value_error import PolicyError, every, exact, grow, policy_value_error
from muzero_probe.randomness import stream
from tests.doubles import Observing, OneAtATime, OneLatent, OneState, TrueDynamics, random_nets, random_theta
from tests.reference import search
from tests.reference import value_error as reference


def random_table(*, alive_reward: float | None = None) -> TabularEnvironment:
    """Seven states, of which two are terminal, three actions."""
    rng = np.random.default_rng(5)
    rewards = rng.integers(-8, 8, (7, 3)) / 4 if alive_reward is None else np.full((7, 3), alive_reward)
    return TabularEnvironment(rng.integers(0, 7, (7, 3)), rewards, np.arange(7) >= 5, name="random")


def plank(alive_reward: float = 1.0) -> TabularEnvironment:
    """Cells 0, 1, 2 of a plank; action 0 goes to the left, 1 to the right, over either end lies the terminal 3.

    Every step pays the same, as on Cart Pole.
    """
    return TabularEnvironment(
        [[3, 1], [0, 2], [1, 3], [3, 3]],
        np.full((4, 2), alive_reward),
        [False, False, False, True],
        start=1,
        name="plank",
    )


ENVIRONMENTS: dict[str, Callable[[], TabularEnvironment]] = {
    "chain": lambda: chain(3),
    "tree": tree,
    "wide tree": lambda: tree(2, 3),
    "bandit": bandit,
    "random": random_table,
    "alive": lambda: random_table(alive_reward=2.0),
    "plank": plank,
}


def rows_of_all_states(env: TabularEnvironment, *, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Every non-terminal state once for every seed, and the seed of each."""
    states = np.flatnonzero(~env.terminal)
    return np.tile(states, seeds), np.repeat(np.arange(seeds), len(states))


def nets_on(env: TabularEnvironment, row_seeds: np.ndarray, *, spread: float = 2.0) -> LearnedModel:
    nets = random_nets(observation=len(env.terminal), actions=env.num_actions)
    return LearnedModel(nets, random_theta(nets, seeds=int(row_seeds.max()) + 1, spread=spread), row_seeds)


def mistaken(env: TabularEnvironment, row_seeds: np.ndarray, *, seed: int = 0) -> Observing:
    """A model with rewards and transitions of its own, exact in float32."""
    rng = np.random.default_rng(seed)
    N, A = env.transitions.shape
    return Observing(rng.integers(0, N, (N, A)), rng.integers(-16, 16, (N, A)) / 8, row_seeds)


class Tabled:
    """A policy of its own for every row, with actions that it never takes; keeps what it was asked."""

    def __init__(self, env: TabularEnvironment, rows: int, *, seed: int = 1) -> None:
        N, A = env.transitions.shape
        rng = np.random.default_rng(seed)
        table = rng.dirichlet(np.ones(A), (rows, N))
        table[rng.random((rows, N)) < 0.3, 0] = 0.0
        self.table = table / table.sum(-1, keepdims=True)
        self.asked: list[list[tuple[int, int]]] = []  # per call, row and state

    def __call__(self, rows: np.ndarray, observations: np.ndarray) -> np.ndarray:
        states = observations.argmax(1)
        self.asked.append(list(zip(rows.tolist(), states.tolist(), strict=True)))
        return self.table[rows, states]

    def of(self, row: int) -> Callable[[Any], np.ndarray]:
        return lambda state: self.table[row, state]


def always(*probabilities: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The same policy in every state."""
    return lambda rows, observations: np.tile(probabilities, (len(rows), 1))


def measured(
    env: Environment,
    model: Any,
    states: np.ndarray,
    policy: Any,
    *,
    horizon: int,
    discount: float = 0.9,
    **sampling: Any,
) -> PolicyError:
    given = {"samples": None} | sampling
    return policy_value_error(env, model, states, policy, horizon=horizon, discount=discount, **given)


def enumerated(
    env: Environment, model: Any, states: np.ndarray, policy_of: Any, *, horizon: int, discount: float = 0.9
) -> PolicyError:
    """The oracle's numbers [B, H]."""
    world = OneState(env)
    columns: dict[str, list[list[float]]] = {name: [] for name in PolicyError._fields}
    for b, state in enumerate(states):
        guess = OneLatent(model, b)
        latent = guess.root(env.observe(states[b : b + 1])[0])
        found = []
        for h in range(1, horizon + 1):
            all_ = reference.enumerate_all(world, guess, state, latent, policy_of(b), length=h, discount=discount)
            assert sum(s.probability for s in all_) == pytest.approx(1)
            found.append(reference.policy_error(all_, alive_reward=env.alive_reward))
        for name, rows in columns.items():
            rows.append([f[name] for f in found])
    return PolicyError(*(np.array(columns[name]) for name in PolicyError._fields))


def assert_close(found: PolicyError, wanted: PolicyError, tolerance: float) -> None:
    for name in PolicyError._fields:
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), atol=tolerance, rtol=0, err_msg=name)


# Eq 7


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_equals_all_sequences_enumerated(name: str):
    env = ENVIRONMENTS[name]()
    states, row_seeds = rows_of_all_states(env, seeds=2)
    policy = Tabled(env, len(states))
    # the nets' rounding may depend on the number of rows
    for model, tolerance in ((mistaken(env, row_seeds), 1e-12), (nets_on(env, row_seeds), 1e-5)):
        found = measured(env, model, states, policy, horizon=4)
        assert_close(found, enumerated(env, model, states, policy.of, horizon=4), tolerance)
        assert found.error.max() > 0.1  # there is something to find
        assert np.isnan(found.invented).all() == (env.alive_reward is None)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_of_the_search_policy_equals_all_sequences_enumerated(temperature: float):
    """A search at every real state on the way; eq 2 turns its visits into the policy."""
    env = plank()
    states, row_seeds = rows_of_all_states(env, seeds=2)
    model = nets_on(env, row_seeds)
    config = SearchConfig(simulations=7, discount=0.9)

    def visits(b: int, state: Any) -> list[int]:
        planner = OneAtATime(model.rows(np.array([b])))
        observation = env.observe(np.asarray(state)[None])[0]
        return search.search(planner, observation, simulations=7, discount=0.9, c1=config.c1, c2=config.c2).visits

    def policy_of(b: int) -> Callable[[Any], list[float]]:
        def policy(state: Any) -> list[float]:
            powers = [n ** (1 / temperature) for n in visits(b, state)]
            return [power / sum(powers) for power in powers]

        return policy

    found = measured(
        env, model, states, lambda rows, seen: search_policy(model.rows(rows), seen, config, temperature), horizon=4
    )
    assert_close(found, enumerated(env, model, states, policy_of, horizon=4), 1e-5)
    assert found.error.max() > 0.1


@pytest.mark.parametrize("alive_reward", [1.0, -1.0])
def test_a_plank_by_hand(alive_reward: float):
    """Discount 1/2, from the middle; a step pays 1, or costs 1: then every reward below has the other sign.

    The policy goes to the left with 3/4 from the middle, 1/2 from cell 0, 4/5 from cell 2. The model does not
    know of the fall to the right, it stays in cell 2, and gives 1/4 for that step; else it is right.

    h = 2: RR, with 1/4 * 1/5 = 1/20, is worth 1 + 1/2 but predicted as 1 + 1/2 * 1/4 = 1.125: the model invents
    an end. All others are right. E[v - v_hat] = 0.375 / 20.

    h = 3: LL (3/8) has fallen, and the model knows. RR (1/20) has fallen, each third action has probability 1/2:
    RRL is predicted as 1.125 + 1/4 (not foreseen), RRR as 1.125 + 1/4 * 1/4 (foreseen), both are worth 1.5.
    E[v - v_hat] = (0.125 + 0.3125) / 40; over 3/8 + 1/20, foreseen 3/8 + 1/40.
    """
    env = plank(alive_reward)
    model = Observing(
        np.array([[3, 1], [0, 2], [1, 2], [3, 3]]),
        alive_reward * np.array([[1, 1], [1, 1], [1, 0.25], [0, 0]]),
        np.zeros(1, int),
    )
    policies = np.array([[1 / 2, 1 / 2], [3 / 4, 1 / 4], [4 / 5, 1 / 5]])
    found = measured(env, model, np.array([1]), lambda rows, seen: policies[seen.argmax(1)], horizon=3, discount=0.5)
    np.testing.assert_allclose(found.bias[0], np.array([0, 0.01875, 0.0109375]) * alive_reward, atol=1e-15)
    np.testing.assert_allclose(found.error[0], [0, 0.01875, 0.0109375], atol=1e-15)
    np.testing.assert_allclose(found.over[0], [0, 0, 0.425], atol=1e-15)
    np.testing.assert_allclose(found.foreseen[0], [0, 0, 0.4], atol=1e-15)
    np.testing.assert_allclose(found.invented[0], [0, 0.05, 0], atol=1e-15)
    assert not found.standard_error.any()


def off_by_turns(rows: int) -> tuple[TabularEnvironment, Observing, np.ndarray, Any]:
    """Arms pay 1, 0, 2, the model says 0, 0, 4, the policy is 1/2, 1/4, 1/4: v - v_hat is 1, 0, -2, on average 0."""
    env = bandit()
    model = Observing(np.ones((2, 3), int), np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 0.0]]), np.zeros(rows, int))
    return env, model, np.zeros(rows, int), always(1 / 2, 1 / 4, 1 / 4)


def test_the_absolute_value_stands_outside_the_expectation():
    env, model, states, policy = off_by_turns(1)
    found = measured(env, model, states, policy, horizon=2)
    assert found.error.max() < 1e-15


def nearly_fallen(rows: int) -> np.ndarray:
    """Cart Pole states from which poles fall within a few steps, or carts leave the track."""
    rng = np.random.default_rng(0)
    return rng.uniform([2.2, 0.5, 0.1, 0.0], [2.39, 2.0, 0.2, 2.0], (rows, 4))


@pytest.mark.parametrize("samples", [None, 20])
@pytest.mark.parametrize("environment", ["cartpole", "alive", "tree", "plank"])
def test_the_true_dynamics_have_no_error(environment: str, samples: int | None):
    env = CartPole() if environment == "cartpole" else ENVIRONMENTS[environment]()
    if isinstance(env, TabularEnvironment):
        states, row_seeds = rows_of_all_states(env, seeds=2)
    else:
        states, row_seeds = nearly_fallen(6), np.repeat([0, 1], 3)
    model = TrueDynamics(env, states, row_seeds)
    rngs = [np.random.default_rng(seed) for seed in (0, 1)]
    policy = always(*np.full(env.num_actions, 1 / env.num_actions))
    found = measured(env, model, states, policy, horizon=6, samples=samples, rngs=rngs)
    assert found.over.max() > 0.5  # so that ends are among what is predicted
    for none in (found.error, found.bias, found.standard_error):
        assert none.shape == (len(states), 6) and not none.any()
    if env.alive_reward is not None:
        np.testing.assert_array_equal(found.foreseen, found.over)
        assert not found.invented.any()


# Monte Carlo


@pytest.mark.parametrize("samples", [2, 30])
def test_sampled_estimates_are_centred_and_know_their_spread(samples: int):
    """4000 independent estimates of the same numbers, as rows; bands of four of their own standard deviations."""
    env = plank()
    n = 4000
    policies = np.array([[0.5, 0.5], [0.7, 0.3], [0.8, 0.2]])

    def policy(rows: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return policies[seen.argmax(1)]

    wanted = measured(env, mistaken(env, np.zeros(1, int)), np.ones(1, int), policy, horizon=4)
    found = measured(
        env, mistaken(env, np.zeros(n, int)), np.ones(n, int), policy, horizon=4, samples=samples,
        rngs=[np.random.default_rng(3)],
    )  # fmt: skip
    variances = found.standard_error**2
    spread = found.bias.var(0, ddof=1)
    assert (spread > 0).all()
    for name in ("bias", "over", "foreseen", "invented"):
        each = getattr(found, name)
        assert (np.abs(each.mean(0) - getattr(wanted, name)) <= 4 * each.std(0) / np.sqrt(n)).all(), name
    # the squared standard error is an unbiased estimate of the variance; both have a spread of their own
    squares = (found.bias - found.bias.mean(0)) ** 2
    band = 4 * np.sqrt((squares.var(0) + variances.var(0)) / n)
    assert (np.abs(variances.mean(0) - spread) < band).all()
    assert (band < 0.15 * spread).all()
    np.testing.assert_array_equal(found.error, np.abs(found.bias))


def test_sampled_estimates_converge_within_their_standard_error():
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=4)
    policy = Tabled(env, len(states))
    model = nets_on(env, row_seeds)
    wanted = measured(env, model, states, policy, horizon=4)
    distances, errors = [], []
    for samples in (25, 2500):
        rngs = [np.random.default_rng([samples, seed]) for seed in range(4)]
        found = measured(env, model, states, policy, horizon=4, samples=samples, rngs=rngs)
        distances.append(found.bias - wanted.bias)
        errors.append(found.standard_error)
    assert (np.abs(distances[1]) <= 4 * errors[1] + 1e-12).all()
    # a hundred times the samples: a tenth of the distance
    ratio = np.sqrt((distances[1] ** 2).mean() / (distances[0] ** 2).mean())
    assert 0.07 < ratio < 0.14
    np.testing.assert_allclose(np.sqrt((errors[1] ** 2).mean() / (errors[0] ** 2).mean()), 0.1, rtol=0.05)


def test_few_samples_inflate_the_error_but_not_the_bias():
    """Exactly 0 in truth. Two samples of 1, 0, -2 with 1/2, 1/4, 1/4 have a mean of size 3/4, on average.

    1 with 1/4 (1, 1), 1/2 with 1/4 (1, 0), 1/2 with 1/4 (1, -2), 0 with 1/16, 1 with 1/8 (0, -2), 2 with 1/16.
    """
    n = 4000
    env, model, states, policy = off_by_turns(n)
    few = measured(env, model, states, policy, horizon=1, samples=2, rngs=[np.random.default_rng(0)])
    many = measured(env, model, states, policy, horizon=1, samples=200, rngs=[np.random.default_rng(0)])
    variance = 1.5  # of 1, 0, -2
    assert few.error.mean() == pytest.approx(0.75, abs=4 * np.sqrt(variance / 2 / n))
    assert abs(few.bias.mean()) < 4 * np.sqrt(variance / 2 / n)
    assert (few.standard_error**2).mean() == pytest.approx(variance / 2, rel=0.05)
    assert many.error.mean() < 0.11 * few.error.mean()


def test_a_sampled_sequence_is_one_for_all_horizons():
    """Shorter horizons are measured with its beginning: nothing is drawn anew for a longer one."""
    env, n = tree(3), 200
    row_seeds = np.zeros(n, int)
    model = mistaken(env, row_seeds)
    rngs = [np.random.default_rng(0)]
    found = measured(env, model, np.zeros(n, int), always(0.5, 0.5), horizon=3, samples=2, rngs=rngs, discount=1.0)
    # v - v_hat of the 2, 4, 8 prefixes
    world, guess = OneState(env), OneLatent(model, 0)
    halves = []
    for h in (1, 2, 3):
        all_ = reference.enumerate_all(world, guess, 0, np.zeros(1, int), lambda s: [0.5, 0.5], length=h, discount=1.0)
        halves.append([(s.true - s.predicted) / 2 for s in all_])
    allowed = {
        tuple(round(halves[h][i >> (2 - h)] + halves[h][j >> (2 - h)], 9) for h in range(3))
        for i in range(8)
        for j in range(8)
    }
    assert len(allowed) > 20
    assert {tuple(bias) for bias in found.bias.round(9).tolist()} <= allowed


@pytest.mark.parametrize("samples", [1, 0, -3])
def test_too_few_samples(samples: int):
    env, model, states, policy = off_by_turns(1)
    with pytest.raises(ValueError, match=f"samples is {samples}, at least 2 are needed"):
        measured(env, model, states, policy, horizon=1, samples=samples, rngs=[np.random.default_rng(0)])


def test_samples_need_streams():
    env, model, states, policy = off_by_turns(1)
    with pytest.raises(ValueError, match="one random stream per seed"):
        measured(env, model, states, policy, horizon=1, samples=2)


# What is asked, and by whom numbers may be disturbed


@pytest.mark.parametrize("samples", [None, 500])
def test_shared_prefixes_are_searched_once(samples: int | None):
    """Of a tree every prefix is a state of its own: 1, 2 and 4 of them; none behind its leaves."""
    env = tree(3)
    policy = Tabled(env, 2)
    policy.table = np.full_like(policy.table, 0.5)
    states = np.zeros(2, int)
    measured(
        env, mistaken(env, np.zeros(2, int)), states, policy, horizon=5, samples=samples,
        rngs=[np.random.default_rng(0)],
    )  # fmt: skip
    levels = [[0], [1, 2], [3, 4, 5, 6]]
    assert policy.asked == [[(row, state) for row in (0, 1) for state in level] for level in levels]


def test_what_is_never_taken_is_never_searched():
    env = tree(3)
    policy = Tabled(env, 1)
    policy.table[:] = [0.0, 1.0]
    measured(env, mistaken(env, np.zeros(1, int)), np.zeros(1, int), policy, horizon=3)
    assert policy.asked == [[(0, 0)], [(0, 2)], [(0, 6)]]


def test_a_row_does_not_depend_on_the_others():
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=2)
    policy, model = Tabled(env, len(states)), nets_on(env, row_seeds)
    whole = measured(env, model, states, policy, horizon=4)
    for kept in (np.array([6]), np.array([0, 3, 7])):
        policy_of_kept = Tabled(env, len(states))
        policy_of_kept.table = policy.table[kept]
        part = measured(env, model.rows(kept), states[kept], policy_of_kept, horizon=4)
        assert_close(part, PolicyError(*(array[kept] for array in whole)), 1e-5)


def test_a_seed_s_samples_do_not_depend_on_the_other_seeds():
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=3)
    policy, model = Tabled(env, len(states)), mistaken(env, row_seeds)

    def streams(*seeds: int) -> list[np.random.Generator]:
        return [stream(seed, "sequences", 500) for seed in seeds]

    whole = measured(env, model, states, policy, horizon=4, samples=9, rngs=streams(10, 11, 12))
    kept = np.flatnonzero(row_seeds == 1)
    policy.table = policy.table[kept]
    alone = measured(
        env, mistaken(env, np.zeros(len(kept), int)), states[kept], policy, horizon=4, samples=9, rngs=streams(11)
    )
    assert_close(alone, PolicyError(*(array[kept] for array in whole)), 0.0)
    others = [array[row_seeds == 0] for array in (whole.bias, whole.standard_error)]
    assert not np.array_equal(others[0], alone.bias) and not np.array_equal(others[1], alone.standard_error)


# Prefixes


@pytest.mark.parametrize("spread", [exact, every])
def test_probabilities_of_prefixes_sum_to_one(spread: Any):
    """At every length, behind terminations too, and whether or not impossible ones are kept."""
    env = random_table()
    states, row_seeds = rows_of_all_states(env, seeds=1)
    model, policy = mistaken(env, row_seeds), Tabled(env, len(states))
    lengths = grow(env, model, states, policy, spread, horizon=4, discount=0.9)
    for h, prefixes in enumerate(lengths, 1):
        np.testing.assert_allclose(np.bincount(prefixes.rows, prefixes.weights), 1.0, atol=1e-12)
        assert (np.diff(prefixes.rows) >= 0).all()
        count = np.bincount(prefixes.rows)
        if spread is every:
            assert (count == 3**h).all()
        else:
            assert (prefixes.weights > 0).all() and count.min() < 3**h
    assert not prefixes.was_alive.all() and prefixes.was_alive.any()
