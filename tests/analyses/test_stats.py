"""Aggregation over seeds against the formula, worked out by hand and in plain Python."""

import math

import numpy as np
import pandas as pd
import pytest

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
    assert list(result.columns) == ["prior", "simulations", "mean", "se", "n"]
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
