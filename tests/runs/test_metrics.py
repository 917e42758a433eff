"""Are tables of metrics read as they were written, old ones and torn ones included, and damaged ones named?"""

from pathlib import Path

import numpy as np
import pytest

from muzero_probe.checkpoints import CheckpointError
from muzero_probe.runs.journal import Table
from muzero_probe.runs.metrics import read_metrics
from muzero_probe.runs.run import Run
from tests.runs.small import STEPS
from tests.runs.test_journal import event

OLD = "step,seed,return_mean,episodes,value_loss\n10,0,,0,1\n10,7,3.5,2,2\n20,0,1,1,0.5\n20,7,,0,nan\n"


def written(tmp_path: Path, text: str | bytes, name: str = "seeds_000-007") -> Path:
    path = tmp_path / "metrics" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return tmp_path


def test_what_a_run_writes_is_read(reference: Run):
    found = read_metrics(reference.folder)
    assert list(found) == [0, 1]
    for course in found.values():
        assert course["step"].tolist() == [12, 24, 36, STEPS[-1]]
        assert {"return_mean", "value_loss", "action_share", "replay_terminations", "seconds_act"} <= course.keys()
        assert ((course["action_share"] >= 0.5) & (course["action_share"] <= 1)).all()


def test_what_a_table_writes_is_read(tmp_path: Path):
    table = Table(tmp_path / "metrics" / "seeds_000,007.csv")
    table.write(event(10), [0, 7])
    table.close()
    found = read_metrics(tmp_path)
    assert found[7]["return_mean"].tolist() == [3.5] and np.isnan(found[0]["return_mean"]).all()


def test_a_table_of_an_earlier_version(tmp_path: Path):
    found = read_metrics(written(tmp_path, OLD))
    assert list(found) == [0, 7]
    assert list(found[0]) == ["step", "seed", "return_mean", "episodes", "value_loss"]
    assert found[0]["step"].tolist() == [10, 20] and found[0]["value_loss"].tolist() == [1, 0.5]
    assert np.array_equal(found[7]["return_mean"], [3.5, np.nan], equal_nan=True)


@pytest.mark.parametrize("cut", range(1, len("20,7,,0,nan\n")))
def test_a_torn_last_line_is_passed_by(tmp_path: Path, cut: int):
    found = read_metrics(written(tmp_path, OLD[:-cut]))
    assert [found[seed]["step"].tolist() for seed in (0, 7)] == [[10, 20], [10]]


def test_of_several_tables_the_furthest_counts(tmp_path: Path):
    written(tmp_path, OLD)
    found = read_metrics(written(tmp_path, "step,seed,episodes\n30,7,1\n", "seeds_007"))
    assert found[7]["step"].tolist() == [30] and found[0]["step"].tolist() == [10, 20]


@pytest.mark.parametrize("text", ["", "step,seed,episodes\n", "step,seed"])
def test_no_metrics_yet(tmp_path: Path, text: str):
    assert read_metrics(written(tmp_path, text)) == {}
    assert read_metrics(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed,step\n1,1\n", "does not name columns"),
        ("step,seed,episodes,episodes\n1,1,1,1\n", "does not name columns"),
        ("step,seed,episodes\n1,1\n", "a line has 2 cells, 3 are needed"),
        ("step,seed,episodes\n1,1,x\n", "could not convert"),
        ("step,seed,episodes\n,1,1\n", "a line has no step or no seed"),
        ("step,seed,episodes\n1,inf,1\n", "a line has no step or no seed"),
        ('step,seed,episodes\n1,"1",1\n', "could not convert"),
        (b"step,seed\n\xff,1\n", "can't decode"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str | bytes, says: str):
    written(tmp_path, text)
    with pytest.raises(CheckpointError, match=says) as caught:
        read_metrics(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/metrics/seeds_000-007.csv: is no table of metrics, or damaged: ")
    assert "\n" not in str(caught.value)
