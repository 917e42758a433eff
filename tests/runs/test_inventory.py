"""Does the inventory tell what is complete, unfinished, mixed or damaged?"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from muzero_probe import checkpoints
from muzero_probe.checkpoints import CheckpointError
from muzero_probe.runs import inventory
from muzero_probe.runs.run import Run
from tests.runs.small import STEPS, damage, go, interrupted, run_at


def test_survey_of_nothing(tmp_path: Path):
    found = inventory.survey(tmp_path, "smoke", "cartpole")
    assert found.seeds == [0, 1]
    assert found.steps == [0, 20, 60]
    assert found.missing(20) == [0, 1]
    assert not found.complete
    assert inventory.populations(tmp_path) == []


def test_survey_of_a_complete_population(reference: Run):
    found = inventory.survey(reference.root, "smoke", "cartpole")
    assert found.complete
    assert found.steps == list(STEPS)  # the headers', not the profile's
    assert list(found.hashes.values()) == [[0, 1]]
    assert not found.states
    assert not found.damaged
    assert inventory.populations(reference.root) == [("smoke", "cartpole")]
    assert inventory.survey(reference.root, "smoke", "cartpole", seeds=[1, 5]).missing(48) == [5]


def test_survey_of_an_unfinished_population(tmp_path: Path):
    run = interrupted(tmp_path, 24)
    found = inventory.survey(tmp_path, "smoke", "cartpole")
    assert {step: found.missing(step) for step in found.steps} == {0: [], 20: [], 48: [0, 1]}
    assert found.states == [([0, 1], 24, checkpoints.config_hash(run.settings))]
    damage(sorted(run.resume_folder.iterdir())[-1])
    found = inventory.survey(tmp_path, "smoke", "cartpole")
    assert not found.states
    assert len(found.damaged) == 1


def test_survey_of_a_state_that_is_just_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    interrupted(tmp_path, 24)
    load, calls = inventory.load_latest_resume, []

    def racing(folder: Path) -> Any:
        calls.append(folder)
        if len(calls) == 1:
            raise CheckpointError("no such file") from FileNotFoundError()
        return load(folder)

    monkeypatch.setattr(inventory, "load_latest_resume", racing)
    assert inventory.survey(tmp_path, "smoke", "cartpole").states[0].step == 24


def test_survey_of_a_mixture_and_of_damage(tmp_path: Path, reference: Run):
    go(run_at(tmp_path / "other", seeds=(2,), n_step=6))
    shutil.copytree(reference.root, tmp_path, dirs_exist_ok=True)
    folder = reference.folder.relative_to(reference.root)
    shutil.copytree(tmp_path / "other" / folder / "seed_002", tmp_path / folder / "seed_002")
    damage(tmp_path / folder / "seed_001" / "step_00000020.safetensors")
    found = inventory.survey(tmp_path, "smoke", "cartpole")
    assert sorted(found.hashes.values()) == [[0, 1], [2]]
    assert found.missing(20) == [1]
    (line,) = found.damaged
    assert "seed_001/step_00000020.safetensors: was altered" in line
    (tmp_path / folder / "seed_7").mkdir()
    found = inventory.survey(tmp_path, "smoke", "cartpole")
    assert "seed_7: is not a seed's folder" in found.damaged[0]
