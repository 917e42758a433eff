"""Is a file that is not whole, not ours or not in its place refused in one clear line?"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muzero_probe import arrays
from muzero_probe.checkpoints import CheckpointError, checkpoint_path, load_checkpoint, load_latest_resume, read_header
from tests.checkpoints.files import networks, save, save_state


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
        right = arrays.digest(path, digest)
        path.write_bytes(path.read_bytes().replace(digest.encode(), right.encode(), 1))


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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_networks_that_are_not_finite_are_no_agent(tmp_path: Path, value: float) -> None:
    """As an earlier version saved them: whole, and yet no result of training."""
    arrays = networks()
    arrays["g.w"][1, 2] = value
    path = save(tmp_path, arrays=arrays)
    with pytest.raises(CheckpointError, match="holds numbers that are not finite") as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
