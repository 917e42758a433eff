"""Aggregation over seeds against the formula, worked out by hand and in plain Python."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import gamma

from analyses import stats

pytestmark = pytest.mark.filterwarnings("error")


def test_worked_example() -> None:
    """1, 2, 6 have the mean 3, the sample variance 7 and the standard error sqrt(7 / 3)."""
    table = pd.DataFrame({"seed": [0, 1, 2], "step": 500, "error": [1.0, 2.0, 6.0]})
    row = stats.across_seeds(table, "error", by=["step"]).iloc[0]
    assert row["mean"] == 3.0
    assert row["se"] == pytest.approx(math.sqrt(7 / 3), rel=1e-15)
    assert row["n"] == 3


def test_every_setting_equals_the_formula() -> None:
    """Settings are aggregated apart, sorted, whatever the order of the rows."""
    random = np.random.default_rng(0)
    rows = [
        {"seed": seed, "prior": prior, "simulations": simulations, "tv": random.normal()}
        for seed in range(7)
        for prior in ("uniform", "policy")
        for simulations in (16, 2, 4)
    ]
    random.shuffle(rows)
    result = stats.across_seeds(pd.DataFrame(rows), "tv", by=["prior", "simulations"])
    assert list(result.columns) == ["prior", "simulations", "mean", "se", "low", "high", "iqm", "n"]
    settings = list(zip(result["prior"], result["simulations"], strict=True))
    assert settings == [(p, s) for p in ("policy", "uniform") for s in (2, 4, 16)]
    for (prior, simulations), mean, se in zip(settings, result["mean"], result["se"], strict=True):
        x = [r["tv"] for r in rows if r["prior"] == prior and r["simulations"] == simulations]
        expected = sum(x) / 7
        variance = sum((value - expected) ** 2 for value in x) / 6
        assert mean == pytest.approx(expected, rel=1e-12)
        assert se == pytest.approx(math.sqrt(variance) / math.sqrt(7), rel=1e-12)


def test_one_seed_has_no_standard_error() -> None:
    """A single seed gives its own value, n = 1, and NaN for the standard error."""
    table = pd.DataFrame({"seed": [3], "step": [0], "error": [0.25]})
    row = stats.across_seeds(table, "error", by=["step"]).iloc[0]
    assert (row["mean"], row["n"]) == (0.25, 1)
    assert math.isnan(row["se"])


def test_missing_measurements_leave_n() -> None:
    """NaN counts in neither mean nor n; a setting without any measurement stays, with n = 0."""
    table = pd.DataFrame({"seed": [0, 1, 2, 0], "step": [0, 0, 0, 500], "foreseen": [1.0, np.nan, 0.5, np.nan]})
    result = stats.across_seeds(table, "foreseen", by=["step"])
    assert list(result["n"]) == [2, 0]
    np.testing.assert_allclose(result["mean"].to_numpy(), [0.75, np.nan])
    np.testing.assert_allclose(result["se"].to_numpy(), [0.25, np.nan])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": [0, 0]}, "more than one row for the same seed, step"),
        ({"error": ["low", "high"]}, "not numbers in the column error"),
        ({"error": [1.0, np.inf]}, "infinite values in the column error"),
        ({"step": [0, np.nan]}, "empty cells in the column step"),
    ],
)
def test_unsound_tables_are_refused(change: dict[str, list], message: str) -> None:
    """What would give a wrong n or mean is refused, in one line that names the table."""
    table = pd.DataFrame({"seed": [0, 1], "step": [0, 0], "error": [1.0, 2.0]} | change)
    table.attrs["source"] = "own_policy.csv"
    with pytest.raises(stats.TableError, match=message) as caught:
        stats.across_seeds(table, "error", by=["step"])
    assert str(caught.value).startswith("own_policy.csv has ")
    assert "\n" not in str(caught.value)


def test_missing_columns_and_rows_are_refused() -> None:
    """Every missing column is named; a header alone is no table."""
    table = pd.DataFrame({"seed": [0], "step": [0]})
    with pytest.raises(stats.TableError, match="lacks the columns horizon, error"):
        stats.across_seeds(table, "error", by=["step", "horizon"])
    with pytest.raises(stats.TableError, match="has no rows"):
        stats.across_seeds(table.iloc[:0].assign(error=[]), "error", by=["step"])


def student(x: float, degrees: int) -> float:
    """Student's distribution up to x, its density integrated."""
    scale = gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * gamma(degrees / 2))
    return 0.5 + quad(lambda u: scale * (1 + u * u / degrees) ** (-(degrees + 1) / 2), 0, x)[0]


