"""How far is a run? A bar on a terminal; in a log file a line now and then, so that it stays readable."""

import logging
import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from muzero_probe.cli import arguments
from muzero_probe.runs.run import Report

LINE_SECONDS = 30.0  # least time between two lines
WINDOW = 20  # reports that the rate is taken over

logger = logging.getLogger(__name__)


class Pace:
    """Updates per second over the recent reports, and the time that is left at this rate."""

    def __init__(self, steps: int) -> None:
        """Takes the run's last step."""
        self.steps = steps
        self._recent: deque[Report] = deque(maxlen=WINDOW)

    def add(self, report: Report) -> tuple[float, float]:
        """Returns updates per second and seconds left, both nan at first."""
        self._recent.append(report)
        oldest = self._recent[0]
        if report.step == oldest.step or report.seconds <= oldest.seconds:
            return math.nan, math.nan
        rate = (report.step - oldest.step) / (report.seconds - oldest.seconds)
        return rate, (self.steps - report.step) / rate


@contextmanager
def shown(title: str, *, steps: int, seeds: int) -> Iterator[Callable[[Report], None]]:
    """Shows the reports of a run, and the package's log messages, on stderr.

    Args:
        title: names the run.
        steps: the run's last step.
        seeds: S, for the seed-updates per second.
    """
    package = logging.getLogger("muzero_probe")
    console = Console(stderr=True)
    terminal = sys.stderr.isatty()
    handler: logging.Handler
    if terminal:
        handler = RichHandler(console=console, show_path=False, show_level=False, highlighter=NullHighlighter())
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handler.addFilter(_readable)
    level = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        if terminal:
            with _bar(title, console, steps, seeds) as show:
                yield show
        else:
            yield _lines(title, steps, seeds)
    finally:
        package.removeHandler(handler)
        package.setLevel(level)


def _readable(record: logging.LogRecord) -> bool:
    """Makes a message one line without control characters: it may quote files."""
    record.msg, record.args = arguments.shown(record.getMessage()), ()
    return True


def duration(seconds: float) -> str:
    """Returns hours, minutes and seconds; a dash for nan."""
    return "-" if math.isnan(seconds) else str(timedelta(seconds=round(seconds)))


def _number(value: float, *, digits: int = 1) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


@contextmanager
def _bar(title: str, console: Console, steps: int, seeds: int) -> Iterator[Callable[[Report], None]]:
    pace = Pace(steps)
    wide = console.width >= 100
    bar = Progress(
        TextColumn(title),
        BarColumn(20 if wide else 8),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} seed-updates/s" if wide else "{task.fields[rate]}/s"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]} left"),
        TextColumn("return {task.fields[mean]}"),
        console=console,
    )
    with bar:
        task = bar.add_task(title, total=steps, rate="-", left="-", mean="-")

        def show(report: Report) -> None:
            rate, left = pace.add(report)
            bar.update(
                task, completed=report.step, rate=_number(rate * seeds, digits=0), left=duration(left),
                mean=_number(report.return_mean),
            )  # fmt: skip

        yield show


def _lines(title: str, steps: int, seeds: int) -> Callable[[Report], None]:
    pace = Pace(steps)
    due = 0.0

    def show(report: Report) -> None:
        nonlocal due
        rate, left = pace.add(report)
        if math.isnan(rate) or report.seconds < due:
            return
        due = report.seconds + LINE_SECONDS
        logger.info(
            "%s: %s elapsed, step %d of %d, %s seed-updates/s, %s left, return mean %s min %s",
            title, duration(report.seconds), report.step, steps, _number(rate * seeds), duration(left),
            _number(report.return_mean), _number(report.return_min),
        )  # fmt: skip

    return show
