"""Is a damaged file, or another's in its place, ever taken for what it should be?

    python -m tests.attacks.mutations [HOW_MANY]

Files of every kind that a command leaves are altered (bytes, cuts, inserts, zeroed blocks, swapped blocks, lines) or
replaced by others of their kind, and read as the commands read them. Each must be named in one line.
"""

import contextlib
import io
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analyses import claims, tables
from analyses.claims import __main__ as judging
from analyses.harness import banks, checkpoints, study
from analyses.harness.registry import settings
from figures import __main__ as drawing
from muzero_probe import agents, files
from muzero_probe.checkpoints import list_checkpoints, load_checkpoint, load_latest_resume
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.runs import journal
from report import __main__ as reporting
from report.pictures import gif
from tests.analyses import studies
from tests.runs.small import interrupted

TINY = Path(claims.__file__).parents[2] / "checkpoints" / "tiny"
FIGURES = ("returns", "own_policy", "planning")  # quickly drawn

Reader = Callable[[], str]  # what is said against a file; nothing where it is accepted


@dataclass
class Kind:
    """Files of one kind, each with its reader; any of them may stand in another's place."""

    name: str
    readers: dict[Path, Reader]
    strangers: list[Path] = field(default_factory=list)  # that have no place of their own


def refusal(read: Callable[[Path], Any], path: Path) -> Reader:
    """What a function raises, in one line."""

    def reader() -> str:
        try:
            read(path)
        except (ValueError, OSError, checkpoints.checkpoints.CheckpointError) as error:
            return str(error)
        return ""

    return reader


def command(main: Callable[[list[str]], int], *words: str) -> Reader:
    """What a command says when it refuses."""

    def reader() -> str:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main(list(words))
        return said.getvalue() if code else ""

    return reader


def logged(read: Callable[[], Any]) -> Reader:
    """What is logged: reading goes on without the file."""

    def reader() -> str:
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        logger = logging.getLogger("muzero_probe")
        logger.addHandler(handler)
        try:
            read()
        finally:
            logger.removeHandler(handler)
        return said.getvalue()

    return reader


def training(folder: Path) -> Iterator[Kind]:
    """Checkpoints, resume states, metrics, states as bytes."""
    shutil.copytree(TINY, folder / "tiny")
    found = [path for *_, path in list_checkpoints(folder / "tiny", "smoke", "cartpole")]
    yield Kind("checkpoint", {path: refusal(load_checkpoint, path) for path in found})
    runs = [interrupted(folder / name, step) for name, step in (("one", 24), ("two", 36))]
    newest = [sorted(run.resume_folder.iterdir())[-1] for run in runs]
    yield Kind("resume state", {path: refusal(lambda p: load_latest_resume(p.parent), path) for path in newest})
    metrics: dict[Path, Reader] = {}
    for run in runs:
        state = load_latest_resume(run.resume_folder)
        assert state is not None
        path = run.folder / "metrics" / f"{run.resume_folder.name}.csv"
        metrics[path] = logged(lambda path=path, mark=state[1]["metrics"]: _metrics(path, journal.Mark(*mark)))
    yield Kind("metrics", metrics)
    env = CartPole()
    place, other = folder / "states", folder / "other_states"
    place.write_bytes(env.to_bytes(env.reset(range(5))[0]))
    game = agents.load("lunar_lander").make({})
    other.write_bytes(game.to_bytes(game.reset(range(5))[0]))
    named = refusal(lambda path: env.from_bytes(path.read_bytes()), place)
    yield Kind("states", {place: lambda: (said := named()) and f"{place}: {said}"}, [other])


def _metrics(path: Path, mark: journal.Mark) -> None:
    before = path.read_bytes()
    table = journal.Table(path, mark=mark)
    table.close()
    if path.read_bytes() == before[: mark.size]:  # its end, which is dropped, may be as it likes
        return
    path.with_name(f"{path.name}.damaged").unlink(missing_ok=True)


