"""Settings of an agent: frozen dataclasses. `presets` has their values by agent and profile.

Every value says its unit and where it comes from: "study" is this study's protocol (what He et al. (2024) state, and
what was fixed for it where they are silent), "MuZero" Schrittwieser et al. (2020), "lineage" the muzero-general
implementation that the paper's Cart Pole agents most probably descend from, "measured" our own runs on seeds that are
reported nowhere (1000 and up).
"""

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Settings of one search."""

    simulations: int = 50  # study, section 1
    discount: float = 0.997  # per environment step; the preset of the agent sets it
    c1: float = 1.25  # MuZero, appendix B
    c2: float = 19652.0  # MuZero, appendix B
    dirichlet_alpha: float = 0.25  # muzero-general's Cart Pole; root noise while collecting data
    dirichlet_fraction: float = 0.25  # MuZero, appendix B

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        if self.simulations < 1:
            raise ValueError(f"search.simulations is {self.simulations}, at least 1 is needed")
        if not 0 < self.discount <= 1:
            raise ValueError(f"search.discount is {self.discount}, it must lie in (0, 1]")
        if self.c2 <= 0:
            raise ValueError(f"search.c2 is {self.c2}, it must be positive")
        if self.dirichlet_alpha <= 0:
            raise ValueError(f"search.dirichlet_alpha is {self.dirichlet_alpha}, it must be positive")
        if not 0 <= self.dirichlet_fraction <= 1:
            raise ValueError(f"search.dirichlet_fraction is {self.dirichlet_fraction}, it must lie in [0, 1]")


@dataclass(frozen=True, kw_only=True)
class NetsConfig:
    """Sizes of h, g and f."""

    latent: int = 64  # lineage has 8; that limits the model's accuracy by itself (study, section 1)
    hidden: int = 64  # units of the one hidden layer; lineage has 16, as above
    value_low: int = 0  # lowest atom on the scaled axis h(x)
    value_high: int = 20  # highest atom: h(333 = 1 / (1 - 0.997)) is 17.6, so that no value saturates
    reward_low: int = -2  # lowest atom
    reward_high: int = 2  # highest atom

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least(self, "nets", 1, "latent", "hidden")
        _check_supports(self)


@dataclass(frozen=True, kw_only=True)
class ImageNetsConfig(NetsConfig):
    """Sizes where h starts with a convolution of 3 x 3 windows."""

    filters: int = 16  # of the convolution; MinAtar's own agents (Young and Tian 2019)

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        super().__post_init__()
        _at_least(self, "nets", 1, "filters")


@dataclass(frozen=True, kw_only=True)
class ResidualNetsConfig:
    """Sizes of residual convolutional nets; EfficientZero's for Atari."""

    channels: int = 64  # planes of the latent
    head_planes: int = 16  # of the 1 x 1 convolution that a head starts with
    head_hidden: int = 32  # units of a head's hidden layer
    value_low: int = -300  # lowest atom on the scaled axis h(x); 601 atoms
    value_high: int = 300
    reward_low: int = -300
    reward_high: int = 300

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least(self, "nets", 2, "channels")
        _at_least(self, "nets", 1, "head_planes", "head_hidden")
        _check_supports(self)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How an agent is trained."""

    steps: int = 100_000  # updates of the nets; study
    # step 2000 is Fig 6's
    checkpoints: tuple[int, ...] = (0, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
    batch_size: int = 128  # positions per update; lineage
    unroll_steps: int = 10  # K; study
    n_step: int = 10  # steps of reward before the bootstrap; measured: with lineage's 50, old policies' rewards
    # linger in the targets and 1 of 4 seeds drifts off the track for good (return 110 at 44,000 steps)
    environments: int = 8  # played side by side per seed; ours: lineage's workers play one each
    updates_per_environment_step: float = 0.5  # measured: with n_step 10, 4 of 4 seeds play 400 and more at
    # 12,000 steps; lineage's 1.5 leaves seeds behind at 110 to 180. Acting is a twentieth of the time
    warmup_slots: int = 128  # positions per environment before the first update; ours: some fifty episodes
    replay_slots: int = 6_000  # positions kept per environment; together 48,000, or 96 games of full length
    priority_alpha: float = 0.5  # lineage
    priority_beta_start: float = 0.4  # EfficientZero's annealing; lineage corrects fully from the start
    priority_beta_end: float = 1.0
    reanalyse_fraction: float = 0.1  # of training positions whose policy and value targets are searched anew
    learning_rate: float = 1e-3  # Adam, at step 0
    learning_rate_end: float = 1e-4  # at the last step, reached exponentially
    weight_decay: float = 1e-4  # L2 in Adam; lineage
    gradient_norm: float = 5.0  # per seed; EfficientZero
    value_weight: float = 1.0  # of the value loss; lineage
    temperatures: tuple[float, ...] = (1.0, 0.5, 0.25)  # T of eq 2; study
    temperature_changes: tuple[float, ...] = (0.5, 0.75)  # fractions of `steps` at which T changes; study

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        _at_least(self, "training", 1, "steps", "batch_size", "unroll_steps", "n_step", "environments")
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
        if self.updates_per_environment_step <= 0:
            raise ValueError(
                f"training.updates_per_environment_step is {self.updates_per_environment_step}, it must be positive"
            )
        for name in ("priority_alpha", "priority_beta_start", "priority_beta_end", "reanalyse_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"training.{name} is {getattr(self, name)}, it must lie in [0, 1]")
        for name in ("learning_rate", "learning_rate_end", "gradient_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"training.{name} is {getattr(self, name)}, it must be positive")
        for name in ("weight_decay", "value_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"training.{name} is {getattr(self, name)}, it must not be negative")
        if len(self.temperatures) != len(self.temperature_changes) + 1 or min(self.temperatures) <= 0:
            raise ValueError(
                f"training.temperatures {self.temperatures} must be positive, one more than "
                f"temperature_changes {self.temperature_changes}"
            )
        if list(self.temperature_changes) != sorted(self.temperature_changes):
            raise ValueError(f"training.temperature_changes {self.temperature_changes} must ascend")

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
    """An agent: environment, nets, search and training."""

    agent: str = "cartpole"
    environment: str = "cartpole"  # name in `envs.make`
    nets: NetsConfig | ResidualNetsConfig = field(default_factory=NetsConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict:
        """Returns nested plain dicts for a checkpoint's header."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(values: dict) -> "Config":
        """Returns the config that `to_dict` wrote.

        Raises:
            ValueError: if a name is unknown or missing, or a value impossible.
        """
        names = {f.name for f in dataclasses.fields(Config)}
        if values.keys() != names:
            raise ValueError(f"config: {sorted(values.keys() ^ names)} unknown or missing")
        given = values["nets"].keys()
        nets = next((kind for kind in NETS if {f.name for f in dataclasses.fields(kind)} == given), NetsConfig)
        sections = {"nets": nets, "search": SearchConfig, "training": TrainingConfig}
        built = {}
        for name, kind in sections.items():
            given = dict(values.get(name, {}))
            known = {f.name for f in dataclasses.fields(kind)}
            if given.keys() != known:
                raise ValueError(f"config section {name}: {sorted(given.keys() ^ known)} unknown or missing")
            built[name] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
        return Config(agent=values["agent"], environment=values["environment"], **built)


# the kinds of nets; their fields tell them apart
NETS = (NetsConfig, ImageNetsConfig, ResidualNetsConfig)


def _check_supports(config: NetsConfig | ResidualNetsConfig) -> None:
    for kind in ("value", "reward"):
        low, high = getattr(config, f"{kind}_low"), getattr(config, f"{kind}_high")
        if high <= low:
            raise ValueError(f"nets.{kind}_high is {high}, it must be above nets.{kind}_low ({low})")


def _at_least(config: object, section: str, least: int, *names: str) -> None:
    for name in names:
        if getattr(config, name) < least:
            raise ValueError(f"{section}.{name} is {getattr(config, name)}, at least {least} is needed")
