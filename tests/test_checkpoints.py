"""Files that are complete, verified and in their place; everything else is a clear error."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from muzero_probe import checkpoints
from muzero_probe.checkpoints import (
    CheckpointError,
    checkpoint_path,
    config_hash,
    list_checkpoints,
    load_checkpoint,
    load_latest_resume,
    lock_seeds,
    read_header,
    resume_folder,
    save_checkpoint,
    save_resume,
)

REPOSITORY = Path(checkpoints.__file__).parents[1]
CONFIG = {"lr": 3e-4, "layers": (64, 64), "name": "é", "clip": None, "nested": {"b": 1, "a": True}}


def networks(offset: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "g.w": rng.standard_normal((3, 4)).astype(np.float32) + np.float32(offset),
        "g.scale": np.array(2.5, np.float32),
        "h.empty": np.zeros((0, 3), np.float32),
        "h.b": np.array([0.0, -0.0, np.nan, np.inf, 1e-45], np.float32),
    }


def save(root: Path, **changes: Any) -> Path:
    settings = {
        "agent": "cartpole",
        "profile": "tiny",
        "seed": 7,
        "step": 2000,
        "config": CONFIG,
        "arrays": networks(),
    }
    return save_checkpoint(root, **(settings | changes))


def save_state(root: Path, step: int, **changes: Any) -> Path:
    settings = {
        "agent": "cartpole",
        "profile": "tiny",
        "seeds": range(3),
        "step": step,
        "config": CONFIG,
        "arrays": {"step": np.array([step])},
        "meta": {"step": step},
    }
    settings |= changes
    folder = resume_folder(root, settings["profile"], settings["agent"], settings["seeds"])
    return save_resume(folder, **settings)


def rewrite(path: Path, change: Any) -> None:
    """Changes the header's fields and gives the file a digest that fits."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    change(header["__metadata__"])
    digest = header["__metadata__"].get("digest")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    if digest is not None:
        right = checkpoints._digest(path, digest)
        path.write_bytes(path.read_bytes().replace(digest.encode(), right.encode(), 1))


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return checkpoints._bits(a) == checkpoints._bits(b) and all(a[name].dtype == b[name].dtype for name in a)


# One seed's networks


def test_round_trip(tmp_path: Path) -> None:
    path = save(tmp_path)
    assert path == tmp_path / "tiny" / "cartpole" / "seed_007" / "step_00002000.safetensors"
    loaded = load_checkpoint(path)
    assert same(loaded.arrays, networks())
    assert list(loaded.arrays) == sorted(loaded.arrays)
    assert all(array.flags.writeable and array.flags.aligned for array in loaded.arrays.values())
    assert (loaded.agent, loaded.profile, loaded.seed, loaded.step) == ("cartpole", "tiny", 7, 2000)
    assert loaded.config == json.loads(json.dumps(CONFIG))
    assert loaded.config_hash == config_hash(CONFIG) == config_hash(loaded.config)
    assert loaded.versions["numpy"] == np.__version__ and "torch" in loaded.versions
    assert re.fullmatch(r"unknown|[0-9a-f]{40}(-dirty)?", loaded.commit)
    assert re.fullmatch(r"[0-9a-f]{64}", loaded.digest)
    header = vars(loaded).copy()
    del header["arrays"]
    assert vars(read_header(path)) == header


def test_is_plain_safetensors_and_readable_by_others(tmp_path: Path) -> None:
    path = save(tmp_path)
    with safe_open(path, framework="np") as file:
        fields = file.metadata()
        assert fields["format"] == "muzero-probe" and fields["format_version"] == "1"
        np.testing.assert_array_equal(file.get_tensor("g.w"), networks()["g.w"])
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_bytes_depend_on_content_alone(tmp_path: Path) -> None:
    one = save(tmp_path / "one")
    arrays = dict(reversed(networks().items()))
    arrays["g.w"] = np.asfortranarray(arrays["g.w"])
    two = save(tmp_path / "two", arrays=arrays)
    assert one.read_bytes() == two.read_bytes()


def test_strided_arrays_are_stored_by_value(tmp_path: Path) -> None:
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    loaded = load_checkpoint(save(tmp_path, arrays={"t": grid.T, "every": grid[::2, 1::3]}))
    np.testing.assert_array_equal(loaded.arrays["t"], grid.T)
    np.testing.assert_array_equal(loaded.arrays["every"], grid[::2, 1::3])


def test_needs_no_torch_and_no_pickle() -> None:
    code = "import sys, muzero_probe.checkpoints; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    assert "pickle" not in Path(checkpoints.__file__).read_text()


