"""Does one line say why a run cannot go on, or cannot be?"""

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muzero_probe import checkpoints
from muzero_probe.checkpoints import CheckpointError, checkpoint_path, load_latest_resume, lock_seeds, save_resume
from muzero_probe.runs import run as run_module
from muzero_probe.runs.run import Report, Run, differences
from tests.runs.small import AGENT, EVERY, assert_same, config, damage, go, interrupted, run_at, weights


def test_one_writer(tmp_path: Path):
    with lock_seeds(tmp_path, "smoke", "cartpole", [1, 2]), pytest.raises(CheckpointError, match="another process"):
        go(run_at(tmp_path))


def test_a_folder_that_is_deleted_while_it_trains(tmp_path: Path):
    def delete(report: Report) -> None:
        if report.step == EVERY:
            shutil.rmtree(tmp_path / "smoke" / "cartpole" / "seed_001")

    with pytest.raises(CheckpointError, match="seed_001: was deleted or replaced while its seed is trained"):
        go(run_at(tmp_path), report=delete)


def test_other_settings_than_the_interrupted_run(tmp_path: Path):
    run = interrupted(tmp_path)
    other = dataclasses.replace(run, config=config(batch_size=5, learning_rate=0.5))
    with pytest.raises(CheckpointError) as refused:
        go(other)
    message = str(refused.value)
    assert "interrupted at step 12" in message
    assert "training.batch_size was 4, is 5; training.learning_rate was 0.001, is 0.5: keep the old" in message
    assert str(run.resume_folder) in message


def test_other_settings_than_the_checkpoints(tmp_path: Path):
    go(run_at(tmp_path, seeds=(0,)))
    before = weights(tmp_path)
    with pytest.raises(CheckpointError, match=r"seeds 0 were trained with other settings: training.n_step was 5, is 6"):
        go(run_at(tmp_path, seeds=(0, 1), n_step=6))
    assert weights(tmp_path) == before


def test_many_other_settings_are_counted(tmp_path: Path):
    interrupted(tmp_path)
    with pytest.raises(CheckpointError, match="and 5 more: keep"):
        go(dataclasses.replace(run_at(tmp_path), config=AGENT.config("paper")))


def test_another_kind_of_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = interrupted(tmp_path)
    monkeypatch.setattr(run_module, "_kind", lambda _: "cuda")
    with pytest.raises(CheckpointError, match="device was cpu, is cuda"):
        go(run)


def test_a_checkpoint_that_the_state_is_past_is_gone(tmp_path: Path):
    run = interrupted(tmp_path, 24)
    checkpoint_path(tmp_path, "smoke", "cartpole", 1, 20).unlink()
    with pytest.raises(CheckpointError, match="step 24, but the checkpoint of seed 1 at step 20 is gone"):
        go(run)
    shutil.rmtree(run.resume_folder)
    go(run)


def test_a_damaged_state(tmp_path: Path, reference: Run):
    run = interrupted(tmp_path, 24)
    newest = sorted(run.resume_folder.iterdir())[-1]
    damage(newest)
    with pytest.raises(CheckpointError, match=r"was altered.*delete it to continue from .*state_00000012"):
        go(run)
    newest.unlink()
    go(run)
    assert_same(run, reference)


def test_a_state_of_another_version(tmp_path: Path):
    run = interrupted(tmp_path)
    found = load_latest_resume(run.resume_folder)
    assert found is not None
    arrays, meta, header = found
    del arrays["replay.values"]
    shutil.rmtree(run.resume_folder)
    save_resume(
        run.resume_folder, agent="cartpole", profile="smoke", seeds=run.seeds, step=header.step,
        config=run.settings, arrays=arrays, meta=meta,
    )  # fmt: skip
    with pytest.raises(
        CheckpointError, match=r"another version of this program .*values unknown or missing.*: delete it"
    ):
        go(run)


def test_a_damaged_checkpoint_is_no_complete_run(tmp_path: Path):
    run = run_at(tmp_path, seeds=(3,))
    go(run)
    damage(checkpoint_path(tmp_path, "smoke", "cartpole", 3, 20))
    with pytest.raises(CheckpointError, match="was altered"):
        go(run)


def test_a_run_does_not_go_on_past_a_damaged_checkpoint(tmp_path: Path):
    run = interrupted(tmp_path, 24)
    path = checkpoint_path(tmp_path, "smoke", "cartpole", 1, 20)
    damage(path)
    with pytest.raises(CheckpointError, match=rf"^{path}: was altered.*: put it back, or delete it"):
        go(run)


def test_other_arrays_than_the_checkpoints(tmp_path: Path):
    run = run_at(tmp_path, seeds=(3,))
    go(run)
    for step in (20, 48):
        checkpoint_path(tmp_path, "smoke", "cartpole", 3, step).unlink()
    checkpoints.save_checkpoint(
        tmp_path, agent="cartpole", profile="smoke", seed=3, step=20, config=run.settings,
        arrays={"x": np.zeros(3, np.float32)},
    )  # fmt: skip
    with pytest.raises(CheckpointError, match="is there with other arrays"):
        go(run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": config(checkpoints=())}, "checkpoints is empty"),
        (
            {"config": dataclasses.replace(config(), environment={"gravity": math.nan})},
            "gravity is nan, it must be finite",
        ),
        ({"config": config(loss_terms={"consistency": 1.0})}, r"loss_terms has consistency, but .* MuZero's: none"),
        ({"seeds": (0, 0)}, "seeds"),
        ({"seeds": (1, 0)}, "ascending"),
        ({"seeds": ()}, "seeds"),
        ({"profile": "../up"}, "cannot be the name"),
        ({"device": "tpu!"}, "allowed are cpu, cuda"),
        ({"device": "meta"}, "allowed are cpu, cuda"),
        ({"device": "cuda:99"}, "torch sees"),
    ],
)
def test_what_cannot_be_a_run(tmp_path: Path, changes: dict[str, Any], message: str):
    settings: dict[str, Any] = {"agent": AGENT, "config": config(), "profile": "smoke", "seeds": (0,), "root": tmp_path}
    with pytest.raises(ValueError, match=message):
        Run(**(settings | changes))


def test_differences():
    old = {"a": 1, "b": {"c": [1, 2], "gone": None}, "same": 0.5}
    new = {"a": 1.0, "b": {"c": (1, 2), "new": "x"}, "same": 0.5}
    assert differences(old, new) == ["a was 1, is 1.0", 'b.new was absent, is "x"', "b.gone was null, is absent"]
