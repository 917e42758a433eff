"""What else the tables say about the claims: quantities that judge nothing, formed within the seeds of one agent."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analyses import stats
from analyses.claims.contrasts import Tables, prior_alone
from analyses.claims.verdicts import DESCRIPTIVE, row
from analyses.tables import require

Found = tuple[str, str, str, int, Any]  # claim, quantity, unit, training step, series of values by seed


def describe(agent: str, found: Tables) -> pd.DataFrame:
    """Rows of `verdicts.COLUMNS` of one agent; what is missing makes no rows.

    Raises:
        TableError: if a table lacks a column.
    """
    rows = [
        row(claim, agent, DESCRIPTIVE, quantity, step, stats.contrast(values, bootstrap=False), unit=unit)
        for name, quantities in QUANTITIES.items()
        if name in found
        for claim, quantity, unit, step, values in quantities(found)
    ]
    return pd.DataFrame(rows)


def _steps(table: Any) -> Iterator[tuple[int, Any]]:
    for step, rows in table.groupby("step"):
        yield int(str(step)), rows


def _returns(found: Tables) -> Iterator[Found]:
    for step, rows in _steps(found["returns"]):
        by = stats.by_seed(rows, "return_mean", ["policy"])
        for policy in by:
            yield "1", f"return, {policy}", "return", step, by[policy]


def _own_policy(found: Tables) -> Iterator[Found]:
    table = found["own_policy"]
    longest = int(table["horizon"].max())
    require(table, ["over", "foreseen", "invented"])
    # only where every step from a live state earns the same does a reward tell of terminations
    told = [
        (column, what)
        for column, what in (
            ("foreseen", "of terminations foreseen"),
            ("invented", "of survivals called terminations"),
        )
        if table[column].notna().any()
    ]
    for step, rows in _steps(table):
        by = stats.by_seed(rows, "error", ["horizon"])
        yield "2a", "error, horizon 1", "reward", step, by[1]
        yield "2b", f"error, horizon {longest}", "reward", step, by[longest]
        yield "2b", "exponent of the error's growth with the horizon", "", step, _exponent(by)
        over = stats.by_seed(rows, "over", ["horizon"])[longest]
        for column, what in told:
            shares = stats.by_seed(rows, column, ["horizon"])[longest]
            chances = over if column == "foreseen" else 1 - over
            yield "3", f"share {what}, horizon {longest}", "", step, stats.weighted(shares, chances)


def _exponent(by: Any) -> Any:
    """The slope of log error against log horizon [seed]: 1 where an error adds up, above 1 where it compounds."""
    x = np.log(np.asarray(by.columns, float))
    x = x - x.mean()
    return np.log(by.where(by > 0)) @ (x / (x @ x))


def _sequences(found: Tables) -> Iterator[Found]:
    for step, rows in _steps(found["sequences"]):
        by = stats.by_seed(rows, "error", ["rank"])
        # a peaked policy leaves most ranks without any probability, ordered by chance
        yield (
            "4",
            "error, mean of the other sequences - likeliest",
            "reward",
            step,
            by.drop(columns=1).mean(axis=1) - by[1],
        )


def _cross_checkpoint(found: Tables) -> Iterator[Found]:
    table = found["cross_checkpoint"]
    rows = table[table["horizon"] == table["horizon"].max()]
    last = int(rows["policy_step"].max())
    for step, of_model in _steps(rows):
        by = stats.by_seed(of_model, "error", ["policy_step"])
        yield "6", "rank of the own policy's error in its row", "", step, by.rank(axis=1)[step]
        if step < last:
            yield "7", f"error, policy of step {last} - own policy", "reward", step, by[last] - by[step]


def _prior_effect(found: Tables) -> Iterator[Found]:
    table = found["prior_effect"]
    most = int(table["simulations"].max())
    named = {"error": ("error", "reward"), "path_error": ("error of the tree path", "reward"), "kl": ("KL", "nats")}
    for step, rows in _steps(table[table["simulations"] == most]):
        for value, (name, unit) in named.items():
            by = stats.by_seed(rows, value, ["prior"])
            claim = "11a" if value == "kl" else "11b"
            quantity = f"{name}, uniform - policy prior, {most} simulations"
            yield claim, quantity, unit, step, by["uniform"] - by["policy"]


def _planning(found: Tables) -> Iterator[Found]:
    """Returns of all planners, and what they gain over the prior alone, of Figure 2 where there is that table."""
    table = found["planning"]
    planned = table[table["model"] != "no search"]
    for step, rows in _steps(planned):
        by = stats.by_seed(rows, "return_mean", ["simulations", "model", "prior"])
        alone = prior_alone(found)[step].reindex(by.index)
        for simulations, model, prior in by:
            who = f"{MODELS[model]} model, {prior} prior, {simulations} simulations"
            claim = "8" if prior == "uniform" else "9a"
            yield claim, f"return, {who}", "return", step, by[simulations, model, prior]
            yield claim, f"return, {who} - prior alone", "return", step, by[simulations, model, prior] - alone


MODELS = {"learned": "learned", "real": "true"}
QUANTITIES = {
    "returns": _returns,
    "own_policy": _own_policy,
    "sequences": _sequences,
    "cross_checkpoint": _cross_checkpoint,
    "prior_effect": _prior_effect,
    "planning": _planning,
}
