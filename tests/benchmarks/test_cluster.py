"""Does the simulation of clusters schedule what analyses really complete, as a list of tasks is scheduled by hand?"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analyses.harness import study, units
from analyses.harness.checkpoints import find
from analyses.harness.registry import questions
from analyses.harness.units import Unit
from benchmarks import cluster
from benchmarks.cluster import Phase, Study, schedule, span
from muzero_probe import agents

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("seconds", "cores", "expected"),
    [
        ([3, 2, 2, 1], 1, 8),
        ([3, 2, 2, 1], 2, 4),  # 3 and 1 beside 2 and 2
        ([1, 1, 1, 3], 2, 4),  # the long one last: 1 and 3 on the second core
        ([3, 1, 1, 1], 2, 3),
        ([5, 5, 5], 100, 5),
        ([], 4, 0),
    ],
)
def test_a_task_begins_on_the_core_that_is_free_first(seconds: list[float], cores: int, expected: float):
    assert span(seconds, cores) == expected


def test_phases_wait_and_the_one_that_wastes_most_is_named():
    found = schedule([Phase("short", [1.0] * 10), Phase("long", [60.0])], 10)
    assert found.seconds == 61
    assert found.efficiency == pytest.approx(70 / 610)
    assert found.bound == "longest unit (1 x long, 1 min)"
    assert schedule([Phase("eleven", [1.0] * 11)], 10).bound == "number of units (11 x eleven)"
    assert schedule([Phase("ten", [1.0] * 10)], 10).bound == "work"


@pytest.mark.parametrize("shard", [1, 5])
def test_it_counts_the_units_that_a_study_completes(shard: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    agent = agents.load("cartpole")
    population = find(ROOT / "checkpoints" / "tiny", "smoke", agent, None)
    of = Study("cartpole", "smoke", "smoke", len(population.seeds))
    asked: list[Unit] = []

    class Enough(Exception):
        pass

    def complete(some: Sequence[Unit], **_: Any) -> None:
        asked.extend(some)
        if some and some[0].name != "banks" and "once" not in some[0].label:
            raise Enough

    monkeypatch.setattr(units, "complete", complete)
    for name in questions():
        with pytest.raises(Enough):
            study.run(
                name, population, of.settings(shard), folder=tmp_path, cache=tmp_path, jobs=1, device="cpu",
                console=Console(),
            )  # fmt: skip
    kinds = {unit.path: f"{unit.name}, once" if "once" in unit.label else unit.name for unit in asked}
    times = dict.fromkeys([*questions(), "banks", "planning, once"], 1.0)
    counted = Counter()
    for phase in cluster.analysing(of, shard, times):
        counted[phase.name] += len(phase.seconds)
    assert counted == Counter(kinds.values())


def test_no_core_is_busy_for_longer_than_a_seed_trains():
    of = Study("cartpole", "paper", "paper", 30)
    one = cluster.training(of, 1).seconds / 30
    assert cluster.training(of, 29).seconds == pytest.approx(2 * one)
    for cores in (30, 2_000):
        found = cluster.training(of, cores)
        assert found.seconds == pytest.approx(one) and found.bound.startswith("one seed's training")
