"""Does a killed command ever leave a torn file, other bits, or anything at all?

    python -m tests.attacks.kills [HOW_MANY]

Commands are killed at random moments and at file operations, once to three times, then run to their end. Until then
every file that is there is whole; in the end all are as if nothing had happened, and there is no other.
"""

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyses import tables
from analyses.claims import __main__ as judging
from analyses.harness import banks, checkpoints, study
from analyses.harness.registry import settings
from figures import __main__ as drawing
from muzero_probe import agents
from muzero_probe.checkpoints import load_checkpoint, load_latest_resume
from muzero_probe.cli.main import main as muzero_probe
from report import __main__ as reporting
from tests.analyses import studies
from tests.attacks.mutations import TINY

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
CLOCK = ("metrics", "tensorboard")  # what says when, not what


@dataclass(frozen=True)
class Command:
    """What is killed."""

    name: str
    work: Callable[[Path], None]  # in a folder
    before: Callable[[Path], None]  # makes what the command starts from
    share: int  # of all kills


def train(folder: Path) -> None:
    """Two seeds, a resume state at every set of metrics."""
    words = ["train", "cartpole", "--profile", "smoke", "--seeds", "0:2", "--resume-minutes", "0"]
    words += ["--metrics-every", "12", "--root", str(folder), "--search.simulations", "4"]
    assert muzero_probe(words) == 0


def analyse(folder: Path) -> None:
    """Banks, units of two analyses and their tables."""
    population = checkpoints.find(TINY, "smoke", agents.load("cartpole"), None)
    for name in ("own_policy", "returns"):
        studies.run(name, population, settings(studies.SMALL), folder)


def measured(folder: Path) -> None:
    """All tables, so that they can be judged and drawn."""
    shutil.copytree(MEASURED, folder, dirs_exist_ok=True)


def judge(folder: Path) -> None:
    """Verdicts and their contrasts."""
    assert judging.main(_places(folder)) == 0


def draw(folder: Path) -> None:
    """A figure in two formats."""
    assert drawing.main(["returns", *_places(folder), "--out", str(folder / "out")]) == 0


def judged(folder: Path) -> None:
    """All tables and verdicts."""
    measured(folder)
    judge(folder)


def report(folder: Path) -> None:
    """The page."""
    pages = ["--out", str(folder / "report.html"), "--results", str(folder / "results.md")]
    assert reporting.main([*_places(folder), *pages]) == 0


def _places(folder: Path) -> list[str]:
    return ["--tables", str(folder / "tables"), "--profile", "smoke", "--agent", "cartpole"]


COMMANDS = (
    Command("training", train, lambda _: None, 10),
    Command("analyses", analyse, lambda _: None, 6),
    Command("claims", judge, measured, 2),
    Command("figures", draw, measured, 1),
    Command("report", report, judged, 1),
)
ROOT = TINY.parents[1]
MEASURED = Path(tempfile.mkdtemp()) / "measured"


