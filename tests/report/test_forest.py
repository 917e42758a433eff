"""Does a forest show the numbers of its rows, where they belong?"""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from figures import style
from report import forest, pictures


def at(step: int, effect: float, half: float, **more: Any) -> Any:
    return SimpleNamespace(step=step, effect=effect, low=effect - half, high=effect + half, **more)


SEEDS = [4.0, 12.0, math.nan, 14.0]
PRIMARY = at(-1, 10.0, 3.0, unit="return", margin=5.0)
CHECKPOINTS = [at(0, -2.0, 1.0), at(500, 9.0, 4.0), at(1000, 11.0, 2.0), at(2000, math.nan, math.nan)]


def drawn(primary: Any = PRIMARY, sign: int = 1) -> Axes:
    (axes,) = forest.draw(primary, CHECKPOINTS, SEEDS, {500, 1000}, sign=sign).axes
    return axes


def points(axes: Axes, marker: str) -> list[tuple[float, float, str]]:
    """x, y and colour of every point of a marker, from the left in the order of drawing."""
    return [
        (float(x), float(y), to_hex(line.get_color()))
        for line in axes.get_lines()
        if line.get_marker() == marker
        for x, y in np.asarray(line.get_xydata())
    ]


def test_where_points_lie():
    """Seeds and the pooled effect on top, below it a checkpoint each, dark if it is pooled; what is NaN is left out."""
    axes = drawn()
    dots = points(axes, "o")
    assert [x for x, _, _ in dots] == [4, 12, 14, -2, 9, 11]
    assert [colour for _, _, colour in dots[3:]] == [forest.LIGHT, style.DARK, style.DARK]
    ((x, y, colour),) = points(axes, "D")
    assert (x, colour) == (10, style.BLUE)
    heights = [*(h for _, h, _ in dots[:3]), y, *(h for _, h, _ in dots[3:])]
    assert min(heights[:3]) > heights[3] > heights[4] > heights[5] > heights[6]
    named = {
        float(tick): label.get_text() for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    assert [named[h] for h in heights[4:]] == ["0", "500", "1K"]


def test_intervals_zero_and_margin():
    """Bars run from end to end, the band to the margin on both sides of the line at no difference."""
    axes = drawn()
    bars = [tuple(np.asarray(line.get_xdata())) for line in axes.get_lines() if line.get_marker() == "None"]
    assert bars == [(0, 0), (7, 13), (-3, -1), (5, 13), (9, 13)]
    (band,) = axes.patches
    left, right = band.get_extents().transformed(axes.transData.inverted()).intervalx
    assert (left, right) == pytest.approx((-5, 5))
    assert not drawn(at(-1, 10.0, 3.0, unit="return", margin=math.nan)).patches


def test_a_seed_has_no_interval():
    """One seed is a point without a bar."""
    axes = drawn(SimpleNamespace(step=-1, effect=3.0, low=math.nan, high=math.nan, unit="return", margin=math.nan))
    assert points(axes, "D")[0][0] == 3


@pytest.mark.parametrize(("sign", "wanted"), [(1, ["← against", "as claimed →"]), (-1, ["← as claimed", "against →"])])
def test_sides_are_named(sign: int, wanted: list[str]):
    """The side of the claim is where its sign says."""
    left, right = drawn(sign=sign).texts
    assert [left.get_text(), right.get_text()] == wanted
    assert (left.get_horizontalalignment(), right.get_horizontalalignment()) == ("right", "left")


@pytest.mark.parametrize(
    ("low", "high"), [(-0.05, 0.04), (-0.7, 0.3), (-1.0, 2.5), (1.5, 2.4), (-6.0, 6.0), (0.0, 0.2)]
)
def test_factors_on_the_axis(low: float, high: float):
    """Round factors, seven at most, apart enough for their names, 1 among them where it is in view."""
    ticks = forest._ratios(low, high)
    assert 1 <= len(ticks) <= 7
    assert all(low <= x <= high for x in ticks)
    assert not low <= 0 <= high or 0 in ticks
    assert len(ticks) < 2 or min(np.diff(ticks)) >= forest.APART * (high - low)


def test_the_picture_says_what_it_is():
    """As SVG it is one picture with a text, escaped, and names of its own."""
    made = [
        pictures.inline(forest.draw(p, CHECKPOINTS, SEEDS, {500}, sign=1), 'a "b" <c>')
        for p in (PRIMARY, at(-1, 9.0, 1.0, unit="return", margin=5.0))
    ]
    for svg in made:
        assert svg.startswith('<svg role="img" aria-label="a &quot;b&quot; &lt;c&gt;" ')
        assert ">points of return</text>" in svg and "<metadata>" not in svg
    names = [set(svg.split(' id="')[1:]) for svg in made]
    assert not {name.split('"')[0] for name in names[0]} & {name.split('"')[0] for name in names[1]}
