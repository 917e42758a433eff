"""`python -m analyses.claims`: the paper's claims, as a population's tables bear them out.

Every quantity is first formed within a seed (a difference between two planners, say) and then becomes a mean
and a standard error over seeds. No verdicts: a claim is borne out where its quantity's sign is right and large
against the standard error.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analyses import stats, tables
from analyses.tables import Column, TableError, require
from muzero_probe.cli import arguments

PROGRAM = "python -m analyses.claims"

COLUMNS = {
    "claim": Column("int", "", "number of the claim, see docs/protocol.md"),
    "quantity": Column("word", "", "what is averaged over seeds"),
    "step": Column("int", "updates", "training step"),
    "mean": Column("float", "", "mean over seeds, in the quantity's unit"),
    "se": Column("float", "", "standard error of the mean"),
    "n": Column("int", "", "seeds"),
}

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


def evidence(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the tables of one agent say about each claim.

    Args:
        found: tables by name; what is missing makes its claims missing.

    Returns:
        Columns claim, quantity, step, mean, se, n; errors in reward units, returns undiscounted.

    Raises:
        TableError: if a table lacks a column.
    """
    rows = []
    for name, quantities in TABLES.items():
        if name not in found:
            continue
        others = (found["returns"],) if name == "planning" and "returns" in found else ()
        for claim, quantity, step, values in quantities(found[name], *others):
            table = values.rename("value").reset_index().assign(step=step)
            rows.append(stats.across_seeds(table, "value", by=["step"]).assign(claim=claim, quantity=quantity))
    joined = pd.concat(rows, ignore_index=True).sort_values("claim", kind="stable", ignore_index=True)
    return joined.loc[:, ["claim", "quantity", "step", "mean", "se", "n"]]


def _by_seed(table: Any, value: str, columns: list[str]) -> Any:
    """Frame of values [seed, setting]; settings are the combinations of `columns`."""
    require(table, ["seed", value, *columns])
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
    require(table, ["foreseen", "invented"])
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
        varied = by[by.nunique(axis=1) > 1]  # where all sequences err alike there is no correlation
        correlation = varied.T.corrwith(pd.Series(by.columns, index=by.columns), method="spearman").reindex(by.index)
        yield 5, "rank correlation of error and rank", step, correlation


def _cross_checkpoint(table: Any) -> Iterator[Found]:
    rows = table[table["horizon"] == table["horizon"].max()]
    last = int(rows["policy_step"].max())
    for step, of_model in _steps(rows):
        by = _by_seed(of_model, "error", ["policy_step"])
        others = by.drop(columns=step)
        if others.empty:
            continue
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


def _planning(table: Any, returns: Any = None) -> Iterator[Found]:
    """The prior alone is that of Figure 2, whose episodes are more than a planner's, where there is that table."""
    alone = table[table["model"] == "no search"] if returns is None else returns[returns["policy"] == "prior"]
    planned = table[table["model"] != "no search"]
    budgets = sorted(int(b) for b in planned["simulations"].unique())
    for step, rows in _steps(planned):
        prior_alone = alone[alone["step"] == step].set_index("seed")["return_mean"].reindex(rows["seed"].unique())
        by = _by_seed(rows, "return_mean", ["simulations", "model", "prior"])
        for budget in budgets:
            learned, true = by[budget, "learned"], by[budget, "real"]
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


TABLES = {
    "returns": _returns,
    "own_policy": _own_policy,
    "sequences": _sequences,
    "cross_checkpoint": _cross_checkpoint,
    "prior_effect": _prior_effect,
    "planning": _planning,
}


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


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Prints what a population's tables say about the paper's claims, and writes it beside them."""

    profile: str = "quick"
    """Profile whose tables are read; that of agents trained elsewhere is foreign."""
    agent: str = "cartpole"
    """Agent whose tables are read: its name, or the file that defines it."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""


def _show(given: Arguments) -> int:
    agent = Path(given.agent).stem if given.agent.endswith(".py") else given.agent
    folder = given.tables / given.profile / agent
    paths = {name: folder / f"{name}.csv" for name in TABLES}
    there = {name: tables.read(path) for name, path in paths.items() if path.is_file()}
    if not there:
        raise TableError(f"{folder}: there are no tables, make them with `python -m analyses`")
    for name in sorted(paths.keys() - there.keys()):
        print(f"{PROGRAM}: left out: there is no table {paths[name]}", file=sys.stderr)
    found = evidence(there)
    first = next(iter(there.values())).attrs["provenance"]
    provenance = {name: first[name] for name in ("agent", "title", "profile", "repeats", "commit")}
    tables.write(folder / "claims.csv", found, COLUMNS, provenance)
    print(show(found))
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(
        PROGRAM, lambda: arguments.parse(Arguments, given, program=PROGRAM), _show, troubles=(TableError,)
    )


if __name__ == "__main__":
    sys.exit(main())
