"""Does a log file stay readable, and a terminal have its bar?"""

import io
import logging
import math
import re
import sys

import numpy as np
import pytest

from muzero_probe.runs import progress
from muzero_probe.runs.run import Report


def test_pace():
    pace = progress.Pace(100)
    assert np.isnan(pace.add(Report(0, 1.0, math.nan, math.nan))).all()
    assert pace.add(Report(20, 5.0, math.nan, math.nan)) == (5, 16)


def test_a_log_file_has_a_line_now_and_then(capfd: pytest.CaptureFixture):
    with progress.shown("cartpole/quick", steps=1000, seeds=3) as show:
        for step in range(0, 1001, 10):
            show(Report(step, 1.0 + step / 10, 12.34, 5.6))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 4  # of 100 seconds
    assert lines[1].endswith(
        " cartpole/quick: 0:00:32 elapsed, step 310 of 1000, 30.0 seed-updates/s, 0:01:09 left, "
        "return mean 12.3 min 5.6"
    )
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(("columns", "rate"), [(80, "150/s"), (120, "150 seed-updates/s")])
def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch, columns: int, rate: str):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown("cartpole/paper", steps=100_000, seeds=3) as show:
        show(Report(0, 1.0, math.nan, math.nan))
        logging.getLogger("muzero_probe.runs").info("step %d: checkpoints are saved", 500)
        show(Report(500, 11.0, 112.34, 5.6))
    text = re.sub("\x1b\\[[^a-zA-Z]*[a-zA-Z]", "", terminal.getvalue())
    assert "step 500: checkpoints are saved" in text
    last = text.splitlines()[-1].split("\r")[-1]
    assert last.startswith("cartpole/paper ")
    assert re.search(rf"   500/100000 {rate} 0:00:0\d 0:33:10 left return 112.3$", last)
    assert len(last) <= columns
    assert not logging.getLogger("muzero_probe").handlers
