"""Are metrics written once each, and cut where a run goes on?"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from muzero_probe.runs.journal import RecentReturns, Table, finite
from muzero_probe.training.trainer import Metrics


def event(step: int, **values: list[float]) -> Metrics:
    arrays = {"value_loss": [1.0, 2.0], "return_mean": [math.nan, 3.5], "episodes": [0.0, 2.0]} | values
    return Metrics(step, {name: np.array(array) for name, array in arrays.items()}, {"seconds_act": 0.25})


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "metrics" / "seeds_000-001.csv"
    table = Table(path, step=0)
    for step in (10, 100, 1000):
        table.write(event(step), [0, 7])
    table.close()
    yield path


def test_table(path: Path):
    assert path.read_text().splitlines()[:3] == [
        "step,seed,return_mean,episodes,value_loss,seconds_act",
        "10,0,,0,1,0.25",
        "10,7,3.5,2,2,0.25",
    ]


def test_table_drops_later_steps_and_a_torn_line(path: Path):
    whole = path.read_text()
    path.write_text(whole[: whole.index("1000,7") + 2])  # "10" is left of the last line
    table = Table(path, step=100)
    table.close()
    assert path.read_text() == whole[: whole.index("1000,")]


def test_table_keeps_its_columns(path: Path):
    table = Table(path, step=1000)
    table.write(event(2000, another=[1.0, 1.0]), [0, 7])
    table.close()
    assert path.read_text().splitlines()[-1] == "2000,7,3.5,2,2,0.25"


@pytest.mark.parametrize("content", [None, "", "step,se", "what,else\n1,2\n"])
def test_table_starts_anew_without_a_header(tmp_path: Path, content: str | None):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content)
    table = Table(path, step=5)
    table.write(event(6), [0, 1])
    table.close()
    assert path.read_text().splitlines()[0].startswith("step,seed,return_mean")


def test_recent_returns_weigh_episodes():
    recent = RecentReturns(2, episodes=4)
    assert np.isnan(recent.add(event(1, episodes=[0.0, 0.0], return_mean=[math.nan] * 2))).all()
    assert recent.add(event(2, episodes=[1.0, 0.0], return_mean=[8.0, math.nan]))[0] == 8
    assert recent.add(event(3, episodes=[3.0, 1.0], return_mean=[4.0, 1.0])).tolist() == [5, 1]
    # the oldest go as soon as the newer ones are enough by themselves
    assert recent.add(event(4, episodes=[2.0, 0.0], return_mean=[1.0, math.nan]))[0] == pytest.approx(14 / 5)


def test_finite():
    assert finite(np.min, np.array([math.nan, 2.0, 1.0])) == 1
    assert math.isnan(finite(np.mean, np.array([math.nan])))