def test_only_float32_networks_and_json_configs(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="w: a checkpoint holds float32, not float64"):
        save(tmp_path, arrays={"w": np.zeros(3)})
    with pytest.raises(TypeError):
        save(tmp_path, config={"path": Path()})
    with pytest.raises(TypeError, match="__metadata__"):
        save(tmp_path, arrays={"__metadata__": np.zeros(3, np.float32)})
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a b", ".hidden"])
def test_names_stay_inside_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        save(tmp_path, agent=name)
    with pytest.raises(ValueError, match="cannot be the name"):
        list_checkpoints(tmp_path, name, "cartpole")


def test_negative_numbers_have_no_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seeds"):
        checkpoint_path(tmp_path, "tiny", "cartpole", -1, 0)
    with pytest.raises(ValueError, match="step -1"):
        checkpoint_path(tmp_path, "tiny", "cartpole", 0, -1)


def test_config_hash_is_canonical() -> None:
    assert config_hash({"a": 1, "b": (2, 3)}) == config_hash({"b": [2, 3], "a": 1})
    assert config_hash({"a": {10: 1, 9: 2}}) == config_hash({"a": {"10": 1, "9": 2}})
    assert config_hash({"a": 1}) != config_hash({"a": 1.0})
    # printf '{"a":1,"b":[2,3]}' | sha256sum
    assert config_hash({"b": [2, 3], "a": 1}) == "efbd0040190f"


def test_saving_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path)
    before = path.stat().st_mtime_ns, path.read_bytes()
    monkeypatch.setattr(checkpoints, "commit", lambda: "0" * 40)
    assert save(tmp_path) == path
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    with pytest.raises(CheckpointError, match=r"step_00002000.*other arrays"):
        save(tmp_path, arrays=networks(1.0))
    with pytest.raises(CheckpointError, match="other arrays"):
        save(tmp_path, arrays={"g.w": networks()["g.w"]})
    with pytest.raises(CheckpointError, match="other config"):
        save(tmp_path, config={})
    assert path.read_bytes() == before[1]
    save(tmp_path, arrays=networks(1.0), overwrite=True)
    assert same(load_checkpoint(path).arrays, networks(1.0))
    path.write_bytes(before[1][:-1])
    with pytest.raises(CheckpointError, match="half-written"):
        save(tmp_path)
    save(tmp_path, overwrite=True)
    assert same(load_checkpoint(path).arrays, networks())


# What can go wrong with a file


def fails(path: Path, match: str) -> None:
    """Both readers refuse the file, in one line that begins with its name."""
    for read in (load_checkpoint, read_header):
        with pytest.raises(CheckpointError, match=match) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_truncated_at_every_length(tmp_path: Path) -> None:
    path = save(tmp_path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        fails(path, "half-written")
    path.write_bytes(data + b"\0")
    fails(path, "half-written")


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path)
    data = path.read_bytes()
    header_end = 8 + int.from_bytes(data[:8], "little")
    seen = set()
    rng = np.random.default_rng(0)
    for position in range(len(data)):
        for flip in {1 << int(rng.integers(8)), int(rng.integers(1, 256))}:
            changed = bytearray(data)
            changed[position] ^= flip
            path.write_bytes(changed)
            with pytest.raises(CheckpointError, match=re.escape(f"{path}: ")) as caught:
                load_checkpoint(path)
            seen.add(str(caught.value).split(": ", 1)[1][:12])
            if position >= header_end:
                assert "was altered" in str(caught.value)
                assert read_header(path).step == 2000
    assert {"was altered,", "is half-writ", "has format v", "is of kind '"} <= seen


