"""Does what is installed work where it ends up? Asks pip for packages and takes minutes: `make test-install`.

Sdist and wheel outside of the checkout, without HOME and git, on one core, in a package that cannot be written; the
checkout under other names, copied and moved; an old Python first. All paths have blanks and letters beyond ASCII.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muzero_probe import checkpoints

ROOT = Path(__file__).parents[2]
PLACE = "ein Ort für häufige Übungen"
BARE = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}  # no HOME

Done = subprocess.CompletedProcess[str]


def call(*words: str | Path, cwd: Path, **environment: str) -> Done:
    return subprocess.run(list(map(str, words)), cwd=cwd, env=environment or None, capture_output=True, text=True)


def said(done: Done) -> str:
    """The only line on stderr."""
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An sdist of the tracked files, and a wheel of that sdist."""
    folder = tmp_path_factory.mktemp("built")
    source, out = folder / PLACE, folder / "out"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True)
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (sdist,) = out.glob("*.tar.gz")
    wheel = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(sdist)]
    subprocess.run([sys.executable, *wheel], check=True)
    (made,) = out.glob("*.whl")
    return sdist, made


@pytest.fixture(scope="module")
def place(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder beside an environment with the wheel, and with the packages of this process."""
    folder = tmp_path_factory.mktemp("place") / PLACE
    folder.mkdir()
    bin_ = folder / "env" / "bin"
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    subprocess.run([bin_ / "python", "-m", "pip", "install", "--quiet", "--no-deps", built[1]], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    (site,) = call(bin_ / "python", "-c", code, cwd=folder).stdout.splitlines()
    Path(site, "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_sdist_and_wheel_hold_the_library(built: tuple[Path, Path]):
    sdist, wheel = built
    library = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "muzero_probe").rglob("*.py*") if path.suffix != ".pyc"
    }
    with tarfile.open(sdist) as file:
        assert library | {"pyproject.toml", "LICENSE"} <= {name.partition("/")[2] for name in file.getnames()}
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    assert library | {"muzero_probe/py.typed", "muzero_probe/__init__.pyi"} <= names
    assert {name.partition("/")[0] for name in names} == {"muzero_probe", "muzero_probe-0.1.0.dist-info"}


def test_a_wheel_says_that_analyses_need_the_checkout(place: Path):
    done = call(place / "env" / "bin" / "muzero-probe", "--help", cwd=place, **BARE)
    assert done.returncode == 0 and "run in a checkout" in " ".join(done.stdout.split())


def test_a_wheel_trains_where_only_the_folder_of_work_can_be_written(place: Path):
    """No HOME, no git, one core; a file where the package would keep compiled code stops root, too."""
    (package,) = place.glob("env/lib/python3*/site-packages/muzero_probe")
    shutil.rmtree(package / "__pycache__", ignore_errors=True)
    (package / "__pycache__").touch()
    temporary = place / "tmp"
    temporary.mkdir()
    words = ["-c", "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
             "from muzero_probe.cli import entry; sys.exit(entry())",
             "train", "cartpole", "--profile", "smoke", "--seeds", "0"]  # fmt: skip
    environment = {**BARE, "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    done = call(place / "env" / "bin" / "python", *words, cwd=place, **environment)
    assert done.returncode == 0, done.stderr
    kept = temporary / f"muzero-probe-{os.getuid()}"
    lines = [line for line in done.stderr.splitlines() if line.startswith("muzero-probe: ")]
    assert lines == [f"muzero-probe: compiled code is kept in {kept}: {package}/__pycache__/compiled cannot be written"]
    assert list(kept.rglob("*.nbc"))
    found = checkpoints.load_checkpoint(checkpoints.checkpoint_path(place / "checkpoints", "smoke", "cartpole", 0, 60))
    assert found.commit == "unknown"
    assert found.versions["numpy"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout in which `make` has made the environment, after an attempt with a Python that is too old."""
    folder = tmp_path_factory.mktemp("checkout") / PLACE / "muzero-probe"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    old = folder.parent / "python3.10"
    old.write_text('#!/bin/sh\n[ "$1" = -m ] && mkdir -p .venv/bin && ln -s /bin/false .venv/bin/python\nexit 1\n')
    old.chmod(0o755)
    done = call("make", f"PYTHON=../{old.name}", ".venv/run", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("Python 3.11 or newer is needed, ../python3.10 is none: make PYTHON=")
    subprocess.run(["make", f"PYTHON={sys.executable}", ".venv/run"], cwd=folder, check=True)
    yield folder
    shutil.rmtree(folder.parent)


def code_of(folder: Path) -> Path:
    """Whose library the environment of a checkout runs."""
    code = "import muzero_probe; print(muzero_probe.__file__)"
    done = call(folder / ".venv" / "bin" / "python", "-P", "-c", code, cwd=folder)
    return Path(done.stdout.strip()).parents[1]


def test_a_checkout_runs_its_own_code_and_is_not_made_twice(checkout: Path):
    assert code_of(checkout) == checkout
    assert call("make", ".venv/run", cwd=checkout).stdout == "make: '.venv/run' is up to date.\n"
    done = call(checkout / ".venv" / "bin" / "muzero-probe", "status", cwd=checkout, **BARE)
    assert done.returncode == 0 and str(checkout / "checkpoints") in done.stdout.replace("\n", "")


def test_a_copy_refuses_to_run_the_original_s_code(checkout: Path):
    copy = checkout.parent / "copy"
    shutil.copytree(checkout, copy, symlinks=True)
    for folder in (copy, copy / "docs"):
        done = call(copy / ".venv" / "bin" / "muzero-probe", "train", "cartpole", cwd=folder, **BARE)
        assert done.returncode == 2
        assert said(done).startswith(f"muzero-probe: here lies the checkout {copy}, but what is installed is the code")
    assert "rm -rf .venv" in call("make", "--dry-run", "test", cwd=copy).stdout


def test_a_moved_checkout_is_made_anew(checkout: Path):
    moved = checkout.parent / "moved"
    shutil.move(checkout, moved)
    try:
        subprocess.run(["make", f"PYTHON={sys.executable}", ".venv/run"], cwd=moved, check=True)
        assert code_of(moved) == moved
    finally:
        shutil.move(moved, checkout)
