"""Populations that this toolkit trained, from their checkpoints."""

import math
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import torch

from analyses.harness.agents import Agents
from analyses.harness.population import TRAINED, Population, PopulationError
from muzero_probe import checkpoints, engine, shipped
from muzero_probe.agents import Agent
from muzero_probe.cli.seeds import show_seeds
from muzero_probe.config import Config
from muzero_probe.envs.base import Environment


@dataclass(frozen=True, kw_only=True)
class Checkpoints(Population):
    """Checkpoints of one agent and profile: every seed at every step."""

    root: Path
    agent: Agent
    config: Config
    config_hash: str
    commits: tuple[str, ...]  # code that trained the agents
    digests: dict[tuple[int, int], str] = field(repr=False)  # by seed and step

    @cached_property
    def env(self) -> Environment:
        """What the agents play."""
        return self.agent.make(self.config.environment)

    @cached_property
    def nets(self):
        """Definition of their nets."""
        return self.agent.build(self.config.nets, self.env)

    def agents(self, seeds: tuple[int, ...], step: int, device: str) -> Agents:
        """See `Population`.

        Raises:
            CheckpointError: if a file is damaged or does not fit the environment.
        """
        vectors = []
        for seed in seeds:
            path = checkpoints.checkpoint_path(self.root, self.profile, self.name, seed, step)
            try:
                found = checkpoints.load_checkpoint(path)
                if found.digest != self.digests[seed, step]:
                    raise checkpoints.CheckpointError(f"{path}: was replaced since the analysis began: begin it again")
                vectors.append(self.nets.layout.vector(found.arrays))
            except ValueError as error:
                raise checkpoints.CheckpointError(
                    f"{path}: does not fit {self.env.name} with {self.env.num_actions} actions and observations "
                    f"{list(self.env.observation_shape)}: {error}; "
                    "train it again, or take the package versions in its header"
                ) from error
        theta = torch.tensor(np.stack(vectors), device=device)
        return Agents(
            env=self.env,
            seeds=seeds,
            step=step,
            search=self.config.search,
            temperature=self.config.training.temperature(step),
            horizon=self.config.training.unroll_steps,
            models=partial(engine.learned_model, self.nets, theta),
        )

    def digest(self, seed: int, step: int) -> str:
        """See `Population`: the checkpoint's digest, and T, which its config holds as a schedule."""
        return f"{self.digests[seed, step]} {self.config.training.temperature(step):g}"

    def sources(self) -> list[str]:
        """See `Population`; the engine chooses the models, and also knows how they are trained."""
        model = engine.learned_model(self.nets, torch.empty(0, self.nets.layout.size), np.empty(0, np.int64))
        return [type(each).__module__ for each in (self.env, self.nets, model)]

    def depends(self, device: str) -> dict[str, Any]:
        """See `Population`: compiled code rounds alike on every processor, torch does not."""
        alike = device == "cpu" and engine.compiles(self.nets, torch.empty(0))
        return {
            "environment": [self.env.name, self.config.environment],
            "search": vars(self.config.search),
            "device": device,
            "processor": None if alike else llvm.get_host_cpu_name(),
        }

    def provenance(self) -> dict[str, Any]:
        """See `Population`."""
        t = self.config.training
        starts = [math.ceil(t.steps * change) for change in (0, *t.temperature_changes)]
        return {
            "config_hash": self.config_hash,
            "checkpoint_commits": list(self.commits),
            "training_steps": t.steps,
            "temperatures": list(zip(starts, t.temperatures, strict=True)),
            "actions": self.env.num_actions,
            "return_range": self.agent.return_range,
            "counts": self.agent.profile(self.profile).counts,
            "rule": self.config.search.rule,
        }

    def __getstate__(self) -> dict[str, Any]:
        """Environment and nets are made anew in another process."""
        return {name: value for name, value in vars(self).items() if name not in ("env", "nets")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes over `__getstate__`'s result."""
        vars(self).update(state)


def find(root: Path, profile: str, agent: Agent, seeds: tuple[int, ...] | None) -> Checkpoints:
    """Finds a population on disk.

    Steps that a seed of it neither ships with nor has are left out for all.

    Args:
        root: the checkpoints' root folder.
        profile: of the run.
        agent: of the run.
        seeds: to analyse; None for all that exist.

    Raises:
        PopulationError: if nothing is there, a seed lacks a step that it should have, or configs differ between files.
        CheckpointError: if a file is damaged.
    """
    found = checkpoints.list_checkpoints(root, profile, agent.name)
    ships = shipped.read(root, profile, agent.name)
    where = f"{root}/{profile}/{agent.name}"
    advice = f"make them with: muzero-probe train {agent.reference} --profile {profile} --root {root}"
    named = f" --seeds {show_seeds(seeds)}" if seeds else ""
    if not found:
        gone = ships.mend(*(path for (seed, _), path in ships.checkpoints.items() if seeds is None or seed in seeds))
        raise PopulationError(f"{where}: no checkpoints{gone or f'; {advice}{named}'}")
    present = {(seed, step): path for seed, step, path in found}
    chosen = seeds or tuple(sorted({*(seed for seed, _ in present), *ships.seeds}))
    headers = {}
    for (seed, step), path in present.items():
        if seed in chosen:
            try:
                headers[seed, step] = checkpoints.verify(path)
            except checkpoints.CheckpointError as error:
                raise checkpoints.CheckpointError(f"{error}{ships.mend(path)}") from error
    if not headers:
        raise PopulationError(f"{where}: no checkpoints of seeds {show_seeds(chosen)}; {advice}{named}")
    hashes = {header.config_hash for header in headers.values()}
    if len(hashes) > 1:
        raise PopulationError(
            f"{where}: checkpoints of different configs {sorted(hashes)}; choose the seeds of one, "
            "`muzero-probe status` shows them"
        )
    first = next(iter(headers.values()))
    try:
        config = agent.read(first.config, profile)
    except (ValueError, TypeError, KeyError) as error:
        raise PopulationError(f"{where}: written by another version of the code ({error})") from error
    every = config.training.checkpoints
    steps = tuple(
        step for step in every if all((seed, step) in present or step in ships.wanted(seed, every) for seed in chosen)
    )
    missing = [(seed, step) for seed in chosen for step in steps if (seed, step) not in present]
    if missing:
        gone = ships.mend(*(checkpoints.checkpoint_path(root, profile, agent.name, *each) for each in missing))
        raise PopulationError(
            f"{where}: {len(missing)} of {len(chosen) * len(steps)} checkpoints are missing, "
            f"first seed {missing[0][0]} step {missing[0][1]}"
            f"{gone or f'; {advice} --seeds {show_seeds({s for s, _ in missing})}'}"
        )
    return Checkpoints(
        name=agent.name, title=agent.title, profile=profile, seeds=chosen, steps=steps, repeats=TRAINED, root=root,
        agent=agent, config=config, config_hash=first.config_hash,
        commits=tuple(sorted({header.commit for header in headers.values()})),
        digests={key: header.digest for key, header in headers.items()},
    )  # fmt: skip
