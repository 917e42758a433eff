"""Figures 2 to 4 beyond their curves: what is paired, what is marked, what is left out and says so."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from figures import __main__ as program
from figures import style
from tests.figures.test_figures import (
    SEEDS,
    T_QUANTILE,
    assert_geometric,
    assert_legible,
    drawn_from,
    expected,
    points,
    synthetic,
)

pytestmark = pytest.mark.filterwarnings("error")
CURVES = ("returns", "own_policy", "sequences")


def draw(name: str, *tables: pd.DataFrame) -> Figure:
    """The figure of tables of `synthetic`, changed or not; it is legible."""
    figure = program.modules()[name].draw({str(table["agent"].iloc[0]): table for table in tables})
    assert_legible(figure)
    return figure


def said(figure: Figure) -> str:
    """Titles, texts in panels, and labels of the axes and the legend."""
    texts = [text for axes in figure.axes for text in axes.texts]
    texts += [part for axes in figure.axes for part in (axes.title, axes.xaxis.label, axes.yaxis.label)]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    return "\n".join(text.get_text() for text in texts)


def with_provenance(table: pd.DataFrame, **entries: Any) -> pd.DataFrame:
    """The same table with more provenance."""
    table.attrs["provenance"] = {**table.attrs["provenance"], **entries}
    return table


@pytest.mark.parametrize("name", CURVES)
def test_captions_are_two_or_three_sentences(name: str) -> None:
    caption = program.modules()[name].CAPTION
    assert 2 <= caption.count(". ") + 1 <= 3 and caption.endswith(".") and len(caption) < 480


@pytest.mark.parametrize("name", CURVES)
def test_bands_are_named_where_there_are_some(name: str) -> None:
    """Of seeds, of repetitions, of both; a single seed has none, and none is named."""
    for agents, unit in {
        (("cartpole", "trained seed"),): "seeds",
        (("cartpole", "repetition"),): "repetitions",
        (("cartpole", "repetition"), ("minatar", "trained seed")): "seeds or repetitions",
    }.items():
        figure = draw(name, *(synthetic(name, agent, repeats=repeats) for agent, repeats in agents))
        assert f"95 % t interval over {unit}" in said(figure).splitlines()
    assert "interval" not in said(draw(name, synthetic(name, "cartpole", seeds=1)))


def test_returns_differ_within_seeds() -> None:
    """The lower row is the mean and the interval of search minus prior of the same seed, and has a zero line."""
    axes = drawn_from("returns", 1).axes[1]
    table = synthetic("returns", "cartpole")
    search, prior = (table.loc[table["policy"] == policy].set_index(["step", "seed"]) for policy in ("search", "prior"))
    gain = (search["return_mean"] - prior["return_mean"]).rename("gain").reset_index()
    band = np.asarray(axes.collections[0].get_paths()[0].vertices)
    for step, height in points(axes.lines[0]).T:
        mean, se = expected(gain, "gain", step=step)
        edges = band[band[:, 0] == step, 1]
        np.testing.assert_allclose(
            [height, edges.min(), edges.max()], [mean, mean - T_QUANTILE * se, mean + T_QUANTILE * se]
        )
    assert list(points(axes.lines[1])[1]) == [0, 0]


def test_one_policy_has_no_difference() -> None:
    """Beside an agent that has one, its panel says so; alone, there is no lower row."""
    one = synthetic("returns", "cartpole")
    one = one.loc[one["policy"] == "search"]
    assert len(draw("returns", one).axes) == 1
    figure = draw("returns", one, synthetic("returns", "minatar"))
    assert not figure.axes[2].axison and figure.axes[3].axison
    assert figure.axes[2].texts[0].get_text() == "one policy: no difference"


def test_temperatures_are_marked_where_they_fall() -> None:
    """Dotted verticals in both rows, names in the upper one; steps without a change, and those not shown, have none."""
    schedule = [[0, 1.0], [10_000, 1.0], [50_000, 0.5], [75_000, 0.25], [200_000, 0.1]]
    figure = draw("returns", with_provenance(synthetic("returns", "cartpole"), temperatures=schedule))
    upper, lower = figure.axes
    for axes in (upper, lower):
        marks = [points(line)[0, 0] for line in axes.lines if list(points(line)[1]) == [0, 1]]
        assert marks == [50_000, 75_000]
    assert [text.get_text() for text in upper.texts] == ["T = 1", "T = 0.5", "T = 0.25"] and not lower.texts
    for schedule in ([], None, [[0, 0.25]]):
        figure = draw("returns", with_provenance(synthetic("returns", "cartpole"), temperatures=schedule))
        assert not figure.axes[0].texts


def baselines(*, seeds: int = SEEDS, algorithms: tuple[str, ...] = ("dqn", "ppo")) -> pd.DataFrame:
    """A table of baselines; greedy PPO is a trap."""
    ways = [("dqn", "greedy", 100.0), ("ppo", "greedy", 900.0), ("ppo", "sampled", 200.0)]
    return pd.DataFrame(
        [
            {"seed": seed, "algorithm": algorithm, "policy": policy, "return_mean": mean + seed**2}
            for seed in range(seeds)
            for algorithm, policy, mean in ways
            if algorithm in algorithms
        ]
    )


def levels(axes: Axes) -> list[tuple[float, float, float]]:
    """Heights of dotted lines across the whole panel in the baselines' colour, and of their bands."""
    heights = [points(line)[1, 0] for line in axes.lines if to_rgb(line.get_color()) == to_rgb(style.BROWN)]
    bands = [patch.get_extents().transformed(axes.transData.inverted()) for patch in axes.patches]
    assert len(heights) == len(bands)
    return [(height, band.y0, band.y1) for height, band in zip(heights, bands, strict=True)]


