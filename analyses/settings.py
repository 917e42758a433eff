"""What every analysis measures with: settings by agent and profile.

The paper states no numbers of states, episodes, checkpoints or simulation budgets; these are ours, chosen so
that a profile's analyses take about as long as a part of its training, and the standard error over seeds
stays small against the effects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The states shared by all analyses of a checkpoint: drawn from episodes of its own pi_MuZero."""

    episodes: int = 10  # per seed
    states: int = 50  # per seed; early agents have short episodes and visit fewer


@dataclass(frozen=True, kw_only=True)
class Returns:
    """Fig 2."""

    episodes: int = 20  # per seed and policy


@dataclass(frozen=True, kw_only=True)
class OwnPolicy:
    """Fig 3."""

    states: int = 50  # per seed, from the bank
    samples: int = 0  # action sequences per state; 0: the exact expectation over all of them


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Fig 4."""

    states: int = 50  # per seed, from the bank
    length: int = 8  # study: 2^8 = 256 sequences
    steps: tuple[int, ...] = (500, 2_000, 10_000, 100_000)  # checkpoints


@dataclass(frozen=True, kw_only=True)
class CrossCheckpoint:
    """Fig 5."""

    states: int = 10  # per seed, from the bank of the model's checkpoint
    samples: int = 0  # as in OwnPolicy


@dataclass(frozen=True, kw_only=True)
class PriorEffect:
    """Fig 6."""

    states: int = 50  # per seed, from the bank
    step: int = 2_000  # study
    horizon: int = 16  # study: planning horizon
    budgets: tuple[int, ...] = (4, 8, 16, 32, 64, 128)  # simulations


@dataclass(frozen=True, kw_only=True)
class Planning:
    """Fig 7."""

    episodes: int = 5  # per seed and planner
    steps: tuple[int, ...] = (500, 2_000, 10_000, 100_000)  # checkpoints
    horizon: int = 16  # study: planning horizon
    budgets: tuple[int, ...] = (4, 8, 16, 32, 64, 128)  # simulations per step


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All analyses of one agent."""

    shard: int = 5  # seeds measured together; no number depends on it
    bank: Bank = field(default_factory=Bank)
    returns: Returns = field(default_factory=Returns)
    own_policy: OwnPolicy = field(default_factory=OwnPolicy)
    sequences: Sequences = field(default_factory=Sequences)
    cross_checkpoint: CrossCheckpoint = field(default_factory=CrossCheckpoint)
    prior_effect: PriorEffect = field(default_factory=PriorEffect)
    planning: Planning = field(default_factory=Planning)


def _cartpole_quick() -> Settings:
    return Settings(
        shard=3,
        bank=Bank(episodes=6, states=20),
        returns=Returns(episodes=10),
        own_policy=OwnPolicy(states=20),
        sequences=Sequences(states=20, steps=(500, 2_000, 10_000)),
        cross_checkpoint=CrossCheckpoint(states=6),
        prior_effect=PriorEffect(states=20),
        planning=Planning(episodes=3, steps=(500, 2_000, 10_000)),
    )


def _cartpole_smoke() -> Settings:
    return Settings(
        shard=1,
        bank=Bank(episodes=2, states=3),
        returns=Returns(episodes=2),
        own_policy=OwnPolicy(states=3),
        sequences=Sequences(states=2, length=3, steps=(20, 60)),
        cross_checkpoint=CrossCheckpoint(states=2),
        prior_effect=PriorEffect(states=2, step=20, horizon=6, budgets=(2, 4)),
        planning=Planning(episodes=1, steps=(60,), horizon=6, budgets=(2, 4)),
    )


SETTINGS: dict[str, dict[str, Callable[[], Settings]]] = {
    "cartpole": {"smoke": _cartpole_smoke, "quick": _cartpole_quick, "paper": Settings},
}


def settings(agent: str, profile: str) -> Settings:
    """Returns the settings of an agent and profile.

    Raises:
        ValueError: if there are none.
    """
    if profile not in SETTINGS.get(agent, {}):
        known = [f"{a} {p}" for a, profiles in SETTINGS.items() for p in profiles]
        raise ValueError(f"no analysis settings for {agent} {profile}: {', '.join(known)}")
    return SETTINGS[agent][profile]()
