"""How a set of seeds is written, on the command line and in messages: `0:30` (0 to 29), `3`, `0,4,7`, `0:6,9`."""

import re
from collections.abc import Iterable

LARGEST = 999_999
MOST = 1_000  # of one command: they train together, and more are a slip of the keyboard


def parse_seeds(text: str) -> tuple[int, ...]:
    """Returns the seeds that a text names, ascending.

    Raises:
        ValueError: if the text is of another form, names no seed, or names one twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        if not (match := re.fullmatch(r" *([0-9]{1,9})(?::([0-9]{1,9}))? *", part)):
            raise ValueError(f"seeds {text!r}: write 0:30 (0 to 29), 3 or 0,4,7")
        first = int(match[1])
        end = int(match[2]) if match[2] else first + 1
        if end <= first:
            raise ValueError(f"seeds {text!r}: {part.strip()} is empty, the end of a range is not part of it")
        if end > LARGEST + 1:
            raise ValueError(f"seeds {text!r}: the largest seed is {LARGEST}")
        if end - first + len(seeds) > MOST:
            raise ValueError(f"seeds {text!r}: at most {MOST:,} go into one command")
        seeds += range(first, end)
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds {text!r}: a seed is named twice")
    return tuple(sorted(seeds))


def show_seeds(seeds: Iterable[int]) -> str:
    """Returns the shortest text that `parse_seeds` reads as these seeds."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ",".join(f"{run[0]}:{run[-1] + 1}" if len(run) > 1 else str(run[0]) for run in runs)
