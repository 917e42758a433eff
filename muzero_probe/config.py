"""Settings of an agent: frozen dataclasses. `agents` has their values, a file an agent, by profile.

A value's docstring says what it is and in which unit, its comment where it comes from: "study" is this study's protocol
(docs/protocol.md: what He et al. (2024) state, and what was fixed for it where they are silent), "MuZero" Schrittwieser
et al. (2020), "lineage" the muzero-general implementation that the paper's Cart Pole agents most probably descend from,
"measured" our own runs on seeds that are reported nowhere (1000 and up).
"""

import dataclasses
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Rule = Literal["muzero", "efficientzero"]

MOST = 100_000  # of whatever an array has an axis of: rows, units, simulations
MOST_STEPS = 10**9

# (section, field) of what came after populations were published: left out of `to_dict` while it has its default, so
# that their files stay readable and their hashes stay. Such a default never changes again: absent means that value.
LATER: tuple[tuple[str, str], ...] = (("nets", "shrinks"), ("search", "noise_steps"), ("training", "revalue_fraction"))


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How a search is made."""

    rule: Rule = "muzero"  # study
    """Rule by which actions are selected in the tree."""
    simulations: int = 50  # study
    """Simulations of a search."""
    discount: float = 0.997  # the agent's file sets it
    """Discount per environment step."""
    c1: float = 1.25  # MuZero, appendix B
    """Exploration constant that MuZero calls pb_c_init."""
    c2: float = 19652.0  # MuZero, appendix B
    """Exploration constant that MuZero calls pb_c_base, in visits."""
    dirichlet_alpha: float = 0.25  # muzero-general's Cart Pole
    """Concentration of the noise at the root while collecting data."""
    dirichlet_fraction: float = 0.25  # MuZero, appendix B
    """Share of that noise in the root's prior."""
    noise_steps: float = 1.0  # MuZero: new noise at every step
    """Mean number of steps that an environment keeps its root noise while collecting data."""

    def __post_init__(self) -> None:
        _check_types(self, "search")
        if self.rule not in get_args(Rule):
            raise ValueError(f"search.rule is {self.rule!r}, there are {', '.join(get_args(Rule))}")
        at_least(self, "search", 1, "simulations")
        if not 0 < self.discount <= 1:
            raise ValueError(f"search.discount is {self.discount}, it must lie in (0, 1]")
        if not 0 <= self.c1 <= 1e6:
            raise ValueError(f"search.c1 is {self.c1}, it must lie in [0, 1e6]")
        if not 0 < self.c2 <= 1e12:
            raise ValueError(f"search.c2 is {self.c2}, it must lie in (0, 1e12]")
        if not 1e-3 <= self.dirichlet_alpha <= 1e6:
            raise ValueError(f"search.dirichlet_alpha is {self.dirichlet_alpha}, it must lie in [0.001, 1e6]")
        if not 0 <= self.dirichlet_fraction <= 1:
            raise ValueError(f"search.dirichlet_fraction is {self.dirichlet_fraction}, it must lie in [0, 1]")
        if not 1 <= self.noise_steps <= 1e6:
            raise ValueError(f"search.noise_steps is {self.noise_steps}, it must lie in [1, 1e6]")


@dataclass(frozen=True, kw_only=True)
class NetsConfig:
    """Sizes of h, g and f."""

    latent: int = 64
    """Numbers of a latent state."""
    hidden: int = 64
    """Units of the one hidden layer."""
    value_low: int = 0
    """Lowest atom of the value, on the scaled axis h(x)."""
    value_high: int = 20
    """Highest atom of the value."""
    reward_low: int = -2
    """Lowest atom of the reward."""
    reward_high: int = 2
    """Highest atom of the reward."""

    def __post_init__(self) -> None:
        _check_types(self, "nets")
        at_least(self, "nets", 1, "latent", "hidden")
        _check_supports(self)


