"""A run: the seeds of one agent that train together, and the files that this leaves behind.

Beside the checkpoints and resume states (see `checkpoints`), under <root>/<profile>/<agent>:

    metrics/seeds_000-029.csv        one row per step and seed
    tensorboard/seeds_000-029/       the same, for TensorBoard

However and whenever a run is stopped, the same call goes on from its newest resume state and ends with the
bits of an uninterrupted run: a resume state is only taken where the trainer's state is complete, everything
that was written later is either identical (checkpoints) or cut off (metrics), and the resume states go away
last. So a run is complete when all its checkpoints are there and no resume state is; of seeds that ship with the
repository, those that ship (see `shipped`).
"""

import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from muzero_probe import files, shipped
from muzero_probe.agents import Agent
from muzero_probe.checkpoints import (
    ROOT,
    CheckpointError,
    Header,
    checkpoint_path,
    config_hash,
    list_checkpoints,
    load_latest_resume,
    lock_seeds,
    read_header,
    resume_folder,
    save_checkpoint,
    save_resume,
    verify,
)
from muzero_probe.cli.seeds import MOST, show_seeds
from muzero_probe.config import Config
from muzero_probe.engine import check_device
from muzero_probe.nets.loss import check_terms
from muzero_probe.runs.journal import Journal, Mark, RecentReturns, finite
from muzero_probe.shipped import Shipped
from muzero_probe.training.trainer import Reached, Sick, Trainer

SHOWN_DIFFERENCES = 6  # of settings, in one message

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Which agents are trained, on what, and where their files belong."""

    agent: Agent
    config: Config  # one of the agent's profiles, or with other values
    profile: str
    seeds: tuple[int, ...]  # ascending
    root: Path = ROOT
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuses what cannot be trained or stored."""
        if not self.config.training.checkpoints:
            raise ValueError("training.checkpoints is empty, at least one step is needed: nothing else is kept")
        if len(self.seeds) > MOST:
            raise ValueError(
                f"there are {len(self.seeds)} seeds, at most {MOST} train together: name some with --seeds"
            )
        check_device(self.device)
        check_terms(self.config.training.loss_terms)
        for name, value in _leaves(self.settings):
            numbers = value if isinstance(value, tuple) else (value,)
            if not all(math.isfinite(number) for number in numbers if isinstance(number, float)):
                raise ValueError(f"{name} is {value}, it must be finite")
        assert self.resume_folder and self.folder  # raise ValueError where a name cannot be part of a path

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The config as files hold it."""
        return self.config.to_dict()

    @property
    def folder(self) -> Path:
        """The agent's."""
        return checkpoint_path(self.root, self.profile, self.config.agent, self.seeds[0], 0).parent.parent

    @property
    def resume_folder(self) -> Path:
        """The run's own; its name is the run's."""
        return resume_folder(self.root, self.profile, self.config.agent, self.seeds)


class Report(NamedTuple):
    """How far a run is."""

    step: int
    seconds: float  # wall time since this start
    return_mean: float  # of the recent episodes, over seeds; nan before any has ended
    return_min: float  # of the seeds' means


class Summary(NamedTuple):
    """What training took."""

    updates: int  # per seed, by this start
    seconds: float  # wall time of this start
    sick: dict[int, str]  # seeds that were given up: where, and what is not finite
    total_seconds: float  # of all starts, each up to the resume state that the next one went on from
    starts: int


