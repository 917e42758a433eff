"""Figures of synthetic tables: the formula's values are drawn, nothing overlaps or is cut off."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from figures import __main__ as program
from figures import style

pytestmark = pytest.mark.filterwarnings("error")

SEEDS = 5
T_QUANTILE = 2.7764451051977987  # of Student's distribution with 4 degrees of freedom, at 0.975
SIMULATIONS = [1, 2, 4, 8, 16, 32, 64, 128]
STEPS = {
    "cartpole": [0, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000],
    "lunar_lander": [0, 1_000, 5_000, 20_000, 50_000, 200_000, 500_000, 1_000_000],
    "breakout": [0, 1_000, 5_000, 20_000, 100_000, 250_000, 500_000],
    "minatar": [0, 1_000, 2_000, 10_000, 50_000, 200_000],
}
TITLES = {
    "cartpole": "Cart Pole",
    "lunar_lander": "Lunar Lander",
    "breakout": "Breakout (ALE)",
    "minatar": "Breakout (MinAtar)",
}
AVERAGED = [name for name in program.modules() if name != "search_tree"]  # over seeds
HORIZON = {"cartpole": 10, "lunar_lander": 10, "breakout": 5, "minatar": 5}
SEQUENCES = {"cartpole": 256, "lunar_lander": 256, "breakout": 256, "minatar": 243}
LOWEST = {"cartpole": 20.0, "lunar_lander": -180.0, "breakout": 2.0, "minatar": 1.0}
GAIN = {"cartpole": 460.0, "lunar_lander": 420.0, "breakout": 350.0, "minatar": 20.0}


def synthetic(name: str, agent: str, *, seeds: int = SEEDS, repeats: str = "trained seed") -> pd.DataFrame:
    """A table of an analysis: plausible curves, spread over seeds and noisy."""
    steps, lowest, gain = STEPS[agent], LOWEST[agent], GAIN[agent]
    random = np.random.default_rng([len(name), list(STEPS).index(agent)])

    def rows(**levels: list) -> pd.DataFrame:
        levels = {"seed": list(range(seeds)), **levels}
        return pd.DataFrame(list(itertools.product(*levels.values())), columns=list(levels))

    def done(step: Any) -> np.ndarray:
        return np.log1p(step.to_numpy(dtype=float)) / np.log1p(steps[-1])

    def noisy(value: Any, table: pd.DataFrame) -> np.ndarray:
        skill = random.uniform(0.85, 1.0, seeds)[table["seed"]]
        return np.asarray(value) * skill * random.uniform(0.95, 1.05, len(table))

    if name == "returns":
        table = rows(step=steps, policy=["search", "prior"])
        share = np.where(table["policy"] == "search", 1.0, 0.8)
        table["return_mean"] = lowest + noisy(gain * share * done(table["step"]) ** 3, table)
    elif name == "own_policy":
        table = rows(step=steps, horizon=list(range(1, HORIZON[agent] + 1)))
        growth = 0.02 + 0.03 * table["horizon"] ** 1.5 * (1.1 - done(table["step"]))
        table["error"] = noisy(growth, table)
    elif name == "sequences":
        table = rows(step=steps, rank=list(range(1, SEQUENCES[agent] + 1)))
        progress, rank = done(table["step"]), table["rank"]
        table["probability"] = noisy(rank ** -(0.3 + 1.5 * progress) / (60 - 58 * progress), table)
        table["error"] = noisy(0.2 + (0.2 + progress) * np.log2(rank) / 8, table)
    elif name == "cross_checkpoint":
        table = rows(step=steps, policy_step=steps, horizon=[HORIZON[agent]])
        model, policy = done(table["step"]), done(table["policy_step"])
        table["error"] = noisy((0.1 + 2.5 * abs(model - policy)) * (1.2 - model), table)
    elif name == "prior_effect":
        table = rows(step=steps[3:4], prior=["policy", "uniform"], simulations=SIMULATIONS)
        scale = np.where(table["prior"] == "policy", 0.6, 1.0)
        shape = scale * (1 - 0.5 / table["simulations"])
        for column, size in {"error": 2.0, "path_error": 0.7, "tv": 0.4, "kl": 0.8}.items():
            table[column] = noisy(size * shape, table)
    else:
        searched = {"prior": ["policy", "uniform"], "simulations": SIMULATIONS}
        table = pd.concat(
            [
                rows(step=steps[1:], model=["no search"], prior=["policy"], simulations=[0]),
                rows(step=steps[1:], model=["learned", "real"], **searched),
            ],
            ignore_index=True,
        )
        start = np.where(table["prior"] == "policy", 0.8 * done(table["step"]) ** 3, 0.0)
        quality = np.where(table["model"] == "real", 1.0, 0.3)
        grown = start + (1 - start) * quality * np.log2(table["simulations"].clip(lower=1)) / 8
        table["return_mean"] = lowest + noisy(gain * grown, table)
    table = table.assign(agent=agent, profile="quick", repeats=repeats)
    table.attrs["provenance"] = {"title": TITLES[agent], "repeats": repeats}
    return table


def drawn_from(name: str, agents: int, **options: Any) -> Figure:
    """The figure of the first agents' synthetic tables."""
    tables = {agent: synthetic(name, agent, **options) for agent in list(STEPS)[:agents]}
    return program.modules()[name].draw(tables)


