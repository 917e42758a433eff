"""`python -m figures [NAME ...]`: draws the figures from the tables.

Tables lie at TABLES/PROFILE/AGENT/NAME.csv, pictures go to OUT/PROFILE/NAME.png and .pdf. A figure is a module of this
folder that defines `draw`, from tables by agent, and `COLUMNS`, what it reads of them; it may name other analyses'
tables that help in `FURTHER`, name to columns: `draw` gets those that exist, by agent, as keywords.
"""

from muzero_probe.cli import start  # isort: split

if __name__ == "__main__":  # before anything large is imported
    start.begin("python -m figures")


import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pandas as pd
import tyro

from analyses.tables import TableError, agents_with, check_agents, folder_of, measured
from figures import style
from muzero_probe import files
from muzero_probe.cli import arguments

PROGRAM = "python -m figures"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Draws figures from the analyses' tables."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Figures to draw; all by default."""
    profile: str = "quick"
    """Profile whose tables are drawn."""
    agent: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """An agent to draw, again for each further one: its name, its file, or PROFILE/NAME for one of another profile; by
    default every agent with a table."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""
    out: Path = Path("figures/out")
    """Folder of the pictures."""

    def __post_init__(self) -> None:
        """Refuses unknown names."""
        for name in self.names:
            if name not in modules():
                raise ValueError(f"figure {name!r} is unknown: {', '.join(modules())}")
        check_agents(self.agent, profile=self.profile)


def modules() -> dict[str, ModuleType]:
    """Returns the modules that draw, by name."""
    found = {name: importlib.import_module(f"figures.{name}") for name in files.modules(Path(__file__).parent)}
    return {name: module for name, module in found.items() if hasattr(module, "draw")}


def read(name: str, *, profile: str, agents: Sequence[str], root: Path) -> dict[str, pd.DataFrame]:
    """Reads one figure's tables by agent; without agents, those of every agent that has one.

    Raises:
        TableError: if a table is missing, or not what the figure needs.
    """
    tables = {}
    for given, path in _paths(name, profile=profile, agents=agents, root=root).items():
        if not path.is_file():
            asked = given if given.endswith(".py") else path.parent.name
            which = (
                "--agent MODULE:FUNCTION"
                if profile in ("own", "foreign")
                else f"--profile {path.parent.parent.name} --agent {asked}"
            )
            command = f"python -m analyses {name} {which}"
            raise TableError(f"there is no table {path}: make it with `{command}`")
        tables[path.parent.name] = measured(path, modules()[name].COLUMNS)
    return tables


def read_further(name: str, *, profile: str, agents: Sequence[str], root: Path) -> dict[str, dict[str, pd.DataFrame]]:
    """Reads those of the further tables of a figure that exist, by analysis and agent.

    Raises:
        TableError: if one is not what the figure needs.
    """
    paths = _paths(name, profile=profile, agents=agents, root=root).values()
    return {
        other: {
            path.parent.name: measured(path.with_name(f"{other}.csv"), columns)
            for path in paths
            if path.with_name(f"{other}.csv").is_file()
        }
        for other, columns in getattr(modules()[name], "FURTHER", {}).items()
    }


def _paths(name: str, *, profile: str, agents: Sequence[str], root: Path) -> dict[str, Path]:
    """Returns where a figure's tables should be, by agent as given."""
    wanted = agents or agents_with(name, profile=profile, root=root)
    paths = {}
    for given in wanted or ["cartpole"]:
        paths[given] = folder_of(given, profile=profile, root=root) / f"{name}.csv"
    return paths


def _draw(given: Arguments) -> int:
    for name in given.names or modules():
        for path in style.paths(given.out / given.profile / name):
            files.check_place(path)
    code = 0
    where: dict[str, Any] = {"profile": given.profile, "root": given.tables}
    paths = {name: _paths(name, agents=given.agent, **where) for name in modules()}
    any_table = any(path.is_file() for of_name in paths.values() for path in of_name.values())
    if not given.names and not any_table:
        agents = " ".join(f"--agent {agent}" for agent in given.agent)
        lacking = f"{given.tables / given.profile}: there are no tables{f' of {agents}' if agents else ''}"
        return arguments.trouble(
            PROGRAM, f"{lacking}: make them with `python -m analyses --profile {given.profile}`", 1
        )
    for name in given.names or modules():
        agents = given.agent
        if not given.names and any_table:  # of all figures, what the tables allow
            agents = tuple(agent for agent, path in paths[name].items() if path.is_file())
            lacking = [path.parent.name for path in paths[name].values() if not path.is_file()]
            if not agents:
                arguments.trouble(PROGRAM, f"{name} is left out: no agent has a table of it", 0)
                continue
            if lacking:
                arguments.trouble(PROGRAM, f"{name} is without {', '.join(lacking)}: no table of it", 0)
        try:
            tables, further = read(name, agents=agents, **where), read_further(name, agents=agents, **where)
            figure = modules()[name].draw(tables, **further)
        except TableError as error:
            code = arguments.trouble(PROGRAM, error, 1)
            continue
        for path in style.save(figure, given.out / given.profile / name):
            print(path)
    return code


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(PROGRAM, given, lambda words: arguments.parse(Arguments, words, program=PROGRAM), _draw)


if __name__ == "__main__":
    sys.exit(main())