def train(
    run: Run,
    *,
    resume_minutes: float = 5.0,
    metrics_every: int = 500,
    report: Callable[[Report], None] = lambda _: None,
) -> Summary | None:
    """Trains a run to its end, or goes on with it.

    Args:
        run: what to train.
        resume_minutes: least wall time between two resume states, but for one behind every checkpoint; at 0 every
            set of metrics has one.
        metrics_every: updates between two sets of metrics, which is where resume states are possible.
        report: called at the start and with every set of metrics.

    Returns:
        What it took; None if the run was complete already.

    Raises:
        CheckpointError: if a seed is being trained by another process, or what is on disk was made with other
            settings, is damaged, or is other than what this run comes to.
    """
    begun = time.monotonic()
    agent, profile, seeds = run.config.agent, run.profile, run.seeds
    ships = shipped.read(run.root, profile, agent)
    if ships.whole(seeds) and not run.resume_folder.exists():
        _check_checkpoints(run, ships)
        return None  # before anything is locked or written: a checkout may be read-only, and stays as it is
    env = run.agent.make(run.config.environment)
    nets = run.agent.build(run.config.nets, env)
    run.agent.check_support(nets.value_support, env, run.config.search.discount)
    files.check_folder(run.folder)
    with lock_seeds(run.root, profile, agent, seeds) as check_folders:
        state = load_latest_resume(run.resume_folder)
        if state:
            _check_resume(run, state[2])
        present = _check_checkpoints(run, ships)
        steps = run.config.training.checkpoints
        wanted = [(seed, step) for step in steps for seed in seeds if step in ships.wanted(seed, steps)]
        missing = [(seed, step) for seed, step in wanted if (seed, step) not in present]
        if state is None and not missing:
            return None
        if absent := ships.changed(seeds).absent:
            logger.warning("%s", ships.lost(absent))
        if state is None:
            _say_what_is_there(seeds, missing)
        given_up = _given_up(state[1], seeds) if state else set()
        passed = [(seed, step) for seed, step in missing if state and step <= state[2].step and seed not in given_up]
        if state and passed:
            raise CheckpointError(
                f"{run.resume_folder}: goes on from step {state[2].step}, but the checkpoint of seed {passed[0][0]} "
                f"at step {passed[0][1]} is gone: put it back, or delete that folder to train from the beginning"
            )

        trainer = Trainer(run.config, env, list(seeds), nets=nets, device=run.device)
        earlier, starts, mark = 0.0, 1, None
        if state:
            arrays, meta, header = state
            try:
                trainer.load_state_dict(arrays, meta["trainer"])
                earlier, starts = float(meta["seconds"]), int(meta["starts"]) + 1
                size, digest = meta["metrics"]
                mark = Mark(int(size), str(digest))
            except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
                what = f"was written by another version of this program ({type(error).__name__}: {error})"
                raise CheckpointError(f"{run.resume_folder}: {what}: delete it to train from the beginning") from error
            logger.info(
                "continuing at step %d of %d, after %s of training", header.step, run.config.training.steps,
                timedelta(seconds=round(earlier)),
            )  # fmt: skip
            del state, arrays, meta  # the trainer has copied them, and they are large
        first = trainer.step

        def seconds() -> float:
            return time.monotonic() - begun

        def save_state() -> None:
            arrays, meta = trainer.state_dict()
            meta = {
                "trainer": meta, "seconds": earlier + seconds(), "starts": starts, "device": _kind(run.device),
                "metrics": journal.table.mark(),
            }  # fmt: skip
            save_resume(
                run.resume_folder, agent=agent, profile=profile, seeds=seeds, step=trainer.step, config=run.settings,
                arrays=arrays, meta=meta,
            )  # fmt: skip

        recent = RecentReturns(len(seeds))
        saved = time.monotonic()
        behind = False  # whether there are newer checkpoints than the newest state
        report(Report(first, seconds(), np.nan, np.nan))
        with Journal(run.folder, run.resume_folder.name, seeds, step=first, mark=mark) as journal:
            for event in trainer.run(metrics_every=metrics_every):
                check_folders()
                if isinstance(event, Sick):
                    logger.error("seed %d is given up: %s", seeds[event.index], _of_sick(event))
                    if len(trainer.sick) == len(seeds):
                        break
                    continue
                if isinstance(event, Reached):
                    for index, seed in enumerate(seeds):
                        if index in trainer.sick:
                            continue
                        save_checkpoint(
                            run.root, agent=agent, profile=profile, seed=seed, step=event.step, config=run.settings,
                            arrays=trainer.arrays(index),
                        )  # fmt: skip
                    logger.info("step %d: checkpoints are saved", event.step)
                    behind = event.step > 0
                    continue
                journal.write(event)
                # After the journal: a state must not be ahead of the rows that it expects.
                # Behind a checkpoint at once: another processor may round otherwise and not come to it again.
                due = behind or time.monotonic() - saved >= 60 * resume_minutes
                if due and event.step < run.config.training.steps:
                    save_state()
                    saved, behind = time.monotonic(), False
                means = recent.add(event)
                report(Report(event.step, seconds(), finite(np.mean, means), finite(np.min, means)))
        # Last: while there is a state, the run is not complete.
        shutil.rmtree(run.resume_folder, ignore_errors=True)
        sick = {seeds[index]: _of_sick(event) for index, event in trainer.sick.items()}
        return Summary(trainer.step - first, seconds(), sick, earlier + seconds(), starts)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Returns one text per setting that differs between two configs: name, old and new value."""
    # As JSON: 1 and 1.0 differ here as they do in the hash, a tuple and a list do not.
    before, after = ({name: json.dumps(value) for name, value in _leaves(config)} for config in (old, new))
    names = [*after, *(name for name in before if name not in after)]
    return [
        f"{name} was {before.get(name, 'absent')}, is {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _of_sick(event: Sick) -> str:
    return f"its {event.what} at step {event.step} are not finite"


def _given_up(meta: Mapping[str, Any], seeds: Sequence[int]) -> set[int]:
    """Seeds that a resume state says to be sick."""
    try:
        return {seeds[index] for index, *_ in meta["trainer"]["sick"]}
    except (KeyError, TypeError, ValueError, IndexError):
        return set()


def _check_resume(run: Run, header: Header) -> None:
    """Refuses to go on from a state of other settings, or on another kind of device."""
    made = f"{run.resume_folder} and the checkpoints of seeds {show_seeds(run.seeds)}"
    do = f"keep the old, choose another root, or delete {made}"
    if header.config_hash != config_hash(run.settings):
        raise CheckpointError(f"a run interrupted at step {header.step} differs: {_differs(header, run)}: {do}")
    before, now = header.meta.get("device"), _kind(run.device)
    if before is not None and before != now:
        raise CheckpointError(f"a run interrupted at step {header.step} differs: device was {before}, is {now}: {do}")


def _check_checkpoints(run: Run, ships: Shipped) -> set[tuple[int, int]]:
    """Returns (seed, step) of all that the agent has; refuses a second config among them."""
    present, other, odd = set(), {}, None
    for seed, step, path in list_checkpoints(run.root, run.profile, run.config.agent):
        # a run's own are looked at whole: it would pass by a damaged one, and its end be called complete
        try:
            header = verify(path) if seed in run.seeds else read_header(path)
        except CheckpointError as error:
            again = ": put it back, or delete it and the same command trains the seed again"
            raise CheckpointError(f"{error}{ships.mend(path) or again}") from error
        present.add((seed, step))
        if header.config_hash != config_hash(run.settings):
            other[seed] = odd = header
    if odd:
        raise CheckpointError(
            f"{run.folder}: seeds {show_seeds(other)} were trained with other settings: {_differs(odd, run)}: "
            "take the old ones, choose another root, or delete them"
        )
    return present


def _say_what_is_there(seeds: Sequence[int], missing: list[tuple[int, int]]) -> None:
    lacking = {seed for seed, _ in missing}
    if lacking != set(seeds):
        logger.info(
            "seeds %s are complete already and come to the same again; seeds %s alone would do",
            show_seeds(set(seeds) - lacking), show_seeds(lacking),
        )  # fmt: skip


def _differs(header: Header, run: Run) -> str:
    found = differences(header.config, run.settings)
    more = [f"and {len(found) - SHOWN_DIFFERENCES} more"] if len(found) > SHOWN_DIFFERENCES else []
    return "; ".join(found[:SHOWN_DIFFERENCES] + more)


def _leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted name and value of every setting."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _kind(device: str) -> str:
    return torch.device(device).type
