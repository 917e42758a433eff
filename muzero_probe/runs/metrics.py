"""What do the tables of metrics under an agent's folder say of each seed?"""

from pathlib import Path

import numpy as np

from muzero_probe import files
from muzero_probe.checkpoints import CheckpointError
from muzero_probe.runs.journal import KEYS

Course = dict[str, np.ndarray]  # columns of one seed's metrics, [rows] float64, in order of steps


def read_metrics(folder: Path) -> dict[int, Course]:
    """Returns the metrics of every seed; of one that stands in several tables those that go furthest.

    A last line without its end, which a killed process left, is passed by. Columns are those that the table has: an
    earlier version wrote fewer.

    Args:
        folder: the agent's, <root>/<profile>/<agent>.

    Raises:
        CheckpointError: in one line, if a table is damaged.
        OSError: if one cannot be read.
    """
    found: dict[int, Course] = {}
    for name in files.names(folder / "metrics", "*.csv"):
        for seed, course in read_table(folder / "metrics" / name).items():
            if seed not in found or course["step"][-1] > found[seed]["step"][-1]:
                found[seed] = course
    return found


def read_table(path: Path) -> dict[int, Course]:
    """Returns the metrics of the seeds of one table; raises as `read_metrics`."""
    try:
        whole, _, _ = files.read(path).decode().rpartition("\n")
        if not whole:
            return {}
        names, *cells = (line.split(",") for line in whole.split("\n"))
        if tuple(names[: len(KEYS)]) != KEYS or len(set(names)) != len(names):
            raise ValueError("its first line does not name columns of metrics")
        if odd := [row for row in cells if len(row) != len(names)]:
            raise ValueError(f"a line has {len(odd[0])} cells, {len(names)} are needed")
        numbers = np.array([[float(cell or "nan") for cell in row] for row in cells]).reshape(-1, len(names))
        if not np.isfinite(numbers[:, : len(KEYS)]).all():
            raise ValueError("a line has no step or no seed")
    except ValueError as error:
        raise CheckpointError(f"{path}: is no table of metrics, or damaged: {error}") from error
    found = {}
    for seed in np.unique(numbers[:, KEYS.index("seed")]):
        mine = numbers[numbers[:, KEYS.index("seed")] == seed]
        mine = mine[np.argsort(mine[:, KEYS.index("step")], kind="stable")]
        found[int(seed)] = dict(zip(names, mine.T, strict=True))
    return found
