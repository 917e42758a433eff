"""Is Ctrl-C one line in every phase, and is too little memory said?"""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import pytest

from muzero_probe import cli
from muzero_probe.cli import start

ROOT = Path(cli.__file__).parents[2]
ENTRY = "import sys; from muzero_probe.cli import entry; sys.exit(entry())"


def started(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """As in a terminal; a shell in the background hands on that interruptions are ignored."""
    command = [sys.executable, "-W", "error", *words]
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )


def test_ctrl_c_in_training_and_the_same_command_goes_on(tmp_path: Path):
    """While it loads, while it trains, and twice."""
    words = ["train", "cartpole", "--profile", "smoke", "--root", str(tmp_path), "--metrics-every", "10"]
    for wanted in ("", "step 20: checkpoints are saved"):
        lines = []
        with started(tmp_path, "-c", ENTRY, *words, "--resume-minutes", "0") as process:
            assert process.stderr is not None
            for line in process.stderr if wanted else ():
                lines.append(line)
                if wanted in line:
                    break
            time.sleep(0 if wanted else 1.0)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
            lines += process.stderr
        assert process.returncode == 130
        assert lines[-1] == "muzero-probe: interrupted; the same command goes on from the last resume state\n"
        assert "Traceback" not in "".join(lines)
    done = subprocess.run([sys.executable, "-c", ENTRY, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "trained to step 60" in done.stdout


@pytest.mark.parametrize("module", ["analyses", "analyses.claims", "figures", "report"])
def test_ctrl_c_while_modules_are_loaded(tmp_path: Path, module: str):
    process = started(tmp_path, "-m", module, "--profile", "none")
    deadline = time.monotonic() + 60
    while not _loads(process.pid, "pandas"):  # one of the first, and others follow
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.startswith(f"python -m {module}: interrupted") and errors.count("\n") == 1
    assert process.returncode == 130


def test_termination_is_one_line(tmp_path: Path):
    """What a batch system sends; what is half written goes."""
    code = f"""
import pathlib, time
from muzero_probe import files
from muzero_probe.cli import start
start.begin("program", "; and so on")
def blocks():
    yield b"half"
    print("writing", flush=True)
    for _ in range(600):  # a signal that comes just before a long sleep waits for its end
        time.sleep(0.1)
files.replace(pathlib.Path({str(tmp_path / "file")!r}), blocks())
"""
    with started(tmp_path, "-c", code) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "program: terminated; and so on\n")
    assert not list(tmp_path.iterdir())


def _loads(process: int, name: str) -> bool:
    """Whether a process has mapped a library of a package."""
    try:
        return name in Path(f"/proc/{process}/maps").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("words", [["-c", ENTRY, "agents"], ["-m", "figures"]])
def test_an_address_space_that_is_too_small(words: list[str]):
    """Libraries would wait for ever while they are loaded."""
    limited = lambda: resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20))  # noqa: E731
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=limited,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.endswith("the address space is limited to 900 MiB, at least 2,048 are needed (ulimit -v)\n")


def printing_to(place: IO[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ENTRY, "agents"]
    return subprocess.run(command, cwd=ROOT, stdout=place, stderr=subprocess.PIPE, text=True, check=False)


def test_output_that_cannot_be_printed_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = printing_to(full)
    assert (done.returncode, done.stderr) == (1, "muzero-probe: [Errno 28] No space left on device\n")


def test_a_reader_that_has_seen_enough():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = printing_to(nobody)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_job_in_the_background_is_not_interrupted():
    """A shell starts it with interruptions ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGTERM), threading.excepthook
    try:
        start.begin("program")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
        threading.excepthook = before[2]
