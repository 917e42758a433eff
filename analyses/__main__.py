"""`python -m analyses [NAME...]`: measures a population and writes its tables."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from analyses import population, study
from analyses.settings import SETTINGS, Settings, settings
from muzero_probe import threads
from muzero_probe.checkpoints import ROOT, CheckpointError
from muzero_probe.cli import arguments
from muzero_probe.cli.seeds import parse_seeds

PROGRAM = "python -m analyses"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Turns a population's checkpoints into tables, a row per seed and setting.

    Finished units of work are kept: an interrupted analysis goes on, a changed setting measures only what it touches.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Analyses to make: returns, own_policy, sequences, cross_checkpoint, prior_effect, planning; all by default."""
    agent: str = "cartpole"
    """Agent of the population."""
    profile: str = "quick"
    """Profile of the population."""
    seeds: str | None = None
    """Seeds such as 0:30 or 0,4,7; all that are there by default."""
    jobs: int = field(default_factory=threads.cores)
    """Units measured side by side, a process each; with 1 the threads of this process share every unit."""
    device: str = "cpu"
    """torch device of the nets."""
    root: Path = ROOT
    """Folder of the checkpoints."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""
    units: Path = Path("analyses/units")
    """Folder of the finished units of work."""
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)

    def __post_init__(self) -> None:
        """Refuses unknown names and impossible values."""
        for name in self.names:
            if name not in study.ANALYSES:
                raise ValueError(f"analysis {name!r} is unknown: {', '.join(study.ANALYSES)}")
        if self.jobs < 1:
            raise ValueError(f"jobs is {self.jobs}, at least 1 is needed")
        arguments.check_device(self.device)


def _defaults(words: Sequence[str]) -> Arguments:
    agent = arguments.option(words, "--agent") or "cartpole"
    profile = arguments.option(words, "--profile") or "quick"
    known = profile in SETTINGS.get(agent, {})
    return Arguments(settings=settings(agent, profile) if known else Settings())


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    try:
        given = arguments.parse(
            Arguments, sys.argv[1:] if words is None else words, program=PROGRAM, defaults=_defaults
        )
        settings(given.agent, given.profile)  # refuses what has none
        chosen = None if given.seeds is None else parse_seeds(given.seeds)
    except ValueError as error:
        return _trouble(error, 2)
    threads.configure()
    try:
        found = population.find(given.root, given.profile, given.agent, chosen)
        for name in given.names or study.ANALYSES:
            path = study.run(
                name,
                found,
                given.settings,
                tables=given.tables,
                folder=given.units,
                jobs=given.jobs,
                device=given.device,
                console=Console(stderr=True),
            )
            print(path, flush=True)
    except (CheckpointError, ImportError, OSError, MemoryError) as error:
        return _trouble(error, 1)
    return 0


def _trouble(error: Exception, code: int) -> int:
    print(f"{PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
