"""`python -m analyses.claims`: judges the paper's claims by the tables of one or several agents.

Writes TABLES/PROFILE/claims.csv, a row per contrast, and contrasts.csv, its values by seed; prints the verdicts.
"""

from muzero_probe.cli import start  # isort: split

if __name__ == "__main__":  # before anything large is imported
    start.begin("python -m analyses.claims")


import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro

from analyses import tables
from analyses.claims import verdicts
from analyses.claims.descriptive import QUANTITIES, describe
from analyses.claims.sentences import CLAIMS
from analyses.tables import TableError
from muzero_probe import files
from muzero_probe.cli import arguments
from muzero_probe.provenance import commit

PROGRAM = "python -m analyses.claims"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Judges the paper's claims by agents' tables, and writes the verdicts beside them."""

    profile: str = "quick"
    """Profile whose tables are read; that of agents trained elsewhere is own."""
    agent: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """An agent to judge, again for each further one: its name, its file, or PROFILE/NAME for one of another profile; by
    default every agent with a table."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""

    def __post_init__(self) -> None:
        """Refuses impossible names."""
        tables.check_agents(self.agent, profile=self.profile)


def read(*, profile: str, agents: Sequence[str], root: Path) -> dict[str, dict[str, pd.DataFrame]]:
    """Reads the tables of agents, by agent and name.

    Raises:
        TableError: if an agent has none, or one is damaged or holds another agent's rows.
    """
    wanted = agents or tables.agents_with("*", profile=profile, root=root)
    if not wanted:
        raise TableError(f"{root / profile}: there are no tables, make them with `python -m analyses`")
    found = {}
    for given in wanted:
        folder = tables.folder_of(given, profile=profile, root=root)
        agent = folder.name
        there = {name: tables.measured(path) for name in QUANTITIES if (path := folder / f"{name}.csv").is_file()}
        if not there:
            raise TableError(f"{folder}: there are no tables, make them with `python -m analyses`")
        found[agent] = there
    return found


def show(judged: Sequence[verdicts.Verdict], agents: Mapping[str, str]) -> str:
    """The verdicts in Markdown: a line per claim, a column per agent (titles by name)."""
    titles = [arguments.shown(title).replace("|", "\\|") for title in agents.values()]
    lines = ["| claim | " + " | ".join(titles) + " |", "|---|" + "---|" * len(agents)]
    for name, claim in CLAIMS.items():
        cells = {v.agent: cell(v) for v in judged if v.claim == name}
        lines.append(f"| {name}. {claim.marked} | " + " | ".join(cells[agent] for agent in agents) + " |")
    return "\n".join(lines)


def cell(v: verdicts.Verdict) -> str:
    """A verdict's symbol and word, and what qualifies it."""
    qualified = [word for word, holds in (("small", v.small and v.p_holm < 0.05), ("mixed", v.mixed)) if holds]
    return f"{verdicts.SYMBOLS[v.verdict]} {', '.join([v.verdict, *qualified])}"


def _judge(given: Arguments) -> int:
    folder = given.tables / given.profile
    for name in ("claims", "contrasts"):
        files.check_place(folder / f"{name}.csv")
    found = read(profile=given.profile, agents=given.agent, root=given.tables)
    for agent, there in found.items():
        for name in sorted(QUANTITIES.keys() - there.keys()):
            arguments.trouble(PROGRAM, f"left out: {agent} has no table {name}", 0)
    judged = verdicts.judge(found)
    every = pd.concat([verdicts.table(judged), *(describe(agent, there) for agent, there in found.items())])
    titles = {agent: _head(there)["title"] for agent, there in found.items()}
    provenance = {
        "agents": titles,
        "profile": given.profile,
        "repeats": {agent: _head(there)["repeats"] for agent, there in found.items()},
        "tables": {f"{a}/{name}": t.attrs["digest"][:16] for a, there in found.items() for name, t in there.items()},
        "commit": commit(),
    }
    tables.write(folder / "claims.csv", every, verdicts.COLUMNS, provenance)
    tables.write(folder / "contrasts.csv", verdicts.values(judged), verdicts.VALUES, provenance)
    print(show(judged, titles))
    print(folder / "claims.csv", file=sys.stderr)
    return 0


def _head(there: Mapping[str, pd.DataFrame]) -> Mapping[str, str]:
    return next(iter(there.values())).attrs["provenance"]


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(
        PROGRAM,
        given,
        lambda words: arguments.parse(Arguments, words, program=PROGRAM),
        _judge,
        troubles=(TableError,),
    )


if __name__ == "__main__":
    sys.exit(main())
