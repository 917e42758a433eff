"""What every command line owes to whoever mistypes it: a code, one line, and nothing left behind."""

import os
import re
import shlex
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

SECONDS = 30  # within which a wrong command must end
LONG = "x" * 5_000
HUGE = "9" * 17  # of a whole number that 64 bits hold


class Hang(BaseException):
    """No trouble that a program may answer."""


def furnish(folder: Path) -> Path:
    """Puts what is in the way into a folder: a file, a folder, a pipe, and agents that are none."""
    (folder / "file").write_text("text")
    (folder / "folder").mkdir()
    (folder / "folder.gif").mkdir()
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.gif")
    os.mkfifo(folder / "pipe.py")
    (folder / "folder.py").mkdir()
    (folder / "nothing.py").write_text("x = 1\n")
    (folder / "number.py").write_text("AGENT = 3\n")
    (folder / "broken.py").write_text("raise RuntimeError('two\\nlines')\n")
    (folder / "unclosed.py").write_text("AGENT = (\n")
    (folder / "leaves.py").write_text("raise SystemExit(0)\n")
    (folder / "my agent.py").write_text("from muzero_probe.agents.cartpole import AGENT\n")
    return folder


def refused(
    main: Callable[[Sequence[str]], int], program: str, words: str | Sequence[str], folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> tuple[int, str]:  # fmt: skip
    """Gives a wrong command and returns its code and what it said, without the program's name.

    Args:
        main: runs the command in this process.
        program: its name.
        words: of the command, as a shell splits them.
        folder: that must stay as it is.
        capsys: pytest's.
    """
    before = _content(folder)
    was = signal.signal(signal.SIGALRM, _hang)
    signal.alarm(SECONDS)
    try:
        code = main(shlex.split(words) if isinstance(words, str) else words)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, was)
    output, errors = capsys.readouterr()
    assert code in (1, 2), (code, output, errors)
    assert output == ""
    assert errors.startswith(f"{program}: ") and errors.endswith("\n") and errors.count("\n") == 1, errors
    said = errors.removeprefix(f"{program}: ").rstrip("\n")
    assert len(said) <= 2_100 and said.isprintable(), said
    assert not re.search("[│╭─╯]|tyro|__|Traceback", said), said
    assert _content(folder) == before
    return code, said


def _content(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns if path.is_file() else 0)
    return found


def _hang(*_: Any) -> None:
    raise Hang(f"not refused within {SECONDS} seconds")
