"""Does a cluster measure the same bytes, a worker lost in the middle or not, and are others' workers refused?"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from analyses import __main__ as program
from analyses.harness import cluster, study
from tests.analyses.studies import one_line

ROOT = Path(study.__file__).parents[2]
TINY = ROOT / "checkpoints" / "tiny"
WORDS = ["returns", "own_policy", "--profile", "smoke", "--root", str(TINY), "--shard", "1"]
QUIET = ["--no-dashboard"]


class Cluster:
    """A scheduler and workers on the loopback address, each a process."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self._stack = stack
        words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(self.file), *QUIET]
        self._start("scheduler", *words)
        self._until(self.file.exists)

    def worker(self, name: str, threads: int = 1) -> subprocess.Popen:
        """Starts a worker, which the scheduler knows then."""
        words = ["worker", "--scheduler-file", str(self.file), "--nthreads", str(threads), "--no-nanny", *QUIET]
        words += ["--local-directory", str(self.folder), "--name", name]
        process = self._start(name, *words)
        self._until(lambda: "Registered to:" in self.said(name))
        return process

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def _start(self, name: str, *words: str) -> subprocess.Popen:
        log = self._stack.enter_context((self.folder / f"{name}.log").open("w"))
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "dask", *words]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def _until(self, true) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, [path.read_text() for path in self.folder.glob("*.log")]
            time.sleep(0.02)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        folder = tmp_path / "dask"
        folder.mkdir()
        yield Cluster(folder, stack)


def command(folder: Path, *words: str) -> list[str]:
    return [*WORDS, "--tables", str(folder / "tables"), "--units", str(folder / "units"), *words]


def measured(folder: Path) -> dict[str, bytes]:
    """All files of an analysis, by name."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_worker_is_killed_in_the_middle(dask: Cluster, tmp_path: Path):
    """Tables and units are the bytes of one machine; nothing else is left."""
    first, _ = dask.worker("first"), dask.worker("second")
    there = tmp_path / "there"
    words = ["-W", "error", "-m", "analyses", *command(there, "--scheduler", str(dask.file))]
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not list(there.glob("units/*/*")):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.005)
        first.send_signal(signal.SIGKILL)
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), dask.said("scheduler")
    assert output.split() == [str(there / "tables" / "smoke" / "cartpole" / f"{name}.csv") for name in WORDS[:2]]
    alone = [sys.executable, "-m", "analyses", *command(tmp_path / "here", "--jobs", "1")]
    subprocess.run(alone, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert measured(there) == measured(tmp_path / "here")


def refusal(capsys: pytest.CaptureFixture[str], folder: Path, scheduler: object) -> str:
    assert program.main(command(folder, "--scheduler", str(scheduler))) == 1
    return one_line(capsys.readouterr().err, "python -m analyses")


def test_a_worker_of_several_threads_is_refused(dask: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    dask.worker("wide", threads=2)
    assert "has 2 threads, it must have one: --nthreads 1" in refusal(capsys, tmp_path / "x", dask.file)


def test_other_code_is_refused(
    dask: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    dask.worker("other")
    monkeypatch.setattr(cluster, "commit", lambda: "another")
    cluster._here.cache_clear()
    said = refusal(capsys, tmp_path / "x", dask.file)
    cluster._here.cache_clear()
    assert "has other code: " in said and said.endswith("at commit another")


def test_no_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "SECONDS", 0.3)
    said = refusal(capsys, tmp_path / "x", "tcp://127.0.0.1:1")
    assert said.startswith("--scheduler tcp://127.0.0.1:1: neither the file of a scheduler nor its address")


def test_a_cluster_without_workers(
    dask: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "SECONDS", 2)
    assert "it has no workers: dask worker --nthreads 1" in refusal(capsys, tmp_path / "x", dask.file)
