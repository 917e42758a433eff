"""What a report is made of: the verdicts of a profile, the contrasts by seed, and the tables that they were made of.

Whatever does not fit together is refused here, in one line: verdicts older than their tables, rows of another agent, a
claim without a verdict.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analyses import tables
from analyses.claims import verdicts
from analyses.claims.descriptive import QUANTITIES
from analyses.claims.sentences import CLAIMS
from analyses.claims.verdicts import SYMBOLS
from analyses.tables import TableError
from muzero_probe import files

Frame = Any  # pd.DataFrame, whose methods' types are too wide to be checked


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent and its tables."""

    name: str
    title: str
    place: str  # PROFILE/NAME, as commands take it
    tables: Mapping[str, Frame]

    @property
    def repeated(self) -> bool:
        """Whether it is one agent, measured several times."""
        return self.said("repeats") == "repetition"

    def said(self, name: str) -> Any:
        """What the provenance of its tables says, of those that say it; None where none does."""
        said = (table.attrs["provenance"].get(name) for table in self.tables.values())
        return next((value for value in said if value is not None), None)


@dataclass(frozen=True, kw_only=True)
class Study:
    """The verdicts on some agents, and what they rest on."""

    profile: str
    agents: tuple[Agent, ...]
    commit: str  # of the code that judged
    _rows: Mapping[tuple[str, str, str], list[Any]]  # of claims.csv, by claim, agent and role
    _values: Mapping[tuple[str, str], list[Any]]  # of contrasts.csv, by claim and agent

    def primary(self, claim: str, agent: str) -> Any:
        """The row of `verdicts.COLUMNS` that judges a claim."""
        return self._rows[claim, agent, verdicts.PRIMARY][0]

    def checkpoints(self, claim: str, agent: str) -> list[Any]:
        """Rows of the same contrast at single checkpoints."""
        return self._rows.get((claim, agent, verdicts.CHECKPOINT), [])

    def described(self, claim: str, agent: str) -> list[Any]:
        """Rows of descriptive quantities."""
        return self._rows.get((claim, agent, verdicts.DESCRIPTIVE), [])

    def by_seed(self, claim: str, agent: str) -> list[float]:
        """Values of the primary contrast, one a seed."""
        return [row.value for row in self._values.get((claim, agent), []) if row.step == verdicts.POOLED]

    def pooled(self, claim: str, agent: str) -> list[int]:
        """Checkpoints that the primary contrast is made of."""
        pooled = {row.step for row in self._values.get((claim, agent), []) if row.pooled == "yes"}
        return sorted(pooled - {verdicts.POOLED})

    def seen(self, agent: str) -> bool:
        """Whether an agent's tables had been seen when the contrasts were chosen."""
        return any(self.primary(claim, agent).status == "exploratory" for claim in CLAIMS)

    def family(self, claim: str) -> list[Agent]:
        """Agents over which Holm corrects the claim's p values: those that are judged."""
        return [agent for agent in self.agents if self.primary(claim, agent.name).p_holm >= 0]


def _again(profile: str, places: Sequence[str]) -> str:
    named = " ".join(f"--agent {place}" for place in places)
    return f"run `python -m analyses.claims --profile {profile} {named}` again"


def read(*, profile: str, agents: Sequence[str], root: Path) -> Study:
    """Reads a profile's verdicts and the tables of its agents.

    Args:
        profile: whose claims.csv is read.
        agents: names, files, or PROFILE/NAME; by default every agent with tables of the profile.
        root: folder of the tables.

    Raises:
        TableError: if a table is missing, damaged, holds another agent's rows, or is not the one that was judged.
    """
    wanted = agents or tables.agents_with("*", profile=profile, root=root)
    if not wanted:
        raise TableError(
            f"{root / profile}: no agent has tables there: make them with `python -m analyses`, or name agents of "
            "other profiles with --agent PROFILE/NAME"
        )
    found = tuple(_agents(profile, wanted, root))
    places = [agent.place for agent in found]
    for name in ("claims", "contrasts"):
        if not (root / profile / f"{name}.csv").is_file():
            raise TableError(f"there is no table {root / profile / name}.csv: {_again(profile, places)}")
    claims = tables.read(root / profile / "claims.csv", list(verdicts.COLUMNS))
    values = tables.read(root / profile / "contrasts.csv", list(verdicts.VALUES))
    for table in (claims, values):
        _judged_of(table, found, _again(profile, places))
    rows, by_seed = _grouped(claims, ("claim", "agent", "role")), _grouped(values, ("claim", "agent"))
    for claim in CLAIMS:
        for agent in found:
            judging = rows.get((claim, agent.name, verdicts.PRIMARY), [])
            if len(judging) != 1 or judging[0].verdict not in SYMBOLS:
                said = ", ".join(repr(row.verdict) for row in judging) or "nothing"
                raise TableError(
                    f"{claims.attrs['source']} says {said} on claim {claim} for {agent.name}, where one of "
                    f"{', '.join(SYMBOLS)} is needed: {_again(profile, places)}"
                )
    commit = claims.attrs["provenance"].get("commit", "unknown")
    return Study(profile=profile, agents=found, commit=commit, _rows=rows, _values=by_seed)


def _judged_of(table: Frame, agents: Sequence[Agent], remedy: str) -> None:
    """Raises `TableError` unless the verdicts are about these agents, as their tables are today."""
    source, said = table.attrs["source"], table.attrs["provenance"]
    names = {agent.name for agent in agents}
    about = set(table["agent"]) | set(said.get("agents", ()))
    if about != names:
        raise TableError(f"{source} is about {_and(about)}, not about {_and(names)}: {remedy}")
    judged = said.get("tables", {})
    for agent in agents:
        its = {key.rpartition("/")[2] for key in judged if key.rpartition("/")[0] == agent.name}
        for name in sorted(its | (QUANTITIES.keys() & agent.tables.keys())):
            today = agent.tables[name].attrs["digest"] if name in agent.tables else ""
            if not today or not today.startswith(judged.get(f"{agent.name}/{name}", "none")):
                raise TableError(f"{source} is older than {agent.place}/{name}.csv: {remedy}")


def _and(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _grouped(table: Frame, keys: Sequence[str]) -> dict[Any, list[Any]]:
    """Rows by some of their cells, in their order."""
    found: dict[Any, list[Any]] = {}
    bare = pd.DataFrame(table.to_dict("list"))  # without attrs, which pandas copies again and again
    for row in bare.itertuples(index=False):
        found.setdefault(tuple(getattr(row, key) for key in keys), []).append(row)
    return found


def _agents(profile: str, wanted: Sequence[str], root: Path) -> Iterator[Agent]:
    for given in wanted:
        folder = tables.folder_of(given, profile=profile, root=root)
        name, place = folder.name, f"{folder.parent.name}/{folder.name}"
        there = {name[:-4]: tables.measured(folder / name) for name in files.names(folder, "*.csv")}
        if not there:
            raise TableError(f"{folder}: there are no tables, make them with `python -m analyses`")
        for table in there.values():
            table.attrs.pop("columns")  # pandas copies attrs with every slice, which takes longer than all else
            tables.require(table, ["agent"])
        title = next(iter(there.values())).attrs["provenance"].get("title", name)
        yield Agent(name=name, title=title, place=place, tables=there)
