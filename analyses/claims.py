"""`python -m analyses.claims`: the paper's claims, as a population's tables bear them out.

Every quantity is first formed within a seed (a difference between two planners, say) and then becomes a mean
and a standard error over seeds. No verdicts: a claim is borne out where its quantity's sign is right and large
against the standard error.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import tyro

from analyses import stats

TABLES = ("returns", "own_policy", "sequences", "cross_checkpoint", "prior_effect", "planning")

CLAIMS = {
    1: "Planning makes MuZero play better than its policy prior throughout training",
    2: "Errors at horizon 1 are close to zero and grow with the horizon",
    3: "Errors shrink towards the end of training",
    4: "The likelier a sequence is under the behaviour policy, the smaller its error",
    5: "That trend sharpens with training",
    6: "In each row of the cross-checkpoint matrix the diagonal is smallest",
    7: "Early models evaluate late, better policies badly",
    8: "Free search with the learned model falls well short of free search with the true model",
    9: "With the policy prior, planning beats the prior alone, with the learned model by far less than with the true",
    10: "The gap between policy and uniform prior is larger with the learned than with the true model",
    11: "The policy prior keeps the search closer to itself and its trajectories' errors smaller",
}

Found = tuple[int, str, int, Any]  # claim, quantity, training step, series of values by seed


def evidence(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the tables of one agent say about each claim.

    Args:
        tables: the six tables by name.

    Returns:
        Columns claim, quantity, step, mean, se, n; errors in reward units, returns undiscounted.

    Raises:
        TableError: if a table lacks a column.
    """
    rows = []
    parts = (
        _returns(tables["returns"]),
        _own_policy(tables["own_policy"]),
        _sequences(tables["sequences"]),
        _cross_checkpoint(tables["cross_checkpoint"]),
        _prior_effect(tables["prior_effect"]),
        _planning(tables["planning"], tables["returns"]),
    )
    for part in parts:
        for claim, quantity, step, values in part:
            table = values.rename("value").reset_index().assign(step=step)
            found = stats.across_seeds(table, "value", by=["step"]).assign(claim=claim, quantity=quantity)
            rows.append(found)
    joined = pd.concat(rows, ignore_index=True).sort_values("claim", kind="stable", ignore_index=True)
    return joined.loc[:, ["claim", "quantity", "step", "mean", "se", "n"]]


def _by_seed(table: Any, value: str, columns: list[str]) -> Any:
    """Frame of values [seed, setting]; settings are the combinations of `columns`."""
    stats.require(table, ["seed", value, *columns])
    return table.pivot(index="seed", columns=columns, values=value).sort_index(axis=1)


def _steps(table: Any) -> Iterator[tuple[int, Any]]:
    for step, rows in table.groupby("step"):
        yield int(str(step)), rows


def _returns(table: Any) -> Iterator[Found]:
    for step, rows in _steps(table):
        by = _by_seed(rows, "return_mean", ["policy"])
        yield 1, "return, search", step, by["search"]
        yield 1, "return, search - prior alone", step, by["search"] - by["prior"]


def _own_policy(table: Any) -> Iterator[Found]:
    longest = int(table["horizon"].max())
    stats.require(table, ["foreseen", "invented"])
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
        by = _by_seed(rows, "error", ["horizon"])
        yield 2, "error, horizon 1", step, by[1]
        yield 2, f"error, horizon {longest} - horizon 1", step, by[longest] - by[1]
        yield 3, f"error, horizon {longest}", step, by[longest]
        for column, what in told:
            by = _by_seed(rows, column, ["horizon"])
            yield 3, f"share {what}, horizon {longest}", step, by[longest]


