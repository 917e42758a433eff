"""One reader and one writer of tables: a table and its provenance are one file, complete or not there at all.

    # analysis: "returns"
    # columns: {"seed": ["int", "", "..."], ...}          name -> type, unit, meaning
    # ...                                                 further provenance, a JSON value a line
    # digest: "..."                                       SHA-256 of all other lines
    agent,profile,seed,...
    cartpole,paper,0,...

Elsewhere, `pandas.read_csv(path, comment="#")` reads such a file. Floats have six significant digits, a missing one is
`nan`. A table is written under another name, flushed to the disk and renamed.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from muzero_probe import files

DIGEST = "digest"


class Column(NamedTuple):
    """What a column holds."""

    kind: str  # int | float | word
    unit: str  # "" for words, counts and shares
    meaning: str


class TableError(ValueError):
    """A table that cannot be used; one line that names it."""


def write(
    path: Path, rows: pd.DataFrame | Iterable[Mapping[str, Any]], columns: Mapping[str, Column], provenance: Any
) -> None:
    """Writes a table.

    Args:
        path: where.
        rows: with the columns, in any order.
        columns: of the file, in their order.
        provenance: JSON values by name.

    Raises:
        TableError: if the rows have other columns, or a value is of another type than its column.
    """
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), columns=None)
    if set(table.columns) != set(columns):
        odd = sorted(set(table.columns) ^ set(columns))
        raise TableError(f"{path}: columns {', '.join(odd)} are declared or measured, but not both")
    table = table[list(columns)]
    for name, column in columns.items():
        found = table[name].dtype.kind
        if found not in {"int": "iu", "float": "fiu", "word": "OU"}[column.kind] and len(table):
            raise TableError(f"{path}: the column {name} must hold {column.kind}, it holds {table[name].dtype}")
    head = {**provenance, "columns": columns}
    lines = "".join(f"# {name}: {json.dumps(value)}\n" for name, value in head.items())
    body = table.to_csv(index=False, float_format="%.6g", na_rep="nan", lineterminator="\n")
    digest = hashlib.sha256((lines + body).encode()).hexdigest()
    files.replace(path, [f"{lines}# {DIGEST}: {json.dumps(digest)}\n{body}".encode()])


def read(path: Path, wanted: Sequence[str] = (), *, every_rule: bool = False) -> pd.DataFrame:
    """Reads a table, or the wanted columns of one; `attrs` has its "source", "provenance" and "digest".

    Where a table was measured with several rules of the search, only rows of the agent's own are read, and of what
    does not search, unless all are asked for.

    Raises:
        TableError: if it is missing, cut, altered, no table, or lacks a column or rows.
    """
    try:
        text = files.read(path).decode()
    except FileNotFoundError:
        raise TableError(f"there is no table {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from None
    head, digest, body = _parts(path, text)
    if hashlib.sha256((head + body).encode()).hexdigest() != digest:
        raise TableError(f"{path} was cut or altered, its digest does not match: make it again{_by(path)}")
    try:
        provenance = dict(_entry(line) for line in head.splitlines())
        columns = {name: Column(*entry) for name, entry in provenance.pop("columns").items()}
        kinds: Any = {name: {"int": "int64", "float": "float64", "word": str}[c.kind] for name, c in columns.items()}
        # words are words, "none" and "true" among them
        gaps: Any = {name: ["nan"] for name, column in columns.items() if column.kind == "float"}
        table = pd.read_csv(io.StringIO(body), dtype=kinds, keep_default_na=False, na_values=gaps)
    except (ValueError, KeyError, TypeError) as error:
        raise TableError(f"{path} is no table of this study: {' '.join(str(error).split())}") from None
    own: Any = provenance.get("rule")
    if own and "rule" in table and not every_rule:
        table = pd.DataFrame(table[table["rule"].isin([own, "no search"])]).reset_index(drop=True)
    table.attrs = {"source": str(path), "provenance": provenance, "columns": columns, "digest": digest}
    require(table, wanted)
    return table.loc[:, list(wanted)] if wanted else table


def measured(path: Path, wanted: Sequence[str] = ()) -> pd.DataFrame:
    """Reads an analysis's table of an agent, which is the one that belongs at <profile>/<agent>/<analysis>.csv.

    Raises:
        TableError: as `read`, or if it is another analysis's, agent's or profile's.
    """
    table = read(path, wanted)
    for what, place in (("profile", path.parent.parent.name), ("agent", path.parent.name), ("analysis", path.stem)):
        found = table.attrs["provenance"].get(what)
        if found != place:
            raise TableError(f"{path} is of the {what} {found}, not {place}: renamed, moved or copied?{_by(path)}")
    strangers = sorted(set(table["agent"]) - {path.parent.name}) if "agent" in table else []
    if strangers:
        raise TableError(f"{path} holds rows of {', '.join(strangers)}, not of {path.parent.name}{_by(path)}")
    return table


def _by(path: Path) -> str:
    """The command that makes a table, as far as its place tells."""
    profile, agent = path.parent.parent.name, path.parent.name
    if path.stem == "baselines":
        return f" (python -m baselines --agent {profile}/{agent})"
    table = path.stem.isidentifier() and path.stem not in {"claims", "contrasts"}  # not a unit of one
    return "" if not table else f" (python -m analyses {path.stem} --profile {profile} --agent {agent})"


def check_agents(agents: Sequence[str], *, profile: str) -> None:
    """Refuses names that no table can have, and two agents of one name, whose tables would stand for each other.

    Args:
        agents: as `folder_of` takes them.
        profile: of those that name no other.

    Raises:
        ValueError: in one line.
    """
    files.check_name(profile)
    places: dict[str, str] = {}
    for given in agents:
        parts = given.split("/") if not given.endswith(".py") else [Path(given).stem]
        for name in parts:
            files.check_name(name)
        if len(parts) > 2:
            raise ValueError(f"agent {given!r} must be a name, a file, or PROFILE/NAME")
        if parts[-1] in places:
            raise ValueError(f"agents {places[parts[-1]]} and {given} have one name, {parts[-1]}: name one of them")
        places[parts[-1]] = given


def agents_with(name: str, *, profile: str, root: Path) -> list[str]:
    """Returns the agents of a profile that have a table whose name matches, sorted.

    Raises:
        OSError: if a folder cannot be read.
    """
    folder = root / profile
    return [agent for agent in files.names(folder) if files.names(folder / agent, f"{name}.csv")]


def folder_of(given: str, *, profile: str, root: Path) -> Path:
    """Returns the folder of an agent's tables: given by its name, its file, or PROFILE/NAME for another profile."""
    other, _, agent = (profile, "", Path(given).stem) if given.endswith(".py") else given.rpartition("/")
    return root / (other or profile) / agent


def require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raises `TableError` unless the table has rows and all of these columns."""
    missing = [column for column in columns if column not in table.columns]
    source = table.attrs.get("source", "the table")
    if missing:
        raise TableError(f"{source} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    if table.empty:
        raise TableError(f"{source} has no rows")


def _parts(path: Path, text: str) -> tuple[str, str, str]:
    """Returns the lines before the digest's, the digest, and the rows."""
    start = text.find(f"\n# {DIGEST}: ") + 1 if text.startswith("#") else 0
    end = text.find("\n", start) + 1
    if not start or not end:
        raise TableError(f"{path} is no table of this study: it does not begin with its provenance")
    return text[:start], text[start + len(DIGEST) + 4 : end].strip().strip('"'), text[end:]


def _entry(line: str) -> tuple[str, Any]:
    name, _, value = line.removeprefix("# ").partition(": ")
    return name, json.loads(value)