@dataclass(frozen=True, kw_only=True)
class ImageNetsConfig(NetsConfig):
    """Sizes where h starts with a convolution of 3 x 3 windows."""

    filters: int = 16  # MinAtar's own agents (Young and Tian 2019)
    """Filters of the convolution."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, "nets", 1, "filters")


@dataclass(frozen=True, kw_only=True)
class ResidualNetsConfig:
    """Sizes of residual convolutional nets; EfficientZero's for Atari."""

    channels: int = 64
    """Planes of a latent state."""
    shrinks: int = 16
    """Side of a screen over side of a latent."""
    head_planes: int = 16
    """Planes of the 1 x 1 convolution that a head starts with."""
    head_hidden: int = 32
    """Units of a head's hidden layer."""
    value_low: int = -300
    """Lowest atom of the value, on the scaled axis h(x)."""
    value_high: int = 300
    """Highest atom of the value."""
    reward_low: int = -300
    """Lowest atom of the reward."""
    reward_high: int = 300
    """Highest atom of the reward."""

    def __post_init__(self) -> None:
        _check_types(self, "nets")
        at_least(self, "nets", 2, "channels")
        at_least(self, "nets", 1, "head_planes", "head_hidden")
        if self.shrinks not in (8, 16):
            raise ValueError(f"nets.shrinks is {self.shrinks}, it must be 8 or 16")
        _check_supports(self)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How an agent is trained."""

    steps: int = 100_000
    """Updates of the nets."""
    checkpoints: tuple[int, ...] = (0, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
    """Steps at which the nets are kept."""
    batch_size: int = 128  # lineage
    """Positions of an update."""
    unroll_steps: int = 10
    """Steps K that the model is unrolled in training."""
    n_step: int = 10
    """Steps of reward before the value target bootstraps."""
    environments: int = 8
    """Environments played side by side per seed."""
    updates_per_environment_step: float = 0.5
    """Updates per step of all environments of a seed."""
    warmup_slots: int = 128
    """Positions per environment before the first update."""
    replay_slots: int = 6_000
    """Positions that replay keeps per environment."""
    priority_alpha: float = 0.5  # lineage
    """Exponent of the priorities."""
    priority_beta_start: float = 0.4  # EfficientZero's annealing; lineage corrects fully from the start
    """Exponent of the importance weights at step 0."""
    priority_beta_end: float = 1.0
    """Exponent of the importance weights at the last step, reached linearly."""
    reanalyse_fraction: float = 0.1
    """Share of training positions whose policy and value targets are searched anew."""
    revalue_fraction: float = 0.0  # MuZero Reanalyse takes values of current nets everywhere
    """Share of training positions whose value targets bootstrap from what the current nets predict."""
    learning_rate: float = 1e-3
    """Learning rate of Adam at step 0."""
    learning_rate_end: float = 1e-4
    """Learning rate at the last step, reached exponentially."""
    weight_decay: float = 1e-4  # lineage
    """L2 penalty in Adam."""
    gradient_norm: float = 5.0  # EfficientZero
    """Norm to which a seed's gradient is clipped."""
    value_weight: float = 1.0  # lineage
    """Weight of the value loss."""
    loss_terms: dict[str, float] = field(default_factory=dict)
    """Weights of loss terms beside MuZero's, by their names in `nets.loss.TERMS`."""
    temperatures: tuple[float, ...] = (1.0, 0.5, 0.25)  # study
    """Temperatures T of eq 2, in the order of training."""
    temperature_changes: tuple[float, ...] = (0.5, 0.75)  # study
    """Shares of the steps after which T changes."""

    def __post_init__(self) -> None:
        _check_types(self, "training")
        at_least(self, "training", 1, "batch_size", "unroll_steps", "n_step", "environments")
        at_least(self, "training", 1, "steps", "warmup_slots", "replay_slots", most=MOST_STEPS)
        if self.batch_size < 2:
            raise ValueError(f"training.batch_size is {self.batch_size}, at least 2 is needed")
        if not all(0 <= step <= self.steps for step in self.checkpoints):
            raise ValueError(f"training.checkpoints {self.checkpoints} must lie in 0..{self.steps}")
        if list(self.checkpoints) != sorted(set(self.checkpoints)):
            raise ValueError(f"training.checkpoints {self.checkpoints} must ascend")
        lag = self.unroll_steps + self.n_step
        if self.warmup_slots <= lag:
            raise ValueError(
                f"training.warmup_slots is {self.warmup_slots}, it must exceed n_step + unroll_steps ({lag})"
            )
        if self.replay_slots < self.warmup_slots:
            raise ValueError(
                f"training.replay_slots is {self.replay_slots}, it must be at least warmup_slots ({self.warmup_slots})"
            )
        if not 1e-6 <= self.updates_per_environment_step <= 1e6:
            raise ValueError(
                f"training.updates_per_environment_step is {self.updates_per_environment_step}, it must lie in "
                "[1e-6, 1e6]"
            )
        shares = "priority_alpha", "priority_beta_start", "priority_beta_end", "reanalyse_fraction", "revalue_fraction"
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"training.{name} is {getattr(self, name)}, it must lie in [0, 1]")
        # beyond these, float32 overflows sooner or later
        for name, most in (("learning_rate", 1.0), ("learning_rate_end", 1.0), ("gradient_norm", 1e12)):
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f"training.{name} is {getattr(self, name)}, it must lie in (0, {most:g}]")
        for name, most in (("weight_decay", 1.0), ("value_weight", 1e6)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"training.{name} is {getattr(self, name)}, it must lie in [0, {most:g}]")
        for name, weight in self.loss_terms.items():
            if not abs(weight) <= 1e6:
                raise ValueError(f"training.loss_terms has {name} {weight}, it must lie in [-1e6, 1e6]")
        if len(self.temperatures) != len(self.temperature_changes) + 1:
            raise ValueError(
                f"training.temperatures {self.temperatures} must be one more than "
                f"temperature_changes {self.temperature_changes}"
            )
        if not all(1e-3 <= temperature <= 1e3 for temperature in self.temperatures):
            raise ValueError(f"training.temperatures {self.temperatures} must lie in [0.001, 1000]")
        if not all(0 <= change <= 1 for change in self.temperature_changes) or list(self.temperature_changes) != sorted(
            self.temperature_changes
        ):
            raise ValueError(f"training.temperature_changes {self.temperature_changes} must ascend within [0, 1]")

    @property
    def environment_steps(self) -> int:
        """Steps of a seed's environments in the whole training, warm-up included.

        The n-th slot from the end of the warm-up on allows n x environments x updates_per_environment_step updates.
        """
        slots = math.ceil((self.steps - 1e-9) / (self.environments * self.updates_per_environment_step))
        return (self.warmup_slots - 1 + slots) * self.environments

    def temperature(self, step: int) -> float:
        """Returns T of eq 2 at a training step."""
        return self.temperatures[sum(step >= self.steps * change for change in self.temperature_changes)]

    def learning_rate_at(self, step: int) -> float:
        """Returns the learning rate of the update that follows `step` updates."""
        return self.learning_rate * (self.learning_rate_end / self.learning_rate) ** (step / self.steps)

    def priority_beta(self, step: int) -> float:
        """Returns the exponent of the importance weights, annealed linearly."""
        return self.priority_beta_start + (self.priority_beta_end - self.priority_beta_start) * step / self.steps


