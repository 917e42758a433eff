"""Units of work: each (shard of seeds, checkpoint) of an analysis is measured once and kept on disk.

A unit's file is named by a hash of all that its numbers depend on: see `Unit.depends`. An interrupted analysis goes on
with the units that lack; a changed setting makes only the units that it touches anew. A file says which unit it is, and
has a digest: one that is damaged, or another's, is named and measured again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from analyses.harness.pool import Calls
from muzero_probe import threads
from muzero_probe.cli.arguments import shown

Runner = Callable[[Calls], Iterator[str]]  # runs calls, and yields the names of those that ended
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


def complete(units: Sequence[Unit], *, runner: Runner, console: Console) -> None:
    """Measures the units that are not soundly on disk yet, and keeps each as soon as it is done.

    Args:
        units: what is wanted.
        runner: where they are measured, see `pool` and `cluster`.
        console: shows progress.

    Raises:
        WorkerError: if a worker was killed.
    """
    missing = [unit for unit in units if not _kept(unit, console)]
    if not missing:
        return
    calls = {f"{unit.name} {unit.label}": partial(_measure, unit, unit.path) for unit in missing}
    said = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{missing[0].name}", total=len(units), completed=len(units) - len(missing))
        for done, _ in enumerate(runner(calls), len(units) - len(missing) + 1):
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
        console.print(f"{shown(str(error))}: it is measured again", highlight=False, markup=False, soft_wrap=True)
        return False
    return True


def _measure(unit: Unit, path: Path, share: int | None) -> None:
    threads.configure(share)
    unit.write(path, unit.measure())
