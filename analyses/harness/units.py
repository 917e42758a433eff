"""Units of work: each (shard of seeds, checkpoint) of an analysis is measured once and kept on disk.

A unit's file is named by a hash of all that its numbers depend on: see `Unit.depends`. An interrupted analysis goes on
with the units that lack; a changed setting makes only the units that it touches anew. A file says which unit it is, and
has a digest: one that is damaged, or another's, is named and measured again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from rich.console import Console
from rich.progress import Progress

from muzero_probe import threads

LINE_SECONDS = 30.0  # least time between two lines in a log file


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One call of `measure`, and what its result depends on."""

    name: str  # of the analysis
    label: str  # for people: seeds and step
    measure: Callable[[], Any]
    depends: tuple[Any, ...]  # JSON values
    folder: Path
    write: Callable[[Path, Any], None]
    check: Callable[[Path], None]  # raises ValueError, in one line, unless the file is whole and this unit's
    suffix: str

    @property
    def path(self) -> Path:
        """Where the result is kept."""
        text = json.dumps([self.name, self.depends], sort_keys=True, default=list)
        return self.folder / self.name / f"{self.label}_{hashlib.sha256(text.encode()).hexdigest()[:16]}{self.suffix}"


def complete(units: Sequence[Unit], *, jobs: int, console: Console) -> None:
    """Measures the units that are not soundly on disk yet, `jobs` at a time, and keeps each as soon as it is done.

    Raises:
        ValueError: if jobs are below 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, at least 1 is needed")
    missing = [unit for unit in units if not _kept(unit, console)]
    if not missing:
        return
    share = max(1, threads.cores() // jobs)
    tasks = (joblib.delayed(_measure)(unit, unit.path, share if jobs > 1 else None) for unit in missing)
    # with one job everything runs here, on the whole pool
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    said = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{missing[0].name}", total=len(units), completed=len(units) - len(missing))
        for done, _ in enumerate(parallel(tasks), len(units) - len(missing) + 1):
            progress.advance(task)
            if not console.is_terminal and time.monotonic() - said > LINE_SECONDS:
                console.print(f"{missing[0].name}: {done} of {len(units)} units of work are done", highlight=False)
                said = time.monotonic()


def _kept(unit: Unit, console: Console) -> bool:
    if not unit.path.exists():
        return False
    try:
        unit.check(unit.path)
    except ValueError as error:
        console.print(f"{error}: it is measured again", highlight=False, markup=False, soft_wrap=True)
        return False
    return True


def _measure(unit: Unit, path: Path, share: int | None) -> None:
    threads.configure(share)
    unit.write(path, unit.measure())
