"""Are metrics written once each, and cut where a run goes on?"""

import math
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from muzero_probe.runs.journal import Mark, RecentReturns, Table, finite
from muzero_probe.training.trainer import Metrics


def event(step: int, **values: list[float]) -> Metrics:
    arrays = {"value_loss": [1.0, 2.0], "return_mean": [math.nan, 3.5], "episodes": [0.0, 2.0]} | values
    return Metrics(step, {name: np.array(array) for name, array in arrays.items()}, {"seconds_act": 0.25})


class Written(NamedTuple):
    path: Path
    marks: dict[int, Mark]  # by step


@pytest.fixture
def written(tmp_path: Path) -> Written:
    path = tmp_path / "metrics" / "seeds_000-001.csv"
    table, marks = Table(path), {}
    for step in (10, 100, 1000):
        table.write(event(step), [0, 7])
        marks[step] = table.mark()
    table.close()
    return Written(path, marks)


def test_table(written: Written):
    assert written.path.read_text().splitlines()[:3] == [
        "step,seed,return_mean,episodes,value_loss,seconds_act",
        "10,0,,0,1,0.25",
        "10,7,3.5,2,2,0.25",
    ]


@pytest.mark.parametrize("step", [10, 100, 1000])
def test_table_drops_what_came_after_the_mark(written: Written, step: int):
    whole = written.path.read_text()
    lines = [line for line in whole.splitlines()[1:] if int(line.split(",")[0]) <= step]
    written.path.write_text(whole[:-2])  # the last line is torn
    if step == 1000:
        written.path.write_text(whole + "2000,0,1")
    table = Table(written.path, mark=written.marks[step])
    assert written.path.read_text().splitlines()[1:] == lines
    assert table.mark() == written.marks[step]
    table.close()


def test_table_keeps_its_columns(written: Written):
    table = Table(written.path, mark=written.marks[1000])
    table.write(event(2000, another=[1.0, 1.0]), [0, 7])
    table.close()
    assert written.path.read_text().splitlines()[-1] == "2000,7,3.5,2,2,0.25"


def test_a_damaged_table_is_named_and_kept(written: Written, caplog: pytest.LogCaptureFixture):
    """At every byte, and cut anywhere."""
    whole = written.path.read_bytes()
    mark = written.marks[100]
    altered = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(mark.size)]
    for content in [*altered, *(whole[:length] for length in range(mark.size))]:
        written.path.write_bytes(content)
        caplog.clear()
        table = Table(written.path, mark=mark)
        table.write(event(200), [0, 7])
        table.close()
        assert caplog.text.count(f"{written.path}: was cut or altered; it is kept as seeds_000-001.csv.damaged") == 1
        assert written.path.with_name("seeds_000-001.csv.damaged").read_bytes() == content
        assert [line[:4] for line in written.path.read_text().splitlines()] == ["step", "200,", "200,"]


def test_a_missing_table_is_named(written: Written, caplog: pytest.LogCaptureFixture):
    written.path.unlink()
    Table(written.path, mark=written.marks[10]).close()
    assert f"{written.path}: is gone, with the metrics of earlier steps" in caplog.text
    assert written.path.read_bytes() == b""


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


def test_a_table_that_was_replaced(written: Written):
    table = Table(written.path, mark=written.marks[1000])
    written.path.rename(written.path.with_suffix(".old"))
    with pytest.raises(FileNotFoundError):
        table.write(event(2000), [0, 7])
    written.path.write_text("another's")
    with pytest.raises(OSError, match="was replaced while its run goes on"):
        table.write(event(2000), [0, 7])
    table.close()
    assert written.path.read_text() == "another's"


def test_a_disk_that_is_full_for_tensorboard(tmp_path: Path):
    """Its thread says nothing; the next metrics do, with the folder's name."""
    code = f"""
import errno, math, sys
from pathlib import Path
import numpy as np
from muzero_probe.cli import start
from muzero_probe.runs import journal
from muzero_probe.training.trainer import Metrics

start.begin("program")
def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")
event = Metrics(10, {{"return_mean": np.ones(1), "episodes": np.ones(1)}}, {{}})
try:
    with journal.Journal(Path({str(tmp_path)!r}), "run", [0], step=0, mark=None) as written:
        written.write(event)
        written._board.file_writer.event_writer._async_writer._writer.write = full
        written.write(event)
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"[Errno 28] No space left on device: '{tmp_path / 'tensorboard' / 'run'}'\n"
    assert done.stderr == ""
