"""Do processes end with the one that started them, and is a killed one a line?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyses.harness import pool, study

ROOT = Path(study.__file__).parents[2]
PROGRAM = """
import os, sys, time
from functools import partial
from pathlib import Path
sys.path.insert(0, {root!r})
from analyses.harness import pool

def measure(path, seconds, share):
    path.write_text(str(os.getpid()))
    time.sleep(seconds)

calls = {{str(n): partial(measure, Path({folder!r}) / str(n), {seconds}) for n in range({units})}}
try:
    for name in pool.run(calls, {jobs}):
        print(name, flush=True)
except pool.WorkerError as error:
    print(error, flush=True)
"""


def started(folder: Path, *, units: int, jobs: int, seconds: float) -> subprocess.Popen[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM.format(root=str(ROOT), folder=str(folder), units=units, jobs=jobs, seconds=seconds))
    return subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers(folder: Path, count: int) -> list[int]:
    """Process numbers of the workers that measure the first units."""
    deadline = time.monotonic() + 60
    while not all((folder / str(n)).exists() and (folder / str(n)).read_text() for n in range(count)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return [int((folder / str(n)).read_text()) for n in range(count)]


def gone(processes: list[int], within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not any(_runs(process) for process in processes):
            return True
        time.sleep(0.05)
    return False


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals):
    with started(tmp_path, units=4, jobs=2, seconds=60) as process:
        found = workers(tmp_path, 2)
        assert len({process.pid, *found}) == 3
        process.send_signal(how)
        process.wait(60)
        assert gone(found)


def test_a_killed_worker_is_a_line(tmp_path: Path):
    with started(tmp_path, units=2, jobs=2, seconds=60) as process:
        found = workers(tmp_path, 2)
        os.kill(found[0], signal.SIGKILL)
        output, errors = process.communicate(timeout=60)
    assert output.startswith("a worker was killed, perhaps for want of memory, while ") and output.count("\n") == 1
    assert "0" in output and "the same command goes on with the finished units" in output
    assert "Traceback" not in errors and gone(found)


def test_no_more_workers_than_units(tmp_path: Path):
    with started(tmp_path, units=2, jobs=10, seconds=0.5) as process:
        output, _ = process.communicate(timeout=60)
    assert sorted(output.split()) == ["0", "1"]
    assert len(set(workers(tmp_path, 2))) <= 2


def test_one_call_runs_here():
    done = []
    assert list(pool.run({"a": done.append, "b": done.append}, 1)) == ["a", "b"]
    assert done == [None, None]


def test_no_call_is_no_work():
    assert list(pool.run({}, 4)) == []
