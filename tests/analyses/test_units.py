"""Is every unit of work measured once, kept at once, and measured anew when what it depends on has changed?"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import analyses
import muzero_probe
from analyses import units
from analyses.study import ANALYSES
from analyses.units import Unit
from tests.test_imports import SOURCES, closure

QUIET = Console(quiet=True)


class Counted:
    """Units 0..n-1 whose results are their numbers; `fail` is raised by one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.measured: list[int] = []
        self.failing: dict[int, BaseException] = {}

    def unit(self, number: int, **changes: Any) -> Unit:
        given: dict[str, Any] = {
            "name": "returns",
            "label": f"{number}",
            "measure": lambda: self.measure(number),
            "depends": ({"setting": 1}, ["digest"], number),
            "folder": self.folder,
            "write": lambda result, path: path.write_text(str(result)),
            "suffix": ".csv",
        }
        return Unit(**(given | changes))

    def measure(self, number: int) -> int:
        self.measured.append(number)
        if number in self.failing:
            raise self.failing[number]
        return number


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(tmp_path / "units")


def test_only_what_lacks_is_measured(counted: Counted):
    work = [counted.unit(number) for number in range(4)]
    units.complete(work[1:3], jobs=1, console=QUIET)
    assert counted.measured == [1, 2]
    units.complete(work, jobs=1, console=QUIET)
    assert counted.measured == [1, 2, 0, 3]
    units.complete(work, jobs=1, console=QUIET)
    assert len(counted.measured) == 4
    assert [unit.path.read_text() for unit in work] == ["0", "1", "2", "3"]
    work[2].path.unlink()
    units.complete(work, jobs=1, console=QUIET)
    assert counted.measured[4:] == [2]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), RuntimeError("boom"), MemoryError()])
def test_what_is_done_is_kept_at_once(counted: Counted, interruption: BaseException):
    work = [counted.unit(number) for number in range(4)]
    counted.failing[2] = interruption
    with pytest.raises(type(interruption)):
        units.complete(work, jobs=1, console=QUIET)
    assert [unit.path.exists() for unit in work] == [True, True, False, False]
    counted.failing.clear()
    units.complete(work, jobs=1, console=QUIET)
    assert counted.measured == [0, 1, 2, 2, 3]


def test_a_half_written_result_is_no_unit(counted: Counted):
    def break_off(result: int, path: Path) -> None:
        path.write_text("hal")
        raise OSError("disk full")

    broken = counted.unit(0, write=break_off)
    with pytest.raises(OSError, match="disk full"):
        units.complete([broken], jobs=1, console=QUIET)
    assert not broken.path.exists()
    units.complete([counted.unit(0)], jobs=1, console=QUIET)
    assert counted.unit(0).path == broken.path and broken.path.read_text() == "0"


def test_jobs_must_be_positive(counted: Counted):
    with pytest.raises(ValueError, match="jobs is 0, at least 1 is needed"):
        units.complete([counted.unit(0)], jobs=0, console=QUIET)


# Names of files


def test_a_unit_s_name_tells_all_that_its_numbers_depend_on(counted: Counted):
    depends = [
        ({"setting": 1}, ["digest"], 0),
        ({"setting": 2}, ["digest"], 0),
        ({"other": 1}, ["digest"], 0),
        ({"setting": 1}, ["another"], 0),
        ({"setting": 1}, ["digest", "another"], 0),
        ({"setting": 1}, ["digest"], 500),
        ({"setting": 1}, ["digest"], 0, "bank"),
        ({"setting": (1, 2)}, ["digest"], 0),
    ]
    paths = [counted.unit(0, depends=each).path for each in depends]
    paths.append(counted.unit(0, name="planning").path)
    assert len(set(paths)) == len(paths)
    assert len({path.name for path in paths}) == len(paths)
    # the same whether a setting was given as a tuple or came back from JSON, and whatever the order of names
    assert counted.unit(0, depends=({"setting": [1, 2]}, ["digest"], 0)).path == paths[7]
    a, b = {"x": 1, "y": 2}, {"y": 2, "x": 1}
    assert counted.unit(0, depends=(a,)).path == counted.unit(0, depends=(b,)).path
    assert all(path.name.startswith("0_") and path.suffix == ".csv" for path in paths)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the code, which units take for the code that measures."""
    for package in (muzero_probe, analyses):
        assert package.__file__
        shutil.copytree(Path(package.__file__).parent, tmp_path / package.__name__, ignore=only_python)
    monkeypatch.setattr(muzero_probe, "__file__", str(tmp_path / "muzero_probe" / "__init__.py"))
    monkeypatch.setattr(units, "__file__", str(tmp_path / "analyses" / "units.py"))
    units.source_hash.cache_clear()
    yield tmp_path
    units.source_hash.cache_clear()


def only_python(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())]


EVERYTHING = {"banks", *ANALYSES}


def hashes(names: Iterable[str] = EVERYTHING) -> dict[str, str]:
    units.source_hash.cache_clear()
    return {name: units.source_hash(name) for name in names}


def touched(sources: Path, file: str, names: Iterable[str] = EVERYTHING) -> set[str]:
    """The analyses that an edit of one file, or a new one, makes anew."""
    before = hashes(names)
    with (sources / file).open("a") as text:
        text.write("# another line\n")
    after = hashes(names)
    return {name for name in before if before[name] != after[name]}


def test_an_edit_makes_anew_what_it_may_change(sources: Path):
    assert hashes() == hashes()
    assert len(set(hashes().values())) == len(EVERYTHING)
    for file in ("muzero_probe/models.py", "muzero_probe/search/tree.py", "muzero_probe/probes/new.py"):
        assert touched(sources, file) == EVERYTHING
    assert touched(sources, "analyses/banks.py") == touched(sources, "analyses/population.py") == EVERYTHING
    assert touched(sources, "analyses/planning.py") == {"planning"}
    assert touched(sources, "analyses/own_policy.py") == {"own_policy", "cross_checkpoint"}
    for file in (
        "muzero_probe/cli/main.py",
        "muzero_probe/training/learner.py",
        "analyses/stats.py",
        "analyses/study.py",
    ):
        assert touched(sources, file) == set()


def test_all_code_that_measures_counts(sources: Path):
    """Whatever an analysis imports, but for files, settings (which count by value) and how units are kept."""
    apart = {f"muzero_probe.{module}" for module in ("checkpoints", "provenance", "cli", "cli.seeds")}
    apart |= {"analyses.settings", "analyses.units", "muzero_probe", "analyses"}
    root = Path(SOURCES["analyses"]).parents[1]
    reached = {name: {m for m in closure(f"analyses.{name}") if m in SOURCES} - apart for name in EVERYTHING}
    for name, modules in reached.items():
        assert {"muzero_probe.models", "analyses.population", f"analyses.{name}"} <= modules
        for module in modules:
            if module.startswith("analyses."):
                assert touched(sources, str(SOURCES[module].relative_to(root)), [name]), (name, module)
    for module in set.union(*reached.values()):  # the library counts for all of them alike
        if module.startswith("muzero_probe."):
            assert touched(sources, str(SOURCES[module].relative_to(root)), ["banks"]), module


# What is written


def test_rows_keep_six_digits_and_gaps(tmp_path: Path):
    table = pd.DataFrame({"seed": [0, 1], "error": [1 / 3, float("nan")], "model": ["none", "true"]})
    units.write_rows(table, tmp_path / "unit.csv")
    assert (tmp_path / "unit.csv").read_text() == "seed,error,model\n0,0.333333,none\n1,,true\n"
