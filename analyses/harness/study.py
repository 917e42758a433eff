"""From a population and settings to one table: which units an analysis needs, and how they are joined."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from analyses import tables
from analyses.harness import banks, cluster, keys, pool, units
from analyses.harness.agents import Inputs
from analyses.harness.population import Population
from analyses.harness.registry import questions
from analyses.harness.units import Unit
from analyses.tables import Column, TableError
from muzero_probe import files
from muzero_probe.provenance import commit, versions

COMMON = {
    "agent": Column("word", "", "agent"),
    "profile": Column("word", "", "size of the study"),
    "seed": Column("int", "", "trained seed, or number of the repetition"),
    "repeats": Column("word", "", "what a seed repeats: a trained agent, or the measurement of a single one"),
    "step": Column("int", "updates", "training step of the model"),
}
SELECTING = ("step", "steps", "seeds")  # settings that say what is measured, and do not change what comes out


def why_not(name: str, population: Population) -> str | None:
    """Returns why an analysis does not apply to a population; None where it does."""
    if getattr(questions()[name], "EVERY_CHECKPOINT", False) and len(population.steps) < 2:
        return f"{name} compares checkpoints, and {population.name} has one"
    return None


def check(name: str, population: Population, settings: Any, *, folder: Path, cache: Path) -> None:
    """Refuses what `run` would, before anything is measured.

    Raises:
        ValueError: if the settings do not go with the population's environment.
        PopulationError: as `run`.
        OSError: if the table cannot be written, or units cannot be kept.
    """
    chosen = getattr(settings, name)
    _steps(name, population, chosen)
    if hasattr(questions()[name], "check"):
        questions()[name].check(chosen, population.provenance()["actions"])
    files.check_place(_path(folder, population, name))
    files.check_folder(cache)  # all units may be there: it need not be writable


def _steps(name: str, population: Population, chosen: Any) -> tuple[int, ...]:
    """Returns the steps that the settings of an analysis name, or what stands for none."""
    wanted = getattr(chosen, "steps", ())
    if getattr(chosen, "step", None) is not None:
        wanted = (chosen.step,)
    elif hasattr(chosen, "step"):
        wanted = population.steps[-1:]
    return population.select(tuple(wanted), name)


def _path(folder: Path, population: Population, name: str) -> Path:
    return folder / population.profile / population.name / f"{name}.csv"


def run(
    name: str,
    population: Population,
    settings: Any,
    *,
    folder: Path,
    cache: Path,
    jobs: int,
    device: str,
    console: Console,
    scheduler: str | None = None,
) -> Path:
    """Makes one table.

    Args:
        name: of the analysis.
        population: whom it measures.
        settings: of all analyses, see `registry.settings`.
        folder: root of the tables.
        cache: where units are kept.
        jobs: units measured at a time on this machine.
        device: torch device of the nets.
        console: shows progress.
        scheduler: file or address of a Dask cluster that measures instead; paths must be those of its workers, too.

    Returns:
        The table's path.

    Raises:
        PopulationError: if the population lacks a step that the settings name.
        WorkerError: if a worker was lost, or is none that can be asked.
    """
    question = questions()[name]
    chosen = getattr(settings, name)
    cells = [
        (seeds, step)
        for step in _steps(name, population, chosen)
        for seeds in population.shards(settings.shard, getattr(chosen, "seeds", 0))
    ]
    work = Work(population, cache, device)
    runner: units.Runner = partial(pool.run, jobs=jobs)
    if scheduler:
        runner = partial(cluster.run, scheduler=scheduler, wanted=work.alike())
    bank = {}
    if getattr(question, "BANK", False):
        bank = {cell: work.bank(settings.bank, *cell) for cell in cells}
        units.complete(list(bank.values()), runner=runner, console=console)
    once = {}
    if hasattr(question, "measure_once"):
        once = {seeds: work.once(name, question, chosen, seeds) for seeds, _ in cells}
        units.complete(list(once.values()), runner=runner, console=console)
    asked = [work.unit(name, question, chosen, *cell, bank.get(cell), once.get(cell[0])) for cell in cells]
    units.complete(asked, runner=runner, console=console)
    kept = [tables.read(unit.path) for unit in asked]
    columns = {**COMMON, **question.COLUMNS}
    rows = pd.concat([table.loc[:, list(columns)] for table in kept], ignore_index=True)
    rows = rows.sort_values([name for name, column in columns.items() if column.kind != "float"], kind="stable")
    path = _path(folder, population, name)
    made = {
        "analysis": name,
        "agent": population.name,
        "title": population.title,
        "profile": population.profile,
        "repeats": population.repeats,
        "seeds": sorted({seed for seeds, _ in cells for seed in seeds}),
        "settings": vars(chosen),
        "bank": vars(settings.bank) if bank else None,
        **population.provenance(),
        "commit": commit(),
        "measured_at": sorted({table.attrs["provenance"]["commit"] for table in kept}),
        "versions": versions(),
    }
    tables.write(path, rows, columns, made)
    return path


class Work:
    """Makes the units of one population on one device."""

    def __init__(self, population: Population, cache: Path, device: str) -> None:
        """Gathers what all units depend on."""
        self.population = population
        self.cache = cache
        self.device = device
        self.depends = {**population.depends(device), "versions": keys.versions()}

    def alike(self) -> cluster.Alike:
        """What a worker elsewhere must have as this process; a user's own files are read where they lie."""
        modules = [*(f"analyses.{name}" for name in questions()), "analyses.harness.study", *self.population.sources()]
        ours = tuple(module for module in modules if module.startswith(("analyses.", "muzero_probe.")))
        return cluster.alike(ours, processor=self.depends.get("processor") is not None)

    def bank(self, settings: Any, seeds: tuple[int, ...], step: int) -> Unit:
        """The banks of some seeds at one step."""
        return Unit(
            name="banks",
            label=self._label(seeds, f"{step:08d}"),
            measure=partial(_bank, self.population, seeds, step, self.device, vars(settings)),
            depends=(vars(settings), self._of("analyses.harness.banks"), self._digests(seeds, (step,)), seeds, step),
            folder=self.cache,
            write=banks.write,
            check=banks.check,
            suffix=".safetensors",
        )

    def once(self, name: str, question: ModuleType, settings: Any, seeds: tuple[int, ...]) -> Unit:
        """What some seeds measure for all checkpoints."""
        columns = {"seed": COMMON["seed"], **question.COLUMNS}
        return Unit(
            name=name,
            label=self._label(seeds, "once"),
            measure=partial(_once, self.population, name, settings, seeds, self.device),
            depends=(self._settings(settings), self._of(f"analyses.{name}"), "once", seeds),
            folder=self.cache,
            write=partial(_write_rows, columns),
            check=_check_rows,
            suffix=".csv",
        )

    def unit(
        self,
        name: str,
        question: ModuleType,
        settings: Any,
        seeds: tuple[int, ...],
        step: int,
        bank: Unit | None,
        once: Unit | None,
    ) -> Unit:
        """Some seeds at one step."""
        every = getattr(question, "EVERY_CHECKPOINT", False)
        read = [unit.path for unit in (bank, once) if unit]
        return Unit(
            name=name,
            label=self._label(seeds, f"{step:08d}"),
            measure=partial(
                _measure, self.population, name, settings, seeds, step, self.device,
                bank and bank.path, once and once.path,
            ),
            depends=(
                self._settings(settings),
                self._of(f"analyses.{name}"),
                self._digests(seeds, self.population.steps if every else (step,)),
                seeds,
                step,
                [path.name for path in read],
            ),
            folder=self.cache,
            write=partial(_write_rows, {**COMMON, **question.COLUMNS}),
            check=_check_rows,
            suffix=".csv",
        )  # fmt: skip

    def _label(self, seeds: tuple[int, ...], what: str) -> str:
        p = self.population
        return f"{p.profile}_{p.name}_{seeds[0]:03d}-{seeds[-1]:03d}_{what}"

    def _settings(self, settings: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(settings).items() if name not in SELECTING}

    def _of(self, module: str) -> list[Any]:
        """Code and circumstances that a module's numbers depend on."""
        return [keys.source_hash([module, *self.population.sources()]), self.depends]

    def _digests(self, seeds: tuple[int, ...], steps: tuple[int, ...]) -> list[str]:
        return [self.population.digest(seed, step) for seed in seeds for step in steps]


