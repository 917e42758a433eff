"""How well do agents play during training, with the search and without (the paper's Figure 2)?

The undiscounted return of the search policy pi_MuZero and of the policy prior alone against the
training step, a panel per agent; below, what the search adds to the return of the same seed. Beside them, where an
agent has a table of them, the final return of baselines without a model after as many environment steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
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
FURTHER = {"baselines": ("seed", "algorithm", "policy", "return_mean")}

POLICIES = {
    "search": ("Search (MuZero)", {"color": style.BLUE}),
    "prior": ("Policy prior alone (no search)", style.NO_SEARCH),
}
# by algorithm: its name, the way of playing that is drawn, and its dash, which greys do not hide
BASELINES = {"dqn": ("DQN", "greedy", (0, (1, 1))), "ppo": ("PPO", "sampled", (0, (1, 3)))}
DIFFERENCE = "Search − prior"


@style.context()
def draw(tables: Mapping[str, pd.DataFrame], *, baselines: Mapping[str, pd.DataFrame] | None = None) -> Figure:
    """Draw Figure 2 from the table `returns` of each agent; policies side by side where all have one checkpoint.

    An agent whose table lacks one of the policies has no difference. `baselines` are the tables of that name.
    """
    levels = _levels(baselines or {})
    wide = {agent: stats.by_seed(table, "return_mean", ["policy", "step"]) for agent, table in tables.items()}
    if all(table["step"].nunique() == 1 for table in tables.values()):
        return _side_by_side(tables, wide, levels)
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
        entries |= _draw_levels(upper, levels.get(agent, []))
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


def _levels(baselines: Mapping[str, pd.DataFrame]) -> dict[str, list[tuple[str, Any]]]:
    """By agent, for every algorithm of `BASELINES`: the legend's label, and mean and interval over seeds."""
    means = {}
    for agent, table in baselines.items():
        found: Any = stats.across_seeds(table, "return_mean", by=["algorithm", "policy"])
        means[agent] = {(row.algorithm, row.policy): row for row in found.itertuples(index=False)}
    levels: dict[str, list[tuple[str, Any]]] = {agent: [] for agent in means}
    for algorithm, (name, policy, _) in BASELINES.items():
        rows = {
            agent: of_agent[algorithm, policy] for agent, of_agent in means.items() if (algorithm, policy) in of_agent
        }
        seeds = sorted({row.n for row in rows.values()})
        n = " to ".join(map(str, seeds[:: len(seeds) - 1 or 1]))  # the least and the most, where they differ
        for agent, row in rows.items():
            levels[agent].append((f"{name} ({policy}), equal environment steps, n = {n}", row))
    return levels


def _draw_levels(axes: Axes, levels: Sequence[tuple[str, Any]]) -> dict[str, Artist]:
    """Draw the baselines of one agent; returns their entries of the legend."""
    return {
        label: style.level(axes, row.mean, row.low, row.high, color=style.BROWN, linestyle=BASELINES[row.algorithm][2])
        for label, row in levels
    }


def _both(wide: pd.DataFrame) -> bool:
    return set(POLICIES) <= set(wide.columns.get_level_values("policy"))


def _difference(wide: pd.DataFrame) -> pd.DataFrame:
    """Search minus prior [seed, step] of returns [seed, (policy, step)]."""
    return wide.xs("search", axis=1, level="policy") - wide.xs("prior", axis=1, level="policy")


def _side_by_side(
    tables: Mapping[str, pd.DataFrame], wide: Mapping[str, pd.DataFrame], levels: Mapping[str, list[tuple[str, Any]]]
) -> Figure:
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
        entries |= _draw_levels(axes, levels.get(agent, []))
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
