"""Do the tree kernels follow equation 1, step by step?"""

import math

import numpy as np
import pytest

from muzero_probe.search import tree as trees
from muzero_probe.search.rules import MUZERO
from muzero_probe.search.tree import Paths, Plan, Tree

ENDLESS = 2**31 - 1


def grown(*, rows: int = 1, nodes: int = 6, actions: int = 2) -> Tree:
    return trees.allocate(rows=rows, nodes=nodes, actions=actions)


def paths(*, rows: int = 1, depth: int = 6) -> Paths:
    return Paths(
        nodes=np.zeros((rows, depth), np.int32),
        actions=np.zeros((rows, depth), np.int64),
        lengths=np.zeros(rows, np.int32),
        fresh=np.zeros(rows, np.bool_),
    )


def test_exploration_factors_equal_formula():
    found = trees.exploration_factors(60, 1.25, 19652)
    expected = [(1.25 + math.log((n + 19652 + 1) / 19652)) * math.sqrt(n) for n in range(61)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[0] == 0


def test_priors_are_softmax():
    tree = grown(rows=2, actions=3)
    logits = np.array([[0.0, np.log(2.0), np.log(5.0)], [500.0, 500.0, -500.0]], np.float32)
    trees.set_priors(tree, 1, logits, False)
    np.testing.assert_allclose(tree.priors[:, 1], [[1 / 8, 2 / 8, 5 / 8], [0.5, 0.5, 0]], atol=1e-7)
    assert not tree.priors[:, 0].any()


def test_uniform_priors_ignore_logits():
    tree = grown(rows=2, actions=3)
    trees.set_priors(tree, 0, np.array([[0.0, 9.0, 1.0]] * 2, np.float32), True)
    assert tree.priors[:, 0].tolist() == [[1 / 3] * 3] * 2


def chosen(tree: Tree, *, factor: float = 1.0, horizon: int = ENDLESS) -> tuple[list[int], list[int], bool]:
    """Nodes and actions of row 0's path when every node explores with the same factor."""
    way = paths()
    plan = Plan(MUZERO, np.full(64, factor), False, 0.9, 6, horizon, np.empty(0))
    trees.select(tree, plan, np.zeros(1, np.uint64), way)
    length = int(way.lengths[0])
    return way.nodes[0, :length].tolist(), way.actions[0, :length].tolist(), bool(way.fresh[0])


def test_ties_go_to_the_larger_prior():
    tree = grown(actions=3)
    tree.priors[0, 0] = [0.2, 0.4, 0.3]
    assert chosen(tree) == ([0], [1], True)
    assert chosen(tree, factor=0.0) == ([0], [1], True)  # as in every fresh node: sqrt(sum_b N) is 0


def visited(visits: list[int], totals: list[float], bounds: tuple[float, float], priors: list[float]) -> Tree:
    tree = grown(actions=len(visits))
    tree.visits[0, 0] = visits
    tree.counts[0, 0] = sum(visits)
    tree.totals[0, 0] = totals
    tree.bounds[0] = bounds
    tree.priors[0, 0] = priors
    return tree


@pytest.mark.parametrize(
    ("bounds", "priors", "action"),
    [
        # Q = 1, 3; normalised 0, 1; bonus 0.9 / 3, 0.1 / 2: 0.3 < 1.05
        ((1.0, 3.0), [0.9, 0.1], 1),
        # normalised 0.45, 0.55: 0.75 > 0.6
        ((-8.0, 12.0), [0.9, 0.1], 0),
        # as they are, Q + bonus = 1.3, 3.05
        ((2.0, 2.0), [0.9, 0.1], 1),
    ],
)
def test_q_is_normalised_with_the_bounds(bounds: tuple[float, float], priors: list[float], action: int):
    assert chosen(visited([2, 1], [2.0, 3.0], bounds, priors))[1] == [action]


@pytest.mark.parametrize(
    ("q", "low", "action"),
    [
        (-4.0, -8.0, 0),  # normalised 0.5 + bonus 0.25 > 0 + bonus 0.5: the sign of Q does not matter
        (-7.0, -8.0, 1),  # normalised 0.125 + 0.25 < 0.5
    ],
)
def test_an_unvisited_action_is_worth_nothing_on_the_normalised_scale(q: float, low: float, action: int):
    assert chosen(visited([1, 0], [q, 0.0], (low, 0.0), [0.5, 0.5]))[1] == [action]


def test_q_is_left_as_it_is_while_the_bounds_are_equal():
    assert chosen(visited([1, 0], [0.3, 0.0], (0.3, 0.3), [0.5, 0.5]))[1] == [0]  # 0.3 + 0.25 > 0.5
    assert chosen(visited([1, 0], [0.2, 0.0], (0.2, 0.2), [0.5, 0.5]))[1] == [1]  # 0.2 + 0.25 < 0.5
    assert chosen(visited([1, 0], [-9.0, 0.0], (-9.0, -9.0), [0.9, 0.1]))[1] == [1]


def test_a_path_ends_at_a_new_edge_or_at_the_horizon():
    tree = grown()
    tree.priors[0, :] = [0.9, 0.1]
    tree.children[0, 0, 0] = 1
    tree.children[0, 1, 0] = 2
    assert chosen(tree) == ([0, 1, 2], [0, 0, 0], True)
    assert chosen(tree, horizon=3) == ([0, 1, 2], [0, 0, 0], True)
    assert chosen(tree, horizon=2) == ([0, 1], [0, 0], False)
    assert chosen(tree, horizon=1) == ([0], [0], False)


def test_backup_by_hand():
    """Path: root -a1-> node 1 (reward 2) -a0-> node 2 (reward 4), leaf value 8, discount 0.5."""
    tree = grown()
    way = paths()
    way.nodes[0, :2], way.actions[0, :2] = [0, 1], [1, 0]
    way.lengths[0], way.fresh[0] = 2, True
    tree.children[0, 0, 1] = 1
    tree.rewards[0, 1] = 2
    trees.expand(tree, way, 2, np.array([4.0]))
    assert tree.children[0, 1].tolist() == [2, -1] and tree.rewards[0, 2] == 4
    trees.back_up(tree, way, 0.5, np.array([8.0]))
    assert tree.totals[0, 1].tolist() == [4 + 0.5 * 8, 0]
    assert tree.totals[0, 0].tolist() == [0, 2 + 0.5 * 8]
    assert tree.visits[0, :2].tolist() == [[0, 1], [1, 0]] and tree.counts[0, :3].tolist() == [1, 1, 0]
    assert tree.bounds[0].tolist() == [6, 8]
    # the same path again, its leaf now worth -8: Q halves, and the bounds widen by the means
    way.fresh[0] = False
    trees.expand(tree, way, 3, np.array([99.0]))
    assert tree.rewards[0, 2] == 4 and tree.children[0, 1, 0] == 2
    trees.back_up(tree, way, 0.5, np.array([-8.0]))
    assert tree.totals[0, 1, 0] == 8 + 0 and tree.totals[0, 0, 1] == 6 + 2
    assert tree.bounds[0].tolist() == [4, 8]


def test_last_edges():
    way = paths(rows=2)
    way.nodes[:] = [[0, 3, 5, 7, 0, 0], [0, 4, 6, 0, 0, 0]]
    way.actions[:] = [[1, 0, 2, 1, 0, 0], [2, 2, 1, 0, 0, 0]]
    way.lengths[:] = [4, 2]
    slots, actions = np.empty(2, np.int64), np.empty(2, np.int64)
    trees.last_edges(way, slots, actions)
    assert slots.tolist() == [7 * 2 + 0, 4 * 2 + 1] and actions.tolist() == [1, 2]
