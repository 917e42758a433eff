"""Does a run that is stopped at any moment come to the same bits, and is everything else refused clearly?"""

import csv
import dataclasses
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muzero_probe import checkpoints
from muzero_probe.checkpoints import (
    CheckpointError,
    checkpoint_path,
    list_checkpoints,
    load_checkpoint,
    load_latest_resume,
    lock_seeds,
    save_resume,
)
from muzero_probe.cli import main
from muzero_probe.config import Config, NetsConfig, SearchConfig
from muzero_probe.presets import preset
from muzero_probe.runs import inventory
from muzero_probe.runs import run as run_module
from muzero_probe.runs.run import Report, Run, Summary, differences, train

EVERY = 12  # updates between two sets of metrics: two blocks of updates
STEPS = (0, 20, 48)


class Stopped(BaseException):
    """Stands for whatever ends a process."""


def config(**training: Any) -> Config:
    small = preset("cartpole", "smoke")
    settings = {"steps": STEPS[-1], "checkpoints": STEPS, "batch_size": 4} | training
    return dataclasses.replace(
        small,
        nets=NetsConfig(latent=8, hidden=8),
        search=SearchConfig(simulations=4),
        training=dataclasses.replace(small.training, **settings),
    )


def run_at(root: Path, *, seeds: tuple[int, ...] = (0, 1), **training: Any) -> Run:
    return Run(config=config(**training), profile="smoke", seeds=seeds, root=root)


def go(run: Run, **options: Any) -> Summary | None:
    return train(run, **({"resume_minutes": 0.0, "metrics_every": EVERY} | options))


def stop_at(step: int) -> Callable[[Report], None]:
    def report(report: Report) -> None:
        if report.step >= step > 0:
            raise Stopped

    return report


def interrupted(root: Path, step: int = 12, **training: Any) -> Run:
    run = run_at(root, **training)
    with pytest.raises(Stopped):
        go(run, report=stop_at(step))
    return run


def weights(root: Path) -> dict[tuple[int, int], dict[str, bytes]]:
    """All arrays of an agent's checkpoints, by seed and step."""
    return {
        (seed, step): {name: array.tobytes() for name, array in load_checkpoint(path).arrays.items()}
        for seed, step, path in list_checkpoints(root, "smoke", "cartpole")
    }


