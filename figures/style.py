"""How every figure looks: sizes, colours, fonts, names, the format of steps, the files written."""

import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import _GeneratorContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import pandas as pd
import seaborn
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import same_color, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, NullFormatter, NullLocator
from matplotlib.transforms import Bbox

from muzero_probe import files

# Inches. A figure grows by columns of a paper up to the width of its text.
FULL_WIDTH = 7.0
COLUMN_WIDTH = 3.5
PANEL_HEIGHT = 1.75
SINGLE_ROW_HEIGHT = 2.0
LEGEND_LINE_HEIGHT = 0.17

# A colour, dash and marker mean the same thing in every figure.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, BROWN = seaborn.color_palette("colorblind").as_hex()[:6]
DARK, GREY, PALE = "#404040", "#8c8c8c", "#f0f0f0"
# The paper's colours and dashes of planners; the learned model's thin line stays visible on the true one's.
MODEL_LINE: dict[str, dict[str, Any]] = {
    "learned": {"color": ORANGE, "linewidth": 1.0, "markersize": 2.4, "zorder": 2.2},
    "real": {"color": GREEN, "linewidth": 1.8, "markersize": 3.6},
}
PRIOR_LOOK: dict[str, dict[str, Any]] = {
    "policy": {"linestyle": "-", "marker": "o"},
    "uniform": {"linestyle": (0, (1, 1)), "marker": "s", "markerfacecolor": "white"},
}
MODEL_NAME = {"learned": "Learned model", "real": "True model"}
NO_SEARCH: dict[str, Any] = {"color": DARK, "linestyle": (0, (1, 1))}
SEQUENTIAL = "crest"  # dark is large
BAND_ALPHA = 0.2

# Where the scene is told apart from what is measured: marks of the schedule, notes.
MARK: dict[str, Any] = {"color": GREY, "linewidth": 0.7, "linestyle": (0, (1, 2)), "zorder": 0.5}
NOT_PLAYING = "pipeline check:\nagents do not play"

STEP = "Training step"
SIMULATIONS = "Simulations per step"
RETURN = "Return (undiscounted)"
ERROR = "Value prediction error\n(reward units)"

FONT_SIZE = 7.5
SMALL_FONT_SIZE = 7.0
SVG_FONTS = "'DejaVu Sans', Verdana, sans-serif"  # of like widths, where a reader lacks the first
DIGIT, LETTER = 0.64, 0.55  # widths in DejaVu Sans per font size, a letter's on average

