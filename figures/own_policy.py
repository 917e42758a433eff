"""How accurate is the model for its own behaviour policy (the paper's Figure 3)?

The value prediction error of eq 7 at each checkpoint, under the search policy of that checkpoint,
against the training step: a line for some of the horizons, a panel per agent. Below, the same as a
share of the error of the seed's untrained model (step 0) at the same horizon.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analyses import stats
from figures import style

CAPTION = (
    "The model's value prediction error for the agent's own policy, in reward units, and below it as a share "
    "of the error of the same seed's untrained model (1: as bad as knowing nothing; geometric means). Lines "
    "apart show how errors grow with the horizon, falling lines what training teaches. States are those that "
    "each checkpoint's own policy visits, so they change during training, too."
)
COLUMNS = ("seed", "step", "horizon", "error")
LINEAR_BELOW = 0.001  # reward units
HORIZONS = (1, 2, 5, 10, 20, 50, 100)  # drawn up to the longest, which is drawn as well
MARKERS = "osD^v<>p"


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 3 from the table `own_policy` of each agent; against the horizon where all have one checkpoint.

    An agent without step 0, or with an error of 0, has no relative errors, and its title says so.
    """
    wide = {agent: stats.by_seed(table, "error", ["horizon", "step"]) for agent, table in tables.items()}
    if all(table["step"].nunique() == 1 for table in tables.values()):
        return _against_horizon(tables, wide)
    every = [{int(h) for h in table["horizon"]} for table in tables.values()]
    horizons = sorted({h for each in every for h in each if h in HORIZONS or h == max(each)})
    shades = style.shades(len(horizons))  # short horizons are bright
    looks = {h: {"color": c, "marker": m} for h, c, m in zip(horizons, shades, MARKERS, strict=False)}
    relative = {agent: _relative(each) for agent, each in wide.items() if not _lacking(each)}
    figure, grid = style.panels(2 if relative else 1, len(tables))
    column = dict(zip(tables, grid.T, strict=True))
    entries = {}
    for agent in style.by_weight(tables):
        table, upper, lower = tables[agent], column[agent][0], column[agent][-1]
        means = stats.summary(wide[agent])
        entries |= _lines(upper, means, looks)
        _error_axis(upper, means)
        upper.set_title(f"{style.title(table, agent)}\n{style.seeds_name(means.loc[:, 'n'], table)}")
        drawn = [upper]
        if agent in relative:
            _lines(lower, stats.geometric(relative[agent]), looks)
            lower.axhline(1, color=style.DARK, linewidth=0.8, linestyle=style.NO_SEARCH["linestyle"])
            style.ratio_axis(lower)
            upper.tick_params(labelbottom=False)
            drawn.append(lower)
        elif relative:
            style.blank(lower, above=upper, note=_lacking(wide[agent]))
        else:
            upper.set_title(f"{upper.get_title()}\n{_lacking(wide[agent])}")
        for axes in drawn:
            style.step_axis(axes, table["step"])
            if not style.counts(table):
                style.mute(axes, note=axes is upper)
        drawn[-1].set_xlabel(style.STEP)
    grid[0, 0].set_ylabel(style.ERROR)
    if relative:
        column[next(iter(relative))][1].set_ylabel("Error / untrained model's\n(1: knows nothing)")
    named = {f"{h} step{'s' * (h > 1)} ahead": entries[h] for h in horizons}
    style.legend(figure, named | style.interval(tables))
    return figure


def _lacking(wide: pd.DataFrame) -> str:
    """Why errors [seed, (horizon, step)] have no ratios to those of step 0; "" where they have."""
    if 0 not in wide.columns.get_level_values("step"):
        return "no step 0: no ratios to it"
    return "errors of 0: no ratios" if (wide <= 0).to_numpy().any() else ""


def _relative(wide: pd.DataFrame) -> pd.DataFrame:
    """Errors [seed, (horizon, step)] over those of step 0, of the same seed and horizon; without step 0 itself."""
    untrained = wide.xs(0, axis=1, level="step")
    of_horizon = untrained.reindex(columns=wide.columns.get_level_values("horizon")).to_numpy()
    return wide / of_horizon


def _lines(axes: Axes, means: pd.DataFrame, looks: Mapping[int, dict]) -> dict[int, Artist]:
    """Draw the horizons that have a look; what was drawn, by horizon."""
    of_horizon = {h: means.loc[means["horizon"] == h] for h in looks}
    return {h: style.line(axes, each, "step", **looks[h]) for h, each in of_horizon.items() if not each.empty}


def _error_axis(axes: Axes, means: pd.DataFrame) -> None:
    # untrained models err a hundred times more than trained ones
    if float(means.loc[:, "mean"].min()) >= LINEAR_BELOW:
        style.ratio_axis(axes)
    else:  # an error of 0 can be shown, too
        axes.set_yscale("symlog", linthresh=LINEAR_BELOW, linscale=0.4)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))


def _against_horizon(tables: Mapping[str, pd.DataFrame], wide: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one checkpoint of each agent."""
    figure, grid = style.panels(1, len(tables))
    for agent, axes in zip(tables, grid[0], strict=True):
        table = stats.summary(wide[agent])
        style.line(axes, table, "horizon", color=style.BLUE)
        axes.set_ylim(bottom=0)
        style.ticks(axes, [sorted({int(h) for h in table["horizon"]})], lambda value: f"{value:g}")
        step = style.step_name(table["step"].iloc[0])
        seeds = style.seeds_name(table.loc[:, "n"], tables[agent])
        axes.set_title(f"{style.title(tables[agent], agent)}\nStep {step}, {seeds}")
        axes.set_xlabel("Horizon (steps)")
        if not style.counts(tables[agent]):
            style.mute(axes)
    grid[0, 0].set_ylabel(style.ERROR)
    style.legend(figure, style.interval(tables))
    return figure
