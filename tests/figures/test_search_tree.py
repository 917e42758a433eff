"""Does the picture of a search show the tree that its table holds, legibly, for trees of any shape?"""

import itertools
from typing import Any

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from figures import search_tree, style
from tests.figures.test_figures import assert_legible

pytestmark = pytest.mark.filterwarnings("error")


def tree(nodes: int, actions: int, *, seed: int = 0, ends: int = 3, straight: float = 0.0) -> pd.DataFrame:
    """A random tree; every descendant of a node `ends` steps down by action 0 is past an end.

    Args:
        nodes: N.
        actions: A.
        seed: of the random numbers.
        ends: depth of the ends.
        straight: probability that a node hangs below the one before it.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = [{"parent": -1, "action": -1, "depth": 0, "ended": 0}]
    free = {(0, action) for action in range(actions)}
    for node in range(1, nodes):
        below_last = sorted(edge for edge in free if edge[0] == node - 1)
        edges = below_last if rng.random() < straight else sorted(free)
        parent, action = edges[rng.integers(len(edges))]
        free = (free - {(parent, action)}) | {(node, each) for each in range(actions)}
        depth = rows[parent]["depth"] + 1
        ended = int(rows[parent]["ended"] or (depth == ends and action == 0))
        rows.append({"parent": parent, "action": action, "depth": depth, "ended": ended})
    table = pd.DataFrame(rows).assign(node=range(nodes), visits=1)
    for node in range(nodes - 1, 0, -1):
        table.loc[table["parent"][node], "visits"] += table["visits"][node]
    values = rng.uniform(-300, 300, nodes)
    return table.assign(
        seed=0, step=2_000, state=7, reward=rng.normal(size=nodes), reward_real=rng.normal(size=nodes),
        value=values, value_real=np.where(table["ended"] == 1, 0.0, values + rng.normal(0, 50, nodes)),
    )  # fmt: skip


def drawn(table: pd.DataFrame, *, repeats: str = "trained seed") -> Figure:
    table.attrs["provenance"] = {"title": "Cart Pole", "repeats": repeats}
    return search_tree.draw({"cartpole": table})


def marks(axes: Axes) -> list[tuple[float, float, float, str]]:
    """Nodes as x, y, points across, and colour; circles first."""
    found = []
    for each in axes.collections:
        if isinstance(each, PathCollection):
            at, sizes, colours = np.asarray(each.get_offsets()), each.get_sizes(), np.asarray(each.get_facecolor())
            for (x, y), size, colour in zip(at.tolist(), sizes, colours, strict=False):  # none has a colour, too
                found.append((x, y, float(np.sqrt(size)), matplotlib.colors.to_hex(colour)))
    return found


SHAPES = [
    *(tree(51, actions, seed=actions) for actions in (2, 3, 4)),
    tree(51, 2, straight=1.0, ends=20),
    tree(51, 3, straight=0.8),
    tree(51, 18, seed=1),
    tree(9, 2),
    tree(2, 2, ends=1),
    tree(1, 2),
]


@pytest.mark.parametrize("table", SHAPES)
def test_legible(table: pd.DataFrame) -> None:
    """Bushy trees, chains, and a root alone: no text is cut off, small, or on top of another."""
    figure = drawn(table)
    assert_legible(figure)
    assert figure.axes[0].get_title() == "Cart Pole\nStep 2K, seed 0, state 7 of its bank"


@pytest.mark.parametrize("table", SHAPES)
def test_nodes_find_room(table: pd.DataFrame) -> None:
    """Nodes of a depth are 1 apart at least, children stand by action, a parent above their middle."""
    x = search_tree.across(table["parent"].to_numpy(), table["action"].to_numpy())
    for _, of_depth in table.groupby("depth"):
        assert (np.diff(np.sort(x[of_depth.index])) > 1 - 1e-9).all()
    for parent, children in table.loc[table["parent"] >= 0].groupby("parent"):
        places = x[children.sort_values("action").index]
        assert (np.diff(places) > 0).all()
        np.testing.assert_allclose((places[0] + places[-1]) / 2, x[int(str(parent))], atol=1e-9)


@pytest.mark.parametrize("table", SHAPES)
def test_nodes_of_one_depth_do_not_touch(table: pd.DataFrame) -> None:
    """Measured on the picture, but for trees of more nodes side by side than find room; nor do those of a path."""
    figure = drawn(table)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    found = marks(axes)
    points = axes.transData.transform([(x, y) for x, y, *_ in found]) * 72 / figure.dpi
    for (a, (*_, y, across, _)), (b, (*_, other, its_across, _)) in itertools.combinations(enumerate(found), 2):
        if y == other:
            assert abs(points[a, 0] - points[b, 0]) > 0.85 * (across + its_across) / 2
        elif abs(y - other) == 1:
            assert np.hypot(*(points[a] - points[b])) > 0.9 * (across + its_across) / 2


def test_a_node_is_drawn_for_every_row() -> None:
    """Squares past an end; its colour is the error of its value over the largest value, its size its visits."""
    table = SHAPES[0]
    figure = drawn(table)
    x = search_tree.across(table["parent"].to_numpy(), table["action"].to_numpy())
    largest = max(abs(v) for column in ("value", "value_real") for v in table[column])
    order = np.argsort(table["ended"].to_numpy(), kind="stable")
    assert 0 < np.count_nonzero(table["ended"]) < 50
    places = {0: (x, table["depth"]), 2: (table["value_real"], table["value"])}
    for axes, columns in ((figure.axes[panel], columns) for panel, columns in places.items()):
        figure.draw_without_rendering()
        found = marks(axes)
        assert len(found) == 51
        for node, (across, along, _, colour) in zip(order, found, strict=True):
            np.testing.assert_allclose((across, along), [column[node] for column in columns])
            error = (table["value"][node] - table["value_real"][node]) / largest
            hue = np.array(matplotlib.colors.to_rgb(style.ORANGE if error > 0 else style.GREEN))
            wanted = 1 - abs(error) * (1 - hue)
            np.testing.assert_allclose(matplotlib.colors.to_rgb(colour), wanted, atol=0.02)
    circles, squares = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    assert np.shape(circles.get_paths()[0].vertices) > np.shape(squares.get_paths()[0].vertices)
    sizes = {table["visits"][node]: across for node, (*_, across, _) in zip(order, marks(figure.axes[0]), strict=True)}
    assert list(np.diff([across for _, across in sorted(sizes.items())]) > 0) == [True] * (len(sizes) - 1)


def test_edges_lead_from_parents_and_are_dashed_past_an_end() -> None:
    table = SHAPES[0]
    x = search_tree.across(table["parent"].to_numpy(), table["action"].to_numpy())
    solid, dashed = [each for each in drawn(table).axes[0].collections if isinstance(each, LineCollection)]
    for lines, ended in ((solid, 0), (dashed, 1)):
        wanted = {
            (x[parent], table["depth"][parent], x[node], table["depth"][node])
            for node, parent in enumerate(table["parent"])
            if parent >= 0 and table["ended"].to_numpy()[parent] == ended
        }
        assert {tuple(np.asarray(each).ravel()) for each in lines.get_segments()} == wanted


def test_the_most_visited_path_is_told_in_numbers() -> None:
    """By hand: root 0, then 2 (3 visits against 2), then 4, the first of equals; row by row beside the tree."""
    rows = [
        # parent, action, depth, visits, ended, reward, reward_real, value, value_real
        (-1, -1, 0, 5, 0, 0.0, 0.0, 12.34, -123.4),
        (0, 0, 1, 2, 0, 9.0, 9.0, 9.0, 9.0),
        (0, 1, 1, 3, 0, -0.004, 1.0, 1234.5, 99.96),
        (1, 0, 2, 1, 0, 9.0, 9.0, 9.0, 9.0),
        (2, 1, 2, 1, 1, 0.996, 0.0, 9.999, 0.0),
        (2, 0, 2, 1, 0, 9.0, 9.0, 9.0, 9.0),
    ]
    columns = ["parent", "action", "depth", "visits", "ended", "reward", "reward_real", "value", "value_real"]
    table = pd.DataFrame(rows, columns=columns).assign(node=range(6), seed=0, step=0, state=0)
    assert search_tree.most_visited_path(table) == [0, 2, 4]
    texts = sorted((*text.get_position(), text.get_text()) for text in drawn(table).axes[1].texts)
    by_depth = {depth: [words for _, y, words in texts if y == depth] for depth in (0, 1, 2)}
    assert by_depth == {
        0: ["12.3", "−123"],
        1: ["1", "0.00", "1.00", "1234", "100"],
        2: ["1", "1.00", "0.00", "10.0", "0.00"],
    }
    line = drawn(table).axes[0].lines[0]
    assert np.asarray(line.get_ydata()).tolist() == [0, 1, 2]


def test_a_long_path_tells_the_first_end() -> None:
    """Where there is no room for all of its nodes, root and end are among those told."""
    table = tree(51, 2, straight=1.0, ends=1)
    table["ended"] = (table["depth"] >= 20).astype(int)
    circles, squares = (np.asarray(each.get_offsets())[:, 1] for each in drawn(table).axes[1].collections)
    assert circles[0] == 0 and squares[0] == 20
    assert (np.diff([*circles, *squares]) > 1).all()


@pytest.mark.parametrize(("seeds", "rows"), [(2, 2), (5, 3)])
def test_several_trees(seeds: int, rows: int) -> None:
    """A row each, three at most of an agent; repetitions are called so."""
    table = pd.concat([tree(20, 2, seed=seed).assign(seed=seed) for seed in range(seeds)], ignore_index=True)
    figure = drawn(table, repeats="repetition")
    assert_legible(figure)
    titles = [axes.get_title() for axes in figure.axes[::3]]
    assert titles == [f"Cart Pole\nStep 2K, repetition {seed}, state 7 of its bank" for seed in range(rows)]


def test_four_agents() -> None:
    """Below each other."""
    tables = {name: tree(51, 2, seed=seed) for seed, name in enumerate("abcd")}
    figure = search_tree.draw(tables)
    assert_legible(figure)
    assert [axes.get_title().split("\n")[0] for axes in figure.axes[::3]] == list("abcd")


def test_the_table_stays_as_it_is() -> None:
    table = tree(9, 2)
    before = table.copy()
    drawn(table)
    pd.testing.assert_frame_equal(table, before)
