"""Does an agent have the same numbers behind two functions as it has as this toolkit's own?"""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyses.harness import probed, registry
from analyses.harness.checkpoints import Checkpoints
from analyses.harness.population import Population
from tests.analyses.harness import adapters
from tests.analyses.studies import NAMES, run, table

STEPS = [0, 20]  # of temperature 1, as an agent of one's own has one for all
SETTINGS: dict[str, Any] = adapters.SMALL | {"shard": 2}


@pytest.fixture(scope="module")
def own(tiny: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toolkit's tables."""
    folder = tmp_path_factory.mktemp("own")
    make(dataclasses.replace(tiny, steps=tuple(STEPS)), folder)
    return folder


def make(population: Population, folder: Path, names: list[str] = NAMES) -> None:
    for name in names:
        run(name, population, registry.settings(SETTINGS), folder)


def numbers(folder: Path, name: str, of: str) -> Any:
    return table(folder, name, of=of).drop(columns=["agent", "profile", "repeats"])


def test_trained_seeds(own: Path, tiny_root: Path, tmp_path: Path):
    file = tmp_path / "wrapped_seeds.py"
    reference = adapters.wrapped(file, tiny_root, seeds=[0, 1, 2], steps=STEPS, analyses=SETTINGS)
    make(probed.find(reference, None), tmp_path)
    for name in NAMES:
        found, wanted = numbers(tmp_path, name, "own/wrapped"), numbers(own, name, "smoke/cartpole")
        pd.testing.assert_frame_equal(found, wanted)


def test_the_first_of_all_repetitions_is_seed_0(own: Path, tiny_root: Path, tmp_path: Path):
    """Where there is one model, a repetition's number seeds the measurement as that of an agent does."""
    file = tmp_path / "wrapped_alone.py"
    reference = adapters.wrapped(file, tiny_root, seeds=[0], steps=[20], analyses=SETTINGS)
    names = [name for name in NAMES if name != "cross_checkpoint"]
    make(probed.find(reference, None), tmp_path, names)
    for name in names:
        found, wanted = numbers(tmp_path, name, "own/wrapped"), numbers(own, name, "smoke/cartpole")
        assert sorted(set(found["seed"])) == [0, 1, 2, 3, 4]
        first, wanted = found[found["seed"] == 0], wanted[(wanted["seed"] == 0) & (wanted["step"] == 20)]
        pd.testing.assert_frame_equal(first.reset_index(drop=True), wanted.reset_index(drop=True))
