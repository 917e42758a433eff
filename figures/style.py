"""How every figure looks: sizes, colours, fonts, names, the format of steps, the files written."""

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import _GeneratorContextManager
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, NullLocator

from analyses import tables

# Inches. A figure grows by columns of a paper up to the width of its text.
FULL_WIDTH = 7.0
COLUMN_WIDTH = 3.5
PANEL_HEIGHT = 1.75
SINGLE_ROW_HEIGHT = 2.0
LEGEND_LINE_HEIGHT = 0.17

# A colour, dash and marker mean the same thing in every figure. Hues: seaborn's "colorblind".
BLUE, ORANGE, GREEN, VERMILION, DARK = "#0173b2", "#de8f05", "#029e73", "#d55e00", "#404040"
MODEL_NAME = {"learned": "Learned model", "real": "True model"}
NO_SEARCH: dict[str, Any] = {"color": DARK, "linestyle": (0, (1, 1))}
SEQUENTIAL = "viridis_r"  # dark is large
BAND_ALPHA = 0.2

STEP = "Training step"
SIMULATIONS = "Simulations per step"
RETURN = "Return (undiscounted)"
ERROR = "Value prediction error\n(reward units)"

FONT_SIZE = 7.5
SMALL_FONT_SIZE = 7.0
DIGIT, LETTER = 0.64, 0.55  # widths in DejaVu Sans per font size, a letter's on average

RC: dict[Any, Any] = {
    **{key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"},
    "font.family": "DejaVu Sans",  # ships with Matplotlib: the same bytes on every machine
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "xtick.labelsize": SMALL_FONT_SIZE,
    "ytick.labelsize": SMALL_FONT_SIZE,
    "legend.fontsize": FONT_SIZE,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 2.8,
    "lines.markeredgewidth": 0.8,
    "pdf.fonttype": 42,  # TrueType: text stays text in the PDF
    "savefig.dpi": 200,
}


def context() -> _GeneratorContextManager[None]:
    """These settings in place of the user's; decorates every `draw`."""
    return matplotlib.rc_context(RC)


def title(table: pd.DataFrame, agent: str) -> str:
    """An agent's name in words, as its table has it."""
    return table.attrs.get("provenance", {}).get("title", agent)


def step_name(step: float) -> str:
    """A training step as 0, 500, 1K, 2.5K, 1M."""
    for unit, letter in ((1_000_000, "M"), (1_000, "K")):
        if step >= unit:
            return f"{step / unit:g}{letter}"
    return f"{step:g}"


def seeds_name(n: pd.Series, table: pd.DataFrame) -> str:
    """How many seeds, or repetitions of a measurement, stand behind every point; a range where points differ."""
    low, high = int(n.min()), int(n.max())
    count = f"{low}" if low == high else f"{low} to {high}"
    repeated = table.attrs.get("provenance", {}).get("repeats") == "repetition"
    return f"n = {count} {'repetition' if repeated else 'seed'}{'s' * (high != 1)}"


def spread(steps: Iterable[int], most: int) -> list[int]:
    """At most this many of the steps, the first and the last among them, evenly by rank."""
    distinct = sorted({int(step) for step in steps})
    if len(distinct) <= most:
        return distinct
    return [distinct[i] for i in np.linspace(0, len(distinct) - 1, most).round().astype(int)]


def panels(
    rows: int,
    columns: int,
    *,
    width: float | None = None,
    height: float | None = None,
    sharey: Literal["none", "row", "col"] = "none",
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes [rows, columns], at the width of a paper's column or text.

    Args:
        rows: panels from top to bottom.
        columns: panels from left to right.
        width: inches of the figure, where it is not to follow from the columns.
        height: inches of a panel with its labels, where it is not the usual one.
        sharey: which panels share a y axis.
    """
    if width is None:
        width = min(FULL_WIDTH, COLUMN_WIDTH * columns)
    if height is None:
        height = PANEL_HEIGHT if rows > 1 else SINGLE_ROW_HEIGHT
    figure = Figure(figsize=(width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, sharey=sharey)


def line(axes: Axes, statistics: pd.DataFrame, x: str, **look: Any) -> Artist:
    """Draw the mean over seeds against column `x`, one standard error around it as a band, of one point as a bar."""
    where, mean, se = (statistics[c].to_numpy(dtype=float) for c in (x, "mean", "se"))
    (artist,) = axes.plot(where, mean, **{"marker": "o", **look})
    colour = artist.get_color()
    if len(where) == 1:
        axes.errorbar(where, mean, se, color=colour, alpha=BAND_ALPHA, linewidth=4, zorder=artist.get_zorder() - 1)
    else:
        axes.fill_between(where, mean - se, mean + se, color=colour, alpha=BAND_ALPHA, linewidth=0)
    return artist


def level(axes: Axes, mean: float, se: float, **look: Any) -> Artist:
    """Draw a mean over seeds that depends on nothing: a horizontal line with its band."""
    if np.isfinite(se):
        axes.axhspan(mean - se, mean + se, color=look["color"], alpha=BAND_ALPHA, linewidth=0)
    return axes.axhline(mean, **look)


def legend(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """One legend below all panels, which keep their height, in as many columns as fit."""
    longest = max(len(label) for label in entries)
    entry = (longest * LETTER * FONT_SIZE + 36) / 72
    rows = math.ceil(len(entries) / max(1, int(figure.get_figwidth() / entry)))
    columns = math.ceil(len(entries) / rows)
    figure.set_figheight(figure.get_figheight() + (rows + 0.5) * LEGEND_LINE_HEIGHT)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)


class SpacedTicks(Locator):
    """Ticks at given values, leaving out those whose labels would touch a more important one's."""

    def __init__(self, groups: Sequence[Sequence[float]], name: Callable[[float], str]) -> None:
        """Take the values, most important group first, and the function that labels them.

        The values of a group are labelled together or not at all.
        """
        self._groups = groups
        self._name = name

    def __call__(self) -> list[float]:
        """The values in view that find room at the axis' present length."""
        low, high = sorted(self.axis.get_view_interval())  # pyright: ignore
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """The same for given limits."""
        kept: list[float] = []
        for group in self._groups:
            wider = {*kept, *(float(value) for value in group if vmin <= value <= vmax)}
            if len(wider) <= 1 or self._fit(sorted(wider)):
                kept = sorted(wider)
        return kept

    def _fit(self, values: list[float]) -> bool:
        axes: Axes = self.axis.axes  # pyright: ignore
        pixels = axes.get_xaxis_transform().transform([(value, 0) for value in values])[:, 0]
        points = pixels * 72 / axes.figure.dpi
        # A label and the blanks on its sides, half a digit each.
        widths = [DIGIT * SMALL_FONT_SIZE * (len(self._name(value)) + 1) for value in values]
        needed = np.convolve(widths, [0.5, 0.5], mode="valid")
        return bool(np.all(np.diff(points) >= needed))


def ticks(axes: Axes, groups: Sequence[Sequence[float]], name: Callable[[float], str]) -> None:
    """Label these values of the x axis, most important group first, as far as there is room."""
    axes.xaxis.set_major_locator(SpacedTicks(groups, name))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: name(value)))
    axes.xaxis.set_minor_locator(NullLocator())


