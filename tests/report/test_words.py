"""Do numbers read as they should, and do sentences follow from a verdict's row?"""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from report import words


def row(verdict: str, **changes: Any) -> Any:
    """A primary row of 30 seeds: 10, its 95 % interval from 4 to 16."""
    values = {
        "effect": 10.0, "low": 4.0, "high": 16.0, "low90": 5.0, "high90": 15.0, "p": 0.004, "p_holm": 0.012,
        "detectable": 8.0, "margin": 25.0, "n": 30, "unit": "return", "small": "no", "mixed": "no", "reason": "",
    }  # fmt: skip
    return SimpleNamespace(verdict=verdict, **values | changes)


@pytest.mark.parametrize(
    ("mean", "low", "high", "unit", "wanted"),
    [
        (20.6947, 14.3784, 27.0109, "return", "+20.7 [14.4, 27.0]"),
        (0.842917, 0.750015, 0.935818, "return", "+0.843 [0.750, 0.936]"),
        (244.197, 177.724, 310.671, "return", "+244 [178, 311]"),
        (-11.2254, -24.691, 2.24032, "return", "−11 [−25, 2]"),
        (-0.3, -64.0, 63.0, "return", "0 [−64, 63]"),
        (math.log(2), math.log(1.5), math.log(2.6), "log ratio", "×2.00 [1.50, 2.60]"),
        (-math.log(4), -math.log(7), -math.log(2), "log ratio", "×0.25 [0.14, 0.50]"),
        (7.5, math.nan, math.nan, "return", "+7.5"),
        (0.0, 0.0, 0.0, "log ratio", "×1"),
        (math.nan, math.nan, math.nan, "return", "none"),
    ],
)
def test_effects(mean: float, low: float, high: float, unit: str, wanted: str):
    """Half of the interval has two digits; log ratios are factors; no -0, no nan."""
    assert words.effect(mean, low, high, unit) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (8.95419, "8.95"),
        (92.4324, "92.4"),
        (24, "24"),
        (1234.5, "1234"),
        (0.131116, "0.131"),
        (0.0, "0"),
        (9.999, "10"),
    ],
)
def test_three_digits(value: float, wanted: str):
    """Without an exponent, and without zeros that say nothing."""
    assert words.plain(value) == wanted


@pytest.mark.parametrize(
    ("p", "wanted"), [(1e-9, "p < 0.001"), (0.0123, "p = 0.012"), (1.0, "p = 1"), (math.nan, "no p")]
)
def test_p_values(p: float, wanted: str):
    """Small ones are bounded, others have two digits."""
    assert words.p_value(p) == wanted


OTHERWISE = {
    "too few": (row("open", p=0.3, detectable=48.0),
                "30 seeds show an effect of 48 with probability 0.8; what matters begins at 25. Too few seeds"),
    "on the edge": (row("open", detectable=20.0, low90=-3.0, high90=26.0),
                    "The 90 % interval [−3, 26] reaches beyond it"),
    "Holm": (row("open", p=0.03, p_holm=0.09, detectable=48.0), "Alone, this agent would pass (p = 0.03)"),
    "no margin": (row("open", margin=math.nan), "equivalence is not tested for this claim"),
    "few repetitions": (row("open", n=5, reason="5 cannot establish anything"), "Open: 5 cannot establish anything."),
    "equivalent": (row("equivalent"), "the 90 % interval [5.0, 15.0] lies within 25 of no difference"),
    "established": (row("established"), "p = 0.012 by Holm; at 0.05 and more it would not be. 30 seeds show an effect "
                    "of 8 with probability 0.8; this one is larger. Its nearer end is below 25"),
    "beyond": (row("established", margin=3.0), "The whole interval lies beyond 3"),
    "small": (row("established", small="yes"), "real, but smaller than what matters"),
    "against": (row("contradicted", effect=-7.0), "with probability 0.8; this one is smaller"),
    "by Holm": (row("contradicted"), "Contradicted: p = 0.012 by Holm; at 0.05 and more it would not be. 30"),
    "factor": (row("open", unit="log ratio", detectable=math.log(1.34), margin=math.log(1.25)),
               "an effect of a factor of 1.34 with probability 0.8; what matters begins at a factor of 1.25."),
    "mixed": (row("equivalent", mixed="yes"), "Single checkpoints differ from nothing in both directions"),
    "not measured": (row("not measured", reason="there is no table x"), "Not measured: there is no table x."),
    "outside": (row("outside", reason="these agents play badly"), "Not judged: these agents play badly."),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_would_have_changed_the_verdict(name: str):
    """The sentence names the numbers that decide it."""
    given, wanted = OTHERWISE[name]
    assert wanted in words.otherwise(given)
    assert "nan" not in words.otherwise(given)


def test_marks():
    """A verdict is small where it was reached all the same, and mixed whatever it is."""
    assert words.marks(row("established", small="yes", mixed="yes")) == ["small", "mixed"]
    assert words.marks(row("equivalent", small="yes")) == []


def test_the_status_of_contrasts():
    """Exploratory for those whose tables had been seen, confirmatory for others, named where both are there."""
    assert words.status(["A"], []).startswith("All contrasts are exploratory")
    assert words.status([], ["A", "B"]).startswith("All contrasts are confirmatory")
    assert words.status(["A"], ["B", "C"]) == (
        "Contrasts are exploratory for A, whose tables had been seen when they were chosen, and confirmatory for B, C."
    )
