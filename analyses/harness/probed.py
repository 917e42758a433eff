"""Anybody's agents as a population: `module:function` names a function that returns a `ProbedAgent`."""

import hashlib
import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from analyses.harness.agents import Agents
from analyses.harness.population import REPEATED, TRAINED, Population, PopulationError
from muzero_probe import agents
from muzero_probe.models.contract import Model, checked
from muzero_probe.models.functions import Several
from muzero_probe.probed import ProbedAgent


@cache
def load(reference: str) -> ProbedAgent:
    """Returns the agent that a function makes.

    Args:
        reference: `module:function`, or `path/to/file.py:function`; the module is run.

    Raises:
        ValueError: in one line, if there is no such module or function, or it makes something else.
    """
    where, _, name = reference.rpartition(":")
    if where.endswith(".py") and not os.path.isfile(where):
        raise ValueError(f"{where}: there is no such file")
    try:
        if where.endswith(".py"):
            module_name = f"muzero_probe_probed_{Path(where).stem}"
            spec = importlib.util.spec_from_file_location(module_name, Path(where).resolve())
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module
            spec.loader.exec_module(module)
        else:
            sys.path.insert(0, "")
            module = importlib.import_module(where)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{where}: running it failed: {_told(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"{where}: has no function {name!r}, which should return a ProbedAgent")
    try:
        agent = function()
        if not isinstance(agent, ProbedAgent):
            raise ValueError(f"returns a {type(agent).__name__}, a muzero_probe.ProbedAgent is needed")
        agent.make()  # refuses an environment that does not fit
    except ValueError as error:
        raise ValueError(f"{reference}: {error}") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"{reference}: running it failed: {_told(error)}") from error
    return agent


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"


@dataclass(frozen=True, kw_only=True)
class Probed(Population):
    """Somebody's agent: the models that its function returns."""

    reference: str

    @property
    def agent(self) -> ProbedAgent:
        """The agent, loaded once in a process."""
        return load(self.reference)

    def agents(self, seeds: tuple[int, ...], step: int, device: str) -> Agents:
        """See `Population`; a device is the models' own matter."""
        agent = self.agent
        models = agent.of_step(step)
        chosen = [models[seed] if self.repeats == TRAINED else models[0] for seed in seeds]
        return Agents(
            env=_environment(self.reference),
            seeds=seeds,
            step=step,
            search=agent.search,
            temperature=agent.temperature,
            horizon=agent.horizon,
            models=partial(_rows, chosen),
        )

    def digest(self, seed: int, step: int) -> str:
        """See `Population`: what the model answers at eight starts and along random plans."""
        models = self.agent.of_step(step)
        model = models[seed] if self.repeats == TRAINED else models[0]
        _, observations = _environment(self.reference).reset(np.arange(8))
        eight = model.rows(slice(0, 8))
        found = checked(eight.root(observations), eight, 8)
        digest = hashlib.sha256(found.values.tobytes() + found.prior_logits.tobytes())
        for actions in np.random.default_rng(0).integers(model.num_actions, size=(8, 8)):
            found = checked(eight.step(found.states, actions), eight, 8)
            for array in (found.rewards, found.values, found.prior_logits):
                digest.update(array.tobytes())
        return digest.hexdigest()

    def sources(self) -> list[str]:
        """See `Population`: the user's module and what it imports of its own, and the environment's."""
        where = self.reference.rpartition(":")[0]
        module = f"muzero_probe_probed_{Path(where).stem}" if where.endswith(".py") else where
        models = {type(model).__module__ for step in self.steps for model in self.agent.of_step(step)}
        return [module, type(_environment(self.reference)).__module__, *sorted(models)]

    def depends(self, device: str) -> dict[str, Any]:
        """See `Population`."""
        env = _environment(self.reference)
        return {
            "environment": [env.name, env.num_actions, env.observation_shape, env.time_limit, env.alive_reward],
            "search": vars(self.agent.search),
            "acts": [self.agent.temperature, self.agent.horizon],
            "device": device,
            "processor": llvm.get_host_cpu_name(),
        }

    def provenance(self) -> dict[str, Any]:
        """See `Population`."""
        agent = self.agent
        known = agents.load(agent.environment) if agent.environment in agents.names() else None
        return {
            "loaded_by": self.reference.rpartition("/")[2],
            "training_steps": self.steps[-1],
            "temperatures": [(0, agent.temperature)],
            "actions": _environment(self.reference).num_actions,
            "return_range": agent.return_range or (known.return_range if known else None),
            "counts": True,
            "rule": agent.rule,
        }


def find(reference: str, seeds: tuple[int, ...] | None) -> Probed:
    """Returns the population of a `module:function`.

    Args:
        reference: see `load`.
        seeds: to analyse; None for all models, or the agent's number of repetitions.

    Raises:
        ValueError: as `load`.
        PopulationError: if it has fewer trained seeds.
    """
    agent = load(reference)
    steps = tuple(sorted(agent.models))
    trained = len(agent.of_step(steps[0]))
    repeats = TRAINED if trained > 1 else REPEATED
    chosen = seeds or tuple(range(trained if trained > 1 else agent.repetitions))
    if trained > 1 and chosen[-1] >= trained:
        raise PopulationError(f"{reference}: seed {chosen[-1]} is not there, it has {trained} models a step")
    return Probed(
        name=agent.name, title=agent.title, profile=agent.profile, seeds=chosen, steps=steps, repeats=repeats,
        reference=reference,
    )  # fmt: skip


@cache
def _environment(reference: str) -> Any:
    return load(reference).make()


def _rows(models: list[Model], row_seeds: np.ndarray) -> Model:
    """Returns the models of rows; one that serves all rows does so by itself."""
    return models[0] if len({id(model) for model in models}) == 1 else Several(models, row_seeds)
