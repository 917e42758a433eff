"""Does one process alone train a seed, until it ends?"""

import errno
import fcntl
import logging
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from muzero_probe.checkpoints import CheckpointError, lock_seeds
from tests.checkpoints.files import REPOSITORY


def test_lock_is_all_or_nothing(tmp_path: Path) -> None:
    def held(seeds: list[int]) -> bool:
        try:
            with lock_seeds(tmp_path, "tiny", "cartpole", seeds):
                return False
        except CheckpointError:
            return True

    with lock_seeds(tmp_path, "tiny", "cartpole", [1, 2]):
        with (
            pytest.raises(CheckpointError) as caught,
            lock_seeds(tmp_path, "tiny", "cartpole", range(4)),
        ):
            pass
        folder = tmp_path / "tiny" / "cartpole"
        assert str(caught.value) == f"seed 1 of {folder} is being trained by another process"
        assert not held([0]) and not held([3])
        with lock_seeds(tmp_path, "tiny", "lunar_lander", [1, 2]):
            pass
    assert not held([0, 1, 2, 3])


def test_lock_of_another_process_and_its_death(tmp_path: Path) -> None:
    code = f"""
import time
from muzero_probe.checkpoints import lock_seeds
with lock_seeds({str(tmp_path)!r}, "tiny", "cartpole", [6, 7]):
    print("locked", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
            with pytest.raises(CheckpointError, match=r"seed 7 of .*cartpole is being trained"):
                lock_seeds(tmp_path, "tiny", "cartpole", [7, 8]).__enter__()
        finally:
            holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lock_seeds(tmp_path, "tiny", "cartpole", [6, 7, 8]):
        pass


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_is_deleted_meanwhile(again: bool, tmp_path: Path) -> None:
    with lock_seeds(tmp_path, "tiny", "cartpole", [1, 2]) as check:
        check()
        folder = tmp_path / "tiny" / "cartpole" / "seed_002"
        shutil.rmtree(folder)
        if again:  # by somebody who trains the same
            with lock_seeds(tmp_path, "tiny", "cartpole", [2]) as other:
                other()
        with pytest.raises(CheckpointError) as caught:
            check()
        assert str(caught.value) == f"{folder}: was deleted or replaced while its seed is trained"


def test_a_disk_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with caplog.at_level(logging.WARNING), lock_seeds(tmp_path, "tiny", "cartpole", [1]) as check:
        check()
    (said,) = caplog.messages
    assert said.endswith("seed_001: this disk knows no locks, nothing keeps two processes from one seed")