def expected(table: pd.DataFrame, value: str, **setting: object) -> tuple[float, float]:
    """Mean and standard error of one setting, written from the formula."""
    chosen = table
    for column, wanted in setting.items():
        chosen = chosen.loc[chosen[column] == wanted]
    x = [float(each) for each in chosen[value]]
    assert len(x) == SEEDS
    mean = math.fsum(x) / SEEDS
    return mean, math.sqrt(math.fsum((each - mean) ** 2 for each in x) / (SEEDS - 1) / SEEDS)


def points(line: Line2D) -> np.ndarray:
    """What a line goes through: [2, points]."""
    return np.asarray(line.get_data(), float)


def assert_curve(axes: Axes, index: int, table: pd.DataFrame, value: str, x: str, **setting: object) -> None:
    """The line at this index of the axes and its band show the mean and its 95 % interval."""
    line, band = axes.lines[index], axes.collections[index]
    where = sorted({int(each) for each in table[x] if each > 0 or x == "step"})
    np.testing.assert_array_equal(line.get_xdata(), where)
    vertices = np.asarray(band.get_paths()[0].vertices)
    for at, height in zip(where, np.asarray(line.get_ydata()), strict=True):
        mean, se = expected(table, value, **{x: at}, **setting)
        edges = vertices[vertices[:, 0] == at, 1]
        np.testing.assert_allclose(height, mean, rtol=1e-9)
        half = T_QUANTILE * se
        np.testing.assert_allclose([edges.min(), edges.max()], [mean - half, mean + half], rtol=1e-9)


def titled(figure: Figure, title: str) -> Axes:
    """The one panel whose title contains these words."""
    (axes,) = [axes for axes in figure.axes if title in axes.get_title()]
    return axes


def visible_texts(figure: Figure) -> list[Text]:
    """All text that is drawn."""
    texts = [text for part in (figure, *figure.axes) for text in part.texts]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        if not axes.axison:
            continue
        texts.append(axes.title)
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts.append(axis.label)
            texts += [
                label
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high
                for label in (tick.label1, tick.label2)
            ]
    return [text for text in texts if text.get_visible() and text.get_text()]


def assert_legible(figure: Figure) -> None:
    """No text is cut off, small, or on top of another."""
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= 7.0
    texts = visible_texts(figure)
    boxes = np.array([text.get_window_extent().extents for text in texts])
    width, height = figure.bbox.size
    for text, (left, bottom, right, top) in zip(texts, boxes, strict=True):
        assert float(text.get_fontsize()) >= 7, text
        assert left >= 0 and bottom >= 0 and right <= width and top <= height, text
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    shared = np.minimum(high, boxes[None, :, 2:]) - np.maximum(low, boxes[None, :, :2])
    over = np.argwhere(np.triu((shared > 0.5).all(axis=2), k=1))
    assert not len(over), [(texts[i].get_text(), texts[j].get_text()) for i, j in over]


@pytest.mark.parametrize("agents", [1, 2, 3, 4])
@pytest.mark.parametrize("name", AVERAGED)
def test_legible_and_states_n(name: str, agents: int) -> None:
    """Every figure is clean with one to four agents, and says how many seeds it shows."""
    figure = drawn_from(name, agents)
    assert_legible(figure)
    titles = "\n".join(axes.get_title() for axes in figure.axes)
    for agent, words in TITLES.items():
        assert (words in titles) == (agent in list(STEPS)[:agents])
    assert "n = 5 seeds" in titles


@pytest.mark.parametrize("name", AVERAGED)
def test_repetitions_of_a_measurement_are_no_seeds(name: str) -> None:
    figure = drawn_from(name, 1, repeats="repetition")
    assert_legible(figure)
    titles = "\n".join(axes.get_title() for axes in figure.axes)
    assert "n = 5 repetitions" in titles and "seed" not in titles


def test_a_table_without_a_title_is_named_by_its_agent() -> None:
    """As one made in memory is."""
    table = synthetic("returns", "cartpole")
    table.attrs.clear()
    figure = program.modules()["returns"].draw({"cartpole": table})
    assert figure.axes[0].get_title() == "cartpole\nn = 5 seeds"


@pytest.mark.parametrize("name", AVERAGED)
def test_one_seed_and_one_checkpoint(name: str) -> None:
    """The smallest table draws without a band, without a warning, and says n = 1."""
    table = synthetic(name, "cartpole", seeds=1)
    figure = program.modules()[name].draw({"cartpole": table.loc[table["step"] == 2_000]})
    assert_legible(figure)
    titles = "\n".join(axes.get_title() for axes in figure.axes)
    assert "n = 1 seed" in titles and "n = 1 seeds" not in titles and "Cart Pole" in titles


def test_differing_numbers_of_seeds_are_a_range() -> None:
    """A seed without its last checkpoint shows in n."""
    table = synthetic("returns", "cartpole")
    table = table.loc[(table["seed"] > 0) | (table["step"] < 100_000)]
    figure = program.modules()["returns"].draw({"cartpole": table})
    assert figure.axes[0].get_title() == "Cart Pole\nn = 4 to 5 seeds"


