"""How much does planning with the model improve the policy (the paper's Figure 7)?

The return of agents that plan with the learned or the true model, guided by the policy prior or by the uniform prior,
against the number of simulations per step; as a baseline, the policy prior without search. A row per agent, or several
agents of few checkpoints, and a panel per checkpoint.
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
FURTHER = {"returns": ("seed", "step", "policy", "return_mean")}
CAPTION = (
    "Agents plan with the learned model (orange) or the true one (green), guided by the policy prior (solid) or by "
    "the uniform one (dotted), at checkpoints from left to right. Green above orange is what the learned model's "
    "errors cost, solid above dotted is what the prior is worth, and what is above the dashed line is the gain of "
    "planning. On grey, the uniform prior has too few simulations to tell models apart."
)
CHECKPOINTS = 4
ACROSS = 4  # panels of a row

# The prior alone: as table `returns` has it, or else as in the planners' own few episodes.
ALONE = {
    "Policy prior alone (no search)": {"color": style.DARK, "linewidth": 1.0, "linestyle": (0, (5, 1.5))},
    "Prior alone (few episodes)": {"color": style.DARK, "linewidth": 1.0, "linestyle": (0, (5, 1, 1, 1))},
}
TOO_FEW = "Too few to tell models apart"


@style.context()
def draw(tables: Mapping[str, pd.DataFrame], returns: Mapping[str, pd.DataFrame] | None = None) -> Figure:
    """Draw Figure 7 from the table `planning` of each agent, at up to four checkpoints.

    The baseline is the prior's return in an agent's table of `returns`, over the seeds that plan; without such a table,
    or this checkpoint in it, that of the planners' own episodes.

    Raises:
        TableError: if a table is unsound.
    """
    rows: list[list[tuple[str, int]]] = [[]]
    for agent, table in tables.items():
        steps = style.spread(table["step"], CHECKPOINTS)
        if len(rows[-1]) + len(steps) > ACROSS:
            rows.append([])
        rows[-1] += [(agent, step) for step in steps]
    most = max(map(len, rows))
    height = style.PANEL_HEIGHT if len(rows) > 1 else style.SINGLE_ROW_HEIGHT
    size = (min(style.FULL_WIDTH, style.COLUMN_WIDTH * most), height * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(len(rows), 12)
    first: dict[str, Axes] = {}
    entries: dict[str, Artist] = {}
    for i, row in enumerate(rows):
        span = 12 // max(len(row), min(3, most))
        for j, (agent, step) in enumerate(row):
            axes = figure.add_subplot(grid[i, j * span : (j + 1) * span], sharey=first.get(agent))
            table = tables[agent].loc[tables[agent]["step"] == step]
            means = stats.across_seeds(table, "return_mean", by=["model", "prior", "simulations"])
            label, alone = _alone(table, (returns or {}).get(agent), step)
            entries |= _panel(axes, means)
            for mean, low, high in alone[["mean", "low", "high"]].to_numpy():
                entries[label] = style.level(axes, mean, low, high, **ALONE[label])
            title = f"Step {style.step_name(step)}, {style.seeds_name(means.loc[:, 'n'], table)}"
            note = _note(tables[agent])
            if note:
                axes.set_facecolor(style.PALE)
            else:
                entries |= _too_few(axes, table)
            if agent not in first:
                first[agent] = axes
                axes.set_ylabel(style.RETURN)
                title = f"{style.title(table, agent)}{note}\n{title}"
            else:
                axes.tick_params(labelleft=False)
            axes.set_title(title)
            axes.set_xlabel(style.SIMULATIONS)
    order = [*_curves(), *ALONE, TOO_FEW]
    style.legend(figure, {label: entries[label] for label in order if label in entries} | style.interval(tables))
    return figure


def _curves() -> dict[str, tuple[str, str]]:
    """Model and prior by the name of their curve in the legend."""
    return {
        f"{style.MODEL_NAME[model]}, {prior} prior": (model, prior)
        for model in style.MODEL_LINE
        for prior in style.PRIOR_LOOK
    }


def _alone(planned: pd.DataFrame, returns: pd.DataFrame | None, step: int) -> tuple[str, pd.DataFrame]:
    """The return of the prior without search: its name in the legend, and a row of statistics, or none."""
    measured, brief = ALONE
    if returns is not None:
        same = returns["seed"].isin(planned["seed"]) & (returns["step"] == step) & (returns["policy"] == "prior")
        if not returns.loc[same].empty:
            return measured, stats.across_seeds(returns.loc[same], "return_mean", by=["policy"])
    own = planned.loc[planned["model"] == "no search"]
    return brief, own if own.empty else stats.across_seeds(own, "return_mean", by=["model"])


def _panel(axes: Axes, means: pd.DataFrame) -> dict[str, Artist]:
    """Draw the planners of one agent at one checkpoint; what is in the panel, by its name in the legend."""
    entries: dict[str, Artist] = {}
    budgets = means.loc[means["model"] != "no search", "simulations"]
    alone = budgets.nunique() == 1
    aside = np.linspace(-0.3, 0.3, 4) if alone else np.zeros(4)  # lone points stand side by side
    if alone:
        axes.margins(x=0.3)
    for (label, (model, prior)), shift in zip(_curves().items(), aside, strict=True):
        curve = means.loc[(means["model"] == model) & (means["prior"] == prior)]
        curve = curve.assign(simulations=curve["simulations"] * 2**shift)
        if not curve.empty:
            look = {**style.MODEL_LINE[model], **style.PRIOR_LOOK[prior]}
            entries[label] = style.line(axes, curve, "simulations", **look)
    if not budgets.empty:
        style.log2_axis(axes, budgets)
    return entries


def _note(table: pd.DataFrame) -> str:
    """Why an agent's panels are no results, to stand behind its name; "" if they are."""
    if not style.counts(table):
        return f", {style.NOT_PLAYING}"
    budgets = set(table.loc[table["model"] != "no search", "simulations"])
    return ", pipeline check:\none number of simulations" if len(budgets) == 1 else ""


def _too_few(axes: Axes, table: pd.DataFrame) -> dict[str, Artist]:
    """Mark the numbers of simulations with which free search cannot have tried all actions twice, and one again."""
    actions = table.attrs.get("provenance", {}).get("actions")
    budgets = np.unique(table.loc[table["prior"] == "uniform", "simulations"])
    few = int(np.sum(budgets < 2 * actions + 1)) if actions else 0
    if not few:
        return {}
    low, high = axes.get_xlim()
    edge = high if few == len(budgets) else float(np.sqrt(budgets[few - 1] * budgets[few]))
    patch = axes.axvspan(low, edge, color=style.PALE, linewidth=0, zorder=0)
    axes.set_xlim(low, high)
    return {TOO_FEW: patch}
