"""Does one seed's file hold what was saved, and nothing that depends on anything else?"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from muzero_probe import checkpoints
from muzero_probe.checkpoints import CheckpointError, config_hash, load_checkpoint, read_header
from tests.checkpoints.files import CONFIG, REPOSITORY, networks, same, save


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
