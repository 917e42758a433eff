"""How accurate is a model for earlier and later policies of its agent (the paper's Figure 5)?

The value prediction error of eq 7 at the longest horizon for the model of each checkpoint (row) and
the search policy of each checkpoint (column): the mean over seeds, its standard error below. Colour
places a cell between the smallest and the largest error of its row; frames mark the diagonal, bold
type the smallest error of a row.
"""

import math
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "policy_step", "horizon", "error")

# Inches.
CELL_WIDTH = 6.5 * style.DIGIT * style.SMALL_FONT_SIZE / 72  # for "±0.002" and air
CELL_HEIGHT = 0.3
ROW_LABELS = 0.65
TITLE_AND_TICKS = 0.75
COLOUR_BAR = 0.6

EQUAL_CONTRAST = 0.18  # the luminance on which black and white are equally legible


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 5 from the table `cross_checkpoint` of each agent.

    Matrices stand side by side while their numbers fit, at least two in a row; a matrix too wide
    for that keeps the checkpoints that fit, spread over training. Of several horizons in a table,
    the longest is drawn.
    """
    agents = list(tables)
    most = int((style.FULL_WIDTH / min(2, len(agents)) - ROW_LABELS) / CELL_WIDTH)
    means = {}
    for agent in agents:
        table = tables[agent]
        longest = table.loc[table["horizon"] == table["horizon"].max()]
        every = stats.across_seeds(longest, "error", by=["step", "policy_step"])
        for axis in ("step", "policy_step"):
            every = every.loc[every[axis].isin(style.spread(every[axis], most))]
        means[agent] = every
    cells = max(table["policy_step"].nunique() for table in means.values())
    matrix_width = cells * CELL_WIDTH + ROW_LABELS
    rows = math.ceil(len(agents) / max(1, int(style.FULL_WIDTH / matrix_width)))
    columns = math.ceil(len(agents) / rows)
    figure, grid = style.panels(
        rows,
        columns,
        width=min(style.FULL_WIDTH, max(style.COLUMN_WIDTH * columns, matrix_width)),
        height=max(table["step"].nunique() for table in means.values()) * CELL_HEIGHT + TITLE_AND_TICKS,
    )
    figure.set_figheight(figure.get_figheight() + COLOUR_BAR)
    for agent, axes in zip(agents, grid.flat, strict=False):
        _matrix(axes, means[agent])
        seeds = style.seeds_name(means[agent].loc[:, "n"], tables[agent])
        title = f"{style.title(tables[agent], agent)}\n{seeds}"
        axes.set_title(title)
    for axes in grid.flat[len(agents) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Model of training step")
    bar = figure.colorbar(
        ScalarMappable(cmap=style.SEQUENTIAL),
        ax=grid.ravel().tolist(),
        location="bottom",
        shrink=0.8,
        aspect=8 * figure.get_figwidth(),
        fraction=0.25 / figure.get_figheight(),
        pad=0.02,
        ticks=[0, 1],
    )
    for label, side in zip(
        bar.ax.set_xticklabels(["smallest in row", "largest in row"]),
        ("left", "right"),
        strict=True,
    ):
        label.set_horizontalalignment(side)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)  # pyright: ignore
    bar.set_label("Value prediction error (reward units)", labelpad=1)
    return figure


def _matrix(axes: Axes, means: pd.DataFrame) -> None:
    """Draw one agent's matrix, the earliest model in the top row."""
    mean, se = (means.pivot(index="step", columns="policy_step", values=column) for column in ("mean", "se"))
    errors = mean.to_numpy(dtype=float)
    low, high = (bound.reduce(errors, axis=1, keepdims=True) for bound in (np.fmin, np.fmax))
    place = (errors - low) / np.where(high > low, high - low, 1.0)
    axes.pcolormesh(place, cmap=style.SEQUENTIAL, vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for (i, j), error in np.ndenumerate(errors):
        if np.isnan(error):
            continue
        text: dict[str, Any] = {"ha": "center", "fontsize": style.SMALL_FONT_SIZE}
        text["color"] = "white" if _luminance(float(place[i, j])) < EQUAL_CONTRAST else "black"
        decimals = 4 - sum(high[i, 0] >= bound for bound in (0.01, 1, 10, 100))
        weight = "bold" if error == low[i, 0] else "normal"
        number, spread = f"{error:.{decimals}f}", se.iloc[i, j]
        if np.isnan(spread):
            axes.text(j + 0.5, i + 0.5, number, va="center", weight=weight, **text)
        else:
            axes.text(j + 0.5, i + 0.47, number, va="bottom", weight=weight, **text)
            axes.text(j + 0.5, i + 0.53, f"±{spread:.{decimals}f}", va="top", **text)
        if mean.index[i] == mean.columns[j]:
            axes.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor="black", linewidth=1.2))
    axes.set_xticks(np.arange(mean.shape[1]) + 0.5, [style.step_name(s) for s in mean.columns])
    axes.set_yticks(np.arange(mean.shape[0]) + 0.5, [style.step_name(s) for s in mean.index])
    axes.set_xlabel("Policy of training step")


def _luminance(place: float) -> float:
    """The relative luminance of the colour at a place in [0, 1] of the map."""
    red, green, blue = np.power(matplotlib.colormaps[style.SEQUENTIAL](place)[:3], 2.2)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
