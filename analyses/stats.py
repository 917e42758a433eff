"""From rows per seed to a mean and a standard error over seeds.

A table holds one number per seed and setting, already averaged over states. What a figure or a
claim states about an agent is the mean of those numbers over its n seeds, with the standard error

    se = sqrt( sum_s (x_s - mean)^2 / (n - 1) ) / sqrt(n)

which does not exist for n = 1 and is then NaN.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analyses.tables import TableError, require


def across_seeds(table: pd.DataFrame, value: str, *, by: Sequence[str]) -> pd.DataFrame:
    """Mean, standard error and number of seeds of one column, per setting.

    Args:
        table: rows with the columns `seed`, `value` and those of `by`.
        value: the column to aggregate. A NaN is a seed without a measurement: it counts in neither
            the mean nor n.
        by: the columns that make a setting, e.g. `["step", "horizon"]`.

    Returns:
        The columns of `by` (sorted), `mean`, `se` and `n`, a row per setting.

    Raises:
        TableError: columns or rows are missing, a value is infinite or no number, a setting is NaN,
            or a seed has two rows for one setting (it would count twice in n).
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
    per_setting = table.groupby(keys)[value].agg(mean="mean", sd="std", n="count").reset_index()
    per_setting["se"] = per_setting["sd"] / np.sqrt(per_setting["n"])
    return per_setting.loc[:, [*keys, "mean", "se", "n"]]
