"""What does one search look like inside?

A search tree with the value that the model predicts at every node held against the true one, the predictions along its
most visited path in numbers, and all nodes' values against the true ones. A row per tree, three at most of an agent.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from figures import style

CAPTION = (
    "A search tree from one real state of the agent: a node's area grows with its visits, and its colour compares the "
    "value that the model predicts there with the true one, the discounted rewards of greedy search from the same real "
    "state (orange too high, green too low, white right). Squares are nodes at which the real episode is over and "
    "nothing is to be gained; the state is the one, of the agent's own, whose tree such ends divide most evenly, so it "
    "is not typical. Orange squares are what to look for: the model does not see the end, and the search plans on."
)
COLUMNS = (
    "seed", "step", "state", "node", "parent", "action", "depth", "visits", "ended", "reward", "reward_real", "value",
    "value_real",
)  # fmt: skip
TREES = 3  # of an agent

HEIGHT, WIDTHS = 3.5, (2.9, 2.1, 2.0)  # inches of a row and of its three panels
ACROSS, DOWN = 170.0, 170.0  # points in which a tree finds room, its nodes' middles
LEAST, MOST = 2.5, 15.0  # points across a node of 0 visits, and across the root where there is room
LINE = 9.0  # points of a line of text

VALUE_ERROR = LinearSegmentedColormap.from_list("value error", [style.GREEN, "white", style.ORANGE])
OUTLINE = {"edgecolors": style.DARK, "linewidths": 0.6}
MARKERS = {0: "o", 1: "s"}  # by `ended`
NAMES = {0: "Real episode goes on", 1: "Real episode is over"}


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the trees of the table `search_tree` of each agent."""
    trees = []
    for agent, table in tables.items():
        repeats = table.attrs.get("provenance", {}).get("repeats", "seed").removeprefix("trained ")
        keys = table[["step", "seed", "state"]].to_numpy()
        for step, seed, state in np.unique(keys, axis=0)[:TREES]:
            nodes = table.loc[(keys == [step, seed, state]).all(1)].sort_values("node").reset_index(drop=True)
            where = f"Step {style.step_name(step)}, {repeats} {seed}, state {state} of its bank"
            trees.append((f"{style.title(table, agent)}\n{where}", nodes))
    figure, grid = style.panels(len(trees), 3, width=style.FULL_WIDTH, height=HEIGHT)
    grid[0, 0].get_gridspec().set_width_ratios(WIDTHS)
    for (title, nodes), (of_tree, of_path, of_values) in zip(trees, grid, strict=True):
        most = max(nodes["value"].abs().max(), nodes["value_real"].abs().max(), 1e-9)
        nodes["error"] = (nodes["value"] - nodes["value_real"]) / most
        path = most_visited_path(nodes)
        _tree(of_tree, nodes, path)
        of_tree.set_title(title)
        _path(of_path, nodes, path)
        of_path.set_title("Most visited path")
        _values(of_values, nodes)
        of_values.set_title("All nodes")
    style.legend(figure, _entries())
    return figure


