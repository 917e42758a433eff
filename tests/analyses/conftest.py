"""A tiny population, trained and measured once and only read; tests that damage files copy it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from analyses.harness import checkpoints, registry
from analyses.harness.checkpoints import Checkpoints
from muzero_probe import agents
from muzero_probe.checkpoints import save_checkpoint
from muzero_probe.config import Config
from muzero_probe.training.trainer import Reached, Trainer
from tests.analyses.studies import NAMES, SEEDS, SMALL, run

CARTPOLE = agents.load("cartpole")


def train(root: Path, config: Config, seeds: list[int], *, profile: str = "smoke") -> None:
    trainer = Trainer(config, CARTPOLE.make(config.environment), seeds)
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
    train(root, CARTPOLE.config("smoke"), SEEDS)
    return root


@pytest.fixture(scope="session")
def tiny(tiny_root: Path) -> Checkpoints:
    return checkpoints.find(tiny_root, "smoke", CARTPOLE, None)


@pytest.fixture(scope="session")
def settings() -> Any:
    return registry.settings(SMALL)


@pytest.fixture(scope="session")
def other_config() -> Config:
    """Differs from the tiny population's in a number that nothing depends on."""
    config = CARTPOLE.config("smoke")
    return dataclasses.replace(config, training=dataclasses.replace(config.training, weight_decay=0.0))


@pytest.fixture(scope="session")
def done(tiny: Checkpoints, settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all tables and units of the tiny population; only read, or copied."""
    folder = tmp_path_factory.mktemp("done")
    for name in NAMES:
        run(name, tiny, settings, folder)
    return folder
