"""Figures 5 to 7: what they compare is formed within a seed, and what says nothing is marked."""

import itertools
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import same_color, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analyses.tables import TableError
from figures import cross_checkpoint, planning, prior_effect, style
from tests.figures.test_figures import SEEDS, STEPS, assert_curve, assert_legible, expected, synthetic, titled

pytestmark = pytest.mark.filterwarnings("error")

ALIKE, GREY = "Does not differ from own policy (p > 0.05)", "Not compared: all alike, or agents do not play"


def legend_of(figure: Figure) -> dict[str, Any]:
    (legend,) = figure.legends
    return dict(zip([text.get_text() for text in legend.get_texts()], legend.legend_handles, strict=True))


def told(table: pd.DataFrame, **provenance: Any) -> pd.DataFrame:
    """The table with more in its provenance."""
    table = table.copy()
    table.attrs["provenance"] = {**table.attrs["provenance"], **provenance}
    return table


# Figure 5


def matrix_table(errors: np.ndarray) -> pd.DataFrame:
    """A table of errors [seed, model, policy], at the steps 0, 1, 2, ..."""
    index = np.indices(errors.shape).reshape(3, -1)
    table = pd.DataFrame(dict(zip(("seed", "step", "policy_step"), index, strict=True)))
    table = table.assign(horizon=5, error=errors.ravel())
    table.attrs["provenance"] = {"title": "Cart Pole"}
    return table


def numbers(axes: Axes) -> dict[tuple[int, int], Any]:
    """The texts of the cells, by row and column."""
    places = {text: text.get_position() for text in axes.texts}
    return {(math.floor(y), math.floor(x)): text for text, (x, y) in places.items()}


def colours(axes: Axes) -> np.ndarray:
    """What is coloured, [row, column], NaN where nothing is."""
    (mesh,) = [each for each in axes.collections if isinstance(each, QuadMesh)]
    assert mesh.get_clim() == (-1, 1)
    return np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan)


def cells(axes: Axes, sign: str) -> set[tuple[int, int]]:
    """The cells that are hatched, framed or grey."""
    rectangles = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    kinds = {
        (patch.get_y(), patch.get_x()): "hatch" if patch.get_hatch() else "grey" if patch.get_fill() else "frame"
        for patch in rectangles
        if (patch.get_fill(), bool(patch.get_hatch())) == {"hatch": (0, 1), "grey": (1, 0), "frame": (0, 0)}[sign]
    }
    return {(int(y), int(x)) for (y, x), kind in kinds.items() if kind == sign}


def exact_max_t(x: np.ndarray) -> np.ndarray:
    """Adjusted p [m] of differences [n, m], over all 2^n sign patterns of the seeds."""
    n = len(x)

    def t(y: np.ndarray) -> np.ndarray:
        return np.abs(y.mean(0)) / (y.std(0, ddof=1) / math.sqrt(n))

    largest = [t(np.array(signs)[:, None] * x).max() for signs in itertools.product([-1, 1], repeat=n)]
    return (np.array(largest)[:, None] >= t(x) - 1e-9).mean(0)


def test_cross_checkpoint_values() -> None:
    """Numbers are mean errors, the smallest bold; colours mean log2 ratios to the diagonal within the seeds."""
    table, steps = synthetic("cross_checkpoint", "cartpole"), STEPS["cartpole"]
    axes = titled(cross_checkpoint.draw({"cartpole": table}), "Cart Pole")
    error = {row[:3]: row[3] for row in table[["step", "policy_step", "seed", "error"]].itertuples(index=False)}
    for i, step in enumerate(steps):
        means = [expected(table, "error", step=step, policy_step=other)[0] for other in steps]
        for j, (other, mean) in enumerate(zip(steps, means, strict=True)):
            text = numbers(axes)[i, j]
            assert text.get_text() == f"{mean:.{2 if max(means) >= 1 else 3}f}"
            assert (text.get_weight() == "bold") == (mean == min(means))
            logs = [math.log2(error[step, other, s] / error[step, step, s]) for s in range(SEEDS)]
            np.testing.assert_allclose(colours(axes)[i, j], math.fsum(logs) / SEEDS, atol=1e-9)
    assert cells(axes, "frame") == {(i, i) for i in range(len(steps))}


