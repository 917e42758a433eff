"""From numbers per seed to what they say about an agent. The seed is the unit (docs/protocol.md, Statistics).

A table holds one number per seed and setting, already averaged over states. Whatever is compared is first formed within
a seed: x_s of seed s, a difference or a log ratio. Over n seeds, with t the quantile of Student's distribution with
n - 1 degrees of freedom,

    mean = 1/n sum_s x_s,  se = sqrt( sum_s (x_s - mean)^2 / (n - 1) ) / sqrt(n),  95 % interval: mean +- t(0.975) se

What does not exist for n = 1, or for seeds that do not differ, is NaN.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from analyses.tables import TableError, require

LEVEL = 0.05  # two-sided, of every test
POWER = 0.8  # of the smallest effect that could have been seen
BOOTSTRAP_FROM = 10  # seeds from which on BCa intervals are formed
RESAMPLES = 9999
EXACT_UP_TO = 40  # seeds whose 2^n sign patterns are counted; 2^20 sums of either half are held


class Contrast(NamedTuple):
    """One effect over seeds, in the unit of its values."""

    effect: float  # mean over seeds
    low: float  # 95 % interval, by t
    high: float
    low90: float  # 90 % interval, by t: the two one-sided tests at 5 %
    high90: float
    bca_low: float  # 95 % interval, BCa bootstrap; NaN below `BOOTSTRAP_FROM` seeds
    bca_high: float
    p: float  # exact sign-flip test, two-sided
    detectable: float  # smallest effect that n such seeds show with probability `POWER`
    n: int


def by_seed(table: pd.DataFrame, value: str, by: Sequence[str]) -> Any:
    """Values [seed, setting] of one column, a data frame; settings are the combinations of `by`, sorted.

    Raises:
        TableError: columns or rows are missing, a value is infinite or no number, a setting is NaN, or a seed has two
            rows for one setting.
    """
    keys = list(by)
    require(table, ["seed", *keys, value])
    source = table.attrs.get("source", "the table")
    values = table[value]
    if not pd.api.types.is_numeric_dtype(values):
        raise TableError(f"{source} has values that are not numbers in the column {value}")
    if np.isinf(values.to_numpy(dtype=float, na_value=np.nan)).any():
        raise TableError(f"{source} has infinite values in the column {value}")
    for column in ["seed", *keys]:
        if table[column].isna().to_numpy().any():
            raise TableError(f"{source} has empty cells in the column {column}")
    if table.duplicated(["seed", *keys]).to_numpy().any():
        raise TableError(f"{source} has more than one row for the same {', '.join(['seed', *keys])}")
    wide = table[["seed", *keys, value]].pivot(index="seed", columns=keys, values=value).sort_index(axis=1)
    wide.attrs = {}  # pandas copies a table's provenance with every result
    return wide


def summary(wide: pd.DataFrame) -> pd.DataFrame:
    """Statistics over seeds of values [seed, setting].

    Args:
        wide: from `by_seed`, or formed of such within the seeds. A NaN is a seed without a measurement: it counts in
            neither the mean nor n.

    Returns:
        A row per setting: its columns as in `wide`, then `mean`, `se`, `low` and `high` of the 95 % interval, the
        interquartile mean `iqm` (Agarwal et al. 2021), and `n`.
    """
    n = wide.count()
    se = wide.std() / np.sqrt(n)
    half = se * scipy_stats.t.ppf(1 - LEVEL / 2, n.where(n > 1) - 1)
    mean = wide.mean()
    iqm = [
        scipy_stats.trim_mean(x[~np.isnan(x)], 0.25) if (~np.isnan(x)).any() else np.nan for x in wide.to_numpy(float).T
    ]
    columns = {"mean": mean, "se": se, "low": mean - half, "high": mean + half, "iqm": iqm, "n": n}
    return pd.DataFrame(columns).reset_index()


def across_seeds(table: pd.DataFrame, value: str, *, by: Sequence[str]) -> pd.DataFrame:
    """`summary` of one column of a table, per setting; raises what `by_seed` raises."""
    return summary(by_seed(table, value, by))


def geometric(ratios: pd.DataFrame) -> pd.DataFrame:
    """Statistics over seeds of ratios [seed, setting], each above 0 or NaN: geometric means.

    Returns:
        As `summary`: `mean`, `low` and `high` are exponentials of the logarithms' mean and 95 % interval, and `n`.
    """
    found = summary(ratios.transform("log")).drop(columns=["se", "iqm"])
    return found.assign(**{column: np.exp(found[column]) for column in ("mean", "low", "high")})


def weighted(shares: Any, weights: Any) -> Any:
    """Values of the seeds, a series, whose mean is a ratio over all: sum of weight x share / sum of weights.

        value = ratio + weight (share - ratio) / mean weight

    Their standard error is the ratio's, to first order (delta method): a seed counts by its weight. One of weight 0,
    whose share is NaN, tells nothing and is left out.
    """
    there = weights[weights > 0]
    shares = shares[there.index]
    if there.empty:
        return shares
    ratio = (there * shares).sum() / there.sum()
    return ratio + there * (shares - ratio) / there.mean()


def contrast(values: Any, *, bootstrap: bool = True) -> Contrast:
    """What values [n], formed within the seeds, say about 0; NaN values are left out.

    Args:
        values: one a seed.
        bootstrap: form the BCa interval as well, which takes nearly all of the time.

    Raises:
        ValueError: if a value is infinite.
    """
    x = np.asarray(values, float)
    x = x[~np.isnan(x)]
    if np.isinf(x).any():
        raise ValueError("a contrast has infinite values")
    n = x.size
    if n == 0:
        return Contrast(*[np.nan] * 9, n=0)
    mean, se = float(x.mean()), float(x.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    if n == 1 or se <= 1e-12 * abs(mean):  # one seed, or all alike
        low = high = low90 = high90 = mean if n > 1 else np.nan
        detectable = 0.0 if n > 1 else np.nan
    else:
        test = scipy_stats.ttest_1samp(x, 0.0)
        low, high = test.confidence_interval(1 - LEVEL)
        low90, high90 = test.confidence_interval(1 - 2 * LEVEL)
        detectable = float((scipy_stats.t.ppf(1 - LEVEL / 2, n - 1) + scipy_stats.t.ppf(POWER, n - 1)) * se)
    bca = _bca(x) if bootstrap and n >= BOOTSTRAP_FROM and low < high else (np.nan, np.nan)
    return Contrast(mean, float(low), float(high), float(low90), float(high90), *bca, sign_flip(x), detectable, n)


def sign_flip(values: np.ndarray) -> float:
    """Two-sided p of the sign-flip test that values [n] are symmetric around 0 (Fisher's randomisation test).

    The share of all 2^n sign patterns whose sum is at least as far from 0 as the observed one. The patterns are
    counted, not drawn: sums over either half of the seeds are sorted against each other. Beyond `EXACT_UP_TO` seeds,
    patterns are drawn.
    """
    x = np.abs(np.asarray(values, float))
    observed = abs(float(np.sum(values))) - 1e-9 * x.sum()  # what is equal up to rounding is as far
    if x.size > EXACT_UP_TO:
        drawn = scipy_stats.permutation_test(
            (np.asarray(values, float),), lambda a, axis: np.abs(a.sum(axis)), vectorized=True, alternative="greater",
            permutation_type="samples", n_resamples=RESAMPLES, rng=np.random.default_rng(0),
        )  # fmt: skip
        return float(drawn.pvalue)
    first, second = _signed_sums(x[: x.size // 2]), np.sort(_signed_sums(x[x.size // 2 :]))
    reaching = second.size - np.searchsorted(second, observed - first)  # pairs of halves with a sum of at least that
    # the patterns come in pairs of opposite sums
    return float(min(1.0, 2 * reaching.sum() / 2.0**x.size)) if observed > 0 else 1.0


def _signed_sums(x: np.ndarray) -> np.ndarray:
    """All 2^n sums of +-x."""
    sums = np.zeros(1)
    for value in x:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _bca(x: np.ndarray) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy_stats.DegenerateDataWarning)
        found = scipy_stats.bootstrap(
            (x,), np.mean, n_resamples=RESAMPLES, confidence_level=1 - LEVEL, rng=np.random.default_rng(0)
        )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusted p values [m], Holm (1979): the k-th smallest times m - k + 1, and never smaller than the one before."""
    order = np.argsort(p)
    m = len(order)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p, float)[order] * (m - np.arange(m))), 1.0)
    return adjusted


def max_t(differences: np.ndarray) -> np.ndarray:
    """Adjusted p values [m] of differences [n, m] from 0 (Westfall and Young 1993): max-t over random signs of seeds.

    A seed's m differences flip together, so their correlation is kept. Columns with NaN, or without spread, get NaN.
    """
    n, m = differences.shape
    adjusted = np.full(m, np.nan)
    sound = np.isfinite(differences).all(0) & (np.ptp(differences, 0) > 0) if n > 1 else np.zeros(m, bool)
    if not sound.any():
        return adjusted
    x = differences[:, sound]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (RESAMPLES, n))
    signs[0] = 1.0
    means = signs @ x / n
    # flipped signs leave the squares as they are
    t = np.abs(means) / np.sqrt(((x**2).sum(0) / n - means**2).clip(1e-300) / (n - 1))
    adjusted[sound] = (t.max(1)[:, None] >= t[0] * (1 - 1e-9)).mean(0)
    return adjusted
