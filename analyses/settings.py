"""What every analysis measures with: settings by agent and profile.

The paper states no numbers of states, episodes, checkpoints or simulation budgets; these are ours, chosen so
that a profile's analyses take about as long as a part of its training, and the standard error over seeds
stays small against the effects.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The states shared by all analyses of a checkpoint: drawn from episodes of its own pi_MuZero."""

    episodes: int = 10  # per seed
    states: int = 50  # per seed; early agents have short episodes and visit fewer

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "bank", "episodes", "states")


@dataclass(frozen=True, kw_only=True)
class Returns:
    """Fig 2."""

    episodes: int = 20  # per seed and policy

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "returns", "episodes")


@dataclass(frozen=True, kw_only=True)
class OwnPolicy:
    """Fig 3."""

    states: int = 50  # per seed, from the bank
    samples: int = 0  # action sequences per state; 0: the exact expectation over all of them

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "own_policy", "states")
        _check_samples("own_policy", self.samples)


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Fig 4."""

    states: int = 50  # per seed, from the bank
    length: int = 8  # study: 2^8 = 256 sequences
    steps: tuple[int, ...] = (500, 2_000, 10_000, 100_000)  # checkpoints

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "sequences", "states", "length")
        _check_ascending("sequences.steps", self.steps, least=0)


@dataclass(frozen=True, kw_only=True)
class CrossCheckpoint:
    """Fig 5."""

    states: int = 8  # per seed, from the bank of the model's checkpoint
    samples: int = 0  # as in OwnPolicy

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "cross_checkpoint", "states")
        _check_samples("cross_checkpoint", self.samples)


@dataclass(frozen=True, kw_only=True)
class PriorEffect:
    """Fig 6."""

    states: int = 50  # per seed, from the bank
    step: int = 2_000  # study
    horizon: int = 16  # study: planning horizon
    budgets: tuple[int, ...] = (4, 8, 16, 32, 64, 128)  # simulations

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "prior_effect", "states", "horizon")
        if self.step < 0:
            raise ValueError(f"prior_effect.step is {self.step}, it must be 0 or more")
        _check_ascending("prior_effect.budgets", self.budgets, least=1)


@dataclass(frozen=True, kw_only=True)
class Planning:
    """Fig 7."""

    seeds: int = 0  # how many of the population plan, lowest first; 0: all
    episodes: int = 3  # per seed and planner
    steps: tuple[int, ...] = (500, 2_000, 10_000, 100_000)  # checkpoints
    horizon: int = 16  # study: planning horizon
    budgets: tuple[int, ...] = (4, 8, 16, 32, 64, 128)  # simulations per step

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least_one(self, "planning", "episodes", "horizon")
        if self.seeds < 0:
            raise ValueError(f"planning.seeds is {self.seeds}, it must be 0 (all) or more")
        _check_ascending("planning.steps", self.steps, least=0)
        _check_ascending("planning.budgets", self.budgets, least=1)


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

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        if self.shard < 1:
            raise ValueError(f"shard is {self.shard}, at least 1 is needed")


def _at_least_one(settings: object, section: str, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 1:
            raise ValueError(f"{section}.{name} is {getattr(settings, name)}, at least 1 is needed")


def _check_samples(section: str, samples: int) -> None:
    if samples != 0 and samples < 2:
        raise ValueError(f"{section}.samples is {samples}, it must be 0 (exact) or at least 2 (for a standard error)")


def _check_ascending(name: str, values: tuple[int, ...], *, least: int) -> None:
    if not values or values[0] < least or list(values) != sorted(set(values)):
        raise ValueError(f"{name} is {values}: one or more values are needed, ascending, none below {least}")


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


def _lunar_lander(steps: tuple[int, ...], *, prior_effect: int) -> Settings:
    """With 4 actions and long plans: sampled sequences where 4^10 are too many, few episodes."""
    return Settings(
        bank=Bank(episodes=6, states=40),
        own_policy=OwnPolicy(states=40, samples=64),
        sequences=Sequences(states=40, length=4, steps=steps),  # study: 4^4 = 256 sequences
        cross_checkpoint=CrossCheckpoint(states=8, samples=64),
        prior_effect=PriorEffect(states=20, step=prior_effect, horizon=128),  # study: planning horizon
        # a true step costs 17 microseconds, a decision up to 128 rollouts: hours for 30 seeds
        planning=Planning(seeds=10, episodes=1, steps=steps, horizon=128),
    )


def _lunar_lander_paper() -> Settings:
    return _lunar_lander((1_000, 10_000, 100_000, 1_000_000), prior_effect=10_000)


def _lunar_lander_desk() -> Settings:
    return _lunar_lander((1_000, 10_000, 100_000), prior_effect=10_000)


def _lunar_lander_quick() -> Settings:
    return dataclasses.replace(
        _lunar_lander((1_000, 15_000), prior_effect=5_000),
        shard=3,
        bank=Bank(episodes=4, states=15),
        returns=Returns(episodes=10),
        own_policy=OwnPolicy(states=15, samples=32),
        sequences=Sequences(states=15, length=4, steps=(1_000, 5_000, 15_000)),
        cross_checkpoint=CrossCheckpoint(states=4, samples=32),
        prior_effect=PriorEffect(states=15, step=5_000, horizon=128),
        planning=Planning(episodes=1, steps=(15_000,), horizon=128, budgets=(4, 16, 64)),
    )


def _lunar_lander_smoke() -> Settings:
    return Settings(
        shard=1,
        bank=Bank(episodes=2, states=3),
        returns=Returns(episodes=2),
        own_policy=OwnPolicy(states=3, samples=8),
        sequences=Sequences(states=2, length=2, steps=(20, 60)),
        cross_checkpoint=CrossCheckpoint(states=2, samples=8),
        prior_effect=PriorEffect(states=2, step=20, horizon=6, budgets=(2, 4)),
        planning=Planning(episodes=1, steps=(60,), horizon=6, budgets=(2, 4)),
    )


def _minatar(steps: tuple[int, ...], *, prior_effect: int) -> Settings:
    return Settings(
        sequences=Sequences(length=5, steps=steps),  # study: 3^5 = 243 sequences
        cross_checkpoint=CrossCheckpoint(states=10),
        prior_effect=PriorEffect(states=30, step=prior_effect, horizon=32),  # study: planning horizon
        # a true step is the package's own Python: minutes for a game with 252 rollouts a step
        planning=Planning(episodes=1, steps=steps, horizon=32),
    )


def _minatar_paper() -> Settings:
    return _minatar((1_000, 10_000, 50_000, 200_000), prior_effect=10_000)


def _minatar_desk() -> Settings:
    return _minatar((1_000, 10_000, 50_000), prior_effect=10_000)


def _minatar_quick() -> Settings:
    return dataclasses.replace(
        _minatar((1_000, 8_000), prior_effect=2_000),
        shard=3,
        bank=Bank(episodes=6, states=15),
        returns=Returns(episodes=10),
        own_policy=OwnPolicy(states=15),
        sequences=Sequences(states=15, length=5, steps=(1_000, 8_000)),
        cross_checkpoint=CrossCheckpoint(states=5),
        prior_effect=PriorEffect(states=15, step=2_000, horizon=32),
    )


def _minatar_smoke() -> Settings:
    return dataclasses.replace(
        _cartpole_smoke(),
        sequences=Sequences(states=2, length=2, steps=(20, 60)),
    )


def _breakout(steps: tuple[int, ...], *, prior_effect: int, states: int, episodes: int) -> Settings:
    return Settings(
        bank=Bank(episodes=episodes, states=states),
        returns=Returns(episodes=episodes),
        own_policy=OwnPolicy(states=states, samples=32),
        sequences=Sequences(states=states, length=4, steps=steps),  # study: 4^4 = 256 sequences
        cross_checkpoint=CrossCheckpoint(states=min(states, 8), samples=32),
        prior_effect=PriorEffect(states=states, step=prior_effect, horizon=32),  # study: planning horizon
        # a simulation costs hundredths of a second in either model, a game up to 3,000 decisions
        planning=Planning(seeds=5, episodes=1, steps=steps[-1:], horizon=32, budgets=(4, 16)),
    )


def _breakout_paper() -> Settings:
    return dataclasses.replace(
        _breakout((1_000, 10_000, 100_000, 500_000), prior_effect=10_000, states=50, episodes=20),
        shard=5,  # states of 40 KB: those of 20 episodes each take up to 13 GB
        planning=Planning(seeds=5, episodes=1, steps=(10_000, 500_000), horizon=32, budgets=(4, 8, 16, 32)),
    )


def _breakout_desk() -> Settings:
    return dataclasses.replace(
        _breakout((1_000, 15_000), prior_effect=5_000, states=16, episodes=5),
        shard=2,  # of four seeds: half for each of two cores
        # games in which an agent does not serve take 3,000 decisions
        planning=Planning(episodes=3, steps=(1_000, 15_000), horizon=32, budgets=(4,)),
    )


def _breakout_quick() -> Settings:
    return dataclasses.replace(
        _breakout((500, 2_000), prior_effect=1_000, states=6, episodes=2),
        shard=1,
    )


def _breakout_smoke() -> Settings:
    return dataclasses.replace(
        _cartpole_smoke(),
        own_policy=OwnPolicy(states=2, samples=2),
        sequences=Sequences(states=1, length=2, steps=(10, 20)),
        cross_checkpoint=CrossCheckpoint(states=1, samples=2),
        prior_effect=PriorEffect(states=1, step=10, horizon=4, budgets=(2, 4)),
        planning=Planning(episodes=1, steps=(20,), horizon=4, budgets=(2,)),
    )


SETTINGS: dict[str, dict[str, Callable[[], Settings]]] = {
    "cartpole": {"smoke": _cartpole_smoke, "quick": _cartpole_quick, "paper": Settings},
    "lunar_lander": {
        "smoke": _lunar_lander_smoke,
        "quick": _lunar_lander_quick,
        "desk": _lunar_lander_desk,
        "paper": _lunar_lander_paper,
    },
    "breakout": {"smoke": _breakout_smoke, "quick": _breakout_quick, "desk": _breakout_desk, "paper": _breakout_paper},
    "minatar": {"smoke": _minatar_smoke, "quick": _minatar_quick, "desk": _minatar_desk, "paper": _minatar_paper},
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