def test_hatched_cells_do_not_differ_from_the_own_policy() -> None:
    """Of ten seeds: by max-t over a row's other cells, with every pattern of signs counted."""
    random = np.random.default_rng(5)
    effects = np.array([[0, 0.9, 0.25, 0.02], [0.7, 0, 0.05, -0.6], [0.0, 0.1, 0, 1.5], [0.02, 0.5, -0.3, 0]])
    errors = np.exp2(effects + 0.2 * random.standard_normal((10, 4, 4)) + random.standard_normal((10, 1, 1)))
    axes = titled(cross_checkpoint.draw({"cartpole": matrix_table(errors)}), "Cart Pole")
    wanted, checked = set(), []
    for i in range(4):
        others = [j for j in range(4) if j != i]
        p = exact_max_t(np.log2(errors[:, i, others] / errors[:, i, [i]]))
        assert np.all(np.abs(p - 0.05) > 0.01)  # none at the edge, for the figure draws its patterns
        wanted |= {(i, j) for j, each in zip(others, p, strict=True) if each > 0.05}
        checked += list(p)
    assert 3 <= len(wanted) <= 9 and cells(axes, "hatch") == wanted


def test_nothing_is_compared_with_one_seed_or_an_error_of_0() -> None:
    """Numbers alone; of a row whose own error is 0, of a cell whose error is 0, and of one seed everywhere."""
    errors = np.random.default_rng(1).uniform(1, 2, (6, 3, 3))
    errors[2, 0, 0] = errors[4, 1, 2] = 0
    figure = cross_checkpoint.draw({"cartpole": matrix_table(errors)})
    axes = titled(figure, "Cart Pole")
    blank = {(0, 0), (0, 1), (0, 2), (1, 2)}
    assert {tuple(cell) for cell in np.argwhere(np.isnan(colours(axes)))} == blank
    assert not cells(axes, "hatch") & blank and not cells(axes, "grey") and len(numbers(axes)) == 9
    figure = cross_checkpoint.draw({"cartpole": matrix_table(errors[:1] + 1)})
    assert len(figure.axes) == 1 and np.isnan(colours(figure.axes[0])).all()  # no bar of colours
    assert set(legend_of(figure)) == {"Model's own policy", "Smallest error of a row"}
    assert len(numbers(figure.axes[0])) == 9


def test_a_missing_cell_and_a_missing_own_policy() -> None:
    """A dash, and no comparison in the row without its own policy; a seed without the cell is left out of its row."""
    errors = np.random.default_rng(2).uniform(1, 2, (6, 3, 3))
    errors[:, 0, 2], errors[3, 1, 0] = np.nan, np.nan
    table = matrix_table(errors)
    figure = cross_checkpoint.draw({"cartpole": table.loc[(table["step"] != 2) | (table["policy_step"] != 2)]})
    axes = titled(figure, "Cart Pole")
    assert_legible(figure)
    assert numbers(axes)[0, 2].get_text() == "–" and numbers(axes)[2, 2].get_text() == "–"
    assert np.isnan(colours(axes)[0, 2]) and np.isfinite(colours(axes)[0, :2]).all()
    assert np.isnan(colours(axes)[2]).all()
    kept = np.delete(errors, 3, axis=0)
    np.testing.assert_allclose(colours(axes)[1], np.log2(kept[:, 1] / kept[:, 1, [1]]).mean(0), atol=1e-9)
    assert "n = 0 to 6 seeds" in axes.get_title()


def test_rows_without_differences_and_agents_that_do_not_play_are_grey() -> None:
    """All numbers of the row alike as written; the agent's title says why its rows are grey."""
    errors = np.random.default_rng(3).uniform(1, 2, (6, 3, 3))
    errors[:, 0] = 0.0
    errors[:, 1] = 1.5 + 1e-5 * errors[:, 1]
    figure = cross_checkpoint.draw({"cartpole": matrix_table(errors)})
    (axes, _) = figure.axes
    assert cells(axes, "grey") == {(i, j) for i in (0, 1) for j in range(3)} and GREY in legend_of(figure)
    assert np.isnan(colours(axes)[:2]).all() and np.isfinite(colours(axes)[2]).all()
    assert all(numbers(axes)[i, j].get_weight() == "normal" for i in (0, 1) for j in range(3))
    both = {"cartpole": synthetic("cross_checkpoint", "cartpole")}
    both["breakout"] = told(synthetic("cross_checkpoint", "breakout"), counts=False)
    figure = cross_checkpoint.draw(both)
    assert_legible(figure)
    assert not cells(titled(figure, "Cart Pole"), "grey")
    axes = titled(figure, "ALE")
    assert axes.get_title().endswith("pipeline check: agents do not play")
    assert np.isnan(colours(axes)).all() and len(cells(axes, "grey")) == 49 and not cells(axes, "hatch")


