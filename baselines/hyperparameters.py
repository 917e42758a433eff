"""Which hyperparameters? Those published for the same environment or the nearest one; nothing was tuned here.

"Zoo" is rl-baselines3-zoo (Raffin 2020), its `hyperparams/dqn.yml` and `ppo.yml` at commit 22e3ff2; "MinAtar" is
Young and Tian (2019), `examples/dqn.py` of their package at commit 4241f24. What they leave open has the default of
stable-baselines3. Names are that library's; a text "linear 0.001" falls linearly from 0.001 to 0 over training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Nets = Literal["mlp", "minatar", "nature"]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One algorithm in one environment.

    Attributes:
        source: where the values come from, and what differs.
        nets: MLPs; MinAtar's convolution of 16 filters and 128 units; the convolutions of Mnih et al. (2015).
        environments: copies of the environment that are played side by side.
        values: keyword arguments of the algorithm, JSON values.
        nets_values: keyword arguments of its policy, JSON values.
    """

    source: str
    nets: Nets
    environments: int
    values: Mapping[str, Any]
    nets_values: Mapping[str, Any]


PPO_ATARI: dict[str, Any] = {
    "n_steps": 128,
    "n_epochs": 4,
    "batch_size": 256,
    "learning_rate": "linear 2.5e-4",
    "clip_range": "linear 0.1",
    "vf_coef": 0.5,
    "ent_coef": 0.01,
}

# by agent and algorithm
BASELINES: dict[str, dict[str, Baseline]] = {
    "cartpole": {
        "dqn": Baseline(
            source="zoo, CartPole-v1",
            nets="mlp",
            environments=1,
            values={
                "learning_rate": 2.3e-3,
                "batch_size": 64,
                "buffer_size": 100_000,
                "learning_starts": 1_000,
                "gamma": 0.99,
                "target_update_interval": 10,
                "train_freq": 256,
                "gradient_steps": 128,
                "exploration_fraction": 0.16,
                "exploration_final_eps": 0.04,
            },
            nets_values={"net_arch": [256, 256]},
        ),
        "ppo": Baseline(
            source="zoo, CartPole-v1",
            nets="mlp",
            environments=8,
            values={
                "n_steps": 32,
                "batch_size": 256,
                "gae_lambda": 0.8,
                "gamma": 0.98,
                "n_epochs": 20,
                "ent_coef": 0.0,
                "learning_rate": "linear 0.001",
                "clip_range": "linear 0.2",
            },
            nets_values={},
        ),
    },
    "lunar_lander": {
        "dqn": Baseline(
            source="zoo, LunarLander-v3",
            nets="mlp",
            environments=1,
            values={
                "learning_rate": 6.3e-4,
                "batch_size": 128,
                "buffer_size": 50_000,
                "learning_starts": 0,
                "gamma": 0.99,
                "target_update_interval": 250,
                "train_freq": 4,
                "gradient_steps": -1,  # as many as steps
                "exploration_fraction": 0.12,
                "exploration_final_eps": 0.1,
            },
            nets_values={"net_arch": [256, 256]},
        ),
        "ppo": Baseline(
            source="zoo, LunarLander-v3",
            nets="mlp",
            environments=16,
            values={
                "n_steps": 1_024,
                "batch_size": 64,
                "gae_lambda": 0.98,
                "gamma": 0.999,
                "n_epochs": 4,
                "ent_coef": 0.01,
            },
            nets_values={},
        ),
    },
    "minatar": {
        "dqn": Baseline(
            source="MinAtar, its RMSprop included; exploration ends after a quarter of the steps, as 100,000 there",
            nets="minatar",
            environments=1,
            values={
                "learning_rate": 2.5e-4,
                "batch_size": 32,
                "buffer_size": 100_000,
                "learning_starts": 5_000,
                "gamma": 0.99,
                "target_update_interval": 1_000,
                "train_freq": 1,
                "gradient_steps": 1,
                "exploration_fraction": 0.25,
                "exploration_final_eps": 0.1,
            },
            nets_values={
                "optimizer_class": "RMSprop",
                "optimizer_kwargs": {"alpha": 0.95, "eps": 0.01, "centered": True},
            },
        ),
        "ppo": Baseline(source="zoo, atari", nets="minatar", environments=8, values=PPO_ATARI, nets_values={}),
    },
    "breakout": {
        "dqn": Baseline(
            source="zoo, atari; learning starts after 2,000 steps, as ours does, not after 100,000 of 10 million",
            nets="nature",
            environments=1,
            values={
                "learning_rate": 1e-4,
                "batch_size": 32,
                "buffer_size": 100_000,
                "learning_starts": 2_000,
                "target_update_interval": 1_000,
                "train_freq": 4,
                "gradient_steps": 1,
                "exploration_fraction": 0.1,
                "exploration_final_eps": 0.01,
            },
            nets_values={},
        ),
        "ppo": Baseline(source="zoo, atari", nets="nature", environments=8, values=PPO_ATARI, nets_values={}),
    },
}
