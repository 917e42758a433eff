"""What is a study of the tiny population, and where are its tables?"""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analyses import study
from analyses.population import Population
from analyses.settings import Settings

QUIET = Console(quiet=True)
SEEDS, STEPS, K = [0, 1, 2], [0, 20, 60], 4


def run(name: str, population: Population, settings: Settings, folder: Path, *, jobs: int = 1) -> Path:
    return study.run(
        name, population, settings, tables=folder / "tables", folder=folder / "units", jobs=jobs, device="cpu",
        console=QUIET,
    )  # fmt: skip


def table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / "tables" / "smoke" / "cartpole" / f"{name}.csv"
    return pd.read_csv(path, keep_default_na=False, na_values=["nan"])


def changed(settings: Settings, section: str, **changes: Any) -> Settings:
    return dataclasses.replace(settings, **{section: dataclasses.replace(getattr(settings, section), **changes)})