def analysis(folder: Path) -> Iterator[Kind]:
    """Units, banks, tables, verdicts, recordings."""
    agent = agents.load("cartpole")
    population = checkpoints.find(TINY, "smoke", agent, None)
    small = settings(studies.SMALL)
    root = folder / "tables"
    for name in studies.NAMES:
        studies.run(name, population, small, folder)
    places = ["--tables", str(root), "--profile", "smoke", "--agent", "cartpole"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert judging.main(places) == 0
    units = sorted((folder / "units").glob("*/*.csv"))
    yield Kind("unit", {path: refusal(study._check_rows, path) for path in units})
    kept = sorted((folder / "units").glob("banks/*"))
    yield Kind("bank", {path: refusal(banks.check, path) for path in kept})
    own = root / "smoke" / "cartpole"
    strangers = _strangers(folder / "strangers", own)
    judged = {own / f"{name}.csv": command(judging.main, *places) for name in judging.QUANTITIES}
    yield Kind("table, judged", judged, strangers)
    out = ["--out", str(folder / "out")]
    drawn = {own / f"{name}.csv": command(drawing.main, name, *places, *out) for name in FIGURES}
    yield Kind("table, drawn", drawn, strangers)
    page = command(reporting.main, *places, "--out", str(folder / "report.html"))
    verdicts = [root / "smoke" / f"{name}.csv" for name in ("claims", "contrasts")]
    yield Kind("table, reported", dict.fromkeys([*judged, *verdicts], page), strangers)
    recordings = {folder / f"play_{agent}.gif": agent for agent in ("cartpole", "minatar")}
    for path, name in recordings.items():
        path.write_bytes(files.sealed(b"GIF89a" + name.encode() * 40 + b";", name))
    yield Kind("recording", {path: refusal(lambda p, n=name: gif(p, n), path) for path, name in recordings.items()})


def _strangers(folder: Path, own: Path) -> list[Path]:
    """Sound tables of another agent, and of another profile."""
    made = []
    for path in sorted(own.glob("*.csv")):
        table: Any = tables.read(path, every_rule=True)
        head, columns = table.attrs["provenance"], table.attrs["columns"]
        for what in ({"agent": "minatar"}, {"profile": "paper"}):
            table.attrs = {}
            made.append(folder / f"{path.stem}_{next(iter(what))}.csv")
            tables.write(made[-1], table.assign(**what), columns, head | what)
    return made


def altered(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """One mutation of some bytes, and its name."""
    size = len(data)
    a, b, length = int(rng.integers(size)), int(rng.integers(size)), int(rng.integers(1, 64))
    lines = data.splitlines(keepends=True)
    ways: dict[str, Callable[[], bytes]] = {
        "bit": lambda: data[:a] + bytes([data[a] ^ 1 << int(rng.integers(8))]) + data[a + 1 :],
        "byte": lambda: data[:a] + rng.bytes(1) + data[a + 1 :],
        "cut at the end": lambda: data[:a],
        "cut at the front": lambda: data[a + 1 :],
        "cut within": lambda: data[:a] + data[a + length :],
        "insert": lambda: data[:a] + rng.bytes(length) + data[a:],
        "append": lambda: data + rng.bytes(length),
        "zeros": lambda: data[:a] + bytes(len(data[a : a + length])) + data[a + length :],
        "swap": lambda: _swapped(data, min(a, b), max(a, b), length),
        "line dropped": lambda: b"".join(lines[: a % len(lines)] + lines[a % len(lines) + 1 :]),
        "line twice": lambda: b"".join(lines[: a % len(lines) + 1] + lines[a % len(lines) :]),
        "digit": lambda: _digit(data, a, rng),
        "empty": lambda: b"",
    }
    way = str(rng.choice(list(ways)))
    return way, ways[way]()


def _swapped(data: bytes, a: int, b: int, length: int) -> bytes:
    length = min(length, b - a, len(data) - b)
    first, second = data[a : a + length], data[b : b + length]
    return data[:a] + second + data[a + length : b] + first + data[b + length :]


def _digit(data: bytes, start: int, rng: np.random.Generator) -> bytes:
    """Another digit for the next one: a number that looks as sound as before."""
    for place in range(start, len(data)):
        if chr(data[place]).isdigit():
            return data[:place] + str(int(rng.integers(10))).encode() + data[place + 1 :]
    return data


def attack(kind: Kind, rng: np.random.Generator, wrong: list[str]) -> str:
    """One mutation of one file of a kind; returns its outcome and appends to `wrong` what should not be."""
    path = list(kind.readers)[int(rng.integers(len(kind.readers)))]
    whole = path.read_bytes()
    others = [other for other in [*kind.readers, *kind.strangers] if other != path]
    if others and rng.random() < 0.15:
        other = others[int(rng.integers(len(others)))]
        way, data = f"{other.name} in its place", other.read_bytes()
    else:
        way, data = altered(whole, rng)
    if data == whole:
        return "no change"
    path.write_bytes(data)
    what = f"{kind.name} {path.name}: {way}"
    try:
        said = kind.readers[path]()
    except BaseException as error:
        wrong.append(f"{what}: {type(error).__name__}: {error}")
        return "traceback"
    finally:
        path.write_bytes(whole)
    if not said:
        if kind.name == "metrics":  # what comes after the resume state is dropped whatever it is
            return "dropped"
        wrong.append(f"{what}: accepted")
        return "accepted"
    lines = said.strip().splitlines()
    if len(lines) != 1 or str(path) not in said:
        wrong.append(f"{what}: {said!r}")
        return "not named"
    return "named"


def main(count: int, seed: int = 0) -> dict[str, Counter]:
    """Alters files, as many of every kind; returns outcomes by kind, and prints what went wrong."""
    rng = np.random.default_rng(seed)
    outcomes: dict[str, Counter] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kinds = [*training(folder / "training"), *analysis(folder / "analysis")]
        wrong: list[str] = []
        for turn in range(count):
            kind = kinds[turn % len(kinds)]
            outcomes.setdefault(kind.name, Counter())[attack(kind, rng, wrong)] += 1
        for line in wrong[:40]:
            print(line)
    return outcomes


if __name__ == "__main__":
    found = main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    for name, counted in found.items():
        print(f"{name:16}", dict(counted))
    print("all", dict(sum(found.values(), Counter())))
