"""How well do agents play during training, with the search and without (the paper's Figure 2)?

The undiscounted return of the search policy pi_MuZero and of the policy prior alone against the
training step, a panel per agent.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from analyses import stats
from figures import style

COLUMNS = ("seed", "step", "policy", "return_mean")

POLICIES = {
    "search": ("Search (MuZero)", {"color": style.BLUE}),
    "prior": ("Policy prior alone (no search)", style.NO_SEARCH),
}


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 2 from the table `returns` of each agent."""
    agents = list(tables)
    figure, grid = style.panels(1, len(agents))
    entries = {}
    for agent, axes in zip(agents, grid[0], strict=True):
        means = stats.across_seeds(tables[agent], "return_mean", by=["policy", "step"])
        for policy, (label, look) in POLICIES.items():
            of_policy = means.loc[means["policy"] == policy]
            if not of_policy.empty:
                entries[label] = style.line(axes, of_policy, "step", **look)
        style.step_axis(axes, means["step"])
        axes.set_title(f"{style.title(tables[agent], agent)}\n{style.seeds_name(means.loc[:, 'n'], tables[agent])}")
        axes.set_xlabel(style.STEP)
    grid[0, 0].set_ylabel(style.RETURN)
    style.legend(figure, entries)
    return figure