def test_the_intervals_are_students() -> None:
    """At the ends of the 95 % and 90 % intervals, t leaves 2.5 % and 5 %; a band of a figure is the same interval."""
    x = [0.3, -1.2, 2.5, 0.9, 1.4]
    found = stats.contrast(x)
    mean = sum(x) / 5
    se = math.sqrt(sum((value - mean) ** 2 for value in x) / 4 / 5)
    assert found.effect == pytest.approx(mean) and found.n == 5
    for low, high, below in ((found.low, found.high, 0.975), (found.low90, found.high90, 0.95)):
        assert high - mean == pytest.approx(mean - low)
        assert student((high - mean) / se, 4) == pytest.approx(below, abs=1e-9)
    table = pd.DataFrame({"seed": range(5), "step": 0, "x": x})
    row = stats.across_seeds(table, "x", by=["step"]).iloc[0]
    assert (row["low"], row["high"]) == (pytest.approx(found.low), pytest.approx(found.high))
    quantiles = [bound / se for bound in (found.detectable, found.high - mean)]
    assert student(quantiles[0] - quantiles[1], 4) == pytest.approx(stats.POWER, abs=1e-9)


@pytest.mark.parametrize("x", [[3.0], [1.0, 2.0], [1.0, -2.0, 2.0, 0.5], [0.1] * 7, [0.0, 0.0], [0.0, 1.0, -1.0, 4.0]])
def test_sign_flips_are_counted(x: list[float]) -> None:
    """p is the share of all patterns of signs whose sum is at least as far from 0."""
    patterns = itertools.product((1, -1), repeat=len(x))
    sums = [abs(sum(s * v for s, v in zip(signs, x, strict=True))) for signs in patterns]
    expected = sum(total >= abs(sum(x)) - 1e-9 for total in sums) / len(sums)
    assert stats.sign_flip(np.array(x)) == pytest.approx(expected, rel=1e-12)


def test_sign_flips_of_many_seeds() -> None:
    """Thirty equal values reach their sum with 2 of 2^30 patterns; beyond what is counted, patterns are drawn."""
    assert stats.sign_flip(np.ones(30)) == 2.0**-29
    x = np.random.default_rng(0).normal(0.3, 1, 44)
    t = x.mean() / x.std(ddof=1) * math.sqrt(44)
    assert stats.sign_flip(x) == pytest.approx(2 * (1 - student(t, 43)), abs=0.01)


def test_few_seeds_cannot_establish_anything() -> None:
    """Four seeds that agree perfectly have p = 1/8; one seed has no interval and p = 1; none has nothing."""
    assert stats.contrast([5.0, 5.1, 4.9, 5.2]).p == 0.125
    one = stats.contrast([5.0])
    assert (one.effect, one.n, one.p) == (5.0, 1, 1.0) and math.isnan(one.low)
    nothing = stats.contrast([np.nan])
    assert nothing.n == 0 and math.isnan(nothing.effect) and math.isnan(nothing.p)
    with pytest.raises(ValueError, match="infinite"):
        stats.contrast([1.0, np.inf])


def test_seeds_that_do_not_differ() -> None:
    """The interval is a point, and no bootstrap is drawn."""
    found = stats.contrast([0.0] * 12)
    assert (found.effect, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0) and math.isnan(found.bca_low)


def test_bootstrap_from_ten_seeds_on() -> None:
    """BCa leans to the longer tail, where t is symmetric; below ten seeds there is none."""
    x = np.random.default_rng(3).exponential(1.0, 30)
    found = stats.contrast(x)
    assert found.bca_low > found.low and found.bca_high > found.high
    assert math.isnan(stats.contrast(x[:9]).bca_low)


