"""Are the rate and the shares of a whole run those of its clock?"""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import whole_run
from benchmarks.whole_run import GAP, PARTS, REPORTED, Stretch, WholeRun
from muzero_probe import agents
from muzero_probe.training.trainer import Metrics, Reached


class Clocked:
    """Stands for a trainer whose blocks of 4 updates take 10 s, 8 of them in its parts."""

    def __init__(self, *_: object, **__: object) -> None:
        self.step = 0
        self.now = 0.0

    def run(self, *, metrics_every: int) -> Iterator[Metrics | Reached]:
        yield Reached(0)
        while self.step < 12:
            self.step += 4
            self.now += 10.0
            shared = {"seconds_act": 1.0, "seconds_replay": 0.5, "seconds_learn": 6.5}
            yield Metrics(self.step, {"return_mean": np.zeros(2)}, shared)


def test_rate_and_shares_are_those_of_whole_blocks(monkeypatch: pytest.MonkeyPatch):
    trainer = Clocked()
    monkeypatch.setattr(whole_run, "Trainer", lambda *_, **__: trainer)
    monkeypatch.setattr(whole_run, "time", SimpleNamespace(perf_counter=lambda: trainer.now))
    run = WholeRun("cartpole", "smoke")
    assert (run.count, trainer.step) == (2, 4)  # the first block is not counted
    stretch = run.advance(15)
    assert trainer.step == 12
    assert stretch.rate == pytest.approx(8 * 2 / 20)
    assert stretch.shares == pytest.approx({"act": 0.1, "replay": 0.05, "reanalyse": 0.0, "learn": 0.65, GAP: 0.2})
    with pytest.raises(RuntimeError, match="Cart Pole `smoke`: its training ended"):
        run.advance(1)


def test_a_real_run_has_all_parts():
    """The names of the parts are the trainer's."""
    run = WholeRun("cartpole", "smoke", count=1)
    stretch = run.advance(0)
    assert run.count == 1 and stretch.rate > 0
    assert set(stretch.shares) == {*PARTS, GAP}
    assert all(share > 0 for share in stretch.shares.values())
    assert sum(stretch.shares.values()) == pytest.approx(1)


def test_the_reported_profiles_are_there():
    assert set(REPORTED) == set(agents.names())
    for name, profile in REPORTED.items():
        assert agents.load(name).profile(profile).seeds > 1


def test_a_row_has_medians_and_the_range():
    run = SimpleNamespace(title="A `b`", count=3)
    shares = {"act": 0.1, "replay": 0.1, "reanalyse": 0.2, "learn": 0.5, GAP: 0.1}
    stretches = [Stretch(rate, shares | {"act": rate / 10}) for rate in (1.0, 4.0, 2.0)]
    assert whole_run.lines([(run, stretches)])[2:] == [  # pyright: ignore[reportArgumentType]
        "| A `b` | 3 | 2 | 1 | 4 | 20.0% | 10.0% | 20.0% | 50.0% | 10.0% |"
    ]
