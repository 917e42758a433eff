"""From agents and seeds to one table each: which runs are missing, and how finished ones are joined."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import pandas as pd
from rich.console import Console

from analyses import tables
from analyses.harness import keys, pool, units
from analyses.harness.population import TRAINED
from analyses.harness.registry import settings
from analyses.harness.study import COMMON
from analyses.harness.units import Unit
from analyses.tables import Column, TableError
from baselines import run
from baselines.hyperparameters import BASELINES
from muzero_probe.agents import Agent
from muzero_probe.checkpoints import config_hash
from muzero_probe.provenance import commit, versions

NAME = "baselines"
LIBRARY = "stable-baselines3"
ROWS = {
    "seed": Column("int", "", "trained seed"),
    "algorithm": Column("word", "", "dqn or ppo, of stable-baselines3"),
    "policy": Column("word", "", "greedy: the likeliest or most valued action; sampled: PPO's own distribution"),
    "environment_steps": Column("int", "steps", "of training, in all copies of the environment together"),
    "return_mean": Column("float", "reward", "undiscounted return, mean over the episodes"),
    "length_mean": Column("float", "steps", "length of an episode, mean"),
    "episodes": Column("int", "", "episodes of a seed and policy"),
}
COLUMNS = {name: COMMON[name] for name in ("agent", "profile", "repeats")} | ROWS


class Place(NamedTuple):
    """An agent in one profile: MuZero's, whose environment and number of environment steps are taken."""

    agent: Agent
    profile: str

    @property
    def steps(self) -> int:
        """Environment steps of a baseline."""
        return self.agent.config(self.profile).training.environment_steps

    @property
    def episodes(self) -> int:
        """Episodes of the analysis `returns`."""
        return settings(self.agent.profile(self.profile).analyses).returns.episodes

    def path(self, folder: Path) -> Path:
        """Where the table lies."""
        return folder / self.profile / self.agent.name / f"{NAME}.csv"


def make(
    places: Sequence[Place], seeds: Sequence[int], *, folder: Path, cache: Path, jobs: int, console: Console
) -> list[Path]:
    """Makes the runs that are missing, then the tables.

    Args:
        places: agents and their profiles.
        seeds: of every algorithm.
        folder: root of the tables.
        cache: where finished runs are kept, a file each.
        jobs: runs at a time, a process each.
        console: shows progress.

    Returns:
        The tables' paths.

    Raises:
        WorkerError: if a process was killed.
    """
    asked = [[_unit(place, name, seed, cache) for name in run.ALGORITHMS for seed in seeds] for place in places]
    units.complete(
        [unit for of_place in asked for unit in of_place], runner=partial(pool.run, jobs=jobs), console=console
    )
    return [_join(place, of_place, seeds, folder) for place, of_place in zip(places, asked, strict=True)]


def _unit(place: Place, algorithm: str, seed: int, cache: Path) -> Unit:
    """One run."""
    agent, profile = place
    baseline = BASELINES[agent.name][algorithm]
    parameters = dict(agent.profile(profile).environment)
    env = agent.make(parameters)
    label = agent.config(profile).training.checkpoints[-1]
    return Unit(
        name=NAME,
        label=f"{profile}_{agent.name}_{algorithm}_{seed:03d}",
        measure=partial(
            run.measure, partial(agent.make, parameters), algorithm, baseline, steps=place.steps, seed=seed,
            episodes=place.episodes, label=label,
        ),
        depends=(
            [env.name, parameters, algorithm, asdict(baseline), place.steps, seed, place.episodes, label],
            keys.source_hash([run.__name__, type(env).__module__]),
            {**keys.versions(), LIBRARY: metadata.version(LIBRARY)},
            llvm.get_host_cpu_name(),  # torch rounds as the processor allows
        ),
        folder=cache,
        write=_write,
        check=_check,
        suffix=".csv",
    )  # fmt: skip


def _join(place: Place, finished: Sequence[Unit], seeds: Sequence[int], folder: Path) -> Path:
    agent, profile = place
    kept = [tables.read(unit.path) for unit in finished]
    rows = pd.concat([table.loc[:, list(ROWS)] for table in kept], ignore_index=True)
    rows = rows.assign(agent=agent.name, profile=profile, repeats=TRAINED)
    of_agent = {name: asdict(baseline) for name, baseline in BASELINES[agent.name].items()}
    made = {
        "analysis": NAME,
        "agent": agent.name,
        "title": agent.title,
        "profile": profile,
        "repeats": TRAINED,
        "seeds": list(seeds),
        "settings": {"episodes": place.episodes, "environment_steps": place.steps},
        "hyperparameters": of_agent,
        "hyperparameters_hash": hashlib.sha256(json.dumps(of_agent, sort_keys=True).encode()).hexdigest()[:12],
        "config_hash": config_hash(agent.config(profile).to_dict()),
        "commit": commit(),
        "measured_at": sorted({table.attrs["provenance"]["commit"] for table in kept}),
        "versions": {**versions(), LIBRARY: metadata.version(LIBRARY)},
    }
    rows = rows.sort_values(["seed", "algorithm", "policy"], kind="stable")
    tables.write(place.path(folder), rows, COLUMNS, made)
    return place.path(folder)


def _write(path: Path, rows: Any) -> None:
    made = {"unit": path.stem, "commit": commit(), "versions": {**versions(), LIBRARY: metadata.version(LIBRARY)}}
    tables.write(path, rows, ROWS, made)


def _check(path: Path) -> None:
    unit = tables.read(path).attrs["provenance"].get("unit")
    if unit != path.stem:
        raise TableError(f"{path} holds the unit {unit}")