def visible(folder: Path) -> list[Path]:
    """Files that a reader would find."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def contents(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones included, by name; what the clock writes is left out, locks stay."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {
        str(path.relative_to(folder)): b"" if set(path.parts) & set(CLOCK) else path.read_bytes()
        for path in paths
        if "tensorboard" not in path.parts
    }


def torn(folder: Path, reference: dict[str, bytes]) -> list[str]:
    """Files that are there and not whole."""
    found = []
    for path in visible(folder):
        name = str(path.relative_to(folder))
        if set(path.parts) & set(CLOCK):
            continue
        if name in reference and path.read_bytes() == reference[name]:
            continue
        try:
            if path.parent.parent.name == "resume":
                load_latest_resume(path.parent)
            elif path.name.startswith("step_"):
                load_checkpoint(path)
            elif path.parent.name == "banks":
                banks.check(path)
            elif "units" in path.parts:
                study._check_rows(path)
            elif path.suffix == ".csv":
                tables.read(path)
            else:
                found.append(f"{name}: other bytes")
        except Exception as error:
            found.append(f"{name}: {error}")
    return found


def run(work: Callable[[Path], None], folder: Path, *, after: float | None, operation: int | None) -> int | None:
    """Runs a command in a process of its own; returns the exit code, None where it was killed.

    Args:
        work: the command.
        folder: where.
        after: seconds until it is killed; None not to.
        operation: the file operation before which it is killed; None not to.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            if after is not None or operation is not None:
                os.dup2(null, 2)
            if operation is not None:
                _die_at(operation, folder)
            work(folder)
            code = 0
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _die_at(operation: int, folder: Path) -> None:
    """Kills this process before the file operation of that number, within the folder."""
    left = operation

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and str(folder) in str(arguments[:2]):
            count()

    fsync = os.fsync
    os.fsync = lambda descriptor: (count(), fsync(descriptor))[1]
    sys.addaudithook(hook)


def main(kills: int, seed: int = 0) -> Counter:
    """Kills; returns how often what was seen, and prints what should not have been."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, no pool: threads do not survive a fork
    rng = random.Random(seed)
    seen: Counter = Counter()
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(sys.stderr):
        population = checkpoints.find(TINY, "smoke", agents.load("cartpole"), None)
        for name in studies.NAMES:
            studies.run(name, population, settings(studies.SMALL), MEASURED)
        references, seconds = {}, {}
        for command in COMMANDS:
            folder = Path(place) / "reference" / command.name
            folder.mkdir(parents=True)
            command.before(folder)
            command.work(folder)  # compiles, for all children
            shutil.rmtree(folder)
            folder.mkdir()
            command.before(folder)
            begun = time.monotonic()
            assert run(command.work, folder, after=None, operation=None) == 0
            seconds[command.name] = time.monotonic() - begun
            references[command.name] = contents(folder)
        commands = [command for command in COMMANDS for _ in range(command.share)]
        turn = 0
        while seen["kills"] < kills:
            command = commands[turn % len(commands)]
            folder = Path(place) / f"{turn}_{command.name}"
            turn += 1
            folder.mkdir()
            command.before(folder)
            for problem in attack(command, folder, references[command.name], seconds[command.name], rng, seen):
                seen["wrong"] += 1
                print(f"{command.name} {turn}: {problem}", file=sys.stderr, flush=True)
            shutil.rmtree(folder)
            if turn % 50 == 0:
                print(dict(seen), file=sys.stderr, flush=True)
    shutil.rmtree(MEASURED.parent)
    return seen


def attack(
    command: Command, folder: Path, reference: dict[str, bytes], seconds: float, rng: random.Random, seen: Counter
) -> list[str]:
    """Kills a command once to three times and lets it end; returns what was wrong."""
    problems = []
    for _ in range(rng.randint(1, 3)):
        at_file = rng.random() < 0.5
        after = None if at_file else rng.uniform(0, seconds)
        code = run(command.work, folder, after=after, operation=rng.randint(1, 60) if at_file else None)
        if code is None:
            seen["kills"] += 1
            seen[f"{command.name}, {'at a file operation' if at_file else 'at a moment'}"] += 1
        elif code:
            problems.append(f"ended with {code}")
        problems += torn(folder, reference)
    if (code := run(command.work, folder, after=None, operation=None)) != 0:
        problems.append(f"does not go on: ends with {code}")
    found = contents(folder)
    problems += [f"{name} is left over" for name in sorted(found.keys() - reference.keys())]
    problems += [f"{name} lacks" for name in sorted(reference.keys() - found.keys())]
    problems += [
        f"{name} has other bytes" for name in sorted(reference.keys() & found.keys()) if found[name] != reference[name]
    ]
    return problems


if __name__ == "__main__":
    for what, count in sorted(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50).items()):
        print(f"{what:40} {count}")
