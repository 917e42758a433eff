"""`python -m baselines --agent PROFILE/NAME ...`: trains what is missing and writes a table for each agent."""

from muzero_probe.cli import start  # isort: split

if __name__ == "__main__":  # before anything large is imported
    start.begin("python -m baselines", "; the same command goes on with the finished runs")


import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from rich.console import Console

from analyses.harness.pool import WorkerError
from analyses.tables import TableError, check_agents
from baselines.hyperparameters import BASELINES
from muzero_probe import agents, files, threads
from muzero_probe.cli import arguments
from muzero_probe.cli.seeds import parse_seeds

PROGRAM = "python -m baselines"
MOST_JOBS = 1_000


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Trains agents without a model for as many environment steps, and plays them as the analysis `returns` plays.

    Finished runs are kept: an interrupted command goes on with those that lack.
    """

    agent: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """An agent in one of its profiles, PROFILE/NAME, again for each further one."""
    seeds: str = "0:5"
    """Seeds of every algorithm, such as 0:5 or 0,4,7."""
    jobs: int = field(default_factory=threads.cores)
    """Runs side by side, a process and a core each."""
    tables: Path = Path("analyses/tables")
    """Folder of the tables."""
    units: Path = Path("analyses/units")
    """Folder of the finished runs."""

    def __post_init__(self) -> None:
        """Refuses unknown names and impossible values."""
        if not self.agent:
            raise ValueError(f"--agent is missing: PROFILE/NAME, of {', '.join(BASELINES)}")
        for given in self.agent:
            if len(parts := given.split("/")) != 2 or parts[1] not in BASELINES:
                raise ValueError(f"agent {given!r} must be PROFILE/NAME, of {', '.join(BASELINES)}")
            agents.load(parts[1]).profile(parts[0])
        check_agents(self.agent, profile="study")
        if self.jobs < 1:
            raise ValueError(f"jobs is {self.jobs}, at least 1 is needed")
        if self.jobs > MOST_JOBS:
            raise ValueError(f"jobs is {self.jobs}, at most {MOST_JOBS:,} are possible")


def _parse(words: Sequence[str]) -> tuple[Arguments, tuple[int, ...]]:
    given = arguments.parse(Arguments, words, program=PROGRAM)
    return given, parse_seeds(given.seeds)


def _make(asked: tuple[Arguments, tuple[int, ...]]) -> int:
    given, seeds = asked
    if importlib.util.find_spec("stable_baselines3") is None:
        raise ImportError("the package stable-baselines3 is not installed: pip install 'muzero-probe[baselines]'")
    from baselines import study

    threads.configure()
    places = [study.Place(agents.load(name), profile) for profile, _, name in (x.partition("/") for x in given.agent)]
    for place in places:
        files.check_place(place.path(given.tables))
    files.check_folder(given.units)
    made = study.make(
        places, seeds, folder=given.tables, cache=given.units, jobs=given.jobs, console=Console(stderr=True)
    )
    print(*made, sep="\n", flush=True)
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 1 for trouble with files, 2 for an impossible command."""
    given = sys.argv[1:] if words is None else list(words)
    return arguments.run(
        PROGRAM, given, _parse, _make, troubles=(TableError, WorkerError),
        interrupted="interrupted; the same command goes on with the finished runs",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
