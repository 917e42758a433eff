"""How accurate is the model for unlikely action sequences (the paper's Figure 4)?

All sequences of one length, ranked in each state by their probability under the search policy
(eq 6): mean probability and mean value prediction error (eq 5) per rank. A row per agent, a column
per checkpoint. Unlike the paper's, the rank axis is logarithmic, for the few likely sequences carry
nearly all the probability.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "rank", "probability", "error")
CHECKPOINTS = 4

PROBABILITY = {"color": style.GREEN, "marker": "", "linestyle": (0, (3, 1))}
ERROR = {"color": style.VERMILION, "marker": "", "linewidth": 0.9}


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 4 from the table `sequences` of each agent, at up to four checkpoints."""
    agents = list(tables)
    steps = {agent: style.spread(tables[agent]["step"], CHECKPOINTS) for agent in agents}
    columns = max(len(each) for each in steps.values())
    figure, grid = style.panels(len(agents), columns, sharey="row")
    entries = {}
    for agent, row in zip(agents, grid, strict=True):
        twins: list[Axes] = []
        for step, axes in zip(steps[agent], row, strict=False):
            twin = axes.twinx()
            if twins:
                twin.sharey(twins[0])
            twins.append(twin)
            table = tables[agent]
            of_step = table.loc[table["step"] == step]
            entries |= _panel(axes, twin, of_step)
            seeds = style.seeds_name(stats.across_seeds(of_step, "error", by=["rank"]).loc[:, "n"], table)
            axes.set_title(f"Step {style.step_name(step)}, {seeds}")
        row[0].set_title(f"{style.title(tables[agent], agent)}\n{row[0].get_title()}")
        for axes in row[len(twins) :]:
            axes.set_axis_off()
        row[0].set_ylim(bottom=0)
        row[0].set_ylabel("Probability", color=style.GREEN)
        twins[0].set_ylim(bottom=0)
        twins[-1].set_ylabel(style.ERROR, color=style.VERMILION)
        for twin in twins[:-1]:
            twin.tick_params(labelright=False)
        # a shorter row's right axis has room beside it; the columns need not make any
        twins[-1].yaxis.set_in_layout(len(twins) == columns)
    style.legend(figure, entries)
    return figure


def _panel(axes: Axes, twin: Axes, table: pd.DataFrame) -> dict[str, Artist]:
    """Draw one agent at one checkpoint: probabilities on the left axis, errors on the right."""
    probability, error = (stats.across_seeds(table, column, by=["rank"]) for column in ("probability", "error"))
    entries = {
        "Probability": style.line(axes, probability, "rank", **PROBABILITY),
        "Value prediction error": style.line(twin, error, "rank", **ERROR),
    }
    axes.set_xlabel("Rank by probability")
    last = int(table["rank"].to_numpy().max())
    style.log2_axis(axes, [2**k for k in range(last.bit_length())])
    axes.grid(False)
    twin.grid(False)
    twin.spines["right"].set_visible(True)
    return entries
