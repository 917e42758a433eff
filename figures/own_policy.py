"""How accurate is the model for its own behaviour policy (the paper's Figure 3)?

The value prediction error of eq 7 at each checkpoint, under the search policy of that checkpoint,
against the training step: a line per horizon, a panel per agent.
"""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analyses import stats
from figures import style

LINEAR_BELOW = 0.01  # reward units
COLUMNS = ("seed", "step", "horizon", "error")


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 3 from the table `own_policy` of each agent; against the horizon where all have one checkpoint."""
    means = {agent: stats.across_seeds(table, "error", by=["horizon", "step"]) for agent, table in tables.items()}
    if all(table["step"].nunique() == 1 for table in means.values()):
        return _against_horizon(tables, means)
    horizons = sorted({int(h) for each in means.values() for h in each["horizon"]})
    # Short horizons are bright, but the brightest tenth of the map is too pale on white.
    shades = matplotlib.colormaps[style.SEQUENTIAL](np.linspace(0.1, 1.0, len(horizons)))
    figure, grid = style.panels(1, len(tables))
    for agent, axes in zip(tables, grid[0], strict=True):
        table = means[agent]
        for horizon, shade in zip(horizons, shades, strict=True):
            style.line(axes, table.loc[table["horizon"] == horizon], "step", color=shade)
        style.step_axis(axes, table["step"])
        _error_axis(axes, table)
        seeds = style.seeds_name(table.loc[:, "n"], tables[agent])
        axes.set_title(f"{style.title(tables[agent], agent)}\n{seeds}")
        axes.set_xlabel(style.STEP)
    grid[0, 0].set_ylabel(style.ERROR)
    scale = ScalarMappable(BoundaryNorm(np.arange(len(horizons) + 1) - 0.5, len(horizons)), ListedColormap(shades))
    bar = figure.colorbar(scale, ax=grid.ravel().tolist(), pad=0.02)
    bar.set_ticks(range(len(horizons)), labels=[str(horizon) for horizon in horizons])
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)  # pyright: ignore
    bar.set_label("Horizon (steps)")
    return figure


def _error_axis(axes: Axes, means: pd.DataFrame) -> None:
    # untrained models err a hundred times more than trained ones
    axes.set_yscale("log")
    if float(means.loc[:, "mean"].min()) < LINEAR_BELOW:  # an error of 0 can be shown, too
        axes.set_yscale("symlog", linthresh=LINEAR_BELOW, linscale=0.4)
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))


def _against_horizon(tables: Mapping[str, pd.DataFrame], means: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one checkpoint of each agent."""
    figure, grid = style.panels(1, len(tables))
    for agent, axes in zip(tables, grid[0], strict=True):
        table = means[agent]
        style.line(axes, table, "horizon", color=style.BLUE)
        axes.set_ylim(bottom=0)
        style.ticks(axes, [sorted({int(h) for h in table["horizon"]})], lambda value: f"{value:g}")
        step = style.step_name(table["step"].iloc[0])
        seeds = style.seeds_name(table.loc[:, "n"], tables[agent])
        axes.set_title(f"{style.title(tables[agent], agent)}\nStep {step}, {seeds}")
        axes.set_xlabel("Horizon (steps)")
    grid[0, 0].set_ylabel(style.ERROR)
    return figure