def test_baselines_are_levels_with_bands() -> None:
    """Mean and interval over seeds of greedy DQN and sampled PPO, in the upper panel of the agents that have them."""
    tables = {agent: synthetic("returns", agent) for agent in ("cartpole", "minatar")}
    figure = program.modules()["returns"].draw(tables, baselines={"minatar": baselines()})
    assert_legible(figure)
    assert levels(figure.axes[0]) == [] == levels(figure.axes[2]) == levels(figure.axes[3])
    found = levels(figure.axes[1])
    table = baselines()
    for (height, low, high), way in zip(found, (("dqn", "greedy"), ("ppo", "sampled")), strict=True):
        mean, se = expected(table, "return_mean", algorithm=way[0], policy=way[1])
        np.testing.assert_allclose([height, low, high], [mean, mean - T_QUANTILE * se, mean + T_QUANTILE * se])
    labels = said(figure).splitlines()
    assert "DQN (greedy), equal environment steps, n = 5" in labels
    assert "PPO (sampled), equal environment steps, n = 5" in labels


def test_baselines_of_several_agents_have_one_entry_each() -> None:
    """With a range of seeds where they differ; an algorithm without rows has none, a single seed has no band."""
    tables = {agent: synthetic("returns", agent) for agent in ("cartpole", "minatar")}
    few = {"cartpole": baselines(seeds=1, algorithms=("dqn",)), "minatar": baselines(algorithms=("dqn",))}
    figure = program.modules()["returns"].draw(tables, baselines=few)
    (entry,) = [line for line in said(figure).splitlines() if "environment steps" in line]
    assert entry == "DQN (greedy), equal environment steps, n = 1 to 5"
    assert not figure.axes[0].patches and len(figure.axes[1].patches) == 1


def test_baselines_stand_beside_a_single_checkpoint() -> None:
    table = synthetic("returns", "cartpole")
    table = table.loc[table["step"] == 2_000]
    figure = program.modules()["returns"].draw({"cartpole": table}, baselines={"cartpole": baselines()})
    assert_legible(figure)
    assert len(levels(figure.axes[0])) == 2


def test_returns_of_one_checkpoint_side_by_side() -> None:
    """A line a seed joins the two policies; the title has the mean difference and its interval."""
    table = synthetic("returns", "cartpole")
    table = table.loc[table["step"] == 2_000]
    (axes,) = draw("returns", table).axes
    assert len(axes.lines) == SEEDS + 2
    for seed, line in enumerate(axes.lines[:SEEDS]):
        rows = table.loc[table["seed"] == seed].set_index("policy")["return_mean"]
        assert list(points(line)[1]) == [rows["search"], rows["prior"]]
    gains = [-np.diff(points(line)[1])[0] for line in axes.lines[:SEEDS]]
    mean, se = expected(pd.DataFrame({"gain": gains}), "gain")
    half = T_QUANTILE * se
    assert axes.get_title().endswith(f"\nSearch − prior: {mean:.3g} [{mean - half:.3g}, {mean + half:.3g}]")


