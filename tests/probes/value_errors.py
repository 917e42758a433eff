"""What are value errors measured of, and what does enumerating every action sequence give?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree
from muzero_probe.models import Model
from muzero_probe.probes.value_error import PolicyError, policy_value_error
from tests.doubles import Observing, OneLatent, OneState, random_nets, random_theta
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


def nets_on(env: TabularEnvironment, row_seeds: np.ndarray, *, spread: float = 2.0) -> Model:
    nets = random_nets(observation=len(env.terminal), actions=env.num_actions)
    return learned_model(nets, random_theta(nets, seeds=int(row_seeds.max()) + 1, spread=spread), row_seeds)


def mistaken(env: TabularEnvironment, *, seed: int = 0) -> Observing:
    """A model with rewards and transitions of its own, exact in float32."""
    rng = np.random.default_rng(seed)
    N, A = env.transitions.shape
    return Observing(rng.integers(0, N, (N, A)), rng.integers(-16, 16, (N, A)) / 8)


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


def off_by_turns(rows: int) -> tuple[TabularEnvironment, Observing, np.ndarray, Any]:
    """Arms pay 1, 0, 2, the model says 0, 0, 4, the policy is 1/2, 1/4, 1/4: v - v_hat is 1, 0, -2, on average 0."""
    env = bandit()
    model = Observing(np.ones((2, 3), int), np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 0.0]]))
    return env, model, np.zeros(rows, int), always(1 / 2, 1 / 4, 1 / 4)