def table(run: Run) -> list[dict[str, str]]:
    """The rows of a run's metrics, without what the clock decides."""
    with (run.folder / "metrics" / f"{run.resume_folder.name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if not name.startswith("seconds_")} for row in rows]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing has stopped."""
    run = run_at(tmp_path_factory.mktemp("reference"))
    took = go(run)
    assert took is not None
    assert (took.updates, took.starts) == (STEPS[-1], 1)
    assert took.total_seconds == pytest.approx(took.seconds, abs=0.1)
    return run


def assert_same(run: Run, reference: Run) -> None:
    assert weights(run.root) == weights(reference.root)
    assert table(run) == table(reference)
    assert not run.resume_folder.exists()


# What a run leaves


def test_checkpoints_of_every_seed_and_step(reference: Run):
    assert set(weights(reference.root)) == {(seed, step) for seed in (0, 1) for step in STEPS}
    header = load_checkpoint(checkpoint_path(reference.root, "smoke", "cartpole", 1, 20))
    assert Config.from_dict(header.config) == reference.config
    assert not reference.resume_folder.exists()


def test_seeds_and_steps_have_different_weights(reference: Run):
    found = list(weights(reference.root).values())
    assert all(a != b for i, a in enumerate(found) for b in found[:i])


def test_metrics_are_tidy(reference: Run):
    rows = table(reference)
    assert [(row["step"], row["seed"]) for row in rows] == [
        (str(step), str(seed)) for step in range(12, STEPS[-1] + 1, 12) for seed in (0, 1)
    ]
    with (reference.folder / "metrics" / "seeds_000-001.csv").open() as file:
        columns = next(csv.reader(file))
    assert columns[:4] == ["step", "seed", "return_mean", "episodes"]
    assert {"value_loss", "gradient_norm", "skipped", "environment_steps", "reanalysed_fraction"} < set(columns)
    assert {"seconds_act", "seconds_learn", "seconds_replay", "seconds_reanalyse"} < set(columns)
    assert all(float(row["value_loss"]) > 0 for row in rows)
    assert all((row["return_mean"] == "") == (row["episodes"] == "0") for row in rows)


def test_two_runs_are_equal(tmp_path: Path, reference: Run):
    run = run_at(tmp_path)
    go(run, resume_minutes=1e9)  # nor does it matter whether states are saved
    assert_same(run, reference)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_seed_alone_is_the_seed_in_a_population(tmp_path: Path, seed: int):
    """To the bit, on a CPU; long enough for what a vector leaves over to be rounded otherwise."""
    together = run_at(tmp_path / "together", seeds=(0, 1, 2), steps=300, checkpoints=(300,))
    alone = run_at(tmp_path / "alone", seeds=(seed,), steps=300, checkpoints=(300,))
    go(together)
    go(alone)
    assert weights(alone.root) == {(seed, 300): weights(together.root)[seed, 300]}


# Stopped and continued


@pytest.mark.parametrize("step", [12, 24, 36])
def test_continues_from_a_stop_between_updates(tmp_path: Path, reference: Run, step: int):
    run = interrupted(tmp_path, step)
    took = go(run)
    assert took is not None
    assert (took.updates, took.starts) == (STEPS[-1] - step, 2)
    assert took.total_seconds > took.seconds
    assert_same(run, reference)


@pytest.mark.parametrize("after", [False, True])
def test_continues_from_a_stop_at_any_file(
    tmp_path: Path, reference: Run, monkeypatch: pytest.MonkeyPatch, after: bool
):
    """Every file appears by a rename: the process ends just before or just after each of them."""
    calls, stop = 0, 0

    def stopping(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> None:
            nonlocal calls
            calls += 1
            if calls != stop or after:
                call(*arguments, **options)
            if calls == stop:
                raise Stopped

        return wrapped

    monkeypatch.setattr(os, "replace", stopping(os.replace))
    monkeypatch.setattr(shutil, "rmtree", stopping(shutil.rmtree))
    go(run_at(tmp_path / "count"))
    total = calls
    assert total == 1 + 2 * len(STEPS) + 3 + 1  # the table, checkpoints, states, the states' end
    for n in range(1, total + 1):
        run = run_at(tmp_path / str(n))
        calls, stop = 0, n
        with pytest.raises(Stopped):
            go(run)
        stop = 0
        assert (go(run) is None) == (n == total and after)
        assert_same(run, reference)


def test_stopped_over_and_over(tmp_path: Path, reference: Run):
    for step in (12, 24, 36):
        run = interrupted(tmp_path, step)
    took = go(run)
    assert took is not None
    assert took.starts == 4
    assert_same(run, reference)


def test_without_a_state_it_starts_over(tmp_path: Path, reference: Run):
    run = interrupted(tmp_path, 36)
    shutil.rmtree(run.resume_folder)
    go(run)
    assert_same(run, reference)


def test_a_state_follows_every_checkpoint(tmp_path: Path):
    """So that a run goes on from behind it, also where another processor rounds otherwise."""
    run = run_at(tmp_path)
    with pytest.raises(Stopped):
        go(run, report=stop_at(36), resume_minutes=1e9)
    state = load_latest_resume(run.resume_folder)
    assert state is not None
    passed = max(step for _, step, _ in list_checkpoints(run.root, run.profile, run.config.agent))
    assert 0 < passed <= state[2].step < passed + EVERY


def test_other_seeds_start_over(tmp_path: Path, reference: Run, caplog: pytest.LogCaptureFixture):
    go(run_at(tmp_path, seeds=(0,)))
    with caplog.at_level(logging.INFO, "muzero_probe"):
        go(run_at(tmp_path))
    assert "seeds 0 are complete already and come to the same again; seeds 1 alone would do" in caplog.text
    assert weights(tmp_path) == weights(reference.root)


def test_tensorboard_shows_each_step_once(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = interrupted(tmp_path, 24)
    shutil.copytree(run.resume_folder, tmp_path / "kept")
    with pytest.raises(Stopped):
        go(run, report=stop_at(36))
    # as if the state of step 36 had not been reached
    shutil.rmtree(run.resume_folder)
    shutil.copytree(tmp_path / "kept", run.resume_folder)
    go(run)
    events = EventAccumulator(str(run.folder / "tensorboard" / run.resume_folder.name))
    events.Reload()
    assert [event.step for event in events.Scalars("value_loss/mean")] == [12, 24, 36, 48]
    assert {"return/mean", "return/min", "return/seed_000", "shared/environment_steps"} < set(events.Tags()["scalars"])


def test_a_complete_run_is_left_alone(reference: Run):
    before = {path: path.stat().st_mtime_ns for path in reference.folder.rglob("*") if path.name != ".lock"}
    assert go(reference) is None
    assert before == {path: path.stat().st_mtime_ns for path in reference.folder.rglob("*") if path.name != ".lock"}


def watch(process: subprocess.Popen, path: Path, pattern: str) -> None:
    """Waits until a file exists."""
    deadline = time.monotonic() + 60
    while not any(path.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_killed_at_several_moments(tmp_path: Path, capfd: pytest.CaptureFixture):
    words = ["train", "cartpole", "--profile", "smoke", "--resume-minutes", "0", "--metrics-every", str(EVERY)]
    words += ["--training.steps", "1200", "--training.checkpoints", "0", "400", "1200", "--training.batch-size", "4"]
    words += ["--search.simulations", "4", "--nets.latent", "8", "--nets.hidden", "8", "--root"]
    command = [sys.executable, "-W", "error", "-c", "import sys; from muzero_probe.cli import main; sys.exit(main())"]
    run = run_at(tmp_path / "killed", steps=1200, checkpoints=(0, 400, 1200))
    moments = [
        (run.folder / "seed_000", "step_00000000.*"),  # before any state; the other seed may lack its file
        (run.resume_folder, "state_000001*"),
        (run.folder / "seed_000", "step_00000400.*"),
    ]
    for moment, (folder, pattern) in enumerate(moments):
        process = subprocess.Popen(
            [*command, *words, str(run.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        watch(process, folder, pattern)
        process.send_signal(signal.SIGSTOP)
        assert main([*words, str(run.root), "--seeds", "1:3"]) == 1
        refusal = capfd.readouterr().err
        assert refusal.startswith("muzero-probe: seed 1 of ")
        assert refusal.endswith(" is being trained by another process\n")
        process.send_signal(signal.SIGKILL)
        output, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, (output, errors)
        assert ("continuing at step" in errors) == (moment == 2)
    assert main([*words, str(run.root)]) == 0
    assert " over 3 starts), " in capfd.readouterr().out
    reference = dataclasses.replace(run, root=tmp_path / "whole")
    go(reference, resume_minutes=1e9)
    assert len(weights(reference.root)) == 6
    assert_same(run, reference)


# Refused


def test_one_writer(tmp_path: Path):
    with lock_seeds(tmp_path, "smoke", "cartpole", [1, 2]), pytest.raises(CheckpointError, match="another process"):
        go(run_at(tmp_path))


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
        go(dataclasses.replace(run_at(tmp_path), config=preset("cartpole", "paper")))


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
    with pytest.raises(CheckpointError, match=r"another version of this program \(KeyError: 'values'\): delete it"):
        go(run)


def test_a_damaged_checkpoint_is_no_complete_run(tmp_path: Path):
    run = run_at(tmp_path, seeds=(3,))
    go(run)
    damage(checkpoint_path(tmp_path, "smoke", "cartpole", 3, 20))
    with pytest.raises(CheckpointError, match="was altered"):
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
        ({"config": config(learning_rate=math.inf)}, "learning_rate is inf, it must be finite"),
        ({"config": config(temperatures=(1.0, math.nan, 0.5))}, "temperatures is .* must be finite"),
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
    settings: dict[str, Any] = {"config": config(), "profile": "smoke", "seeds": (0,), "root": tmp_path}
    with pytest.raises(ValueError, match=message):
        Run(**(settings | changes))


def test_differences():
    old = {"a": 1, "b": {"c": [1, 2], "gone": None}, "same": 0.5}
    new = {"a": 1.0, "b": {"c": (1, 2), "new": "x"}, "same": 0.5}
    assert differences(old, new) == ["a was 1, is 1.0", 'b.new was absent, is "x"', "b.gone was null, is absent"]


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


# The inventory


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
    assert found.steps == list(STEPS)  # the headers', not the preset's
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
