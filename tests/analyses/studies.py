"""What is a study of the tiny population, and where are its tables?"""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from analyses import tables
from analyses.harness import pool, study
from analyses.harness.population import Population

QUIET = Console(quiet=True)
ONE = partial(pool.run, jobs=1)  # measures in this process
SEEDS, STEPS, K = [0, 1, 2], [0, 20, 60], 4
NAMES = ["returns", "own_policy", "sequences", "cross_checkpoint", "prior_effect", "planning", "search_tree"]
SMALL = {
    "shard": 1,
    "bank": {"episodes": 2, "states": 4},
    "returns": {"episodes": 2},
    "own_policy": {"states": 3},
    "sequences": {"states": 2, "length": 3, "steps": (20, 60)},
    "cross_checkpoint": {"states": 2},
    "prior_effect": {"states": 2, "step": 20, "horizon": 5, "budgets": (2, 4)},
    "planning": {"episodes": 2, "steps": (0, 60), "horizon": 8, "budgets": (3, 9)},
    "search_tree": {"seeds": 0, "states": 2, "candidates": 2, "horizon": 12},
}  # so that every analysis is done in a blink, several states and steps each


def run(name: str, population: Population, settings: Any, folder: Path, *, jobs: int = 1) -> Path:
    return study.run(
        name, population, settings, folder=folder / "tables", cache=folder / "units", jobs=jobs, device="cpu",
        console=QUIET,
    )  # fmt: skip


def path_of(folder: Path, name: str, *, of: str = "smoke/cartpole") -> Path:
    return folder / "tables" / of / f"{name}.csv"


def table(folder: Path, name: str, *, of: str = "smoke/cartpole", every_rule: bool = False) -> Any:
    return tables.read(path_of(folder, name, of=of), every_rule=every_rule)


def changed(settings: Any, section: str, **changes: Any) -> Any:
    return dataclasses.replace(settings, **{section: dataclasses.replace(getattr(settings, section), **changes)})


def one_line(said: str, program: str) -> str:
    """What a program said on stderr, which is one line."""
    assert said.endswith("\n") and said.count("\n") == 1
    assert said.startswith(f"{program}: ")
    return said.removeprefix(f"{program}: ").rstrip()
