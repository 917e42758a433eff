"""What a run writes down of its course: a table of metrics and the same for TensorBoard.

The table is tidy, one row per step and seed; what all seeds share (environment steps, seconds by part) stands
in each of a step's rows. A resumed run cuts off what lies beyond its resume state, so that no step is there twice.
"""

import errno
import hashlib
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch.utils.tensorboard.writer import SummaryWriter

from muzero_probe import files
from muzero_probe.training.trainer import Metrics

logger = logging.getLogger(__name__)

KEYS = ("step", "seed")
FIRST_COLUMNS = ("return_mean", "episodes")  # the others follow in the trainer's order


class Mark(NamedTuple):
    """Where a table of metrics ended when a resume state was saved, and what it held."""

    size: int  # bytes
    digest: str  # SHA-256 of them


class Table:
    """The CSV file of a run's metrics, from a resume state on."""

    def __init__(self, path: Path, *, mark: Mark | None = None) -> None:
        """Opens the table and drops what was written after the mark; without one it starts anew.

        A table that does not hold what it held then is named, put aside, and begun again: its earlier rows are lost,
        the training is not.
        """
        kept = _kept(path, mark) if mark else b""
        files.replace(path, [kept])
        self._columns = kept.partition(b"\n")[0].decode().split(",") if kept else None
        self._path = path
        self._file = path.open("ab")
        self._digest = hashlib.sha256(kept)
        self._size = len(kept)

    def write(self, event: Metrics, seeds: Sequence[int]) -> None:
        """Appends one row per seed.

        Raises:
            OSError: if it cannot be written, or somebody put another file in its place.
        """
        if not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
            raise OSError(errno.ESTALE, "was replaced while its run goes on", str(self._path))
        lines = []
        if self._columns is None:
            names = [*event.values, *event.shared]
            self._columns = [*KEYS, *FIRST_COLUMNS, *(name for name in names if name not in FIRST_COLUMNS)]
            lines.append(",".join(self._columns) + "\n")
        for index, seed in enumerate(seeds):
            row: dict[str, float] = {"step": event.step, "seed": seed, **event.shared}
            row |= {name: float(array[index]) for name, array in event.values.items()}
            lines.append(",".join(_text(row.get(name, math.nan)) for name in self._columns) + "\n")
        content = "".join(lines).encode()
        self._digest.update(content)
        self._size += len(content)
        with files.named(self._path):
            self._file.write(content)
            self._file.flush()

    def mark(self) -> Mark:
        """Returns where the table ends, once all of it is on the disk."""
        with files.named(self._path):
            os.fsync(self._file.fileno())
        return Mark(self._size, self._digest.hexdigest())

    def close(self) -> None:
        """Closes the file; its rows are on the disk then."""
        with files.named(self._path):
            os.fsync(self._file.fileno())
            self._file.close()


class Journal:
    """Table and TensorBoard of one run; a context manager that closes both."""

    def __init__(self, folder: Path, name: str, seeds: Sequence[int], *, step: int, mark: Mark | None) -> None:
        """Opens both to go on from a step.

        Args:
            folder: the agent's.
            name: the run's; the table is `metrics/<name>.csv`, the rest is under `tensorboard/<name>`.
            seeds: the seeds that train together.
            step: updates made so far; what was written of later ones is dropped.
            mark: where the table ended then; None at the start of a run.
        """
        self.seeds = seeds
        self.table = Table(folder / "metrics" / f"{name}.csv", mark=mark)
        self._folder = folder / "tensorboard" / name
        self._board = SummaryWriter(str(self._folder), purge_step=step + 1 if step else 0)

    def __enter__(self) -> "Journal":
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes both."""
        with files.named(self._folder), self._board:
            self.table.close()

    def write(self, event: Metrics) -> None:
        """Writes one set of metrics to both."""
        self.table.write(event, self.seeds)
        returns = event.values["return_mean"]
        scalars = {f"return/seed_{seed:03d}": value for seed, value in zip(self.seeds, returns, strict=True)}
        scalars |= {"return/mean": finite(np.mean, returns), "return/min": finite(np.min, returns)}
        for name, array in event.values.items():
            if name != "return_mean":
                scalars |= {f"{name}/mean": finite(np.mean, array), f"{name}/min": finite(np.min, array)}
        scalars |= {f"shared/{name}": value for name, value in event.shared.items()}
        with files.named(self._folder):
            for name, value in scalars.items():
                if math.isfinite(value):
                    self._board.add_scalar(name, float(value), event.step)
            self._board.flush()  # as the table: what a resume state has behind it must be on disk


class RecentReturns:
    """Mean return of each seed's recent episodes: at least `episodes` of them, once so many have ended."""

    def __init__(self, seeds: int, *, episodes: int = 20) -> None:
        """Starts without any episode."""
        self.episodes = episodes
        self._ended: list[deque[tuple[float, float]]] = [deque() for _ in range(seeds)]

    def add(self, event: Metrics) -> np.ndarray:
        """Takes in the episodes that ended since the last metrics; returns means [S], nan without any episode."""
        means = np.full(len(self._ended), np.nan)
        for s, ended in enumerate(self._ended):
            if event.values["episodes"][s] > 0:
                ended.append((float(event.values["return_mean"][s]), float(event.values["episodes"][s])))
            while ended and sum(n for _, n in ended) - ended[0][1] >= self.episodes:
                ended.popleft()
            if ended:
                means[s] = np.average([mean for mean, _ in ended], weights=[n for _, n in ended])
        return means


def finite(reduce: Callable[[np.ndarray], float], values: np.ndarray) -> float:
    """Returns a reduction over the finite values, nan where there are none."""
    values = values[np.isfinite(values)]
    return float(reduce(values)) if values.size else math.nan


def _kept(path: Path, mark: Mark) -> bytes:
    """Returns what a table held at a mark; nothing of one that does not hold it any more."""
    try:
        kept = files.read(path)[: mark.size]
    except FileNotFoundError:
        logger.warning("%s: is gone, with the metrics of earlier steps", path)
        return b""
    if hashlib.sha256(kept).hexdigest() == mark.digest:
        return kept
    aside = path.with_name(f"{path.name}.damaged")
    os.replace(path, aside)
    logger.warning("%s: was cut or altered; it is kept as %s, and begun again from here", path, aside.name)
    return b""


def _text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "" if math.isnan(value) else f"{value:.9g}"