def across(parents: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Returns the places [N] of nodes from left to right: parents above the middle of their children, 1 between nodes.

    Subtrees stand as close to each other as nodes of one depth allow. Parents come before their children.
    """
    N = len(parents)
    children: list[list[int]] = [[] for _ in range(N)]
    for node in sorted(range(1, N), key=lambda node: actions[node]):
        children[parents[node]].append(node)
    outlines: list[tuple[list[float], list[float]]] = [([], [])] * N  # left and right of a subtree, by level
    offsets = np.zeros(N)  # from the parent
    for node in reversed(range(N)):
        left: list[float] = []
        right: list[float] = []
        for child in children[node]:
            its_left, its_right = outlines[child]
            shift = max((r + 1 - x for r, x in zip(right, its_left, strict=False)), default=0.0)
            offsets[child] = shift
            left += [x + shift for x in its_left[len(left) :]]
            right = [x + shift for x in its_right] + right[len(its_right) :]
        middle = sum(offsets[children[node][end]] for end in (0, -1)) / 2 if children[node] else 0.0
        offsets[children[node]] -= middle
        outlines[node] = ([0.0] + [x - middle for x in left], [0.0] + [x - middle for x in right])
    places = offsets
    for node in range(1, N):
        places[node] += places[parents[node]]
    return places


def most_visited_path(nodes: pd.DataFrame) -> list[int]:
    """Returns the nodes from the root on, always the most visited child, the first added of equal ones."""
    path = [0]
    while len(below := nodes.loc[nodes["parent"] == path[-1], "visits"]):
        path.append(int(below.idxmax()))
    return path


def _tree(axes: Axes, nodes: pd.DataFrame, path: list[int]) -> None:
    """Draw nodes and edges, depth downwards."""
    x, y = across(nodes["parent"].to_numpy(), nodes["action"].to_numpy()), nodes["depth"].to_numpy()
    segments = [[(x[p], y[p]), (x[n], y[n])] for n, p in enumerate(nodes["parent"]) if p >= 0]
    after = nodes["ended"].to_numpy()[nodes["parent"].to_numpy()[1:]]
    for over, dashes in ((0, "-"), (1, (0, (2, 1.5)))):
        of_kind = [segment for segment, ended in zip(segments, after, strict=True) if ended == over]
        axes.add_collection(LineCollection(of_kind, colors="#9a9a9a", linewidths=0.6, linestyles=[dashes], zorder=1))
    axes.plot(x[path], y[path], color=style.DARK, linewidth=1.8, zorder=1.5)
    largest = min(MOST, _row(nodes), 2 * ACROSS / (np.ptp(x) + 1))
    _marks(axes, x, y, nodes, LEAST + (largest - LEAST) * np.sqrt(nodes["visits"] / nodes["visits"].max()))
    _depth_axis(axes, nodes)
    axes.set_xlim(x.min() - 0.7, x.max() + 0.7)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_bounds(0, _deepest(nodes))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel("Steps from the root")


def _deepest(nodes: pd.DataFrame) -> int:
    """The largest depth; 1 where there is a root alone."""
    return max(1, int(nodes["depth"].to_numpy().max()))


def _row(nodes: pd.DataFrame) -> float:
    """Points between two depths, or a little less."""
    return DOWN / _deepest(nodes)


def _depth_axis(axes: Axes, nodes: pd.DataFrame) -> None:
    """Depth downwards, with room for two lines above the root and half of one below the deepest node."""
    row = _row(nodes)
    axes.set_ylim(_deepest(nodes) + 0.8 * LINE / row, -2.8 * LINE / row)


def _marks(axes: Axes, x: np.ndarray, y: np.ndarray, nodes: pd.DataFrame, diameters: Any) -> None:
    """Draw nodes, coloured by the error of their value; those after the end are squares."""
    look = {"c": nodes["error"], "s": np.broadcast_to(diameters, len(nodes)) ** 2}
    for ended, marker in MARKERS.items():
        of_kind = (nodes["ended"] == ended).to_numpy()
        chosen = {name: np.asarray(each)[of_kind] for name, each in look.items()}
        axes.scatter(
            np.asarray(x)[of_kind], np.asarray(y)[of_kind], marker=marker, cmap=VALUE_ERROR, vmin=-1, vmax=1, zorder=2,
            **chosen, **OUTLINE,
        )  # fmt: skip


def _path(axes: Axes, nodes: pd.DataFrame, path: list[int]) -> None:
    """Write the predictions and truths along a path, at the height of its nodes."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    _depth_axis(axes, nodes)

    def write(x: float, y: float, words: str, colour: str = "black", side: str = "right") -> None:
        axes.text(x, y, words, ha=side, va="center", size=style.SMALL_FONT_SIZE, color=colour)

    heads = -2.3 * LINE / _row(nodes), -1.3 * LINE / _row(nodes)
    write(0.13, heads[1], "Action")
    shown = nodes.loc[_with_room(nodes.loc[path], LINE / _row(nodes))]
    _marks(axes, np.full(len(shown), 0.16), shown["depth"].to_numpy(), shown, 5.0)
    for quantity, right in (("reward", 0.55), ("value", 1.0)):
        write(right - 0.15, heads[0], quantity.capitalize(), side="center")
        for column, colour, at, head in (
            (quantity, style.ORANGE, right - 0.19, "learned"),
            (f"{quantity}_real", style.GREEN, right, "true"),
        ):
            write(at, heads[1], head, colour)
            for depth, number in zip(shown["depth"], shown[column], strict=True):
                if depth or quantity == "value":  # no step leads to the root
                    write(at, depth, _number(number), colour)
    for depth, action in zip(shown["depth"], shown["action"], strict=True):
        if depth:
            write(0.1, depth, f"{action}")


def _with_room(path: pd.DataFrame, apart: float) -> list[int]:
    """Returns the nodes of a path that stand far enough apart to be written, above all the root and the first end."""
    kept: dict[int, int] = {}  # by depth
    for node, depth in [*path.loc[path["ended"] == 1, "depth"].head(1).items(), *path["depth"].items()]:
        if all(abs(depth - other) >= apart for other in kept):
            kept[depth] = int(node)
    return [kept[depth] for depth in sorted(kept)]


def _number(value: float) -> str:
    """A number in five characters or fewer, up to a hundred thousand."""
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _values(axes: Axes, nodes: pd.DataFrame) -> None:
    """Draw learned against true values."""
    _marks(axes, nodes["value_real"].to_numpy(), nodes["value"].to_numpy(), nodes, 5.0)
    low, high = nodes[["value", "value_real"]].min().min(), nodes[["value", "value_real"]].max().max()
    margin = 0.08 * (high - low or 1.0)
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=style.DARK, linestyle=(0, (1, 1)), zorder=1)
    axes.set(xlim=limits, ylim=limits, box_aspect=1, anchor="N", xlabel="True value", ylabel="Learned value")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))


def _entries() -> dict[str, Line2D]:
    """The legend."""

    def mark(marker: str, colour: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, markersize=5, color=colour, markeredgecolor=style.DARK)

    return {
        **{NAMES[ended]: mark(marker, "white") for ended, marker in MARKERS.items()},
        "Learned value too high": mark("o", style.ORANGE),
        "Learned value too low": mark("o", style.GREEN),
        "Most visited path": Line2D([], [], color=style.DARK, linewidth=1.8),
    }
