"""What makes an agent: its environment and, by profile, nets, search, training, population and analyses' settings."""

import dataclasses
import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from muzero_probe.config import Config, SearchConfig, TrainingConfig
from muzero_probe.envs.base import Environment
from muzero_probe.envs.replayed import Replayed
from muzero_probe.nets.build import build
from muzero_probe.nets.categorical import Support, unscale
from muzero_probe.nets.loss import Nets

# of a profile of seconds, in which every part runs and nothing is learned
SMOKE: dict[str, Any] = {
    "steps": 60,
    "checkpoints": (0, 20, 60),
    "batch_size": 16,
    "unroll_steps": 4,
    "n_step": 5,
    "environments": 4,
    "warmup_slots": 40,
    "replay_slots": 200,
}
# settings of its analyses
SMOKE_ANALYSES: dict[str, Any] = {
    "shard": 1,
    "bank": {"episodes": 2, "states": 3},
    "returns": {"episodes": 2},
    "own_policy": {"states": 3},
    "sequences": {"states": 2, "length": 2, "steps": (20, 60)},
    "cross_checkpoint": {"states": 2},
    "prior_effect": {"states": 2, "step": 20, "horizon": 6, "budgets": (2, 4)},
    "planning": {"episodes": 1, "steps": (60,), "horizon": 6, "budgets": (2, 4)},
    "search_tree": {"seeds": 0, "candidates": 3, "horizon": 20},
}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One size of an agent's study."""

    nets: Any  # what the agent's `build` takes: a `NetsConfig`, a `ResidualNetsConfig` or another frozen dataclass
    search: SearchConfig
    training: TrainingConfig
    seeds: int  # size of the population
    counts: bool = True  # whether its agents play well enough for the paper's claims (docs/protocol.md, Claims)
    environment: Mapping[str, Any] = field(default_factory=dict)  # keyword arguments of the agent's environment
    # settings that differ from an analysis' own, by its name; of "bank", the states that all share; "shard"
    analyses: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent of the study; a file of `agents`, or of a user, defines it as AGENT and names it.

    Attributes:
        title: for figures.
        environment: makes the environment, given a profile's keyword arguments; or the id of a deterministic Gymnasium
            environment with discrete actions, whose states are replayed from their reset.
        profiles: by name.
        build: makes the nets from a profile's settings of them and the environment.
        needs: what its environment imports of an extra, by module: what brings it.
        return_range: undiscounted returns of poor and of good play; a twentieth of their distance is the smallest
            difference that matters to the claims. None: unknown.
        name: the file's.
        reference: what it was loaded by: a name of `agents`, or a path.
    """

    title: str
    environment: Callable[..., Environment] | str
    profiles: Mapping[str, Profile]
    build: Callable[[Any, Environment], Nets] = build
    needs: Mapping[str, str] = field(default_factory=dict)
    return_range: tuple[float, float] | None = None
    name: str = ""
    reference: str = ""

    def profile(self, name: str) -> Profile:
        """Returns a profile.

        Raises:
            ValueError: if there is none of that name.
        """
        if name not in self.profiles:
            raise ValueError(f"profile {name!r} is unknown for {self.name}: {', '.join(self.profiles)}")
        return self.profiles[name]

    def config(self, profile: str) -> Config:
        """Returns a profile's settings as checkpoints hold them."""
        p = self.profile(profile)
        environment = dict(p.environment)
        return Config(agent=self.name, environment=environment, nets=p.nets, search=p.search, training=p.training)

    def read(self, config: Mapping[str, Any], profile: str) -> Config:
        """Returns the settings that a checkpoint holds.

        Raises:
            ValueError: if they are not such as this agent's.
        """
        return Config.from_dict(config, nets=type(self.profile(profile).nets))

    def lacks(self) -> str | None:
        """Returns in one line what must be installed before it can play; None where all is there."""
        for module, source in self.needs.items():
            if importlib.util.find_spec(module) is None:
                return f"{self.name}: the package {module.lower()} is not installed: pip install {source}"
        return None

    def make(self, parameters: Mapping[str, Any]) -> Environment:
        """Builds the environment.

        Raises:
            ImportError: if one of the packages that it needs is not installed.
            ValueError: if the agent's function makes something else, or there is no such Gymnasium environment.
        """
        if lacking := self.lacks():
            raise ImportError(lacking)
        if isinstance(self.environment, str):
            made = Replayed(self.environment, **parameters)
        else:
            made = self.environment(**parameters)
        if not isinstance(made, Environment):
            raise ValueError(f"agent {self.name}: environment must make an Environment, not a {type(made).__name__}")
        return made

    def check_support(self, support: Support, env: Environment, discount: float) -> None:
        """Refuses atoms of the value that cannot hold what is known of returns: larger ones would be cut.

        Where every step earns the same, that is the sum over all steps, or over a time limit's where nothing discounts
        it; elsewhere the undiscounted returns of `return_range`.

        Raises:
            ValueError: in one line.
        """
        needed = self.return_range or (0.0, 0.0)
        if env.alive_reward is not None:
            steps = 1 / (1 - discount) if discount < 1 else env.time_limit or math.inf
            needed = (0.0, env.alive_reward * steps)
        low, high = unscale(torch.tensor([support.low, support.high], dtype=torch.float64)).tolist()
        if min(needed) < low or max(needed) > high:
            raise ValueError(
                f"with search.discount {discount:g} values of {env.name} reach from {min(*needed, 0.0):.4g} to "
                f"{max(needed):.4g}, but nets.value_low and value_high hold {low:.4g} to {high:.4g}"
            )

    def __reduce__(self) -> tuple[Callable[[str], "Agent"], tuple[str]]:
        """Another process loads the agent by its reference: functions of a user's file have no name there."""
        from muzero_probe.agents import load

        return load, (self.reference,)


def replace(profile: Profile, **changes: Any) -> Profile:
    """Returns a profile with other values; of nets, search and training a dict names what differs."""
    for section in ("nets", "search", "training"):
        if isinstance(changes.get(section), dict):
            changes[section] = dataclasses.replace(getattr(profile, section), **changes[section])
    return dataclasses.replace(profile, **changes)
