"""How numbers and verdicts read: units, decimals, factors for log ratios, what would have changed a verdict."""

import math
from typing import Any

from analyses import stats
from analyses.claims import verdicts

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
LOG_RATIO = "log ratio"


def is_factor(unit: str) -> bool:
    """Whether effects are log ratios, which are shown as factors."""
    return unit == LOG_RATIO


def decimals(low: float, high: float) -> int:
    """Decimals that give half of an interval two digits."""
    half = (high - low) / 2
    return max(0, 1 - math.floor(math.log10(half))) if half > 0 else 0


def number(x: float, places: int, *, sign: bool = False) -> str:
    """With a fixed number of decimals and a true minus sign; a rounded -0 is 0."""
    text = f"{x:+.{places}f}" if sign else f"{x:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def plain(x: float) -> str:
    """Three digits or all before the point, without an exponent."""
    if not math.isfinite(x):
        return "none"
    text = number(x, max(0, 2 - math.floor(math.log10(abs(x)))) if x else 0)
    return text.rstrip("0").rstrip(".") if "." in text else text


def effect(mean: float, low: float, high: float, unit: str, *, sign: bool = True) -> str:
    """A mean with its interval: +20.7 [14.4, 27.0], or as a factor, ×1.59 [1.45, 1.73]."""
    if not math.isfinite(mean):
        return "none"
    if is_factor(unit):
        mean, low, high = (math.exp(x) for x in (mean, low, high))
    lead = TIMES if is_factor(unit) else ""
    sign = sign and not lead
    if not low < high:  # one seed has no interval, and seeds that are all alike have none to speak of
        return lead + ("+" if sign and mean > 0 else "") + plain(mean)
    places = decimals(low, high)
    return f"{lead}{number(mean, places, sign=sign)} [{number(low, places)}, {number(high, places)}]"


def size(x: float, unit: str) -> str:
    """A distance from 0 in words: a factor of 1.25, 24."""
    return f"a factor of {plain(math.exp(x))}" if is_factor(unit) else plain(x)


def p_value(p: float) -> str:
    """P = 0.012, p < 0.001."""
    if not math.isfinite(p):
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def unit_name(unit: str) -> str:
    """What the numbers of an effect are."""
    if is_factor(unit):
        return "factor (1: no difference)"
    return {"return": "points of return", "reward": "reward units", "TV": "total variation"}.get(unit, unit)


def count(n: int, *, repeated: bool = False) -> str:
    """30 seeds, 5 repetitions."""
    return f"{n} {'repetition' if repeated else 'seed'}{'s' * (n != 1)}"


def status(seen: list[str], others: list[str]) -> str:
    """Whether contrasts were chosen before agents were measured; titles of those that had been seen, and of others."""
    if not others:
        return "All contrasts are exploratory: they were chosen after these tables had been seen."
    if not seen:
        return "All contrasts are confirmatory: they were chosen before these agents were measured."
    return (
        f"Contrasts are exploratory for {', '.join(seen)}, whose tables had been seen when they were chosen, and "
        f"confirmatory for {', '.join(others)}."
    )


def marks(row: Any) -> list[str]:
    """What qualifies a verdict: see the rule."""
    small = row.small == "yes" and row.verdict in (verdicts.ESTABLISHED, verdicts.CONTRADICTED)
    return [word for word, holds in (("small", small), ("mixed", row.mixed == "yes")) if holds]


def otherwise(row: Any, *, repeated: bool = False) -> str:
    """What would have changed a verdict, in sentences; of a primary row."""
    if row.verdict == verdicts.NOT_MEASURED:
        return f"Not measured: {row.reason}."
    if row.verdict == verdicts.OUTSIDE:
        return f"Not judged: {row.reason}. The numbers are shown all the same."
    seen = f"{count(row.n, repeated=repeated)} show an effect of {size(row.detectable, row.unit)} with probability 0.8"
    said = {
        verdicts.OPEN: _open,
        verdicts.EQUIVALENT: _equivalent,
        verdicts.ESTABLISHED: _decided,
        verdicts.CONTRADICTED: _decided,
    }[row.verdict](row, seen)
    if row.mixed == "yes":
        said += " Single checkpoints differ from nothing in both directions: the pooled number hides that."
    return said


def _within(row: Any) -> str:
    """The 90 % interval, which equivalence goes by."""
    low, high = row.low90, row.high90
    if is_factor(row.unit):
        low, high = math.exp(low), math.exp(high)
    places = decimals(low, high)
    return f"90 % interval [{number(low, places)}, {number(high, places)}]"


def _open(row: Any, seen: str) -> str:
    if 2.0 ** (1 - row.n) >= stats.LEVEL:
        return f"Open: {row.reason}."
    said = f"Open: {seen}"
    if not math.isfinite(row.margin):
        return f"{said}; below that nothing can be said, since equivalence is not tested for this claim."
    margin = size(row.margin, row.unit)
    said += f"; what matters begins at {margin}."
    if row.p < stats.LEVEL:
        said += f" Alone, this agent would pass ({p_value(row.p)}); over all agents of the claim it does not."
    if row.detectable > row.margin:
        return f"{said} Too few seeds to tell an effect that matters from none: more would decide."
    return f"{said} The {_within(row)} reaches beyond it, and 0 is not excluded: the effect lies about where it begins."


def _equivalent(row: Any, seen: str) -> str:
    margin = size(row.margin, row.unit)
    return (
        f"Equivalent: the {_within(row)} lies within {margin} of no difference; had it reached beyond, "
        f"the claim would be open. {seen[0].upper()}{seen[1:]}."
    )


def _decided(row: Any, seen: str) -> str:
    than = "larger" if abs(row.effect) > row.detectable else "smaller"
    said = (
        f"{row.verdict.capitalize()}: {p_value(row.p_holm)} by Holm; at 0.05 and more it would not be. "
        f"{seen[0].upper()}{seen[1:]}; this one is {than}."
    )
    if not math.isfinite(row.margin):
        return said
    margin = size(row.margin, row.unit)
    if row.small == "yes":
        return f"{said} The {_within(row)} lies within {margin} of no difference: real, but smaller than what matters."
    if min(abs(row.low), abs(row.high)) > row.margin:
        return f"{said} The whole interval lies beyond {margin}, where what matters begins."
    return f"{said} Its nearer end is below {margin}, where what matters begins: it need not be large."
