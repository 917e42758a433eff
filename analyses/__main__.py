"""`python -m analyses [NAME...]`: measures a population and writes its tables."""

from muzero_probe.cli import start  # isort: split

if __name__ == "__main__":  # before anything large is imported
    start.begin("python -m analyses", "; the same command goes on with the finished units")


import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from analyses.harness import checkpoints, probed, study
from analyses.harness.pool import WorkerError
from analyses.harness.population import Population, PopulationError
from analyses.harness.registry import questions, settings, settings_type
from analyses.tables import TableError
from muzero_probe import agents, compiled, threads
from muzero_probe.checkpoints import ROOT, CheckpointError
from muzero_probe.cli import arguments
from muzero_probe.cli.seeds import parse_seeds
from muzero_probe.engine import check_device

PROGRAM = "python -m analyses"
MOST_JOBS = 1_000


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Turns a population's checkpoints into tables, a row per seed and setting.

    Finished units of work are kept: an interrupted analysis goes on, a changed setting measures only what it touches.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Analyses to make; all by default."""
    agent: str = "cartpole"
    """Agent to measure: a name, a file that defines one, or MODULE:FUNCTION for agents trained elsewhere."""
    profile: str = "quick"
    """Profile of the population."""
    seeds: str | None = None
    """Seeds such as 0:30 or 0,4,7; all that are there by default."""
    jobs: int = field(default_factory=threads.cores)
    """Units measured side by side, a process each; with 1 the threads of this process share every unit."""
    scheduler: str | None = None
    """File or address of a Dask scheduler whose workers measure in place of this machine's processes."""
    device: str = "cpu"
    """Device of the nets: cpu, cuda, cuda:1 and so on."""
    root: Path = ROOT
    """Folder of the checkpoints."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""
    units: Path = Path("analyses/units")
    """Folder of the finished units of work."""

    def __post_init__(self) -> None:
        """Refuses unknown names and impossible values."""
        for name in self.names:
            if name not in questions():
                raise ValueError(f"analysis {name!r} is unknown: {', '.join(questions())}")
        if self.jobs < 1:
            raise ValueError(f"jobs is {self.jobs}, at least 1 is needed")
        if self.jobs > MOST_JOBS:
            raise ValueError(f"jobs is {self.jobs}, at most {MOST_JOBS:,} are possible")
        check_device(self.device)


def _defaults(words: Sequence[str]) -> Any:
    """Returns the arguments with the settings of the agent and profile that the words name."""
    reference = arguments.option(words, "--agent") or "cartpole"
    if ":" in reference:
        own = probed.load(reference).analyses
    else:
        own = agents.load(reference).profile(arguments.option(words, "--profile") or "quick").analyses
    section = Annotated[settings_type(), tyro.conf.arg(name="")]
    kind = dataclasses.make_dataclass(
        "Arguments", [("settings", section)], bases=(Arguments,), frozen=True, kw_only=True
    )
    kind.__doc__ = Arguments.__doc__
    return kind(settings=settings(own))


def _parse(words: Sequence[str]) -> tuple[Any, tuple[int, ...] | None]:
    default = _defaults(words)
    given = arguments.parse(type(default), words, program=PROGRAM, defaults=lambda _: default)
    return given, None if given.seeds is None else parse_seeds(given.seeds)


def _measure(asked: tuple[Any, tuple[int, ...] | None]) -> int:
    given, seeds = asked
    threads.configure()
    compiled.say_first()
    shared = Path.absolute if given.scheduler else Path  # workers elsewhere may run in other folders
    population: Population
    if ":" in given.agent:
        population = probed.find(given.agent, seeds)
    else:
        population = checkpoints.find(shared(given.root), given.profile, agents.load(given.agent), seeds)
        left = [step for step in population.config.training.checkpoints if step not in population.steps]
        if left:
            what = f"steps {', '.join(f'{step:,}' for step in left)}, which do not ship with the repository"
            arguments.trouble(PROGRAM, f"left out: {what}: {population.name} is measured without them", 0)
    names = []
    for name in given.names or questions():
        if reason := study.why_not(name, population):
            arguments.trouble(PROGRAM, f"left out: {reason}", 0)
        else:
            study.check(name, population, given.settings, folder=shared(given.tables), cache=shared(given.units))
            names.append(name)
    for name in names:
        path = study.run(
            name,
            population,
            given.settings,
            folder=shared(given.tables),
            cache=shared(given.units),
            jobs=given.jobs,
            scheduler=given.scheduler,
            device=given.device,
            console=Console(stderr=True),
        )
        print(path, flush=True)
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(
        PROGRAM, given, _parse, _measure,
        troubles=(CheckpointError, PopulationError, TableError, WorkerError, ValueError),
        interrupted="interrupted; the same command goes on with the finished units",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
