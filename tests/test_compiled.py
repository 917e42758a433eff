"""Is code compiled anew when anything has changed that it is made of, and never with fast math?"""

import re
import shutil
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
    assert Path(compiled.folder.__wrapped__()).parent == tmp_path


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