def test_holms_worked_example() -> None:
    """0.01, 0.02, 0.022, 0.2 times 4, 3, 2, 1, and never smaller than the one before."""
    np.testing.assert_allclose(stats.holm([0.2, 0.02, 0.01, 0.022]), [0.2, 0.06, 0.04, 0.06])
    np.testing.assert_allclose(stats.holm([0.9, 0.8]), [1.0, 1.0])


def test_max_t_keeps_the_level_of_the_whole_row() -> None:
    """Of eight columns of chance, one is found in 5 % of the rows; a strong one is found; one column is a t test."""
    random = np.random.default_rng(0)
    rows = [stats.max_t(random.normal(size=(20, 8))).min() <= 0.05 for _ in range(120)]
    assert sum(rows) <= 14  # above with probability 0.001 at 5 %
    found = stats.max_t(random.normal([0, 2, 0], 1, (20, 3)))
    assert found[1] < 0.01 < min(found[0], found[2])
    x = random.normal(0.4, 1, 20)
    expected = 2 * (1 - student(abs(x.mean()) / x.std(ddof=1) * math.sqrt(20), 19))
    assert stats.max_t(x[:, None])[0] == pytest.approx(expected, abs=0.02)
    assert np.isnan(stats.max_t(np.array([[1.0, np.nan], [1.0, 2.0]]))).all()


def test_the_interquartile_mean() -> None:
    """A quarter of the seeds is cut at either end."""
    table = pd.DataFrame({"seed": range(8), "step": 0, "x": [100.0, 1, 2, 3, 4, 5, 6, -50]})
    assert stats.across_seeds(table, "x", by=["step"]).iloc[0]["iqm"] == 3.5


def test_geometric_means_of_ratios() -> None:
    """Of 1, 2 and 4 it is 2, times or through exp(t sd / sqrt(3)) with the logarithms' sd ln 2; NaN is left out."""
    ratios = pd.DataFrame({1: [1.0, 2.0, 4.0, np.nan], 2: [3.0, np.nan, np.nan, np.nan]}).rename_axis(columns="rank")
    first, second = stats.geometric(ratios)[["rank", "mean", "low", "high", "n"]].to_numpy().tolist()
    factor = math.exp(4.302652729911275 * math.log(2) / math.sqrt(3))
    assert first == pytest.approx([1, 2, 2 / factor, 2 * factor, 3])
    assert second == pytest.approx([2, 3, math.nan, math.nan, 1], nan_ok=True)


def test_shares_are_weighted_by_what_they_are_shares_of() -> None:
    """3 of 4 terminations in one seed and 1 of 4 in another of a third the weight: 2.5 / 4 of all.

    A seed whose terminations have probability 1e-12 tells nothing, and neither does one without any.
    """
    shares: Any = pd.Series({0: 0.75, 1: 0.25, 2: 1.0, 3: np.nan})
    weights = pd.Series({0: 0.3, 1: 0.1, 2: 1e-12, 3: 0.0})
    found = stats.weighted(shares, weights)
    assert found.index.tolist() == [0, 1, 2]
    assert found.mean() == pytest.approx(0.625)
    assert found[2] == pytest.approx(0.625)
    alike = stats.weighted(shares[:2], pd.Series({0: 0.2, 1: 0.2}))
    assert alike.tolist() == pytest.approx([0.75, 0.25])  # equal weights: the shares themselves


def test_the_error_of_a_weighted_share_is_the_ratio_s() -> None:
    """Against the spread of the ratio over 4,000 populations of 50 seeds."""
    random = np.random.default_rng(0)
    weights = random.gamma(2.0, size=(4000, 50))
    shares = random.beta(2 + weights, 3)
    ratios = (weights * shares).sum(1) / weights.sum(1)
    errors = [stats.weighted(pd.Series(s), pd.Series(w)).sem() for s, w in zip(shares, weights, strict=True)]
    assert np.mean(errors) == pytest.approx(ratios.std(), rel=0.05)
