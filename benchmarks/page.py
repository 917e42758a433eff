"""What benchmarks write into pages between marks, `<!-- name -->` and `<!-- /name -->`, and words that they share."""

import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from muzero_probe import files, threads
from muzero_probe.provenance import commit

ROOT = Path(__file__).parents[1]
PERFORMANCE = ROOT / "docs" / "performance.md"


def put(page: Path, name: str, lines: Iterable[str]) -> None:
    """Prints lines and writes them between the marks of a name.

    Raises:
        ValueError: if the page has not both marks once.
    """
    text, start, end = page.read_text(), f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError(f"{page} must have the marks {start.strip()} and {end} once each")
    written = "".join(f"{line}\n" for line in lines)
    print(written)
    before, rest = text.split(start)
    files.replace(page, [f"{before}{start}{written}{end}{rest.split(end)[1]}".encode()])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns the lines of a table."""
    first, *others = (f"| {' | '.join(cells).lstrip()} |" for cells in (head, *rows))
    return [first, "|" + len(head) * "---|", *others]


def spread(values: Sequence[float]) -> list[str]:
    """Returns median, least and largest, shown."""
    return [shown(value) for value in (statistics.median(values), min(values), max(values))]


def shown(value: float) -> str:
    """Returns a number in three digits."""
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Returns a time with two or three digits."""
    for least, unit in ((3_600, "h"), (60, "min")):
        if seconds >= least:
            return f"{seconds / least:,.3g} {unit}" if seconds / least < 100 else f"{seconds / least:,.0f} {unit}"
    return f"{seconds:.2g} s"


def machine() -> str:
    """Returns machine, versions and commit of this process in a line."""
    return (
        f"{processor()}, {threads.cores()} cores, Python {platform.python_version()}, torch {torch.__version__}, "
        f"commit {commit()[:7]}."
    )


def processor() -> str:
    """Returns the processor's name where the system tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
