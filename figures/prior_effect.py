"""Does the prior keep the search where the model is right (the paper's Figure 6)?

Searches with the policy prior and with the uniform prior, against the number of simulations: the
value prediction error of the simulated trajectories (eq 5; the tree path with its rollout, and the
tree path alone), and the total variation and the Kullback-Leibler divergence between policy prior
and visit distribution at the root. A row per agent and checkpoint.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "prior", "simulations", "error", "path_error", "tv", "kl")
CHECKPOINTS = 4

QUANTITIES = {
    "error": style.ERROR,
    "tv": "Total variation",
    "kl": "KL divergence (nats)",
}
PATH_LOOK = {"linestyle": (0, (1, 1)), "marker": "^", "markerfacecolor": "white"}


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 6 from the table `prior_effect` of each agent, at up to four checkpoints."""
    rows = [(agent, step) for agent in tables for step in style.spread(tables[agent]["step"], CHECKPOINTS)]
    figure, grid = style.panels(len(rows), len(QUANTITIES))
    entries = {}
    for (agent, step), panels in zip(rows, grid, strict=True):
        table = tables[agent].loc[tables[agent]["step"] == step]
        statistics = {
            column: stats.across_seeds(table, column, by=["prior", "simulations"])
            for column in [*QUANTITIES, "path_error"]
        }
        for (quantity, label), axes in zip(QUANTITIES.items(), panels, strict=True):
            means = statistics[quantity]
            for prior, colour in style.PRIOR_COLOUR.items():
                of_prior = means.loc[means["prior"] == prior]
                if of_prior.empty:
                    continue
                name = f"{prior.capitalize()} prior"
                entries[name] = style.line(axes, of_prior, "simulations", color=colour)
                if quantity == "error":
                    paths = statistics["path_error"]
                    of_path = paths.loc[paths["prior"] == prior]
                    look = {"color": colour, **PATH_LOOK}
                    entries[f"{name}, tree path alone"] = style.line(axes, of_path, "simulations", **look)
            style.log2_axis(axes, means["simulations"])
            axes.set_xlabel(style.SIMULATIONS)
            axes.set_ylabel(label)
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        title = f"{style.title(tables[agent], agent)}, step {style.step_name(step)}"
        panels[0].set_title(f"{title}\n{style.seeds_name(statistics['error'].loc[:, 'n'], tables[agent])}")
    style.legend(figure, entries)
    return figure
