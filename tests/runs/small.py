"""What is a small run, how is it stopped or damaged, and when are two of them the same?"""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muzero_probe import agents
from muzero_probe.checkpoints import list_checkpoints, load_checkpoint
from muzero_probe.config import Config, NetsConfig, SearchConfig
from muzero_probe.runs.run import Report, Run, Summary, train

AGENT = agents.load("cartpole")
EVERY = 12  # updates between two sets of metrics: two blocks of updates
STEPS = (0, 20, 48)


class Stopped(BaseException):
    """Stands for whatever ends a process."""


def config(**training: Any) -> Config:
    small = AGENT.config("smoke")
    settings = {"steps": STEPS[-1], "checkpoints": STEPS, "batch_size": 4} | training
    return dataclasses.replace(
        small,
        nets=NetsConfig(latent=8, hidden=8),
        search=SearchConfig(simulations=4),
        training=dataclasses.replace(small.training, **settings),
    )


def run_at(root: Path, *, seeds: tuple[int, ...] = (0, 1), **training: Any) -> Run:
    return Run(agent=AGENT, config=config(**training), profile="smoke", seeds=seeds, root=root)


def go(run: Run, **options: Any) -> Summary | None:
    return train(run, **({"resume_minutes": 0.0, "metrics_every": EVERY} | options))


def stop_at(step: int) -> Callable[[Report], None]:
    def report(report: Report) -> None:
        if report.step >= step > 0:
            raise Stopped

    return report


def interrupted(root: Path, step: int = 12, **training: Any) -> Run:
    run = run_at(root, **training)
    with pytest.raises(Stopped):
        go(run, report=stop_at(step))
    return run


def weights(root: Path) -> dict[tuple[int, int], dict[str, bytes]]:
    """All arrays of an agent's checkpoints, by seed and step."""
    return {
        (seed, step): {name: array.tobytes() for name, array in load_checkpoint(path).arrays.items()}
        for seed, step, path in list_checkpoints(root, "smoke", "cartpole")
    }


def table(run: Run) -> list[dict[str, str]]:
    """The rows of a run's metrics, without what the clock decides."""
    with (run.folder / "metrics" / f"{run.resume_folder.name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if not name.startswith("seconds_")} for row in rows]


def assert_same(run: Run, reference: Run) -> None:
    assert weights(run.root) == weights(reference.root)
    assert table(run) == table(reference)
    assert not run.resume_folder.exists()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
