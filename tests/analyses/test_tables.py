"""Is a table what was written, complete with its provenance, or refused in one line?"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses import tables
from analyses.tables import Column, TableError
from muzero_probe import files

COLUMNS = {
    "seed": Column("int", "", "trained seed"),
    "model": Column("word", "", "model that is planned with"),
    "error": Column("float", "reward", "eq 7, mean over states"),
}
PROVENANCE = {
    "analysis": "planning",
    "title": 'Ünlikely # digest: "x"\nin two lines',
    "settings": {"steps": [0, 60], "length": None},
    "versions": {"numpy": "2.0"},
}
WORDS = ["none", "true", "nan", "NA", "", "a,b", 'say "so"']


def rows() -> pd.DataFrame:
    """Words that look like something else; numbers of all sizes and a gap."""
    numbers = [1 / 3, -2.5e-9, 12345678.9, np.nan, 0.0, 1.0, -7.0]
    return pd.DataFrame({"error": numbers, "seed": [7, 0, 10**9, 1, 2, 3, 4], "model": WORDS})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound table."""
    tables.write(tmp_path / "deep" / "planning.csv", rows(), COLUMNS, PROVENANCE)
    return tmp_path / "deep" / "planning.csv"


def refusal(path: Path, wanted: tuple[str, ...] = ()) -> str:
    with pytest.raises(TableError) as caught:
        tables.read(path, wanted)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def signed(text: str) -> str:
    """A text with the digest that belongs to it, before its first row."""
    head, body = re.sub(r"(?m)^# digest: .*\n", "", text), ""
    if match := re.search(r"^(?!# )", head, re.M):
        head, body = head[: match.start()], head[match.start() :]
    return f'{head}# digest: "{hashlib.sha256((head + body).encode()).hexdigest()}"\n{body}'


# What is written


def test_a_table_comes_back(path: Path):
    found = tables.read(path)
    assert list(found.columns) == list(COLUMNS)
    assert found["model"].tolist() == WORDS
    assert found["seed"].dtype == np.int64 and found["seed"].tolist() == rows()["seed"].tolist()
    assert found["error"].dtype == np.float64
    np.testing.assert_allclose(found["error"], rows()["error"], rtol=5e-6)
    (digest,) = re.findall(r'^# digest: "(.*)"$', path.read_text(), re.M)
    assert found.attrs == {"source": str(path), "provenance": PROVENANCE, "columns": COLUMNS, "digest": digest}
    assert all(isinstance(column, Column) for column in found.attrs["columns"].values())


def test_what_was_read_is_written_to_the_same_bytes(path: Path, tmp_path: Path):
    found = tables.read(path)
    tables.write(tmp_path / "again.csv", found, found.attrs["columns"], found.attrs["provenance"])
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_rows_may_be_dicts(path: Path, tmp_path: Path):
    tables.write(tmp_path / "dicts.csv", iter(rows().to_dict("records")), COLUMNS, PROVENANCE)
    assert (tmp_path / "dicts.csv").read_bytes() == path.read_bytes()


def test_the_file_is_its_provenance_and_its_rows(path: Path):
    lines = path.read_text().splitlines()
    head = dict(line.removeprefix("# ").split(": ", 1) for line in lines if line.startswith("#"))
    assert list(head) == [*PROVENANCE, "columns", "digest"]
    assert json.loads(head["columns"]) == {name: list(column) for name, column in COLUMNS.items()}
    assert lines[len(head) : len(head) + 3] == ["seed,model,error", "7,none,0.333333", "0,true,-2.5e-09"]
    assert lines[len(head) + 4] == "1,NA,nan"
    assert signed(path.read_text()) == path.read_text()


def test_others_read_it_by_its_comments(path: Path):
    found = pd.read_csv(path, comment="#", keep_default_na=False, na_values={"error": ["nan"]})
    pd.testing.assert_frame_equal(found, tables.read(path), check_dtype=False)
    plain = pd.read_csv(path, comment="#")
    assert list(plain.columns) == list(COLUMNS) and plain["seed"].tolist() == rows()["seed"].tolist()


def test_only_the_wanted_columns(path: Path):
    found = tables.read(path, ("error", "seed"))
    assert list(found.columns) == ["error", "seed"]
    assert found.attrs["provenance"] == PROVENANCE and found.attrs["columns"] == COLUMNS


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": [0.5] * 7}, "the column seed must hold int, it holds float64"),
        ({"seed": [np.nan, *range(6)]}, "the column seed must hold int, it holds float64"),
        ({"seed": [True] * 7}, "the column seed must hold int, it holds bool"),
        ({"seed": list("abcdefg")}, "the column seed must hold int, it holds "),
        ({"error": ["low"] * 7}, "the column error must hold float, it holds "),
        ({"model": range(7)}, "the column model must hold word, it holds int64"),
        ({"extra": 1, "more": 2}, "columns extra, more are declared or measured, but not both"),
    ],
)
def test_rows_of_another_type_or_with_other_columns(tmp_path: Path, change: dict[str, Any], says: str):
    with pytest.raises(TableError) as caught:
        tables.write(tmp_path / "table.csv", rows().assign(**change), COLUMNS, {})
    assert str(caught.value).startswith(f"{tmp_path / 'table.csv'}: {says}") and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_rows_without_a_column(tmp_path: Path):
    with pytest.raises(TableError, match="columns error are declared or measured, but not both"):
        tables.write(tmp_path / "table.csv", rows().drop(columns="error"), COLUMNS, {})


