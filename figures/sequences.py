"""How accurate is the model for unlikely action sequences (the paper's Figure 4)?

All sequences of one length, ranked in each state by their probability under the search policy
(eq 6): mean value prediction error (eq 5) per rank as a multiple of the error at rank 1 of the same
seed, and mean probability. A row per agent, a column per checkpoint. Unlike the paper's, the rank
axis is logarithmic, for the few likely sequences carry nearly all the probability, and runs from
likely to unlikely.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses import stats
from figures import style

CAPTION = (
    "Action sequences by rank, from the likeliest under the search policy to the least likely (the paper draws"
    " them the other way round): their probability, and the model's error as a multiple of that for the "
    "likeliest (geometric mean of ratios within seeds). A line that rises above the dotted 1 says that "
    "unlikely sequences are predicted worse. On grey ground no probability is left and ranks are a matter of "
    "chance."
)
COLUMNS = ("seed", "step", "rank", "probability", "error")
CHECKPOINTS = 4
IMPOSSIBLE = 1e-6  # mean probability below which a rank is one of chance

PROBABILITY = {"color": style.GREEN, "marker": "", "linestyle": (0, (3, 1))}
ERROR = {"color": style.VERMILION, "marker": "", "linewidth": 0.9}
RATIO = "Error / error at rank 1"


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 4 from the table `sequences` of each agent, at up to four checkpoints.

    An agent with an error of 0 has no ratios: its errors are drawn as they are, and its title says so.
    """
    steps = {agent: style.spread(table["step"], CHECKPOINTS) for agent, table in tables.items()}
    columns = max(len(each) for each in steps.values())
    figure, grid = style.panels(len(tables), columns, sharey="row", height=style.PANEL_HEIGHT + 0.2)
    row = dict(zip(tables, grid, strict=True))
    entries = {}
    for agent in style.by_weight(tables):
        table = tables[agent]
        panels = row[agent][: len(steps[agent])]
        twins: list[Axes] = []
        as_ratio = not (table["error"] <= 0).to_numpy().any()
        for step, axes in zip(steps[agent], panels, strict=True):
            twin = axes.twinx()
            entries |= _panel(axes, twin, table.loc[table["step"] == step], as_ratio=as_ratio)
            twin.tick_params(labelright=axes is panels[-1])
            twins.append(twin)
        # a shorter row's right axis has room beside it; the columns need not make any
        twins[-1].yaxis.set_in_layout(len(panels) == columns)
        if as_ratio:
            style.ratio_axis(panels[0])
        else:
            panels[0].set_ylim(bottom=0)
        counts = style.counts(table)
        panels[0].set_ylabel(RATIO if as_ratio else style.ERROR, color=style.VERMILION if counts else style.DARK)
        twins[-1].set_ylabel("Probability", color=style.GREEN if counts else style.DARK)
        for axes, twin in zip(panels, twins, strict=True):
            if not counts:
                style.mute(twin, note=False)
                style.mute(axes, note=axes is panels[0])
        name = style.title(table, agent) + ("" if as_ratio else " (errors of 0: no ratios)")
        panels[0].set_title(f"{name}\n{panels[0].get_title()}")
        for axes in row[agent][len(panels) :]:
            axes.set_axis_off()
    style.legend(figure, entries | style.interval(tables))
    return figure


def _panel(axes: Axes, twin: Axes, table: pd.DataFrame, *, as_ratio: bool) -> dict[str, Artist]:
    """Draw one agent at one checkpoint: errors on the left axis, probabilities on the right and behind."""
    errors = stats.by_seed(table, "error", ["rank"])
    probability = stats.across_seeds(table, "probability", by=["rank"])
    of_errors = stats.geometric(errors.div(errors.iloc[:, 0], axis=0)) if as_ratio else stats.summary(errors)
    entries = {
        RATIO if as_ratio else "Error": style.line(axes, of_errors, "rank", **ERROR),
        "Probability": style.line(twin, probability, "rank", **PROBABILITY),
    }
    if as_ratio:
        axes.axhline(1, color=style.DARK, linewidth=0.8, linestyle=style.NO_SEARCH["linestyle"])
    axes.set_xlabel("Rank, likely → unlikely")
    last = int(table["rank"].to_numpy().max())
    style.log2_axis(axes, [2**k for k in range(last.bit_length())])
    impossible = probability.loc[probability["mean"] < IMPOSSIBLE, "rank"]
    if not impossible.empty:
        limits = axes.get_xlim()
        ground = twin.axvspan(impossible.min(), limits[1], color=style.DARK, alpha=0.08, linewidth=0)
        axes.set_xlim(limits)
        entries["Probability 0: by chance"] = ground
    twin.set_ylim(0, 1.05)
    axes.grid(False)
    twin.grid(False)
    axes.set_zorder(twin.get_zorder() + 1)
    axes.patch.set_visible(False)
    twin.spines["right"].set_visible(True)
    seeds = style.seeds_name(of_errors.loc[:, "n"], table)
    title = f"Step {style.step_name(table['step'].iloc[0])}, {seeds}"
    axes.set_title(f"{title}\nerror at rank 1: {errors.iloc[:, 0].mean():.2g}" if as_ratio else title)
    return entries
