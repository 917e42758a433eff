"""How accurate is a model for earlier and later policies of its agent (the paper's Figure 5)?

The value prediction error of eq 7 at the longest horizon for the model of each checkpoint (row) and the search policy
of each checkpoint (column). Numbers are means over seeds. Colour is the mean over seeds of log2(error / error on the
model's own policy), on one scale for all agents; what does not differ from 0 by max-t over the row is hatched.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "policy_step", "horizon", "error")
CAPTION = (
    "The model of each checkpoint (row) predicts the values of the policy of each checkpoint (column); numbers are "
    "mean errors at the longest horizon. Colour compares a cell with the model's own policy (frame) within the "
    "seeds: red is a larger error, blue a smaller one, and hatched cells do not differ (max-t over the row, p > "
    "0.05). Where models know their own policy best, rows turn red on both sides of the frame."
)

# Inches.
AIR = 0.045  # beside a number
CELL_HEIGHT = 0.22
LEAST_HEIGHT = 1.0  # for the label of the rows
ROW_LABELS = 0.5
TITLE_AND_TICKS = 0.75
NOTE = 0.25
COLOUR_BAR = 0.6

COLOURS = "RdBu_r"
LIMIT = 1.0  # |log2 ratio| beyond which colour says no more
EQUAL_CONTRAST = 0.18  # the luminance on which black and white are equally legible
HATCH: dict[str, Any] = {"hatch": "/////", "fill": False, "linewidth": 0, "edgecolor": "#9a9a9a"}
FRAME: dict[str, Any] = {"fill": False, "edgecolor": "black", "linewidth": 1.2, "zorder": 3, "clip_on": False}


class Cell(NamedTuple):
    """What is said about one model and one policy."""

    step: int  # of the model
    policy_step: int
    number: str  # mean error over the seeds
    n: int  # seeds
    least: bool  # the smallest mean of the model, where they are not all alike
    ratio: float  # mean over seeds of log2(error / error on the own policy); NaN of one seed, or with an error of 0
    alike: bool  # whether the test does not reject a ratio of 0
    grey: bool  # whether there is nothing to compare: the row's numbers are all alike, or the agent does not count


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 5 from the table `cross_checkpoint` of each agent.

    Matrices stand side by side while their numbers fit, at least two in a row; a matrix too wide
    for that keeps the checkpoints that fit, spread over training. Of several horizons in a table,
    the longest is drawn.

    Raises:
        TableError: if a table is unsound.
    """
    agents = list(tables)
    room = style.FULL_WIDTH / min(2, len(agents)) - ROW_LABELS
    matrices: dict[str, list[Cell]] = {}
    widest, most = 0.0, 0
    for agent in agents:
        cells = compared(tables[agent])
        width = (max(len(cell.number) for cell in cells) - 0.5) * style.DIGIT * style.SMALL_FONT_SIZE / 72 + AIR
        models = style.spread((cell.step for cell in cells), int(room / width))
        policies = style.spread((cell.policy_step for cell in cells), int(room / width))
        matrices[agent] = [cell for cell in cells if cell.step in models and cell.policy_step in policies]
        widest, most = max(widest, len(policies) * width + ROW_LABELS), max(most, len(models))
    rows = math.ceil(len(agents) / max(1, int(style.FULL_WIDTH / widest)))
    columns = math.ceil(len(agents) / rows)
    noted = not all(style.counts(table) for table in tables.values())
    figure, grid = style.panels(
        rows,
        columns,
        width=min(style.FULL_WIDTH, max(style.COLUMN_WIDTH * columns, widest)),
        height=max(LEAST_HEIGHT, most * CELL_HEIGHT) + TITLE_AND_TICKS + NOTE * noted,
    )
    entries: dict[str, Artist] = {}
    for agent, axes in zip(agents, grid.flat, strict=False):
        entries |= _matrix(axes, matrices[agent])
        seeds = style.seeds_name(pd.Series([cell.n for cell in matrices[agent]]), tables[agent])
        note = "" if style.counts(tables[agent]) else f"\n{' '.join(style.NOT_PLAYING.split())}"
        axes.set_title(f"{style.title(tables[agent], agent)}\n{seeds}{note}")
    for axes in grid.flat[len(agents) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Model of training step")
    if not all(np.isnan(cell.ratio) for cells in matrices.values() for cell in cells):
        _colour_bar(figure, grid)
    style.legend(figure, entries)
    return figure


def compared(table: pd.DataFrame) -> list[Cell]:
    """Returns the cells of an agent's matrix, row by row.

    Raises:
        TableError: if the table is unsound.
    """
    longest = table.loc[table["horizon"] == table["horizon"].max()]
    wide = stats.by_seed(longest, "error", by=["step", "policy_step"])
    models, policies = (sorted({int(step) for step in longest[axis]}) for axis in ("step", "policy_step"))
    cells: list[Cell] = []
    for step in models:
        errors = wide.xs(step, axis=1, level="step").reindex(columns=policies)
        means, n = errors.mean().to_numpy(), errors.count().to_numpy()
        decimals = 4 - sum(np.nanmax(means, initial=0.0) >= bound for bound in (0.01, 1, 10, 100))
        numbers = ["–" if np.isnan(mean) else f"{mean:.{decimals}f}" for mean in means]
        level = len(numbers) > 1 and len(set(numbers)) == 1
        grey = level or not style.counts(table)
        ratios, p = _against_own(errors, step)
        cells += [
            Cell(
                step=step,
                policy_step=policy,
                number=numbers[i],
                n=int(n[i]),
                least=not level and bool(means[i] == np.nanmin(means, initial=np.inf)),
                ratio=np.nan if grey else float(ratios[i]),
                alike=not grey and bool(p[i] > stats.LEVEL),
                grey=grey,
            )
            for i, policy in enumerate(policies)
        ]
    return cells


def _against_own(errors: pd.DataFrame, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean log2 ratios to the own policy's error and adjusted p, [policy], of errors [seed, policy]."""
    ratios, p = np.full((2, errors.shape[1]), np.nan)
    measured = errors.notna().any().to_numpy()
    complete = errors.loc[:, measured].dropna()
    if step in complete and len(complete) > 1:
        logs = np.log2(complete.where(complete > 0))
        paired = logs.sub(logs[step], axis=0).to_numpy()
        ratios[measured], p[measured] = paired.mean(0), stats.max_t(paired)
    return ratios, p


def _matrix(axes: Axes, cells: list[Cell]) -> dict[str, Artist]:
    """Draw one agent's matrix, the earliest model in the top row; what its signs mean, for the legend."""
    models, policies = sorted({cell.step for cell in cells}), sorted({cell.policy_step for cell in cells})
    ratios = np.reshape([cell.ratio for cell in cells], (len(models), len(policies)))
    mesh = axes.pcolormesh(ratios, cmap=COLOURS, vmin=-LIMIT, vmax=LIMIT, edgecolors="white", linewidth=0.5)
    faces = mesh.to_rgba(ratios)
    axes.set_ylim(len(models), 0)
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    signs: dict[str, Artist] = {}
    for cell in cells:
        x, y = policies.index(cell.policy_step), models.index(cell.step)
        text: dict[str, Any] = {"fontsize": style.SMALL_FONT_SIZE, "color": "black"}
        if cell.grey:
            rectangle = Rectangle((x, y), 1, 1, facecolor=style.PALE, edgecolor="white", linewidth=0.5)
            signs["Not compared: all alike, or agents do not play"] = axes.add_patch(rectangle)
            text["color"] = style.DARK
        elif not np.isnan(cell.ratio) and _luminance(faces[y, x]) < EQUAL_CONTRAST:
            text["color"] = "white"
        if cell.alike:
            with matplotlib.rc_context({"hatch.linewidth": 0.5}):
                hatched = axes.add_patch(Rectangle((x, y), 1, 1, **HATCH))
            signs["Does not differ from own policy (p > 0.05)"] = hatched
            text["bbox"] = {"facecolor": faces[y, x], "linewidth": 0, "pad": 0.8}
        if cell.step == cell.policy_step:
            signs["Model's own policy"] = axes.add_patch(Rectangle((x, y), 1, 1, **FRAME))
        if cell.least:
            sign = Line2D([], [], color="black", linestyle="", marker=r"$\mathbf{0.1}$", markersize=12)
            sign.set_markeredgewidth(0)
            signs["Smallest error of a row"] = sign
            text["weight"] = "bold"
        axes.text(x + 0.5, y + 0.5, cell.number, ha="center", va="center_baseline", **text)
    axes.set_xticks(np.arange(len(policies)) + 0.5, [style.step_name(step) for step in policies])
    axes.set_yticks(np.arange(len(models)) + 0.5, [style.step_name(step) for step in models])
    axes.set_xlabel("Policy of training step")
    return signs


def _luminance(colour: Any) -> float:
    """The relative luminance of a colour."""
    return float(np.power(colour[:3], 2.2) @ [0.2126, 0.7152, 0.0722])


def _colour_bar(figure: Figure, grid: np.ndarray) -> None:
    figure.set_figheight(figure.get_figheight() + COLOUR_BAR)
    bar = figure.colorbar(
        ScalarMappable(Normalize(-LIMIT, LIMIT), COLOURS),
        ax=grid.ravel().tolist(),
        location="bottom",
        shrink=0.6,
        aspect=6 * figure.get_figwidth(),
        fraction=0.25 / figure.get_figheight(),
        pad=0.02,
        extend="both",
    )
    bar.set_ticks([-1, -0.5, 0, 0.5, 1], labels=["−1 (half)", "−0.5", "0 (equal)", "0.5", "1 (double)"])
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)  # pyright: ignore
    bar.set_label("log₂(error / error on the model's own policy)", labelpad=1)
