"""Agents that this toolkit did not train, as the analyses probe them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from muzero_probe import agents, door
from muzero_probe.config import Rule, SearchConfig
from muzero_probe.envs.base import Environment
from muzero_probe.envs.replayed import Replayed
from muzero_probe.models.contract import Model


@dataclass(frozen=True, kw_only=True)
class ProbedAgent:
    """An agent for all analyses: its environment, its models by training step, and how it searches.

    Raises:
        ValueError: in one line, if a value is impossible or of another kind.
    """

    name: str
    """Name of the folder of its tables."""
    title: str
    """Name in figures."""
    environment: str | Environment
    """An agent of this toolkit whose environment is meant, the id of a Gymnasium environment, or an environment."""
    models: Mapping[int, Model | Sequence[Model]]
    """By training step, a model, or one per trained seed."""
    discount: float
    """Discount per environment step."""
    simulations: int = 50
    """Simulations of its search."""
    temperature: float = 1.0
    """Temperature T of eq 2 that it acts with."""
    horizon: int = 10
    """Longest horizon of value prediction errors, usually the steps that it was unrolled in training."""
    rule: Rule = "muzero"
    """Rule of its search."""
    return_range: tuple[float, float] | None = None
    """Undiscounted returns of poor and of good play, see `agents.Agent`; by default a named agent's, else unknown."""
    profile: str = "own"
    """Folder of its tables and figures, beside those of the study's profiles."""
    repetitions: int = 5
    """Times that everything is measured where there is one model a step: of other starts, sequences and chances."""
    analyses: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from an analysis' own, by its name, as in `agents.Profile`."""

    def __post_init__(self) -> None:
        for what in ("name", "title", "profile"):
            door.instance(what, getattr(self, what), str)
        for what, name in (("agent", self.name), ("profile", self.profile)):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
                raise ValueError(f"{what} {name!r}: this cannot be a name")
        if not isinstance(self.models, Mapping):
            raise ValueError(
                f"agent {self.name}: models must be a dict, training step to model, not a {type(self.models).__name__}"
            )
        if not self.models or not all(isinstance(step, int) and step >= 0 for step in self.models):
            raise ValueError(f"agent {self.name}: models must be given by training steps, 0 or above")
        for found in self.models.values():
            for model in found if isinstance(found, Sequence) else [found]:
                if not isinstance(model, Model):
                    raise ValueError(f"agent {self.name}: models must be of kind Model, not {type(model).__name__}")
        counts = {len(of_step) for of_step in map(self.of_step, self.models)}
        if len(counts) > 1 or not min(counts):
            raise ValueError(
                f"agent {self.name}: every step needs the same seeds, found {sorted(counts)} models a step"
            )
        for name in ("horizon", "repetitions"):
            door.whole(f"agent {self.name}: {name}", getattr(self, name), 1)
        if self.return_range is not None:
            low, high = self.return_range
            if not low < high:
                raise ValueError(
                    f"agent {self.name}: return_range must be two numbers, ascending, not {low} and {high}"
                )
        if not self.temperature > 0:
            raise ValueError(f"agent {self.name}: temperature is {self.temperature}, it must be positive")
        assert self.search  # refuses impossible values

    def of_step(self, step: int) -> Sequence[Model]:
        """Returns the models of a step."""
        found = self.models[step]
        return [found] if isinstance(found, Model) else list(found)

    @property
    def search(self) -> SearchConfig:
        """How it searches."""
        return SearchConfig(discount=self.discount, simulations=self.simulations, rule=self.rule)

    def make(self) -> Environment:
        """Returns its environment.

        Raises:
            ValueError: if there is none, or its number of actions is not the models'.
        """
        env = self.environment
        if isinstance(env, str):
            env = agents.load(env).make({}) if env in agents.names() else Replayed(env)
        if not isinstance(env, Environment):
            raise ValueError(f"agent {self.name}: environment must be an Environment, not a {type(env).__name__}")
        numbers = {model.num_actions for step in self.models for model in self.of_step(step)}
        if numbers != {env.num_actions}:
            known = ", ".join(map(str, sorted(numbers)))
            raise ValueError(
                f"agent {self.name}: num_actions of its models is {known}, {env.name.removeprefix('replayed:')} has "
                f"{env.num_actions} actions"
            )
        return env