def test_own_policy_beside_the_untrained_model() -> None:
    """The lower row is a geometric mean of ratios within seeds, and 1 at step 0."""
    axes = drawn_from("own_policy", 1).axes[1]
    table = synthetic("own_policy", "cartpole")
    for index, horizon in enumerate([1, 2, 5, 10]):
        of_horizon = table.loc[table["horizon"] == horizon]
        untrained = of_horizon.loc[of_horizon["step"] == 0].set_index("seed")["error"]
        logs = [math.log(row["error"] / untrained[row["seed"]]) for _, row in of_horizon.iterrows()]
        assert_geometric(axes, index, of_horizon.assign(log=logs), "step")
        assert points(axes.lines[index])[1, 0] == 1


def test_without_ratios_own_policy_says_why() -> None:
    """No step 0, or errors of 0: alone no lower row, beside others a line in the panel; errors of 0 are drawn."""
    late, exact = synthetic("own_policy", "cartpole"), synthetic("own_policy", "lunar_lander")
    late = late.loc[late["step"] > 0]
    exact["error"] = exact["error"].where(exact["step"] < 1_000_000, 0.0)
    for table, why in ((late, "no step 0: no ratios to it"), (exact, "errors of 0: no ratios")):
        (axes,) = draw("own_policy", table).axes
        assert axes.get_title().endswith(f"\n{why}")
        figure = draw("own_policy", table, synthetic("own_policy", "minatar"))
        assert not figure.axes[2].axison and figure.axes[2].texts[0].get_text() == why
    assert axes.get_yscale() == "symlog" and points(axes.lines[0])[1, -1] == 0 == axes.get_ylim()[0]


def test_sequences_without_ratios_are_drawn_as_errors() -> None:
    """An agent with an error of 0, as an exact model has."""
    table = synthetic("sequences", "cartpole")
    table["error"] = table["error"].where(table["rank"] > 1, 0.0)
    figure = draw("sequences", table)
    assert figure.axes[0].get_yscale() == "linear" and figure.axes[0].get_ylim()[0] == 0
    assert "errors of 0: no ratios" in figure.axes[0].get_title()
    assert "Error" in said(figure).splitlines() and "rank 1" not in said(figure)


def test_ranks_by_chance_have_a_ground() -> None:
    """From the first rank whose mean probability is below 1e-6 on; where every rank has some, there is none."""
    table = synthetic("sequences", "cartpole")
    assert "chance" not in said(draw("sequences", table))
    late = (table["step"] == 100_000) & (table["rank"] > 30)
    table["probability"] = table["probability"].mask(late, 9e-7)
    figure = draw("sequences", table)
    assert [len(twin.patches) for twin in figure.axes[4:]] == [0, 0, 0, 1]
    ground = figure.axes[7].patches[0].get_extents().transformed(figure.axes[7].transData.inverted())
    assert ground.x0 == pytest.approx(31) and ground.x1 == pytest.approx(figure.axes[3].get_xlim()[1])
    assert "Probability 0: by chance" in said(figure)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("single", [False, True])
def test_agents_that_do_not_count_are_grey(name: str, single: bool) -> None:
    """In tones of grey and with a note, while the others and the legend keep their colours, wherever they stand."""
    idle = with_provenance(synthetic(name, "breakout"), counts=False)
    playing = with_provenance(synthetic(name, "minatar"), counts=True)
    if single:
        idle, playing = (table.loc[table["step"] == 1_000] for table in (idle, playing))
    figure = draw(name, playing, idle)
    assert said(figure).count(style.NOT_PLAYING) == 1
    if not (single and name == "own_policy"):  # whose legend has the band alone
        assert any(is_coloured(line.get_color()) for line in figure.legends[0].get_lines())
    alone = draw(name, idle)
    for axes in alone.axes:
        drawn = [line.get_color() for line in axes.lines]
        drawn += [colour for part in axes.collections for colour in part.get_facecolor()]
        assert drawn and not any(is_coloured(colour) for colour in drawn)
    assert not any(is_coloured(line.get_color()) for line in alone.legends[0].get_lines())


def is_coloured(colour: Any) -> bool:
    return len(set(to_rgb(colour))) > 1


@pytest.mark.parametrize("name", CURVES)
def test_seeds_without_a_measurement(name: str) -> None:
    """A NaN is a seed less, in n as well; NaN alone leaves an empty place and no traceback."""
    column = "return_mean" if name == "returns" else "error"
    table = synthetic(name, "cartpole")
    table.loc[(table["seed"] == 0) & (table["step"] == 100_000), column] = np.nan
    assert "4" in "".join(axes.get_title().partition("n = ")[2] for axes in draw(name, table).axes)
    table.loc[table["step"] == 100_000, column] = np.nan
    draw(name, table)
