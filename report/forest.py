"""A claim's contrast in one agent as a picture: dots of seeds, the pooled interval, and one per checkpoint."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from figures import style
from report import words

WIDTH, ROW, SEEDS = 2.9, 0.155, 0.42  # inches: of a picture, of a checkpoint, of the pooled row
LEFT, ABOVE, BELOW = 0.5, 0.16, 0.4  # inches of names, of the sides' labels, of the x axis
APART = 0.17  # of the x axis, between ticks
LIGHT, BAND = "#8f8f8f", "#f3ead8"
RATIOS = (
    [4.0**k for k in range(-6, 7)],
    [2.0**k for k in range(-8, 9)],
    [0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4],
    [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.4, 1.6, 1.8, 2],
    [0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2],
)


@style.context()
def draw(
    row: Any, checkpoints: Sequence[Any], values: Sequence[float], pooled: Collection[int], *, sign: int
) -> Figure:
    """Draw one agent's contrast.

    Args:
        row: the primary row of `verdicts.COLUMNS`.
        checkpoints: rows of single checkpoints.
        values: of the primary contrast [seed].
        pooled: checkpoints that the primary contrast is made of; others are light.
        sign: of the claim: +1 where an effect above 0 is for it.
    """
    steps = [at for at in checkpoints if math.isfinite(at.effect)]
    height = SEEDS + ROW * len(steps) + ABOVE + BELOW
    figure = Figure(figsize=(WIDTH, height))
    left = LEFT / WIDTH
    axes = figure.add_axes((left, BELOW / height, 0.97 - left, 1 - (ABOVE + BELOW) / height))
    axes.grid(visible=False)
    if math.isfinite(row.margin):
        axes.axvspan(-row.margin, row.margin, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=style.DARK, linewidth=0.6, zorder=1)
    top = SEEDS / ROW / 2
    x = np.sort([value for value in values if math.isfinite(value)])
    axes.plot(x, -0.5 + top * _spread(x), "o", color=style.BLUE, alpha=0.45, markersize=2.4, markeredgewidth=0)
    _interval(axes, row, -0.35 * top, color=style.BLUE, marker="D", markersize=4, linewidth=1.6)
    names = [(-0.0, "Pooled")]
    for i, at in enumerate(steps):
        dark = at.step in pooled
        y = -top - 0.5 - i
        _interval(axes, at, y, color=style.DARK if dark else LIGHT, marker="o", markersize=3, linewidth=1.0)
        names.append((y, style.step_name(at.step)))
    axes.set_yticks([y for y, _ in names], [name for _, name in names])
    axes.set_ylim(-top - len(steps), top)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    _label(axes, row.unit, sign)
    return figure


def _spread(x: np.ndarray) -> np.ndarray:
    """Heights from 0.35 to 1 of sorted values, so that neighbours do not hide each other."""
    return 0.35 + 0.6 * (np.arange(x.size) * 0.618 % 1)


def _interval(axes: Axes, at: Any, y: float, **look: Any) -> None:
    """A mean, and its interval where there is one."""
    width = look.pop("linewidth")
    if math.isfinite(at.low):
        axes.plot([at.low, at.high], [y, y], color=look["color"], linewidth=width, solid_capstyle="butt")
    axes.plot([at.effect], [y], **look, linestyle="none", markeredgewidth=0)


def _label(axes: Axes, unit: str, sign: int) -> None:
    """The x axis, factors for log ratios, and on which side of 0 the claim lies."""
    low, high = axes.get_xlim()
    if words.is_factor(unit):
        axes.xaxis.set_major_locator(FixedLocator(_ratios(low, high)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{words.TIMES}{math.exp(x):.3g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    against, claimed = ("\N{LEFTWARDS ARROW} against", "as claimed \N{RIGHTWARDS ARROW}")
    left, right = (against, claimed) if sign > 0 else ("\N{LEFTWARDS ARROW} as claimed", "against \N{RIGHTWARDS ARROW}")
    axes.set_xlabel(words.unit_name(unit))
    for text, inside, shift, align in ((left, low < 0, -3, "right"), (right, high > 0, 3, "left")):
        if inside:
            axes.annotate(
                text, (0, 1), (shift, 1), xycoords=("data", "axes fraction"), textcoords="offset points", ha=align,
                va="bottom", fontsize=6.5, color=style.DARK,
            )  # fmt: skip


def _ratios(low: float, high: float) -> list[float]:
    """Logarithms of round factors between two others, from 1 outwards as far as there is room."""
    inside = [[math.log(t) for t in ticks if low <= math.log(t) <= high] for ticks in RATIOS]
    kept: list[float] = []
    enough = next((ticks for ticks in inside if len(ticks) >= 3), max(inside, key=len))
    for x in sorted(enough, key=abs):
        if all(abs(x - other) >= APART * (high - low) for other in kept):
            kept.append(x)
    return sorted(kept)