def test_whole_numbers_are_floats_where_the_column_says_so(tmp_path: Path):
    tables.write(tmp_path / "table.csv", rows().assign(error=3), COLUMNS, {})
    found = tables.read(tmp_path / "table.csv")["error"]
    assert found.dtype == np.float64 and set(found) == {3.0}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_write_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    before = path.read_bytes()

    def fails(*given: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(os, step, fails)
        tables.write(path, rows().assign(seed=3), COLUMNS, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    tables.write(path, rows().assign(seed=3), COLUMNS, {})
    assert set(tables.read(path)["seed"]) == {3}
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_flushed_before_it_has_its_name(path: Path, monkeypatch: pytest.MonkeyPatch):
    done = []
    for step in ("fsync", "replace"):
        original = getattr(os, step)
        monkeypatch.setattr(
            os, step, lambda *given, step=step, original=original: done.append(step) or original(*given)
        )
    files.replace(path, [b"new"])
    assert done == ["fsync", "replace", "fsync"] and path.read_bytes() == b"new"


# What is refused


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("desk/cartpole/planning", "is of the profile quick, not desk"),
        ("quick/minatar/planning", "is of the agent cartpole, not minatar"),
        ("quick/cartpole/returns", "is of the analysis planning, not returns"),
    ],
)
def test_a_table_in_another_s_place(tmp_path: Path, place: str, said: str):
    head = {"analysis": "planning", "agent": "cartpole", "profile": "quick"}
    right = tmp_path / "quick" / "cartpole" / "planning.csv"
    tables.write(right, rows(), COLUMNS, head)
    assert tables.measured(right)["seed"].tolist() == rows()["seed"].tolist()
    wrong = tmp_path / f"{place}.csv"
    wrong.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(right, wrong)
    with pytest.raises(TableError, match=f"^{re.escape(str(wrong))} {said}: renamed, moved or copied"):
        tables.measured(wrong)


def test_rows_of_a_stranger(tmp_path: Path):
    path = tmp_path / "quick" / "cartpole" / "planning.csv"
    head = {"analysis": "planning", "agent": "cartpole", "profile": "quick"}
    columns = {**COLUMNS, "agent": Column("word", "", "agent")}
    tables.write(path, rows().assign(agent=["cartpole", "minatar"] + ["cartpole"] * (len(rows()) - 2)), columns, head)
    with pytest.raises(TableError, match="holds rows of minatar, not of cartpole"):
        tables.measured(path)


def test_every_byte_counts(path: Path, tmp_path: Path):
    data = path.read_bytes()
    other = tmp_path / "other.csv"
    for place in range(len(data)):
        other.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        refusal(other)
    for place in (data.index(b"0.333333"), data.index(b"planning"), data.index(b"0,true")):
        other.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert refusal(other).startswith(
            f"{other} was cut or altered, its digest does not match: make it again (python -m "
        )


def test_every_cut_shows(path: Path, tmp_path: Path):
    data = path.read_bytes()
    other = tmp_path / "other.csv"
    for length in range(len(data)):
        other.write_bytes(data[:length])
        refusal(other)
    other.write_bytes(data[: data.index(b"1,NA")])  # between two rows
    assert refusal(other).startswith(
        f"{other} was cut or altered, its digest does not match: make it again (python -m "
    )
    other.write_bytes(data + b"8,learned,1\n")
    assert refusal(other).startswith(
        f"{other} was cut or altered, its digest does not match: make it again (python -m "
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", "is no table of this study: it does not begin with its provenance"),
        (lambda text: text[text.index("seed,") :], "is no table of this study: it does not begin with its provenance"),
        (lambda text: re.sub("# columns: .*\n", "", text), "is no table of this study: 'columns'"),
        (lambda text: text.replace('["int",', '["whole",'), "is no table of this study: 'whole'"),
        (lambda text: text.replace('["int", "", "trained seed"]', '["int"]'), "is no table of this study: "),
        (lambda text: text.replace('# analysis: "planning"', "# analysis: planning"), "is no table of this study: "),
        (lambda text: text.replace("\n7,none", "\nseven,none"), "is no table of this study: "),
        (lambda text: text.replace("\n7,none", "\n0.5,none"), "is no table of this study: "),
        (lambda text: text.replace("0.333333", "low"), "is no table of this study: "),
        (lambda text: text[: text.index("7,none")], "has no rows"),
    ],
)
def test_no_table_of_this_study(path: Path, change: Any, says: str):
    """Even where the digest fits."""
    text = change(path.read_text())
    path.write_text(signed(text) if "seed,model" in text and text.startswith("#") else text)
    assert refusal(path).startswith(f"{path} {says}")


def test_columns_that_are_wanted_but_not_there(path: Path):
    assert refusal(path, ("seed", "step", "horizon")) == f"{path} lacks the columns step, horizon"
    assert refusal(path, ("seed", "step")) == f"{path} lacks the column step"


def test_files_that_cannot_be_read(tmp_path: Path):
    assert refusal(tmp_path / "none.csv") == f"there is no table {tmp_path}/none.csv"
    assert refusal(tmp_path).startswith(f"{tmp_path} cannot be read as a table: ")
    (tmp_path / "binary.csv").write_bytes(b"# \xff\xfe")
    assert refusal(tmp_path / "binary.csv").startswith(f"{tmp_path}/binary.csv cannot be read as a table: ")
