"""Small studies for tests: some seeds of the committed tables, under titles that must be escaped, judged anew."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from analyses import tables
from analyses.claims import __main__ as claims
from report import __main__ as program

COMMITTED = Path(program.__file__).parents[1] / "analyses" / "tables"
STUDY = ("paper/cartpole", "desk/lunar_lander", "desk/minatar", "desk/breakout")
TITLES = {"cartpole": 'Cart <b>&"Pole"', "lunar_lander": "Lunar | Lander", "minatar": "MinAtar", "breakout": "ALE"}
PROFILE = "small"


def write(
    root: Path,
    place: str,
    *,
    seeds: int,
    only: Collection[str] = (),
    changes: Mapping[str, Callable[[Any], Any]] | None = None,
) -> None:
    """Puts some seeds of an agent's committed tables where a study of the profile `small` looks for them.

    Args:
        root: folder of the new tables.
        place: PROFILE/AGENT of the committed ones.
        seeds: how many, from 0 on.
        only: names of tables; all by default.
        changes: of tables by name; others stay as they are.
    """
    agent = place.rpartition("/")[2]
    for path in sorted((COMMITTED / place).glob("*.csv")):
        if only and path.stem not in only:
            continue
        table: Any = tables.read(path)
        said = {**table.attrs["provenance"], "title": TITLES[agent], "profile": PROFILE, "seeds": list(range(seeds))}
        columns = table.attrs["columns"]
        few = table[table["seed"] < seeds].reset_index(drop=True)
        few.attrs = {}
        few = (changes or {}).get(path.stem, lambda same: same)(few)
        there = root / PROFILE / agent / path.name
        tables.write(there, few, {name: columns[name] for name in few.columns}, said)


def judge(root: Path) -> None:
    """Writes claims.csv and contrasts.csv."""
    assert claims.main(["--profile", PROFILE, "--tables", str(root)]) == 0


def report(root: Path, out: Path, *words: str) -> int:
    """Runs the program in this process on such a study."""
    places = ["--profile", PROFILE, "--tables", str(root), "--figures", str(out)]
    return program.main([*places, "--out", str(out / "report.html"), *words])


def altered(path: Path, change: Callable[[Any], Any], **said: Any) -> None:
    """Rewrites a table, its digest with it."""
    table: Any = tables.read(path)
    head, columns = {**table.attrs["provenance"], **json.loads(json.dumps(said))}, table.attrs["columns"]
    table.attrs = {}
    table = change(table)
    tables.write(path, table, {name: column for name, column in columns.items() if name in table.columns}, head)
