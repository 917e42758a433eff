"""A tiny population, trained and measured once and only read; tests that damage files copy it."""

import dataclasses
from pathlib import Path

import pytest

from analyses import population
from analyses.population import Population
from analyses.settings import (
    Bank,
    CrossCheckpoint,
    OwnPolicy,
    Planning,
    PriorEffect,
    Returns,
    Sequences,
    Settings,
)
from analyses.study import ANALYSES
from muzero_probe.checkpoints import save_checkpoint
from muzero_probe.config import Config
from muzero_probe.presets import preset
from muzero_probe.training.trainer import Reached, Trainer
from tests.analyses.studies import SEEDS, run


def train(root: Path, config: Config, seeds: list[int], *, profile: str = "smoke") -> None:
    trainer = Trainer(config, seeds)
    for event in trainer.run():
        if isinstance(event, Reached):
            for index, seed in enumerate(seeds):
                save_checkpoint(
                    root, agent="cartpole", profile=profile, seed=seed, step=event.step, config=config.to_dict(),
                    arrays=trainer.arrays(index),
                )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of three seeds at steps 0, 20 and 60."""
    root = tmp_path_factory.mktemp("tiny")
    train(root, preset("cartpole", "smoke"), SEEDS)
    return root


@pytest.fixture(scope="session")
def tiny(tiny_root: Path) -> Population:
    return population.find(tiny_root, "smoke", "cartpole", None)


@pytest.fixture(scope="session")
def settings() -> Settings:
    """So that every analysis is done in a blink, several states and steps each."""
    return Settings(
        shard=1,
        bank=Bank(episodes=2, states=4),
        returns=Returns(episodes=2),
        own_policy=OwnPolicy(states=3),
        sequences=Sequences(states=2, length=3, steps=(20, 60)),
        cross_checkpoint=CrossCheckpoint(states=2),
        prior_effect=PriorEffect(states=2, step=20, horizon=5, budgets=(2, 4)),
        planning=Planning(episodes=2, steps=(0, 60), horizon=8, budgets=(3, 9)),
    )


@pytest.fixture(scope="session")
def other_config() -> Config:
    """Differs from the tiny population's in a number that nothing depends on."""
    config = preset("cartpole", "smoke")
    return dataclasses.replace(config, training=dataclasses.replace(config.training, weight_decay=0.0))


@pytest.fixture(scope="session")
def done(tiny: Population, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all tables and units of the tiny population; only read, or copied."""
    folder = tmp_path_factory.mktemp("done")
    for name in ANALYSES:
        run(name, tiny, settings, folder)
    return folder
