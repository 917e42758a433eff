"""Does the prior keep the search where the model is right (the paper's Figure 6)?

Searches with the policy prior and with the uniform prior, against the number of simulations: the value prediction error
of the simulated trajectories (eq 5; the tree path with its rollout, and the tree path alone), and the total variation
and the Kullback-Leibler divergence between policy prior and visit distribution at the root. Below each, the difference
of the two priors, formed within the seeds. A column per agent and checkpoint.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analyses import stats
from analyses.tables import TableError
from figures import style

COLUMNS = ("seed", "step", "prior", "simulations", "error", "path_error", "tv", "kl")
CAPTION = (
    "Searches in the learned model with the policy prior and with the uniform prior, against their simulations. "
    "Below each quantity is its paired difference within a seed, uniform minus policy prior: a 95 % band clear of "
    "the zero line is a difference. Errors of the two priors are not those of equal depth, for their tree paths "
    "differ in length, and a longer path has fewer random steps after it."
)
CHECKPOINTS = 4

QUANTITIES = {
    "error": "Error of\ntrajectory\n(reward)",
    "path_error": "Error of\ntree path\n(reward)",
    "tv": "Total\nvariation",
    "kl": "KL (nats)",
}
DIFFERENCE = "Uniform − policy"
COLOUR = {"policy": style.BLUE, "uniform": style.PURPLE}
ACROSS = 4  # panels side by side

# Inches.
LEVEL_HEIGHT = 0.95
DIFFERENCE_HEIGHT = 0.65
GAP = 0.1  # between quantities
TITLE_AND_TICKS = 0.8


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 6 from the table `prior_effect` of each agent, at up to four checkpoints.

    Raises:
        TableError: if a table is unsound, or a checkpoint lacks one of the priors.
    """
    shown = [(agent, step) for agent in tables for step in style.spread(tables[agent]["step"], CHECKPOINTS)]
    columns = min(ACROSS, len(shown))
    blocks = math.ceil(len(shown) / columns)
    heights = ([LEVEL_HEIGHT, DIFFERENCE_HEIGHT, GAP] * len(QUANTITIES))[:-1]
    size = (min(style.FULL_WIDTH, style.COLUMN_WIDTH * columns), blocks * (sum(heights) + TITLE_AND_TICKS))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(blocks * len(heights), columns, squeeze=False, height_ratios=heights * blocks)
    for axes in np.ravel([block[2::3] for block in np.split(grid, blocks)]):
        axes.remove()
    stacks = [np.delete(stack, np.s_[2::3]) for block in np.split(grid, blocks) for stack in block.T]
    entries: dict[str, Artist] = {}
    for (agent, step), stack in zip(shown, stacks, strict=False):
        entries |= _stack(stack, tables[agent].loc[tables[agent]["step"] == step], agent, step)
    for axes in np.ravel(stacks[len(shown) :]):
        axes.remove()
    for first in stacks[::columns]:
        for pair, label in zip(first.reshape(-1, 2), QUANTITIES.values(), strict=True):
            pair[0].set_ylabel(label)
            pair[1].set_ylabel(DIFFERENCE.replace(" ", "\n", 1))
        figure.align_ylabels(list(first))
    style.legend(figure, entries | style.interval(tables))
    return figure


def _stack(stack: np.ndarray, table: pd.DataFrame, agent: str, step: int) -> dict[str, Artist]:
    """Draw one agent at one checkpoint, from top to bottom; what is drawn, by its name in the legend."""
    entries: dict[str, Artist] = {}
    n: list[int] = []
    for quantity, (level, difference) in zip(QUANTITIES, stack.reshape(-1, 2), strict=True):
        wide = stats.by_seed(table, quantity, ["prior", "simulations"])
        missing = [prior for prior in COLOUR if prior not in wide]
        if missing:
            raise TableError(f"{table.attrs.get('source', 'the table')} has no rows of the {missing[0]} prior")
        for prior, colour in COLOUR.items():
            means = stats.summary(wide.xs(prior, axis=1))
            n += [*means["n"]]
            look = {"color": colour, **style.PRIOR_LOOK[prior]}
            entries[f"{prior.capitalize()} prior"] = style.line(level, means, "simulations", **look)
        paired = stats.summary(wide.xs("uniform", axis=1) - wide.xs("policy", axis=1))
        level.set_ylim(bottom=min(0.0, level.get_ylim()[0]))
        difference.axhline(0, color=style.DARK, linewidth=0.6)
        line = style.line(difference, paired, "simulations", color=style.DARK)
        entries[f"{DIFFERENCE}, paired"] = line
        for axes in (level, difference):
            style.log2_axis(axes, table["simulations"])
            axes.tick_params(labelbottom=axes is stack[-1])
            axes.yaxis.set_major_locator(MaxNLocator(3 if axes is level else 2, steps=[1, 2, 5, 10]))
            if not style.counts(table):
                axes.set_facecolor(style.PALE)
    title = f"{style.title(table, agent)}\nstep {style.step_name(step)}, {style.seeds_name(pd.Series(n), table)}"
    stack[0].set_title(title if style.counts(table) else f"{title}\n{style.NOT_PLAYING}")
    stack[-1].set_xlabel(style.SIMULATIONS)
    return entries
