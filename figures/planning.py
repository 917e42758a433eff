"""How much does planning with the model improve the policy (the paper's Figure 7)?

The return of agents that plan with the learned or the true model, guided by the policy prior or by
the uniform prior, against the number of simulations per step; as a baseline, the policy prior
without search. A column per agent, a row per checkpoint.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "model", "prior", "simulations", "return_mean")
CHECKPOINTS = 4


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 7 from the table `planning` of each agent, at up to four checkpoints."""
    agents = list(tables)
    steps = {agent: style.spread(tables[agent]["step"], CHECKPOINTS) for agent in agents}
    rows = max(len(each) for each in steps.values())
    figure, grid = style.panels(rows, len(agents), sharey="col")
    entries = {}
    for agent, column in zip(agents, grid.T, strict=True):
        table = tables[agent]
        for step, axes in zip(steps[agent], column, strict=False):
            means = stats.across_seeds(
                table.loc[table["step"] == step],
                "return_mean",
                by=["model", "prior", "simulations"],
            )
            entries |= _panel(axes, means)
            name = f"{style.title(table, agent)}\n" if step == steps[agent][0] else ""
            seeds = style.seeds_name(means.loc[:, "n"], table)
            axes.set_title(f"{name}Step {style.step_name(step)}, {seeds}")
        column[len(steps[agent]) - 1].set_xlabel(style.SIMULATIONS)
        for axes in column[len(steps[agent]) :]:
            axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(style.RETURN)
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, means: pd.DataFrame) -> dict[str, Artist]:
    """Draw one agent at one checkpoint; what is in the panel, by its name in the legend."""
    entries = {}
    searched = means.loc[means["model"] != "no search", "simulations"]
    alone = searched.nunique() == 1
    aside = np.linspace(-0.3, 0.3, 4) if alone else np.zeros(4)  # lone points stand side by side
    if alone:
        axes.margins(x=0.3)
    for i, (model, look) in enumerate(style.MODEL_LOOK.items()):
        for j, (prior, colour) in enumerate(style.PRIOR_COLOUR.items()):
            curve = means.loc[(means["model"] == model) & (means["prior"] == prior)]
            curve = curve.assign(simulations=curve["simulations"] * 2 ** aside[2 * i + j])
            if not curve.empty:
                entries[f"{style.MODEL_NAME[model]}, {prior} prior"] = style.line(
                    axes, curve, "simulations", color=colour, **look
                )
    baseline = means.loc[means["model"] == "no search", ["mean", "low", "high"]].to_numpy()
    for mean, low, high in baseline:
        entries["Policy prior alone (no search)"] = style.level(axes, mean, low, high, **style.NO_SEARCH)
    if not searched.empty:
        style.log2_axis(axes, searched)
    return entries
