"""Is every unit of work measured once, kept at once, and measured anew when what it depends on has changed?"""

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from safetensors.numpy import load_file

from analyses import tables
from analyses.harness import banks, pool, study, units
from analyses.harness.units import Unit
from analyses.tables import Column, TableError
from muzero_probe import files
from muzero_probe.provenance import commit, versions
from tests.analyses.studies import ONE, QUIET

COLUMNS = {
    "seed": Column("int", "", "number"),
    "error": Column("float", "reward", "error"),
    "model": Column("word", "", "model"),
}
ROWS = pd.DataFrame({"seed": [0, 1], "error": [1 / 3, float("nan")], "model": ["none", "true"]})
BANK = {"states": np.arange(5, dtype=np.uint8), "counts": np.array([2, 3])}
WRITERS = pytest.mark.parametrize(
    ("write", "result"),
    [(partial(study._write_rows, COLUMNS), ROWS), (banks.write, BANK)],
    ids=["rows", "bank"],
)


def write_text(path: Path, result: object) -> None:
    files.replace(path, [str(result).encode()])


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
            "write": write_text,
            "check": self.check,
            "suffix": ".csv",
        }
        return Unit(**(given | changes))

    def check(self, path: Path) -> None:
        if path.read_text() == "spoilt":
            raise ValueError(f"{path} is spoilt")

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
    units.complete(work[1:3], runner=ONE, console=QUIET)
    assert counted.measured == [1, 2]
    units.complete(work, runner=ONE, console=QUIET)
    assert counted.measured == [1, 2, 0, 3]
    units.complete(work, runner=ONE, console=QUIET)
    assert len(counted.measured) == 4
    assert [unit.path.read_text() for unit in work] == ["0", "1", "2", "3"]
    work[2].path.unlink()
    units.complete(work, runner=ONE, console=QUIET)
    assert counted.measured[4:] == [2]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), RuntimeError("boom"), MemoryError()])
def test_what_is_done_is_kept_at_once(counted: Counted, interruption: BaseException):
    work = [counted.unit(number) for number in range(4)]
    counted.failing[2] = interruption
    with pytest.raises(type(interruption)):
        units.complete(work, runner=ONE, console=QUIET)
    assert [unit.path.exists() for unit in work] == [True, True, False, False]
    counted.failing.clear()
    units.complete(work, runner=ONE, console=QUIET)
    assert counted.measured == [0, 1, 2, 2, 3]


@WRITERS
def test_a_half_written_result_is_no_unit(
    counted: Counted, monkeypatch: pytest.MonkeyPatch, write: Callable, result: Any
):
    def full(descriptor: int) -> None:
        raise OSError("disk full")

    unit = counted.unit(0, write=write, measure=lambda: result)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(os, "fsync", full)
        units.complete([unit], runner=ONE, console=QUIET)
    assert not list(unit.path.parent.iterdir())
    units.complete([unit], runner=ONE, console=QUIET)
    assert list(unit.path.parent.iterdir()) == [unit.path]


def test_jobs_must_be_positive(counted: Counted):
    with pytest.raises(ValueError, match="jobs is 0, at least 1 is needed"):
        units.complete([counted.unit(0)], runner=partial(pool.run, jobs=0), console=QUIET)


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


# What is written


def test_rows_keep_six_digits_gaps_and_provenance(tmp_path: Path):
    study._write_rows(COLUMNS, tmp_path / "unit.csv", ROWS)
    text = (tmp_path / "unit.csv").read_text()
    assert text[text.index("\nseed") :] == "\nseed,error,model\n0,0.333333,none\n1,nan,true\n"
    assert tables.read(tmp_path / "unit.csv").attrs["provenance"] == {
        "unit": "unit",
        "commit": commit(),
        "versions": versions(),
    }


def test_rows_must_be_those_that_the_question_declares(tmp_path: Path):
    with pytest.raises(TableError, match="columns extra, model are declared or measured, but not both"):
        study._write_rows(COLUMNS, tmp_path / "unit.csv", ROWS.rename(columns={"model": "extra"}))
    assert not list(tmp_path.iterdir())


def test_a_bank_is_arrays(tmp_path: Path):
    banks.write(tmp_path / "unit.safetensors", BANK)
    found = load_file(tmp_path / "unit.safetensors")
    assert found.keys() == BANK.keys() and all(np.array_equal(found[name], BANK[name]) for name in BANK)
    banks.check(tmp_path / "unit.safetensors")


def test_every_byte_of_a_bank_counts(tmp_path: Path):
    """One flipped at a time: refused, or of no consequence (blanks and order in the header)."""
    path = tmp_path / "unit.safetensors"
    banks.write(path, BANK)
    data = path.read_bytes()
    accepted = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            banks.check(path)
        except TableError as error:
            assert str(error).startswith(f"{path} ") and "\n" not in str(error)
            continue
        accepted += 1
        found = load_file(path)
        assert found.keys() == BANK.keys() and all(np.array_equal(found[name], BANK[name]) for name in BANK)
    assert accepted < 8
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(TableError):
            banks.check(path)


def test_a_bank_in_another_s_place(tmp_path: Path):
    banks.write(tmp_path / "unit.safetensors", BANK)
    other = (tmp_path / "unit.safetensors").rename(tmp_path / "other.safetensors")
    with pytest.raises(TableError, match=r"other\.safetensors holds the unit unit"):
        banks.check(other)


def test_a_spoilt_unit_is_measured_again(counted: Counted):
    work = [counted.unit(number) for number in range(2)]
    units.complete(work, runner=ONE, console=QUIET)
    work[1].path.write_text("spoilt")
    said = Console(file=io.StringIO(), width=500)
    units.complete(work, runner=ONE, console=said)
    assert counted.measured == [0, 1, 1] and work[1].path.read_text() == "1"
    assert said.file.getvalue() == f"{work[1].path} is spoilt: it is measured again\n"  # pyright: ignore


def test_the_same_bank_is_the_same_bytes(tmp_path: Path):
    for folder in ("a", "b"):
        banks.write(tmp_path / folder / "unit.safetensors", BANK)
    assert (tmp_path / "a" / "unit.safetensors").read_bytes() == (tmp_path / "b" / "unit.safetensors").read_bytes()