def test_permuted_values_and_swapped_headers_are_noticed(tmp_path: Path) -> None:
    path = save(tmp_path, arrays={name: np.full(2, 1, np.float32) for name in "ab"})
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"a": {', b'"?": {').replace(b'"b": {', b'"a": {'))
    with pytest.raises(CheckpointError, match="was altered"):
        load_checkpoint(path)
    path.write_bytes(data.replace(b'"shape": [2]', b'"shape":[ 2]'))
    with pytest.raises(CheckpointError, match="was altered"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"x", b"seed,step,error\n1,2,3\n", b"\0" * 64, b"{}" * 9])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = save(tmp_path)
    path.write_bytes(content)
    fails(path, "not a safetensors file")


def test_missing_file_and_folder_in_its_place(tmp_path: Path) -> None:
    path = checkpoint_path(tmp_path, "tiny", "cartpole", 7, 2000)
    fails(path, "no such file")
    path.mkdir(parents=True)
    fails(path, "cannot be read")


def test_safetensors_of_somebody_else(tmp_path: Path) -> None:
    path = save(tmp_path)
    rewrite(path, lambda fields: fields.clear())
    fails(path, "is not a muzero-probe file")
    rewrite(path, lambda fields: fields.update(format="pt"))
    fails(path, "is not a muzero-probe file")


def test_other_format_version_and_kind(tmp_path: Path) -> None:
    path = save(tmp_path)
    rewrite(path, lambda fields: fields.update(format_version="2"))
    fails(path, "has format version 2, not 1")
    with pytest.raises(CheckpointError, match="of kind 'resume', not checkpoint"):
        load_checkpoint(save_state(tmp_path, 5))
    assert read_header(save_state(tmp_path, 5)).kind == "resume"
    state = save_state(tmp_path, 5)
    shutil.copy(save(tmp_path, step=5), state)
    with pytest.raises(CheckpointError, match="of kind 'checkpoint', not resume"):
        load_latest_resume(state.parent)


KEYS = "agent profile seeds step config config_hash versions commit digest meta kind format_version"


@pytest.mark.parametrize("key", KEYS.split())
def test_missing_key(tmp_path: Path, key: str) -> None:
    path = save(tmp_path)
    rewrite(path, lambda fields: fields.pop(key))
    with pytest.raises(CheckpointError, match=f"its header has no '{key}'"):
        load_checkpoint(path)


BAD = [("seeds", "[1, 2]"), ("seeds", "x"), ("seeds", "[-1]"), ("step", "-5"), ("agent", "a/b")]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_impossible_field(tmp_path: Path, key: str, value: str) -> None:
    path = save(tmp_path)
    rewrite(path, lambda fields: fields.update({key: value}))
    fails(path, "its header is damaged")


def test_a_file_belongs_where_its_header_says(tmp_path: Path, monkeypatch: Any) -> None:
    path = save(tmp_path)
    others = [
        checkpoint_path(tmp_path, "tiny", "cartpole", 7, 3000),
        checkpoint_path(tmp_path, "tiny", "cartpole", 8, 2000),
        checkpoint_path(tmp_path, "tiny", "lunar_lander", 7, 2000),
        checkpoint_path(tmp_path, "full", "cartpole", 7, 2000),
    ]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, other)
        fails(other, "was written as tiny/cartpole/seed_007/step_00002000")
    monkeypatch.chdir(path.parent)
    assert load_checkpoint(path.name).step == 2000
    assert load_checkpoint(f"../seed_007/{path.name}").step == 2000


# Names


def test_list(tmp_path: Path) -> None:
    assert list_checkpoints(tmp_path, "tiny", "cartpole") == []
    wanted = [(7, 200), (7, 1000), (12, 0), (1234, 123_456_789)]
    for seed, step in reversed(wanted):
        save(tmp_path, seed=seed, step=step)
    save(tmp_path, agent="lunar_lander")
    save_state(tmp_path, 5)
    (tmp_path / "tiny" / "cartpole" / "seed_007" / ".step_00003000.safetensors.tmp").touch()
    with lock_seeds(tmp_path, "tiny", "cartpole", [7, 90]):
        listed = list_checkpoints(tmp_path, "tiny", "cartpole")
    assert [(seed, step) for seed, step, _ in listed] == wanted
    assert all(load_checkpoint(path).seed == seed for seed, _, path in listed)


STRANGE = ["step_2000", "step_", "best", "step_00002000 (copy)", "step_000002000", "step_²0000000"]


@pytest.mark.parametrize("name", STRANGE)
def test_unexpected_names_are_never_skipped(tmp_path: Path, name: str) -> None:
    strange = save(tmp_path).with_name(f"{name}.safetensors")
    strange.touch()
    with pytest.raises(CheckpointError, match=re.escape(str(strange))):
        list_checkpoints(tmp_path, "tiny", "cartpole")


@pytest.mark.parametrize("name", ["seed_7", "seed_", "seed_007_old", "seed_0007"])
def test_unexpected_seed_folders_are_never_skipped(tmp_path: Path, name: str) -> None:
    strange = save(tmp_path).parents[1] / name
    strange.mkdir()
    with pytest.raises(CheckpointError, match=re.escape(str(strange))):
        list_checkpoints(tmp_path, "tiny", "cartpole")


def test_resume_folder_names() -> None:
    def name(seeds: list[int] | range) -> str:
        return resume_folder("", "tiny", "cartpole", seeds).name

    assert name([7]) == "seeds_007"
    assert name(range(30)) == "seeds_000-029"
    assert name([0, 3, 7]) == "seeds_000_003_007"
    long = [*range(8), 9]
    assert re.fullmatch(r"seeds_000_001_and_7_more_[0-9a-f]{8}", name(long))
    assert name(long) == name(list(long)) != name([*range(8), 10])
    for bad in ([], [2, 1], [1, 1], [-1, 0]):
        with pytest.raises(ValueError, match="seeds"):
            name(bad)


# A run, to go on from


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
    left = [".state_00000002.safetensors.tmp", "state_00000001.safetensors"]
    assert sorted(os.listdir(path.parent)) == left
    latest = load_latest_resume(path.parent)
    assert latest is not None and latest[2].step == 1
    save_state(tmp_path, 3)
    assert sorted(os.listdir(path.parent)) == [left[1], "state_00000003.safetensors"]


# Locks


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
