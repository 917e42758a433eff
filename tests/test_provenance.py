"""Does a file name the code that made it?"""

import importlib.util
import json
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import llvmlite.binding as llvm
import pytest
from threadpoolctl import threadpool_info

from analyses.harness import keys
from muzero_probe import provenance


def test_versions_name_all_that_a_run_may_import() -> None:
    """Of pyproject.toml, and of what that needs in turn; nothing of tests."""
    found = provenance.versions()
    assert found["python"] == platform.python_version()
    direct = {"gymnasium", "numba", "numpy", "torch", "joblib", "threadpoolctl", "safetensors", "ale-py", "minatar"}
    assert direct | {"scipy", "pandas", "matplotlib", "seaborn", "opencv-python-headless"} <= found.keys()
    assert {"llvmlite", "cloudpickle", "sympy", "contourpy", "typing-extensions"} <= found.keys()
    assert not {"pytest", "pytest-xdist", "execnet", "pluggy", "ruff", "pyright", "jax"} & found.keys()
    for name in found.keys() - {"python", "blas", "processor"}:
        assert found[name] == metadata.version(name)
    assert len(json.dumps(found)) < 4_000  # it stands in every file


def test_versions_name_blas_and_processor() -> None:
    found = provenance.versions()
    for library in threadpool_info():
        if library["user_api"] == "blas" and "numpy" in library["filepath"]:
            assert f"{library['internal_api']} {library['version']}" in found["blas"]
            assert library["architecture"] in found["blas"]
    name, *features = found["processor"].split()
    there = llvm.get_host_cpu_features()
    assert name == llvm.get_host_cpu_name() and all(there[feature] for feature in features)
    assert ("avx2" in features) == bool(there.get("avx2"))


def test_units_depend_on_packages_that_files_name() -> None:
    assert keys.versions().items() <= provenance.versions().items()
    assert {"numpy", "numba", "llvmlite", "torch", "gymnasium"} <= keys.versions().keys()


def test_commit_of_the_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "core.hooksPath=/dev/null"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()

    def commit_of(file: Path) -> str:
        spec = importlib.util.spec_from_file_location("copied_provenance", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["copied_provenance"] = module
        try:
            spec.loader.exec_module(module)
            return module.commit()
        finally:
            del sys.modules["copied_provenance"]

    file = tmp_path / "muzero_probe" / "provenance.py"
    installed = tmp_path / "env" / "site-packages" / "muzero_probe" / "provenance.py"
    for copy in (file, installed):
        copy.parent.mkdir(parents=True)
        shutil.copy(provenance.__file__, copy)
    git("init", "-q")
    assert commit_of(file) == "unknown"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"muzero-probe: the commit of {tmp_path} is recorded as unknown: ")
    git("add", "muzero_probe/provenance.py")
    git("commit", "-q", "-m", "first")
    git("tag", "v1")
    head = git("rev-parse", "HEAD")
    assert commit_of(file) == head
    file.write_text(file.read_text() + "\n")
    assert commit_of(file) == f"{head}-dirty"
    assert commit_of(installed) == "unknown"
    assert capsys.readouterr().err == ""


def test_without_git_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "muzero_probe" / "provenance.py"))
    (tmp_path / "muzero_probe").mkdir()
    assert provenance.commit.__wrapped__() == "unknown"
    said = f"muzero-probe: the commit of {tmp_path} is recorded as unknown: git is not installed\n"
    assert capsys.readouterr().err == said