RC: dict[Any, Any] = {
    **{key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"},
    **seaborn.axes_style("ticks"),
    **seaborn.plotting_context("paper"),
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
    "xtick.minor.size": 1.2,
    "ytick.minor.size": 1.2,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 2.8,
    "lines.markeredgewidth": 0.8,
    "pdf.fonttype": 42,  # TrueType: text stays text in the PDF
    "svg.fonttype": "none",  # and in SVG
    "svg.hashsalt": "muzero-probe",  # the same names of parts at any time
    "savefig.dpi": 200,
}


def context() -> _GeneratorContextManager[None]:
    """These settings in place of the user's; decorates every `draw`."""
    return matplotlib.rc_context(RC)


def title(table: pd.DataFrame, agent: str) -> str:
    """An agent's name in words, as its table has it."""
    return table.attrs.get("provenance", {}).get("title", agent)


def step_name(step: float) -> str:
    """A training step as 0, 500, 1K, 2.5K, 1M, and 171,959 where that is too coarse."""
    for unit, letter in ((1_000_000, "M"), (1_000, "K")):
        if step >= unit and step * 10 % unit == 0:
            return f"{step / unit:g}{letter}"
    return f"{step:,g}" if step < 1_000_000 else f"{step:,.0f}"


def seeds_name(n: pd.Series, table: pd.DataFrame) -> str:
    """How many seeds, or repetitions of a measurement, stand behind every point; a range where points differ."""
    low, high = int(n.min()), int(n.max())
    count = f"{low}" if low == high else f"{low} to {high}"
    return f"n = {count} {_unit(table)}{'s' * (high != 1)}"


def _unit(table: pd.DataFrame) -> str:
    repeated = table.attrs.get("provenance", {}).get("repeats") == "repetition"
    return "repetition" if repeated else "seed"


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


def shades(number: int) -> list[str]:
    """So many colours of the sequential map, bright ones first."""
    return [to_hex(colour) for colour in matplotlib.colormaps[SEQUENTIAL](np.linspace(0.1, 1, number))]


def counts(table: pd.DataFrame) -> bool:
    """Whether an agent is one of the study's: whoever does not play only shows that the measurement runs."""
    return bool(table.attrs.get("provenance", {}).get("counts", True))


def by_weight(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """The agents, those that do not count first: drawn in this order, the legend has the look of those that do."""
    return sorted(tables, key=lambda agent: counts(tables[agent]))


def line(axes: Axes, statistics: pd.DataFrame, x: str, **look: Any) -> Artist:
    """Draw the mean over seeds against column `x`, its interval from `low` to `high` as a band, of one point as a bar.

    Where the interval is NaN, as that of one seed is, there is no band.
    """
    where, mean, low, high = (statistics[c].to_numpy(dtype=float) for c in (x, "mean", "low", "high"))
    (artist,) = axes.plot(where, mean, **{"marker": "o", **look})
    look = {"color": artist.get_color(), "alpha": BAND_ALPHA, "zorder": artist.get_zorder() - 1}
    if len(where) == 1:
        axes.vlines(where, low, high, linewidth=4, **look)
    else:
        axes.fill_between(where, low, high, linewidth=0, **look)
    return artist


def level(axes: Axes, mean: float, low: float, high: float, **look: Any) -> Artist:
    """Draw a mean over seeds that depends on nothing: a horizontal line with its interval as a band."""
    if low < high:
        axes.axhspan(low, high, color=look["color"], alpha=BAND_ALPHA, linewidth=0)
    return axes.axhline(mean, **look)


def interval(tables: Mapping[str, pd.DataFrame]) -> dict[str, Artist]:
    """The legend's entry of the bands; none where every table has one seed, and so no band."""
    repeated = [table for table in tables.values() if len(set(table["seed"])) > 1]
    if not repeated:
        return {}
    units = [unit for unit in ("seed", "repetition") if any(_unit(table) == unit for table in repeated)]
    return {f"95 % t interval over {' or '.join(f'{unit}s' for unit in units)}": Patch(color=DARK, alpha=BAND_ALPHA)}


def blank(axes: Axes, *, above: Axes, note: str) -> None:
    """Leave out a panel, and say why: the x axis of the panel above has its room."""
    axes.set_axis_off()
    axes.text(0.5, 0.4, note, transform=axes.transAxes, ha="center", fontsize=SMALL_FONT_SIZE, color=DARK)
    above.xaxis.set_in_layout(False)


def mute(axes: Axes, *, note: bool = True) -> None:
    """Turn what is drawn of an agent that does not count into tones of grey, and say why."""
    for artist in axes.lines:
        hollow, grey = same_color(artist.get_markerfacecolor(), "white"), _grey(artist.get_color())
        artist.set_color(grey)
        artist.set_markeredgecolor(grey)
        artist.set_markerfacecolor("white" if hollow else grey)
    for artist in (*axes.collections, *axes.patches):
        artist.set_color(GREY)
    if note:
        scale = axes.yaxis.get_transform()
        low, high = scale.transform(np.array(axes.get_ylim()))
        axes.set_ylim(top=float(scale.inverted().transform(np.array([high + 0.3 * (high - low)]))[0]))
        box: dict[str, Any] = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1}
        place: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top"}
        axes.text(0.5, 0.98, NOT_PLAYING, fontsize=SMALL_FONT_SIZE, color=DARK, bbox=box, zorder=5, **place)


def _grey(colour: Any) -> str:
    """A grey, as light as the colour is beside others; between those that are too dark and too pale for a note."""
    return str(0.45 + 0.35 * float(np.dot(to_rgb(colour), [0.299, 0.587, 0.114])))


def temperatures(axes: Axes, table: pd.DataFrame, *, named: bool = True) -> None:
    """Mark on an axis of training steps from where on the visit counts have another temperature.

    The provenance has the schedule, [[first step, T], ...]; without one, or with one T, there is nothing to mark.
    """
    schedule = table.attrs.get("provenance", {}).get("temperatures") or []
    last = table["step"].max()
    falls = [(step, T) for (_, before), (step, T) in pairwise(schedule) if before != T and step < last]
    for step, _ in falls:
        axes.axvline(step, **MARK)
    names = [(-1, falls[0][0], schedule[0][1])] if falls and named else []
    for side, step, T in [*names, *((1, *fall) for fall in falls if named)]:
        text: dict[str, Any] = {"rotation": 90, "ha": "left" if side > 0 else "right", "va": "bottom", "color": DARK}
        place: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
        axes.annotate(f"T = {T:g}", (step, 0.02), (side, 0), fontsize=SMALL_FONT_SIZE, **place, **text)


def legend(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """One legend below all panels, which keep their height, in as many columns as fit."""
    if not entries:
        return
    widths = [(len(label) * LETTER * FONT_SIZE + 36) / 72 for label in entries]
    columns = len(widths)
    while columns > 1 and sum(max(each) for each in np.array_split(widths, columns)) > figure.get_figwidth():
        columns -= 1
    rows = math.ceil(len(entries) / columns)
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
    """Training steps by their square roots: early steps, at which agents learn, and the late half both have room."""
    every = sorted({int(step) for step in steps})
    if len(every) > 1:
        axes.set_xscale("function", functions=(lambda x: np.sign(x) * np.abs(x) ** 0.5, lambda x: x * np.abs(x)))
        first, last = every[0] ** 0.5, every[-1] ** 0.5
        low, high = first - 0.05 * (last - first), last + 0.05 * (last - first)
        axes.set_xlim(low * abs(low), high**2)
    tens = [step for step in every if step > 0 and 10 ** round(math.log10(step)) == step]
    values = [every[0], every[-1], *reversed(tens), *reversed(every)]
    ticks(axes, [[value] for value in values], step_name)


def log2_axis(axes: Axes, values: Iterable[int]) -> None:
    """Counts on a logarithmic axis to base 2, each of them labelled or each 2nd, 4th, 8th."""
    counts = sorted({int(value) for value in values})
    axes.set_xscale("log", base=2)
    ticks(axes, [counts[:: 2**k] for k in (3, 2, 1, 0)], lambda value: f"{value:g}")


def ratio_axis(axes: Axes) -> None:
    """A logarithmic y axis, with more than the powers of ten in numbers where it spans little."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    finest = {100: (1,), 8: (1, 2, 5), 2.5: (1, 1.5, 2, 3, 5, 7), 0: (*np.arange(1, 2, 0.1), *np.arange(2, 10, 0.5))}
    subs = next(subs for span, subs in finest.items() if high >= span * low)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _settle(figure: Figure) -> None:
    """Lay the figure out for good: laid out again for each file, it would move a little from one to the next."""
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        for _ in range(2):  # ticks are chosen by the room that they are given
            engine.execute(figure)
        figure.set_layout_engine("none")
        for axes in figure.axes:  # the layout leaves the last bits open, and names in an SVG depend on them
            axes.set_position(Bbox(axes.get_position().get_points().round(6)))


STAMPS: dict[str, dict[str, Any]] = {  # by suffix, what would say when and by what it was written
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def paths(stem: Path) -> list[Path]:
    """The files of one figure."""
    return [stem.with_name(f"{stem.name}.{suffix}") for suffix in STAMPS]


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write stem.png and stem.pdf: the same figure gives the same bytes at any time."""
    with context():
        _settle(figure)
        for path, (suffix, metadata) in zip(paths(stem), STAMPS.items(), strict=True):
            picture = io.BytesIO()
            figure.savefig(picture, format=suffix, metadata=metadata)
            files.replace(path, [picture.getvalue()])
    return paths(stem)


def svg(figure: Figure) -> str:
    """The figure as an SVG element to stand in a page: the same figure gives the same text.

    It is as wide as its place. Text stays text. Names of parts begin with a digest of the picture: figures of one page
    do not take each other's.
    """
    picture = io.StringIO()
    with context():
        _settle(figure)
        figure.savefig(picture, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = picture.getvalue()
    text = text[text.index("<svg") :]
    # a style sheet would be one of the whole page
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    sized = r'width="100%" style="stroke-linejoin: round; stroke-linecap: butt"'
    text = re.sub(r'width="\S+pt" height="\S+pt"', sized, text, count=1)
    text = text.replace("'DejaVu Sans'", SVG_FONTS)
    name = hashlib.sha256(text.encode()).hexdigest()[:8]
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>f{name}-", text)
