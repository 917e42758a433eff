"""How well do agents play during training, with the search and without (the paper's Figure 2)?

The undiscounted return of the search policy pi_MuZero and of the policy prior alone against the
training step, a panel per agent; below, what the search adds to the return of the same seed.
"""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from analyses import stats
from figures import style

CAPTION = (
    "The undiscounted return of agents with the search (blue) and of their policy prior alone (dotted), and "
    "below it the difference of the two within a seed. Where the band of the difference leaves the dotted "
    "zero, planning changes how well agents play. Dotted verticals mark where the temperature T falls: from "
    "there the search acts more greedily, while the prior is sampled as it is."
)
COLUMNS = ("seed", "step", "policy", "return_mean")

POLICIES = {
    "search": ("Search (MuZero)", {"color": style.BLUE}),
    "prior": ("Policy prior alone (no search)", style.NO_SEARCH),
}
DIFFERENCE = "Search − prior"


@style.context()
def draw(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw Figure 2 from the table `returns` of each agent; policies side by side where all have one checkpoint.

    An agent whose table lacks one of the policies has no difference.
    """
    wide = {agent: stats.by_seed(table, "return_mean", ["policy", "step"]) for agent, table in tables.items()}
    if all(table["step"].nunique() == 1 for table in tables.values()):
        return _side_by_side(tables, wide)
    paired = [agent for agent in tables if _both(wide[agent])]
    figure, grid = style.panels(2 if paired else 1, len(tables))
    column = dict(zip(tables, grid.T, strict=True))
    entries = {}
    for agent in style.by_weight(tables):
        table, upper, lower = tables[agent], column[agent][0], column[agent][-1]
        means = stats.summary(wide[agent])
        for policy, (label, look) in POLICIES.items():
            of_policy = means.loc[means["policy"] == policy]
            if not of_policy.empty:
                entries[label] = style.line(upper, of_policy, "step", **look)
        upper.set_title(f"{style.title(table, agent)}\n{style.seeds_name(means.loc[:, 'n'], table)}")
        drawn = [upper]
        if agent in paired:
            style.line(lower, stats.summary(_difference(wide[agent])), "step", color=style.BLUE)
            lower.axhline(0, color=style.DARK, linewidth=0.8, linestyle=style.NO_SEARCH["linestyle"])
            upper.tick_params(labelbottom=False)
            drawn.append(lower)
        elif paired:
            style.blank(lower, above=upper, note="one policy: no difference")
        for axes in drawn:
            style.step_axis(axes, table["step"])
            style.temperatures(axes, table, named=axes is upper)
            if not style.counts(table):
                style.mute(axes, note=axes is upper)
        drawn[-1].set_xlabel(style.STEP)
    grid[0, 0].set_ylabel(style.RETURN)
    if paired:
        column[paired[0]][1].set_ylabel(f"{DIFFERENCE}\n(return)")
    style.legend(figure, entries | style.interval(tables))
    return figure


def _both(wide: pd.DataFrame) -> bool:
    return set(POLICIES) <= set(wide.columns.get_level_values("policy"))


def _difference(wide: pd.DataFrame) -> pd.DataFrame:
    """Search minus prior [seed, step] of returns [seed, (policy, step)]."""
    return wide.xs("search", axis=1, level="policy") - wide.xs("prior", axis=1, level="policy")


def _side_by_side(tables: Mapping[str, pd.DataFrame], wide: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one checkpoint of each agent: the two policies, joined for each seed."""
    figure, grid = style.panels(1, len(tables))
    entries = {}
    places = list(POLICIES)
    column = dict(zip(tables, grid[0], strict=True))
    for agent in style.by_weight(tables):
        axes, table = column[agent], tables[agent]
        values = wide[agent].droplevel("step", axis=1).reindex(columns=places)
        axes.plot(range(len(places)), values.to_numpy().T, color=style.GREY, linewidth=0.5, alpha=0.6)
        means = stats.summary(wide[agent])
        for place, (policy, (label, look)) in enumerate(POLICIES.items()):
            of_policy = means.loc[means["policy"] == policy].assign(place=place)
            if not of_policy.empty:
                entries[label] = style.line(axes, of_policy, "place", **look)
        title = f"{style.title(table, agent)}\nStep {style.step_name(table['step'].iloc[0])}, "
        title += style.seeds_name(means.loc[:, "n"], table)
        if _both(wide[agent]):
            ((mean, low, high),) = stats.summary(_difference(wide[agent]))[["mean", "low", "high"]].to_numpy()
            title += f"\n{DIFFERENCE}: {mean:.3g}" + (f" [{low:.3g}, {high:.3g}]" if low <= high else "")
        axes.set_title(title)
        axes.set_xticks(range(len(places)), ["Search", "Prior alone"])
        axes.set_xlim(-0.5, len(places) - 0.5)
        if not style.counts(table):
            style.mute(axes)
    grid[0, 0].set_ylabel(style.RETURN)
    style.legend(figure, entries | style.interval(tables))
    return figure