def _bank(
    population: Population, seeds: tuple[int, ...], step: int, device: str, settings: Mapping[str, int]
) -> dict[str, np.ndarray]:
    return banks.measure(population.agents(seeds, step, device), **settings)


def _once(population: Population, name: str, settings: Any, seeds: tuple[int, ...], device: str) -> Any:
    return questions()[name].measure_once(population.agents(seeds, population.steps[0], device), settings)


def _measure(
    population: Population,
    name: str,
    settings: Any,
    seeds: tuple[int, ...],
    step: int,
    device: str,
    bank: Path | None,
    once: Path | None,
) -> pd.DataFrame:
    question = questions()[name]
    every = population.steps if getattr(question, "EVERY_CHECKPOINT", False) else ()
    inputs = Inputs(
        bank=bank,
        checkpoints={other: population.agents(seeds, other, device) for other in every},
        once=tables.read(once) if once else None,
    )
    rows = pd.DataFrame(question.measure(population.agents(seeds, step, device), settings, inputs))
    return rows.assign(agent=population.name, profile=population.profile, repeats=population.repeats, step=step)


def _write_rows(columns: Mapping[str, Column], path: Path, rows: Any) -> None:
    tables.write(path, rows, columns, {"unit": path.stem, "commit": commit(), "versions": versions()})


def _check_rows(path: Path) -> None:
    unit = tables.read(path, every_rule=True).attrs["provenance"].get("unit")
    if unit != path.stem:
        raise TableError(f"{path} holds the unit {unit}")