def luminance(colour: Any) -> float:
    """Relative luminance, by WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_numbers_are_legible_on_every_colour() -> None:
    """A contrast of 4.5 at least, over the whole scale and beyond."""
    ratios = np.linspace(-1.3, 1.3, 16)
    errors = np.ones((4, 16, 16)) * np.exp2(ratios) * np.array([0.98, 0.99, 1.01, 1.02])[:, None, None]
    errors[:, range(16), range(16)] = np.array([1.02, 1, 1, 0.98])[:, None]
    axes = cross_checkpoint.draw({"cartpole": matrix_table(errors)}).axes[0]
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    for (i, j), text in numbers(axes).items():
        light = sorted([luminance(text.get_color()), luminance(mesh.to_rgba(colours(axes)[i, j])[:3])])  # pyright: ignore
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5


# Figure 6


def test_prior_effect_values() -> None:
    """Each quantity of either prior; below it, the difference within the seeds and where it would be 0."""
    table = synthetic("prior_effect", "cartpole")
    stack = prior_effect.draw({"cartpole": table}).axes
    for i, column in enumerate(["error", "path_error", "tv", "kl"]):
        level, below = stack[2 * i : 2 * i + 2]
        for index, prior in enumerate(["policy", "uniform"]):
            assert_curve(level, index, table, column, "simulations", prior=prior)
        of = {prior: rows.reset_index(drop=True) for prior, rows in table.groupby("prior")}
        paired = of["uniform"].assign(**{column: of["uniform"][column] - of["policy"][column]})
        np.testing.assert_array_equal(np.asarray(below.lines[0].get_ydata()), 0)
        below.lines[0].remove()
        assert_curve(below, 0, paired, column, "simulations")


def test_the_difference_needs_both_priors() -> None:
    table = synthetic("prior_effect", "cartpole")
    with pytest.raises(TableError, match=r"^the table has no rows of the uniform prior$"):
        prior_effect.draw({"cartpole": table.loc[table["prior"] == "policy"]})


def test_a_quantity_without_numbers_is_an_empty_panel() -> None:
    table = synthetic("prior_effect", "cartpole").assign(path_error=np.nan)
    assert_legible(prior_effect.draw({"cartpole": table}))


def test_prior_effect_of_more_than_four_columns() -> None:
    """The fifth starts another row of stacks; an agent that does not play is on grey, and says so."""
    tables = {agent: synthetic("prior_effect", agent) for agent in STEPS}
    tables["more"] = told(synthetic("prior_effect", "cartpole"), title="More", counts=False)
    figure = prior_effect.draw(tables)
    assert_legible(figure)
    assert len(figure.axes) == 5 * 8
    on_grey = [axes for axes in figure.axes if same_color(axes.get_facecolor(), style.PALE)]
    assert len(on_grey) == 8 and on_grey[0] is titled(figure, "More")
    assert on_grey[0].get_title().endswith("pipeline check:\nagents do not play")


# Figure 7


def test_planning_values() -> None:
    """Model by colour, prior by dash, as in the paper; without further tables, the baseline of the same episodes."""
    table = synthetic("planning", "cartpole")
    figure = planning.draw({"cartpole": table})
    axes, table = titled(figure, "Step 100K"), table.loc[table["step"] == 100_000]
    settings = itertools.product([("learned", style.ORANGE), ("real", style.GREEN)], ["policy", "uniform"])
    for index, ((model, colour), prior) in enumerate(settings):
        assert_curve(axes, index, table, "return_mean", "simulations", model=model, prior=prior)
        assert same_color(axes.lines[index].get_color(), colour)
        assert axes.lines[index].is_dashed() == (prior == "uniform")
    mean, _ = expected(table, "return_mean", model="no search")
    np.testing.assert_allclose(np.asarray(axes.lines[4].get_ydata()), [mean, mean])
    assert list(legend_of(figure))[-2] == "Prior alone (few episodes)"


def test_the_baseline_is_that_of_returns() -> None:
    """Of the seeds that plan, at the same step, of the prior; where the table has it."""
    table, returns = synthetic("planning", "cartpole"), synthetic("returns", "cartpole", seeds=9)
    returns = returns.loc[returns["step"] != 100_000]
    figure = planning.draw({"cartpole": table}, returns={"cartpole": returns, "minatar": returns})
    same = returns.loc[(returns["step"] == 20_000) & (returns["policy"] == "prior") & (returns["seed"] < SEEDS)]
    axes = titled(figure, "Step 20K")
    mean = math.fsum(same["return_mean"]) / SEEDS
    np.testing.assert_allclose(np.asarray(axes.lines[4].get_ydata()), [mean, mean])
    own, _ = expected(table, "return_mean", step=100_000, model="no search")
    np.testing.assert_allclose(np.asarray(titled(figure, "Step 100K").lines[4].get_ydata()), [own, own])
    assert list(legend_of(figure))[-3:-1] == ["Policy prior alone (no search)", "Prior alone (few episodes)"]


@pytest.mark.parametrize(("actions", "last"), [(2, 4), (3, 4), (4, 8), (None, 0)])
def test_budgets_that_say_nothing_are_marked(actions: int | None, last: int) -> None:
    """Those below 2|A| + 1, up to halfway to the next; and nothing where |A| is not known."""
    table = synthetic("planning", "cartpole")
    table = table.loc[table["simulations"] != 2]
    figure = planning.draw({"cartpole": told(table, actions=actions) if actions else table})
    assert_legible(figure)
    axes = titled(figure, "Step 100K")
    marks = [patch for patch in axes.patches if same_color(patch.get_facecolor(), style.PALE)]
    assert len(marks) == bool(actions) == ("Too few to tell models apart" in legend_of(figure))
    for mark in marks:
        box = mark.get_extents().transformed(axes.transData.inverted())
        np.testing.assert_allclose([box.x0, box.x1], [axes.get_xlim()[0], last * math.sqrt(2)])


def test_panels_that_are_no_results_are_grey() -> None:
    """Of an agent with one number of simulations, or that does not play; the first one says why."""
    tables = {agent: synthetic("planning", agent) for agent in STEPS}
    tables["cartpole"] = told(tables["cartpole"], counts=False)
    one = tables["breakout"]
    tables["breakout"] = one.loc[one["simulations"].isin([0, 4]) & one["step"].isin([1_000, 5_000])]
    figure = planning.draw(tables)
    assert_legible(figure)
    assert all(axes.has_data() for axes in figure.axes)
    grey = [axes.get_title() for axes in figure.axes if same_color(axes.get_facecolor(), style.PALE)]
    assert len(grey) == 4 + 2
    assert grey[0].startswith("Cart Pole, pipeline check:\nagents do not play\nStep 500")
    assert grey[4].startswith("Breakout (ALE), pipeline check:\none number of simulations\nStep 1K")


def test_agents_of_one_checkpoint_stand_side_by_side() -> None:
    """As foreign ones do: one row, as wide as the page."""
    tables = {agent: synthetic("planning", agent) for agent in ("cartpole", "lunar_lander")}
    tables = {agent: table.loc[table["step"] == STEPS[agent][-1]] for agent, table in tables.items()}
    figure = planning.draw(tables)
    assert_legible(figure)
    first, second = (axes.get_position() for axes in figure.axes)
    assert first.y0 == pytest.approx(second.y0, abs=1e-6) and first.x1 < second.x0 and second.x1 > 0.95


@pytest.mark.parametrize("module", [cross_checkpoint, prior_effect, planning])
def test_captions(module: Any) -> None:
    """Three short sentences or so, for an alt text."""
    assert 2 <= len(re.split(r"(?<=[a-z)])\. ", module.CAPTION.removesuffix("."))) <= 3
    assert len(module.CAPTION) < 500 and module.CAPTION.endswith(".")