@dataclass(frozen=True, kw_only=True)
class Config:
    """An agent in one profile, as checkpoints hold it."""

    agent: str = "cartpole"
    environment: dict[str, Any] = field(default_factory=dict)  # keyword arguments of the agent's environment
    nets: Any = field(default_factory=NetsConfig)  # a frozen dataclass that the agent's `build` takes
    search: SearchConfig = field(default_factory=SearchConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """Returns nested plain dicts for a checkpoint's header, without fields of `LATER` that have their default."""
        values = dataclasses.asdict(self)
        for section in ("nets", "search", "training"):
            part = getattr(self, section)
            for name, default in _later(section, type(part)).items():
                if getattr(part, name) == default:
                    del values[section][name]
        return values

    @staticmethod
    def from_dict(values: Mapping[str, Any], *, nets: type = NetsConfig) -> "Config":
        """Returns the config that `to_dict` wrote, with nets of the given kind.

        Raises:
            ValueError: if a name is unknown, or missing and not of `LATER`, or a value impossible.
        """
        names = {f.name for f in dataclasses.fields(Config)}
        if values.keys() != names:
            raise ValueError(f"config: {sorted(values.keys() ^ names)} unknown or missing")
        sections: dict[str, Any] = {"nets": nets, "search": SearchConfig, "training": TrainingConfig}
        built: dict[str, Any] = {}
        for name, kind in sections.items():
            given = _later(name, kind) | dict(values[name])
            known = {f.name for f in dataclasses.fields(kind)}
            if given.keys() != known:
                raise ValueError(f"config section {name}: {sorted(given.keys() ^ known)} unknown or missing")
            built[name] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
        return Config(agent=values["agent"], environment=dict(values["environment"]), **built)


def _later(section: str, kind: type) -> dict[str, Any]:
    """Returns the defaults of a section's fields of `LATER`, by name; nets of some kinds have none of them."""
    found = {}
    for field_ in dataclasses.fields(kind):
        if (section, field_.name) not in LATER:
            continue
        if field_.default is not dataclasses.MISSING:
            found[field_.name] = field_.default
        elif field_.default_factory is not dataclasses.MISSING:
            found[field_.name] = field_.default_factory()
    return found


def _check_types(config: Any, section: str) -> None:
    """Refuses what is no whole number, no number or no text where a field is one; not a number is no number."""
    for field_ in dataclasses.fields(config):
        value, name = getattr(config, field_.name), f"{section}.{field_.name}"
        if field_.type is int:
            try:
                operator.index(value)
            except TypeError:
                raise ValueError(f"{name} is {value!r}, a whole number is needed") from None
        if field_.type is float and (isinstance(value, str) or not hasattr(value, "__float__") or value != value):
            raise ValueError(f"{name} is {value!r}, a number is needed")
        if field_.type in (int, float) and isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, a number is needed")


def _check_supports(config: NetsConfig | ResidualNetsConfig) -> None:
    for kind in ("value", "reward"):
        low, high = getattr(config, f"{kind}_low"), getattr(config, f"{kind}_high")
        for name, atom in ((f"{kind}_low", low), (f"{kind}_high", high)):
            if not -MOST <= atom <= MOST:
                raise ValueError(f"nets.{name} is {atom}, it must lie in {-MOST:,}..{MOST:,}")
        if high <= low:
            raise ValueError(f"nets.{kind}_high is {high}, it must be above nets.{kind}_low ({low})")
        if high - low > MOST:
            raise ValueError(f"nets.{kind}_low and {kind}_high are {low} and {high}, more than {MOST:,} apart")


def at_least(config: object, section: str, least: int, *names: str, most: int = MOST) -> None:
    """Refuses values below `least` or above `most`.

    Args:
        config: has the values.
        section: that messages name them with; empty for none.
        least: the smallest value.
        names: of the values.
        most: the largest.

    Raises:
        ValueError: in one line.
    """
    for name in names:
        value, shown = getattr(config, name), f"{section}.{name}" if section else name
        if value < least:
            raise ValueError(f"{shown} is {value}, at least {least} is needed")
        if value > most:
            raise ValueError(f"{shown} is {value}, at most {most:,} are possible")
