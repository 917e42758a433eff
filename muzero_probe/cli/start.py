"""What a command does before it imports anything large: interruptions are one line in every phase, memory must suffice.

An exception of Ctrl-C would be lost in callbacks (the compiler's, for one) and show a traceback while modules are
imported. All files are written so that a process may end at any moment; so it ends.
"""

import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

from muzero_probe import files

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
LEAST = 2 * 2**30  # bytes of address space; with less, libraries wait for ever while they are loaded


def begin(program: str, goes_on: str = "") -> None:
    """Lets Ctrl-C and SIGTERM end this process with one line on stderr, and refuses to begin without room.

    Args:
        program: its name.
        goes_on: how the same command goes on.

    Raises:
        SystemExit: with code 1, if the address space is too small.
    """

    def end(number: int, _: object) -> None:
        for each in SIGNALS:  # a second one
            signal.signal(each, signal.SIG_IGN)
        for left in list(files.unfinished):
            with suppress(OSError):
                left.unlink()
        shown = "\x1b[?25h\r\x1b[K" if sys.stderr.isatty() else ""  # a cursor that a progress bar hid, and its line
        os.write(2, f"{shown}{program}: {SIGNALS[signal.Signals(number)]}{goes_on}\n".encode())
        os._exit(128 + number)  # as shells say

    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # as Ctrl-C is for a job in the background
            signal.signal(each, end)
    threading.excepthook = _hushed
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST:
        allowed = f"at least {LEAST >> 20:,} are needed (ulimit -v)"
        print(f"{program}: the address space is limited to {limit >> 20:,} MiB, {allowed}", file=sys.stderr)
        sys.exit(1)


def _hushed(what: Any) -> None:
    """Trouble of a thread with files is raised again where its work is waited for, and said there."""
    if not isinstance(what.exc_value, OSError):
        threading.__excepthook__(what)
