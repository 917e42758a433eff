"""Does a run's state come back whole, and is the last good one there whenever a writer dies?"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muzero_probe.checkpoints import CheckpointError, config_hash, load_latest_resume, resume_folder, save_resume
from tests.checkpoints.files import CONFIG, REPOSITORY, same, save_state


def test_resume_round_trip(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {
        np.dtype(dtype).name: (np.arange(6).reshape(2, 3) % 2).astype(dtype)
        for dtype in (bool, "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
    }
    arrays["uint64"][0, 0] = 2**64 - 1
    arrays["swapped"] = np.arange(3, dtype=">i4")
    arrays |= {"none": np.zeros((0, 5), bool), "scalar": np.array(7), "é / x": np.array([True])}
    generator = np.random.default_rng(1)
    generator.integers(9, size=3, dtype=np.uint8)  # leaves half a word in the state
    meta = {"rng": generator.bit_generator.state, "best": -np.inf, "names": ["a", None]}
    path = save_state(tmp_path, 40, arrays=arrays, meta=meta)
    latest = load_latest_resume(path.parent)
    assert latest is not None
    loaded, loaded_meta, header = latest
    arrays["swapped"] = np.arange(3, dtype=np.int32)
    assert same(loaded, arrays)
    assert all(array.flags.writeable and array.flags.aligned for array in loaded.values())
    assert loaded_meta == meta
    assert (header.kind, header.seeds, header.step) == ("resume", [0, 1, 2], 40)
    assert header.config_hash == config_hash(CONFIG)
    other = np.random.default_rng(0)
    other.bit_generator.state = loaded_meta["rng"]
    assert other.random() == generator.random()


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.zeros(2, complex)])
def test_resume_refuses_other_dtypes(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="x: an array of"):
        save_state(tmp_path, 1, arrays={"x": array})


def test_resume_keeps_the_newest_two(tmp_path: Path) -> None:
    folder = resume_folder(tmp_path, "tiny", "cartpole", range(3))
    assert load_latest_resume(folder) is None
    for step in (0, 99, 100, 1000):
        save_state(tmp_path, step)
        save_state(tmp_path, step)
        latest = load_latest_resume(folder)
        assert latest is not None
        assert latest[2].step == latest[1]["step"] == latest[0]["step"][0] == step
    names = ["state_00000100.safetensors", "state_00001000.safetensors"]
    assert sorted(os.listdir(folder)) == names
    with pytest.raises(CheckpointError, match=r"state_00001000.*later than step 500"):
        save_state(tmp_path, 500)
    assert sorted(os.listdir(folder)) == names


def test_resume_belongs_to_its_run(tmp_path: Path) -> None:
    folder = resume_folder(tmp_path, "tiny", "cartpole", [0, 1])
    with pytest.raises(ValueError, match="seeds_000-002"):
        save_resume(
            folder,
            agent="cartpole",
            profile="tiny",
            seeds=range(3),
            step=0,
            config={},
            arrays={},
            meta={},
        )
    folder.mkdir(parents=True)
    shutil.copy(save_state(tmp_path, 5), folder)
    with pytest.raises(CheckpointError, match="was written as tiny/cartpole/resume/seeds_000-002"):
        load_latest_resume(folder)


def test_damaged_resume_is_never_skipped(tmp_path: Path) -> None:
    older, newer = save_state(tmp_path, 10), save_state(tmp_path, 20)
    data = bytearray(newer.read_bytes())
    data[-1] ^= 1
    newer.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        load_latest_resume(newer.parent)
    message = str(caught.value)
    assert message.startswith(f"{newer}: was altered")
    assert message.endswith(f"delete it to continue from {older}")
    newer.unlink()
    latest = load_latest_resume(newer.parent)
    assert latest is not None and latest[2].step == 10
    older.write_bytes(b"")
    with pytest.raises(CheckpointError, match="delete it to start from the beginning"):
        load_latest_resume(newer.parent)
    (newer.parent / "state_old.safetensors").touch()
    with pytest.raises(CheckpointError, match="unexpected name"):
        load_latest_resume(newer.parent)


# Interrupted writes


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failed_write_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*_: Any) -> None:
        raise OSError("disk full")

    save_state(tmp_path, 1)
    path = save_state(tmp_path, 2)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="disk full"):
            save_state(tmp_path, 3)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_killed_writer(tmp_path: Path) -> None:
    """Killed in the middle of a write: the old states load, the next writer cleans up."""
    path = save_state(tmp_path, 1)
    code = f"""
import os, signal
from pathlib import Path
import numpy as np
from muzero_probe import checkpoints
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
checkpoints.save_resume(Path({str(path.parent)!r}), agent="cartpole", profile="tiny",
    seeds=range(3), step=2, config={{}}, arrays={{"x": np.zeros(9)}}, meta={{}})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL
    left, whole = sorted(os.listdir(path.parent))
    assert left.startswith(".state_00000002.safetensors.") and whole == "state_00000001.safetensors"
    latest = load_latest_resume(path.parent)
    assert latest is not None and latest[2].step == 1
    save_state(tmp_path, 3)
    assert sorted(os.listdir(path.parent)) == [whole, "state_00000003.safetensors"]
