"""Units of work: each (shard of seeds, checkpoint) of an analysis is measured once and kept on disk.

A unit's file is named by a hash of all that its numbers depend on: the settings that the analysis uses, the
digests of its checkpoints, and the source of the code that measures. An interrupted analysis goes on with the
units that lack; a changed setting makes only the units that it touches anew.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from rich.console import Console
from rich.progress import Progress

import muzero_probe
from muzero_probe import threads

# sources under muzero_probe
MEASURING = ("*.py", "exact/*.py", "envs/*.py", "envs/*/*.py", "nets/*.py", "cpu/*.py", "search/*.py", "probes/*.py")
NOT_MEASURING = ("checkpoints.py", "provenance.py")
BORROWED = {"cross_checkpoint": ["own_policy.py"]}  # analyses that measure with another one's code


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One call of `measure`, and what its result depends on."""

    name: str  # of the analysis
    label: str  # for people: seeds and step
    measure: Callable[[], Any]
    depends: tuple[Any, ...]  # JSON values
    folder: Path
    write: Callable[[Any, Path], None]
    suffix: str

    @property
    def path(self) -> Path:
        """Where the result is kept."""
        text = json.dumps([self.name, source_hash(self.name), self.depends], sort_keys=True, default=list)
        return self.folder / self.name / f"{self.label}_{hashlib.sha256(text.encode()).hexdigest()[:16]}{self.suffix}"


@cache
def source_hash(name: str) -> str:
    """Returns the hash of the sources that measure an analysis' numbers."""
    package = Path(muzero_probe.__file__).parent
    files = {path for pattern in MEASURING for path in package.glob(pattern) if path.name not in NOT_MEASURING}
    own = Path(__file__).parent
    files |= {own / file for file in ("population.py", "banks.py", f"{name}.py", *BORROWED.get(name, []))}
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def complete(units: Sequence[Unit], *, jobs: int, console: Console) -> None:
    """Measures the units that are not on disk yet, `jobs` at a time, and keeps each as soon as it is done.

    Raises:
        ValueError: if jobs are below 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, at least 1 is needed")
    missing = [unit for unit in units if not unit.path.exists()]
    if not missing:
        return
    share = max(1, threads.cores() // jobs)
    tasks = (joblib.delayed(_measure)(unit, share if jobs > 1 else None) for unit in missing)
    # with one job everything runs here, on the whole pool
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{missing[0].name}", total=len(units), completed=len(units) - len(missing))
        for _ in parallel(tasks):
            progress.advance(task)


def _measure(unit: Unit, share: int | None) -> None:
    threads.configure(share)
    result = unit.measure()
    unit.path.parent.mkdir(parents=True, exist_ok=True)
    partial = unit.path.with_suffix(f".{os.getpid()}.partial")
    unit.write(result, partial)
    os.replace(partial, unit.path)


def write_rows(table: pd.DataFrame, path: Path) -> None:
    """Keeps a unit's rows; six significant digits, as in the tables."""
    table.to_csv(path, index=False, float_format="%.6g")