def test_returns_values() -> None:
    """Search and prior, in this order, against the step."""
    axes = titled(drawn_from("returns", 2), "Lunar Lander")
    table = synthetic("returns", "lunar_lander")
    for index, policy in enumerate(["search", "prior"]):
        assert_curve(axes, index, table, "return_mean", "step", policy=policy)


def test_own_policy_values() -> None:
    """A line for each of the horizons 1, 2, 5 and the longest."""
    axes = titled(drawn_from("own_policy", 1), "Cart Pole")
    table = synthetic("own_policy", "cartpole")
    assert len(axes.lines) == 4
    for index, horizon in enumerate([1, 2, 5, 10]):
        assert_curve(axes, index, table, "error", "step", horizon=horizon)


def test_own_policy_of_one_checkpoint_each_against_the_horizon() -> None:
    """Of other steps and horizons, an agent to a panel; errors begin at 0."""
    of_step = {"cartpole": 2_000, "minatar": 200_000}
    tables = {}
    for agent, step in of_step.items():
        table = synthetic("own_policy", agent)
        tables[agent] = table.loc[table["step"] == step]
    figure = program.modules()["own_policy"].draw(tables)
    assert_legible(figure)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["Cart Pole\nStep 2K, n = 5 seeds", "Breakout (MinAtar)\nStep 200K, n = 5 seeds"]
    for axes, (agent, table) in zip(figure.axes, tables.items(), strict=True):
        assert len(axes.lines) == 1 and axes.get_xlabel() == "Horizon (steps)"
        assert_curve(axes, 0, table, "error", "horizon")
        assert axes.get_ylim()[0] == 0 and axes.get_yscale() == axes.get_xscale() == "linear"
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels == [str(h) for h in range(1, HORIZON[agent] + 1)]
    assert figure.axes[0].get_ylabel() == style.ERROR


def test_own_policy_of_one_checkpoint_beside_several_against_the_step() -> None:
    tables = {agent: synthetic("own_policy", agent) for agent in ("cartpole", "minatar")}
    tables["minatar"] = tables["minatar"].loc[tables["minatar"]["step"] == 200_000]
    figure = program.modules()["own_policy"].draw(tables)
    assert_legible(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", style.STEP, style.STEP, ""]
    assert_curve(figure.axes[0], 3, tables["cartpole"], "error", "step", horizon=10)


def test_sequences_values() -> None:
    """Ratios within the seeds on the left axis, probability on the right, first and last checkpoints among four."""
    figure = drawn_from("sequences", 1)
    table = synthetic("sequences", "cartpole")
    panels, twins = figure.axes[:4], figure.axes[4:]
    for step, axes, twin in zip([0, 2_000, 10_000, 100_000], panels, twins, strict=True):
        assert f"Step {style.step_name(step)}," in axes.get_title()
        assert_curve(twin, 0, table, "probability", "rank", step=step)
        of_step = table.loc[table["step"] == step]
        likeliest = {row["seed"]: row["error"] for _, row in of_step.loc[of_step["rank"] == 1].iterrows()}
        logs = [math.log(row["error"] / likeliest[row["seed"]]) for _, row in of_step.iterrows()]
        assert_geometric(axes, 0, of_step.assign(log=logs), "rank")
        absolute = math.fsum(likeliest.values()) / SEEDS
        assert axes.get_title().endswith(f"error at rank 1: {absolute:.2g}")


def assert_geometric(axes: Axes, index: int, table: pd.DataFrame, x: str, **setting: object) -> None:
    """The line and its band are the exponentials of the mean and the 95 % interval of the column `log`."""
    assert axes.get_yscale() == "log"
    line, band = axes.lines[index], np.asarray(axes.collections[index].get_paths()[0].vertices)
    assert points(line).shape[1] == table[x].nunique()
    for at, height in points(line).T:
        mean, se = expected(table, "log", **{x: at}, **setting)
        half = T_QUANTILE * se
        edges = band[band[:, 0] == at, 1]
        found = [height, edges.min(), edges.max()]
        np.testing.assert_allclose(found, np.exp([mean, mean - half, mean + half]), rtol=1e-9)


def test_step_axis_is_one_of_square_roots() -> None:
    """Step 0 and the last are labelled, the late half has 29 % of the axis between them, and its labels are steps."""
    figure = drawn_from("returns", 2)
    figure.draw_without_rendering()
    for title, names in {"Cart Pole": {"0", "10K", "50K", "100K"}, "Lunar Lander": {"0", "500K", "1M"}}.items():
        axes = figure.axes[list(TITLES.values()).index(title) + 2]
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert names <= set(labels) and set(labels) <= {
            style.step_name(step) for each in STEPS.values() for step in each
        }
        first, middle, last = (
            axes.transData.transform((x, 0))[0] for x in np.array([0, 0.5, 1]) * points(axes.lines[0])[0, -1]
        )
        np.testing.assert_allclose((last - middle) / (last - first), 1 - math.sqrt(0.5))
