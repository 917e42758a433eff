"""Does a rule select as its paper says, and do rules differ where they should?"""

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.search import tree as trees
from muzero_probe.search.mcts import search
from muzero_probe.search.rules import EFFICIENTZERO, MUZERO, RULES
from muzero_probe.search.tree import Paths, Plan, Tree
from tests.doubles import TableModel


def node(visits: list[int], totals: list[float], bounds: tuple[float, float]) -> Tree:
    """A root with equal priors."""
    tree = trees.allocate(rows=1, nodes=4, actions=len(visits))
    tree.visits[0, 0], tree.totals[0, 0], tree.counts[0, 0] = visits, totals, sum(visits)
    tree.bounds[0] = bounds
    tree.priors[0, :] = 1 / len(visits)
    return tree


def selected(tree: Tree, rule: int, *, factor: float = 1.0, key: int = 0) -> list[int]:
    paths = Paths(np.zeros((1, 4), np.int32), np.zeros((1, 4), np.int64), np.zeros(1, np.int32), np.zeros(1, np.bool_))
    plan = Plan(rule, np.full(16, factor), False, 0.9, 4, 4, np.empty(0))
    trees.select(tree, plan, np.array([key], np.uint64), paths)
    return paths.actions[0, : paths.lengths[0]].tolist()


def test_the_config_names_the_rules():
    for rule in RULES:
        assert SearchConfig(rule=rule).rule == rule  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"search\.rule is 'gumbel', there are muzero, efficientzero"):
        SearchConfig(rule="gumbel")  # pyright: ignore[reportArgumentType]


def test_small_differences_of_q_are_not_stretched_by_efficientzero():
    """Q = 1 and 1.001: a range of 0.001 is stretched to [0, 1] by MuZero, to [0, 0.1] by EfficientZero.

    Bonus of the second action 1/2 / (1 + 4) = 0.1, of the first 1/2 / (1 + 1) = 0.25: 0.25 < 1.1, but 0.25 > 0.2.
    """
    tree = node([1, 4], [1.0, 4.004], (1.0, 1.001))
    assert selected(tree, MUZERO) == [1]
    assert selected(tree, EFFICIENTZERO) == [0]


def test_an_unvisited_action_is_worth_the_node_to_efficientzero():
    """Q = 0, 4, 2 visited, range [0, 8], one action without a visit: worth (0 + 4 + 2) / 3, normalised 1/4.

    Bonus 0.2 / 4 / 2 for the visited ones, 0.2 / 4 for the other: 0.5 + 0.025 > 0.25 + 0.05, but if it were 4 / 8
    for both it would be taken: with Q = 4, 4, 4 the node is worth 4.
    """
    assert selected(node([1, 1, 1, 0], [0.0, 4.0, 2.0, 0.0], (0.0, 8.0)), EFFICIENTZERO, factor=0.2) == [1]
    assert selected(node([1, 1, 1, 0], [4.0, 4.0, 4.0, 0.0], (0.0, 8.0)), EFFICIENTZERO, factor=0.2) == [3]
    alike = node([1, 1, 1, 0], [4.0, 4.0, 4.0, 0.0], (0.0, 8.0))
    assert {selected(alike, MUZERO, factor=0.2, key=key)[0] for key in range(30)} == {0, 1, 2}


def test_below_the_root_the_parent_counts_as_one_more():
    """Root: Q = 6 for the only action, which leads to a node with Q = 0 of two actions.

    There an unvisited action is worth (6 + 0) / 2 = 3 and beats 0; were the parent left out, both were worth 0.
    """
    tree = node([9, 0], [54.0, 0.0], (0.0, 6.0))
    tree.priors[0, 0] = [1.0, 0.0]
    tree.children[0, 0, 0] = 1
    tree.visits[0, 1], tree.counts[0, 1] = [1, 0], 1
    tree.priors[0, 1] = [0.9, 0.1]
    assert selected(tree, EFFICIENTZERO) == [0, 1]  # 0.45 < 0.5 + 0.1
    assert selected(tree, MUZERO) == [0, 0]  # 0.45 > 0.1


def test_rules_search_differently():
    model = TableModel.random(np.random.default_rng(0), states=60, actions=4)
    visits = [search(model, np.arange(40), SearchConfig(rule=rule, simulations=20)).visits for rule in RULES]  # pyright: ignore
    assert (visits[0] != visits[1]).any(1).mean() > 0.5
