"""Is code compiled anew when anything has changed that it is made of, and never with fast math?"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from muzero_probe import compiled
from muzero_probe.compiled import PACKAGE, sources


def test_sources_are_the_files_that_compile_and_what_they_import():
    names = {str(path.relative_to(PACKAGE)) for path in sources()}
    assert {"exact/products.py", "exact/lanes.py", "cpu/updates.py", "search/tree.py", "training/replay.py"} <= names
    assert {
        "nets/mlp.py",
        "nets/categorical.py",
        "randomness.py",
        "envs/lunar_lander/memory.py",
    } <= names  # constants and functions
    assert not {"cli/main.py", "agents/cartpole.py", "checkpoints.py"} & names


@pytest.mark.parametrize("changed", ["exact/products.py", "nets/mlp.py", "nets/categorical.py", "cli/main.py"])
def test_another_source_is_another_folder(changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "muzero_probe"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiled, "sources", lambda: sources(package))
    before = compiled.folder.__wrapped__()
    assert compiled.folder.__wrapped__() == before
    with (package / changed).open("a") as file:
        file.write("CHANGED = True\n")
    assert (compiled.folder.__wrapped__() != before) == (changed != "cli/main.py")


def test_a_folder_that_the_user_names_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled.config, "CACHE_DIR", str(tmp_path))
    taken = compiled.folder.__wrapped__()
    assert taken is not None and Path(taken).parent == tmp_path


def twice(x):
    return x + x


def test_two_processes_that_fill_an_empty_folder_do_not_take_each_other_s_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One has read the empty index before the other writes it, and ends before the other writes its code."""
    monkeypatch.setattr(compiled, "folder", lambda: str(tmp_path))
    whole, real, later = (compiled.jit(twice) for _ in range(3))
    first: Any = whole._cache._cache_file
    write = first._save_data
    monkeypatch.setattr(real._cache._cache_file, "_load_index", dict)

    def overtaken(*args: Any) -> None:
        assert real(1.5) == 3.0
        write(*args)

    monkeypatch.setattr(first, "_save_data", overtaken)
    assert whole(1) == 2
    assert list(tmp_path.rglob("*.nbc"))
    assert later(1.5) == 3.0 and later.stats.cache_hits  # it was loaded
    assert later(1) == 2


def test_there_is_one_place_that_compiles():
    for path in PACKAGE.rglob("*.py"):
        if path.name != "compiled.py":
            assert not re.search(r"njit|fastmath", path.read_text()), path


def test_a_folder_that_can_be_written_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert compiled._home(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert capsys.readouterr().err == ""


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below a file, which not even root can make; temporary files are kept beside it."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # is put back
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    return tmp_path / "file" / "compiled"


def test_elsewhere_it_is_this_user_s_alone(unwritable: Path, capsys: pytest.CaptureFixture[str]):
    own = unwritable.parents[1] / f"muzero-probe-{os.getuid()}"
    for _ in range(2):  # made, and found there
        assert compiled._home(unwritable) == own
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"muzero-probe: compiled code is kept in {own}: {unwritable} cannot be written"
        assert own.stat().st_mode & 0o777 == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(own)  # of workers, which say nothing


@pytest.mark.parametrize("trap", ["link", "open", "foreign"])
def test_a_folder_that_others_can_write_is_not_taken(
    trap: str, unwritable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Compiled code is run when it is read."""
    user = os.getuid()
    own = tmp_path / f"muzero-probe-{user}"
    if trap == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        own.symlink_to(tmp_path / "theirs")
    else:
        own.mkdir()
        own.chmod(0o777 if trap == "open" else 0o700)
    if trap == "foreign":
        own.rename(tmp_path / f"muzero-probe-{user + 1}")
        monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert compiled._home(unwritable) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"muzero-probe: compiled code is not kept: {unwritable} cannot be written, and {tmp_path}")
    assert line.endswith("NUMBA_CACHE_DIR names a folder")


def test_without_a_folder_code_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "folder", lambda: None)
    assert compiled.jit(lambda x: x + 1)(2) == 3


def test_damaged_files_of_compiled_code_are_made_anew(tmp_path: Path):
    """The index, or the code."""
    program = "from muzero_probe.exact.elementary import power; print(power(2.0, 0.5))"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program], cwd=PACKAGE.parent, env=environment, capture_output=True, text=True
        )

    def cut(data: bytes) -> bytes:
        return data[:-120]

    def flipped(data: bytes) -> bytes:
        return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :]

    whole = run()
    assert whole.returncode == 0 and whole.stderr == ""
    for kind in ("nbi", "nbc"):
        for damage in (cut, flipped):
            for path in tmp_path.rglob(f"*.{kind}"):
                path.write_bytes(damage(path.read_bytes()))
            again = run()
            assert (again.returncode, again.stdout) == (0, whole.stdout)
            assert "is damaged, it is made anew" in again.stderr and "Traceback" not in again.stderr
            assert run().stderr == ""


def test_compiling_is_said_until_something_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(compiled, "folder", lambda: str(tmp_path))
    function = compiled.jit(twice)
    compiled.say_first()  # numba has made a folder, which is empty
    assert capsys.readouterr().err.startswith("muzero-probe: compiling for this processor, once")
    function(1)
    compiled.say_first()
    assert capsys.readouterr().err == ""
