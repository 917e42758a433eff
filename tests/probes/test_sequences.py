"""Are all action sequences there, each with its own probability and error, and ranked without favour?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree
from muzero_probe.probes.policies import search_policy
from muzero_probe.probes.sequences import Sequences, by_rank, enumerate_sequences
from tests.doubles import Observing, OneLatent, OneState, TrueDynamics, random_nets, random_theta
from tests.reference import value_error as reference

ENVIRONMENTS: dict[str, Callable[[], TabularEnvironment]] = {
    "chain": lambda: chain(2),
    "tree": tree,
    "wide tree": lambda: tree(2, 3),
    "bandit": bandit,
}


def policies(env: TabularEnvironment, rows: int) -> np.ndarray:
    """[B, N, A], of its own for every row and state, some actions impossible."""
    rng = np.random.default_rng(3)
    N, A = env.transitions.shape
    table = rng.dirichlet(np.ones(A), (rows, N))
    table[:, ::2, 1] = 0.0
    return table / table.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_sequence_equals_the_reference(name: str):
    """Entry i is the sequence that spells i in base A: 0, 1, ... as the reference enumerates them."""
    env = ENVIRONMENTS[name]()
    states = np.repeat(np.flatnonzero(~env.terminal), 2)
    B, (N, A) = len(states), env.transitions.shape
    rng = np.random.default_rng(0)
    model = Observing(rng.integers(0, N, (N, A)), rng.integers(-16, 16, (N, A)) / 8)
    table = policies(env, B)
    found = enumerate_sequences(
        env, model, states, lambda rows, seen: table[rows, seen.argmax(1)], length=4, discount=0.9
    )
    assert found.probability.shape == found.error.shape == (B, A**4)
    for b, state in enumerate(states):
        guess = OneLatent(model, b)
        latent = guess.root(env.observe(states[b : b + 1])[0])
        all_ = reference.enumerate_all(
            OneState(env), guess, state, latent, lambda s, b=b: table[b, s], length=4, discount=0.9
        )
        np.testing.assert_allclose(found.probability[b], [s.probability for s in all_], atol=1e-14)
        np.testing.assert_allclose(found.error[b], [s.error for s in all_], atol=1e-12)
    assert (found.probability == 0).any()


def test_a_tree_by_hand():
    """Undiscounted, the plan that spells i pays i's return; a model that says 0 is wrong by it.

    In a tree of depth 2 the plan a, b pays 2 d_0 + d_1 with d_0 = a, d_1 = b + 1 mod 2: plans 00, 01, 10, 11
    pay 1, 0, 3, 2. The policy goes right with 1/4 at the root, with 1/3 in node 1 and never in node 2.
    """
    env = tree(2)
    model = Observing(np.zeros((7, 2), int), np.zeros((7, 2)))
    right = np.array([1 / 4, 1 / 3, 0, 0, 0, 0, 0])

    def policy(rows: np.ndarray, seen: np.ndarray) -> np.ndarray:
        chance = right[seen.argmax(1)]
        return np.stack([1 - chance, chance], 1)

    found = enumerate_sequences(env, model, np.zeros(1, int), policy, length=2, discount=1.0)
    np.testing.assert_allclose(found.probability[0], [3 / 4 * 2 / 3, 3 / 4 / 3, 1 / 4, 0])
    assert found.error.tolist() == [[1, 0, 3, 2]]
    # a third step, after the end: every action is equally likely and pays nothing
    longer = enumerate_sequences(env, model, np.zeros(1, int), policy, length=3, discount=1.0)
    np.testing.assert_allclose(longer.probability[0], [1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8, 0, 0])
    assert longer.error.tolist() == [[1, 1, 0, 0, 3, 3, 2, 2]]


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_probabilities_sum_to_one(temperature: float):
    """With the visits of a search, some of them none, behind poles that have fallen, and for two agents."""
    env = CartPole()
    nets = random_nets(observation=4, actions=2)
    row_seeds = np.repeat([0, 1], 4)
    model = learned_model(nets, random_theta(nets, seeds=2, spread=4.0), row_seeds)
    rng = np.random.default_rng(0)
    states = rng.uniform([-1, -1, 0.1, 0.0], [1, 1, 0.2, 2.0], (8, 4))
    config = SearchConfig(simulations=5)

    def policy(rows: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return search_policy(model.rows(rows), seen, config, temperature)

    found = enumerate_sequences(env, model, states, policy, length=7, discount=0.997)
    alive = env.rollout(np.repeat(states, 128, 0), np.tile(np.indices((2,) * 7).reshape(7, -1).T, (8, 1)))[1]
    assert not alive[:, -1].all() and alive[:, -1].any()
    np.testing.assert_allclose(found.probability.sum(1), 1.0, atol=1e-12)
    never = found.probability == 0
    assert never.any() and (~never).sum() > 8
    assert (found.error[never] > 0).all()  # they are measured all the same


def test_the_true_dynamics_have_no_error():
    env = CartPole()
    states = np.random.default_rng(0).uniform([2.2, 0.5, 0.1, 0.0], [2.39, 2.0, 0.2, 2.0], (3, 4))
    model = TrueDynamics(env, states)
    found = enumerate_sequences(
        env, model, states, lambda rows, seen: np.full((len(rows), 2), 0.5), length=6, discount=0.997
    )
    assert not found.error.any()
    assert (found.probability == 2.0**-6).all()


# Ranks


def planted(rng: np.random.Generator, *, states: int = 5) -> Sequences:
    """Twelve sequences a state; probabilities 0, 1, 2, 3 times 1/18 thrice each, every error tells its sequence."""
    probability = np.stack([rng.permutation(np.repeat([0, 1, 2, 3], 3)) / 18 for _ in range(states)])
    return Sequences(probability, np.arange(states * 12.0).reshape(states, 12))


def streams(states: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, row]) for row in range(states)]


def test_ranks_descend_and_keep_pairs():
    found = planted(np.random.default_rng(0))
    ranked = by_rank(found, streams(5))
    for b in range(5):
        assert (np.diff(ranked.probability[b]) <= 0).all()
        pairs = set(zip(found.probability[b], found.error[b], strict=True))
        assert len(pairs) == 12
        assert set(zip(ranked.probability[b], ranked.error[b], strict=True)) == pairs


def test_ties_are_drawn_from_the_row_s_stream_alone():
    found = planted(np.random.default_rng(0))
    ranked = by_rank(found, streams(5))
    again = by_rank(Sequences(found.probability[2:3], found.error[2:3]), streams(5)[2:3])
    assert np.array_equal(again.error[0], ranked.error[2])
    assert not np.array_equal(by_rank(found, streams(5, seed=1)).error, ranked.error)


def test_every_order_of_ties_is_equally_likely():
    """Each of three equal sequences comes first, second and third a third of the time, whatever its actions."""
    probability, error = np.array([[0.1, 0.3, 0.1, 0.2, 0.1, 0.2]]), np.arange(6.0)[None]
    orders = [tuple(by_rank(Sequences(probability, error), streams(1, seed)).error[0]) for seed in range(1200)]
    assert {order[0] for order in orders} == {1}
    counts = {order: orders.count(order) for order in set(orders)}
    assert len(counts) == 2 * 6  # all orders of the two and of the three
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_ranks_of_a_search_do_not_follow_action_order():
    """A uniform policy makes all sequences equal; the mean rank of each is then the same."""
    env = tree(3)
    model: Any = Observing(np.zeros((15, 2), int), np.zeros((15, 2)))
    found = enumerate_sequences(
        env, model, np.zeros(400, int), lambda rows, seen: np.full((len(rows), 2), 0.5), length=3, discount=1.0
    )
    ranked = by_rank(found, streams(400))
    # the plan's return tells it: 8 of them, each at rank 3.5 on average, sd of the mean 2.29 / 20
    ranks = ranked.error.argsort(1)
    assert (np.abs(ranks.mean(0) - 3.5) < 4 * np.sqrt(63 / 12 / 400)).all()