def _sequences(table: Any) -> Iterator[Found]:
    ranks = int(table["rank"].max())
    tenth = max(1, ranks // 10)
    for step, rows in _steps(table):
        by = _by_seed(rows, "error", ["rank"])
        likely, unlikely = by.loc[:, :tenth].mean(axis=1), by.loc[:, ranks - tenth + 1 :].mean(axis=1)
        yield 4, f"error, {tenth} unlikeliest - {tenth} likeliest sequences", step, unlikely - likely
        # a peaked policy leaves most ranks without any probability, ordered by chance
        yield 4, "error, mean of the other sequences - likeliest", step, by.drop(columns=1).mean(axis=1) - by[1]
        correlation = by.T.corrwith(pd.Series(by.columns, index=by.columns), method="spearman")
        yield 5, "rank correlation of error and rank", step, correlation


def _cross_checkpoint(table: Any) -> Iterator[Found]:
    rows = table[table["horizon"] == table["horizon"].max()]
    last = int(rows["policy_step"].max())
    for step, of_model in _steps(rows):
        by = _by_seed(of_model, "error", ["policy_step"])
        others = by.drop(columns=step)
        best = int(others.mean().idxmin())
        yield 6, "error, best other policy - own policy", step, by[best] - by[step]
        if step < last:
            yield 7, f"error, policy of step {last} - own policy", step, by[last] - by[step]


def _prior_effect(table: Any) -> Iterator[Found]:
    most = int(table["simulations"].max())
    for step, rows in _steps(table[table["simulations"] == most]):
        for value, name in (("error", "error"), ("path_error", "error of the tree path"), ("tv", "TV"), ("kl", "KL")):
            by = _by_seed(rows, value, ["prior"])
            yield 11, f"{name}, uniform - policy prior, {most} simulations", step, by["uniform"] - by["policy"]


def _planning(table: Any, returns: Any) -> Iterator[Found]:
    """The prior alone is that of Figure 2, whose episodes are more than a planner's."""
    alone = returns[returns["policy"] == "prior"]
    planned = table[table["model"] != "none"]
    budgets = sorted(int(b) for b in planned["simulations"].unique())
    for step, rows in _steps(planned):
        prior_alone = alone[alone["step"] == step].set_index("seed")["return_mean"].reindex(rows["seed"].unique())
        by = _by_seed(rows, "return_mean", ["simulations", "model", "prior"])
        for budget in budgets:
            learned, true = by[budget, "learned"], by[budget, "true"]
            note = f"{budget} simulations"
            yield 8, f"return, uniform prior, true - learned model, {note}", step, true["uniform"] - learned["uniform"]
            yield (
                8,
                f"return, uniform prior, learned model - prior alone, {note}",
                step,
                learned["uniform"] - prior_alone,
            )
            yield 9, f"return, policy prior, learned model - prior alone, {note}", step, learned["policy"] - prior_alone
            yield 9, f"return, policy prior, true model - prior alone, {note}", step, true["policy"] - prior_alone
            gap = (learned["policy"] - learned["uniform"]) - (true["policy"] - true["uniform"])
            yield 10, f"policy - uniform prior, learned - true model, {note}", step, gap


def show(found: pd.DataFrame) -> str:
    """The evidence in Markdown: a line per quantity, a cell per training step."""
    steps = sorted(found["step"].unique())
    lines = ["| | " + " | ".join(f"{step:,}" for step in steps) + " |", "|---|" + "---|" * len(steps)]
    for claim, of_claim in found.groupby("claim"):
        lines.append(f"| **{claim}. {CLAIMS[int(str(claim))]}** |" + " |" * len(steps))
        for quantity, rows in of_claim.groupby("quantity", sort=False):
            cells = {
                step: f"{_rounded(m, 3)} ± {_rounded(se, 2)}"
                for step, m, se in zip(rows["step"], rows["mean"], rows["se"], strict=True)
            }
            lines.append(f"| {quantity} | " + " | ".join(cells.get(step, "") for step in steps) + " |")
    return "\n".join(lines)


def _rounded(x: float, digits: int) -> str:
    """Significant digits without an exponent: 100, not 1e+02."""
    return f"{float(f'{x:.{digits}g}'):g}"


def _read(path: Path) -> pd.DataFrame:
    try:
        # the model "none" is a word, not an empty cell
        table = pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])
    except ValueError as error:
        raise ValueError(f"{path} is no CSV table: {error}") from None
    table.attrs["source"] = str(path)
    return table


def main(*, profile: str = "quick", agent: str = "cartpole", tables: Path = Path("analyses/tables")) -> int:
    """Prints what the tables say about the paper's claims, and writes it beside them.

    Args:
        profile: the profile whose tables are read.
        agent: the agent whose tables are read.
        tables: the folder of the tables.
    """
    folder = tables / profile / agent
    try:
        found = evidence({name: _read(folder / f"{name}.csv") for name in TABLES})
    except (OSError, ValueError) as error:
        print(f"python -m analyses.claims: {error}", file=sys.stderr)
        return 1
    found.to_csv(folder / "claims.csv", index=False, float_format="%.6g", na_rep="nan")
    print(show(found))
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main, prog="python -m analyses.claims"))