def step_axis(axes: Axes, steps: Iterable[int]) -> None:
    """Training steps: logarithmic from the first positive one on, and linear from 0 to there."""
    every = sorted({int(step) for step in steps})
    positive = [step for step in every if step > 0]
    tens: list[float] = []
    if positive:
        axes.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
        low, high = np.log10([positive[0], positive[-1]])
        tens = [10.0**k for k in range(math.ceil(low), math.floor(high) + 1)]
    values = [every[0], every[-1], *tens, *positive[:1]]
    within_two_decades = positive and positive[-1] < 100 * positive[0]
    rest = [positive] if within_two_decades else []
    ticks(axes, [*([value] for value in values), *rest], step_name)


def log2_axis(axes: Axes, values: Iterable[int]) -> None:
    """Counts on a logarithmic axis to base 2, each of them labelled or each 2nd, 4th, 8th."""
    counts = sorted({int(value) for value in values})
    axes.set_xscale("log", base=2)
    ticks(axes, [counts[:: 2**k] for k in (3, 2, 1, 0)], lambda value: f"{value:g}")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write stem.png and stem.pdf: the same figure gives the same bytes at any time."""
    unstamped = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    written = []
    with context():
        for suffix, metadata in unstamped.items():
            path = stem.with_name(f"{stem.name}.{suffix}")
            picture = io.BytesIO()
            figure.savefig(picture, format=suffix, metadata=metadata)
            tables.replace(path, picture.getvalue())
            written.append(path)
    return written


# What does not count is shown on grey, with a note.
PALE = "#ebebeb"
NOT_PLAYING = "pipeline check:\nagents do not play"

# The paper's colours and dashes of planners. Purple is another hue of "colorblind", free in all figures.
PURPLE = "#cc78bc"
MODEL_LINE: dict[str, dict[str, Any]] = {  # the learned model's thin line stays visible on the true one's
    "learned": {"color": ORANGE, "linewidth": 1.0, "markersize": 2.4, "zorder": 2.2},
    "real": {"color": GREEN, "linewidth": 1.8, "markersize": 3.6},
}
PRIOR_LOOK: dict[str, dict[str, Any]] = {
    "policy": {"linestyle": "-", "marker": "o"},
    "uniform": {"linestyle": (0, (1, 1)), "marker": "s", "markerfacecolor": "white"},
}


def counts(table: pd.DataFrame) -> bool:
    """Whether an agent plays well enough for its results to mean something; its table says so if not."""
    return bool(table.attrs.get("provenance", {}).get("counts", True))
