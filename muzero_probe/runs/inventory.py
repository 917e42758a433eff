"""What is there of an agent's population, what is missing, and is it sound? Every file is verified."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from muzero_probe import files, shipped
from muzero_probe.agents import Agent, load, names
from muzero_probe.checkpoints import (
    CheckpointError,
    list_checkpoints,
    load_checkpoint,
    load_latest_resume,
    resume_folder,
)
from muzero_probe.shipped import Shipped


class Unfinished(NamedTuple):
    """Where an unfinished run can go on."""

    seeds: list[int]
    step: int
    config_hash: str


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All seeds of one agent in one profile."""

    profile: str
    agent: str
    seeds: list[int]  # asked for; else the profile's, and all that are there
    steps: list[int]  # at which the headers' config wants checkpoints, the profile's without any; and found ones
    present: dict[int, list[int]] = field(default_factory=dict)  # step -> seeds with a sound checkpoint
    hashes: dict[str, list[int]] = field(default_factory=dict)  # config hash -> seeds; more than one is a mixture
    states: list[Unfinished] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)  # one line each, with the path; what ships and is gone, too
    ships: Shipped = shipped.NOTHING
    other: list[Path] = field(default_factory=list)  # files that ship, but are others now, and sound as far as one sees

    def wanted(self, step: int) -> list[int]:
        """Returns the seeds of which a checkpoint of a step is there or should be."""
        there = self.present.get(step, ())
        return [seed for seed in self.seeds if seed in there or step in self.ships.wanted(seed, self.steps)]

    def missing(self, step: int) -> list[int]:
        """Returns the seeds without a sound checkpoint of a step that should have one."""
        return [seed for seed in self.wanted(step) if seed not in self.present.get(step, ())]

    @property
    def complete(self) -> bool:
        """Whether no checkpoint is missing."""
        return not any(self.missing(step) for step in self.steps)


def survey(root: str | Path, profile: str, agent: str, *, seeds: Sequence[int] | None = None) -> Inventory:
    """Returns what is on disk of an agent, compared with what should be.

    Args:
        root: of all checkpoints.
        profile: any name; one that the agent has not expects what its files say.
        agent: as `profile`.
        seeds: the only seeds to look at; None for all.

    Raises:
        ValueError: if a name cannot be part of a path.
    """
    present: dict[int, list[int]] = {}
    hashes: dict[str, list[int]] = {}
    steps: set[int] = set()
    damaged: list[str] = []
    ships = shipped.NOTHING
    unsound: list[Path] = []
    try:
        ships = shipped.read(root, profile, agent)
    except CheckpointError as error:
        damaged.append(str(error))
    try:
        there = list_checkpoints(root, profile, agent)
    except CheckpointError as error:
        there = []
        damaged.append(str(error))
    for seed, step, path in there:
        if seeds is not None and seed not in seeds:
            continue
        try:
            checkpoint = load_checkpoint(path)
            steps.update(checkpoint.config["training"]["checkpoints"])
        except CheckpointError as error:
            unsound.append(path)
            damaged.append(f"{error}{ships.mend(path)}")
            continue
        except (KeyError, TypeError):
            damaged.append(f"{path}: its header has no training.checkpoints")
            continue
        present.setdefault(step, []).append(seed)
        trained = hashes.setdefault(checkpoint.config_hash, [])
        if seed not in trained:
            trained.append(seed)
    states = _states(root, profile, agent, seeds, damaged)
    changed = ships.changed(seeds)
    known = load(agent).profiles.get(profile) if agent in names() else None
    if not steps and known:
        steps.update(known.training.checkpoints)
    if seeds is None:
        found = {seed for seed, _, _ in there} | set(ships.seeds) | {seed for state in states for seed in state.seeds}
        seeds = sorted(found | set(range(known.seeds if known else 0)))
    if changed.absent:
        damaged.append(ships.lost(changed.absent))
    every = sorted(steps | present.keys() | {step for seed, step in ships.checkpoints if seed in seeds})
    found = Inventory(
        profile=profile, agent=agent, seeds=list(seeds), steps=every, present=present, hashes=hashes, states=states,
        damaged=damaged, ships=ships, other=[path for path in changed.other if path not in unsound],
    )  # fmt: skip
    return replace(found, steps=[step for step in every if found.wanted(step)])  # without what none ships and none has


def populations(root: str | Path) -> list[tuple[str, str]]:
    """Returns (profile, agent) of all that have files under a root, sorted; `misnamed` returns the others."""
    return sorted((folder.parent.name, folder.name) for folder in _folders(root) if _named(folder))


def absent(root: str | Path, profile: str, agent: Agent, what: str = "checkpoints") -> CheckpointError:
    """Returns the error that says how to make what is not there, or which profile has it."""
    others = [other for other, name in populations(root) if name == agent.name and other != profile]
    there = f", or choose profile {' or '.join(others)}, which is there" if others else ""
    return CheckpointError(
        f"{root}/{profile}/{agent.name}: no {what}; make them with: muzero-probe train {agent.reference} "
        f"--profile {profile} --root {root}{there}"
    )


def misnamed(root: str | Path) -> list[Path]:
    """Returns folders that look like an agent's, but whose names no command takes, sorted."""
    return sorted(folder for folder in _folders(root) if not _named(folder))


def _folders(root: str | Path) -> set[Path]:
    profiles = [Path(root) / profile for profile in files.names(Path(root))]
    folders = [profile / agent for profile in profiles for agent in files.names(profile)]
    return {folder for folder in folders if any(files.names(folder, name) for name in ("seed_*", "resume"))}


def _named(folder: Path) -> bool:
    return all(files.NAME.fullmatch(name) for name in (folder.parent.name, folder.name))


def _states(
    root: str | Path, profile: str, agent: str, seeds: Sequence[int] | None, damaged: list[str]
) -> list[Unfinished]:
    """Returns the newest sound resume state of every run, and appends to `damaged`."""
    states = []
    folder = resume_folder(root, profile, agent, [0]).parent
    for name in files.names(folder):
        try:
            state = _newest(folder / name)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        if state and (seeds is None or set(seeds) & set(state.seeds)):
            states.append(state)
    return states


def _newest(folder: Path) -> Unfinished | None:
    """Returns a run's newest resume state."""
    while True:
        try:
            found = load_latest_resume(folder)
            return Unfinished(found[2].seeds, found[2].step, found[2].config_hash) if found else None
        except (CheckpointError, FileNotFoundError) as error:
            cause: BaseException | None = error
            while cause and not isinstance(cause, FileNotFoundError):
                cause = cause.__cause__
            # A run that goes on, or ends, drops states that were just listed: look again.
            if cause is None:
                raise
