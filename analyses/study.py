"""From a population and settings to tables: which units every analysis needs, and how they are joined."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analyses import banks, cross_checkpoint, own_policy, planning, prior_effect, returns, sequences, units
from analyses.population import Population, select_steps
from analyses.settings import Settings
from analyses.units import Unit
from muzero_probe.provenance import commit, versions


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """How one table is made."""

    measure: Callable[..., pd.DataFrame]
    steps: Callable[[Population, Settings], tuple[int, ...]]
    uses_bank: bool
    compares: bool = False  # whether a unit reads all checkpoints of its seeds, not only its own
    # a unit that serves all checkpoints of some seeds: (population, own settings, seeds, folder of units)
    shared: Callable[[Population, Any, tuple[int, ...], Path], Unit] | None = None


def _all_steps(population: Population, settings: Settings) -> tuple[int, ...]:
    return population.steps


ANALYSES: dict[str, Analysis] = {
    "returns": Analysis(measure=returns.measure, steps=_all_steps, uses_bank=False),
    "own_policy": Analysis(measure=own_policy.measure, steps=_all_steps, uses_bank=True),
    "sequences": Analysis(
        measure=sequences.measure,
        steps=lambda p, s: select_steps(p, s.sequences.steps, "sequences"),
        uses_bank=True,
    ),
    "cross_checkpoint": Analysis(measure=cross_checkpoint.measure, steps=_all_steps, uses_bank=True, compares=True),
    "prior_effect": Analysis(
        measure=prior_effect.measure,
        steps=lambda p, s: select_steps(p, (s.prior_effect.step,), "prior_effect"),
        uses_bank=True,
    ),
    "planning": Analysis(
        measure=planning.measure,
        steps=lambda p, s: select_steps(p, s.planning.steps, "planning"),
        uses_bank=False,
        shared=planning.free_search,
    ),
}


def run(
    name: str,
    population: Population,
    settings: Settings,
    *,
    tables: Path,
    folder: Path,
    jobs: int,
    device: str,
    console: Console,
) -> Path:
    """Makes one table.

    Args:
        name: of the analysis.
        population: its checkpoints.
        settings: of the agent and profile.
        tables: root folder of the tables.
        folder: where units are kept.
        jobs: units measured at a time.
        device: torch device of the nets.
        console: shows progress.

    Returns:
        The table's path.
    """
    analysis = ANALYSES[name]
    own = getattr(settings, name)
    cells = [
        (seeds, step)
        for step in analysis.steps(population, settings)
        for seeds in population.shards(settings.shard, getattr(own, "seeds", 0))
    ]
    bank_units = {
        (seeds, step): banks.unit(population, settings.bank, seeds, step, folder, device) for seeds, step in cells
    }
    if analysis.uses_bank:
        units.complete(list(bank_units.values()), jobs=jobs, console=console)
    shared_units = {seeds: analysis.shared(population, own, seeds, folder) for seeds, _ in cells if analysis.shared}
    units.complete(list(shared_units.values()), jobs=jobs, console=console)
    # which steps and seeds are chosen decides what is measured, not what comes out
    measured_with = {key: value for key, value in vars(own).items() if key not in ("step", "steps", "seeds")}
    work = []
    for seeds, step in cells:
        read_steps = population.steps if analysis.compares else (step,)
        bank = bank_units[seeds, step] if analysis.uses_bank else None
        shared = shared_units.get(seeds)
        needed = bank or shared
        work.append(
            Unit(
                name=name,
                label=f"{population.profile}_{population.agent}_{seeds[0]:03d}-{seeds[-1]:03d}_{step:08d}",
                measure=partial(_measure, analysis, population, own, seeds, step, bank, shared, device),
                depends=(
                    measured_with,
                    [population.digests[seed, s] for seed in seeds for s in read_steps],
                    step,
                    needed.path.name if needed else None,
                ),
                folder=folder,
                write=units.write_rows,
                suffix=".csv",
            )
        )
    units.complete(work, jobs=jobs, console=console)
    rows = pd.concat([pd.read_csv(unit.path, keep_default_na=False, na_values=["nan", ""]) for unit in work])
    rows.insert(0, "agent", population.agent)
    rows.insert(1, "profile", population.profile)
    rows = rows.sort_values([c for c in rows.columns if rows[c].dtype != float], kind="stable")
    rows["config_hash"] = population.config_hash
    rows["commit"] = commit()
    path = tables / population.profile / population.agent / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False, float_format="%.6g", na_rep="nan")
    provenance = {
        "analysis": name,
        "settings": vars(own),
        "bank": vars(settings.bank) if analysis.uses_bank else None,
        "config_hash": population.config_hash,
        "commit": commit(),
        "checkpoint_commits": population.commits,
        "versions": versions(),
        "seeds": sorted({seed for seeds, _ in cells for seed in seeds}),
    }
    path.with_suffix(".json").write_text(json.dumps(provenance, indent=1) + "\n")
    return path


def _measure(
    analysis: Analysis,
    population: Population,
    own: object,
    seeds: tuple[int, ...],
    step: int,
    bank: Unit | None,
    shared: Unit | None,
    device: str,
) -> pd.DataFrame:
    agents = population.agents(seeds, step, device)
    others = {}
    if analysis.compares:
        others = {other: population.agents(seeds, other, device) for other in population.steps}
    return analysis.measure(agents, own, bank=bank, others=others, shared=shared)
