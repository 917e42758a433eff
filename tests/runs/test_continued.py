"""Does a run that is stopped at any moment come to the same bits?"""

import dataclasses
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muzero_probe.checkpoints import list_checkpoints, load_latest_resume
from muzero_probe.cli.main import main
from muzero_probe.runs.run import Run
from tests.runs.small import EVERY, STEPS, Stopped, assert_same, go, interrupted, run_at, stop_at, weights


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
    program = "import sys; from muzero_probe.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-W", "error", "-c", program]
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
