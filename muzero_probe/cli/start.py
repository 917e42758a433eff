"""What a command does before it imports anything large: Ctrl-C is one line in every phase, memory must suffice.

An exception of Ctrl-C would be lost in callbacks (the compiler's, for one) and show a traceback while modules are
imported. All files are written so that a process may end at any moment; so it ends.
"""

import os
import resource
import signal
import sys

INTERRUPTED = 130  # as shells say of an interrupted command
LEAST = 2 * 2**30  # bytes of address space; with less, libraries wait for ever while they are loaded


def begin(program: str, goes_on: str = "") -> None:
    """Lets Ctrl-C end this process with one line on stderr, and refuses to begin without room.

    Args:
        program: its name.
        goes_on: how the same command goes on.

    Raises:
        SystemExit: with code 1, if the address space is too small.
    """

    def end(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one
        shown = "\x1b[?25h\r\x1b[K" if sys.stderr.isatty() else ""  # a cursor that a progress bar hid, and its line
        os.write(2, f"{shown}{program}: interrupted{goes_on}\n".encode())
        os._exit(INTERRUPTED)

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as for a job in the background
        signal.signal(signal.SIGINT, end)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST:
        allowed = f"at least {LEAST >> 20:,} are needed (ulimit -v)"
        print(f"{program}: the address space is limited to {limit >> 20:,} MiB, {allowed}", file=sys.stderr)
        sys.exit(1)
