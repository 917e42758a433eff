"""Is nothing measured twice, and are tables the same whoever measures how much at a time?"""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyses.population import Agents, Population, find
from analyses.settings import Settings
from analyses.study import ANALYSES
from muzero_probe.checkpoints import CheckpointError
from tests.analyses.studies import SEEDS, changed, run, table


@pytest.fixture
def again(tmp_path: Path, done: Path) -> Path:
    """A copy to go on from."""
    return Path(shutil.copytree(done, tmp_path / "again"))


def text(folder: Path, name: str) -> str:
    return (folder / "tables" / "smoke" / "cartpole" / f"{name}.csv").read_text()


def work(folder: Path) -> dict[Path, int]:
    """Every unit, and when it was written."""
    return {
        path.relative_to(folder): path.stat().st_mtime_ns for path in (folder / "units").rglob("*") if path.is_file()
    }


def added(before: dict[Path, int], after: dict[Path, int]) -> dict[str, int]:
    """How many units of each analysis were measured; those that were there are untouched."""
    assert before.items() <= after.items()
    names = [path.parts[1] for path in after.keys() - before.keys()]
    return {name: names.count(name) for name in set(names)}


class Interrupted:
    """An analysis that counts what it measures, and is stopped at one of its units."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.original = ANALYSES[name]
        self.measured: list[tuple[tuple[int, ...], int]] = []
        self.stop_at: int | None = None
        monkeypatch.setitem(ANALYSES, name, dataclasses.replace(self.original, measure=self))

    def __call__(self, agents: Agents, own: Any, **given: Any) -> pd.DataFrame:
        if self.stop_at == len(self.measured):
            raise KeyboardInterrupt
        self.measured.append((agents.seeds, agents.step))
        return self.original.measure(agents, own, **given)


@pytest.mark.parametrize("name", ["own_policy", "planning"])
def test_an_interrupted_analysis_goes_on(
    done: Path, tiny: Population, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    interrupted = Interrupted(name, monkeypatch)
    cells = [((seed,), step) for step in ANALYSES[name].steps(tiny, settings) for seed in SEEDS]
    for stop in (2, 3, None):
        interrupted.stop_at = stop
        if stop is None:
            run(name, tiny, settings, tmp_path)
        else:
            with pytest.raises(KeyboardInterrupt):
                run(name, tiny, settings, tmp_path)
            assert not (tmp_path / "tables").exists()
    assert sorted(interrupted.measured) == sorted(cells)
    assert text(tmp_path, name) == text(done, name)
    run(name, tiny, settings, tmp_path)
    assert len(interrupted.measured) == len(cells)


@pytest.mark.parametrize(
    ("section", "changes", "measured"),
    [
        ("returns", {}, {}),
        ("own_policy", {"states": 2}, {"own_policy": 9}),
        ("own_policy", {"samples": 4}, {"own_policy": 9}),
        ("returns", {"episodes": 1}, {"returns": 9}),
        ("cross_checkpoint", {"states": 1}, {"cross_checkpoint": 9}),
        ("sequences", {"length": 2}, {"sequences": 6}),
        ("sequences", {"steps": (60,)}, {}),
        ("sequences", {"steps": (0, 60)}, {"sequences": 3}),
        ("prior_effect", {"step": 60}, {"prior_effect": 3}),
        ("prior_effect", {"budgets": (2, 3)}, {"prior_effect": 3}),
        ("planning", {"steps": (0, 20, 60)}, {"planning": 3}),
        ("planning", {"horizon": 3}, {"planning": 9}),  # with free search in the true model, once a seed
        (
            "bank", {"states": 3},
            {"banks": 9, "own_policy": 9, "sequences": 6, "cross_checkpoint": 9, "prior_effect": 3},
        ),
    ],
)  # fmt: skip
def test_a_changed_setting_measures_what_it_touches(
    again: Path, tiny: Population, settings: Settings, section: str, changes: dict[str, Any], measured: dict[str, int]
):
    before = work(again)
    for name in ANALYSES:
        run(name, tiny, changed(settings, section, **changes), again)
    assert added(before, work(again)) == measured
    # and back again: nothing
    before = work(again)
    for name in measured.keys() & set(ANALYSES):
        run(name, tiny, settings, again)
    assert added(before, work(again)) == {}


def test_other_seeds_add_their_own_units(tiny_root: Path, settings: Settings, tmp_path: Path):
    for seeds, new in (((0, 2), 2), ((0, 1, 2), 1)):
        before = work(tmp_path)
        run("returns", find(tiny_root, "smoke", "cartpole", seeds), settings, tmp_path)
        assert added(before, work(tmp_path)) == {"returns": 3 * new}
        assert sorted(set(table(tmp_path, "returns").seed)) == list(seeds)


def test_an_analysis_of_fewer_seeds(tiny: Population, settings: Settings, tmp_path: Path):
    for seeds, new in ((2, 2 * 3), (0, 3)):  # two checkpoints and free search; 0: all three seeds
        before = work(tmp_path)
        path = run("planning", tiny, changed(settings, "planning", seeds=seeds), tmp_path)
        assert added(before, work(tmp_path)) == {"planning": new}
        there = list(range(seeds or 3))
        assert sorted(set(table(tmp_path, "planning").seed)) == there
        assert json.loads(path.with_suffix(".json").read_text())["seeds"] == there


@pytest.mark.parametrize("shard", [2, 3])
def test_tables_do_not_depend_on_the_shard(
    done: Path, tiny: Population, settings: Settings, tmp_path: Path, shard: int
):
    """But for the last digits of the nets' sums, which another number of rows may round otherwise."""
    for name in ANALYSES:
        run(name, tiny, dataclasses.replace(settings, shard=shard), tmp_path)
        found, wanted = table(tmp_path, name), table(done, name)
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=2e-5, atol=1e-5)
    units = [path for path in work(tmp_path) if path.parts[1] == "returns"]
    assert len(units) == 3 * -(-3 // shard)


@pytest.fixture
def workers_end() -> Iterator[None]:
    """Ends joblib's worker processes."""
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def test_tables_do_not_depend_on_the_number_of_jobs(
    done: Path, tiny: Population, tiny_root: Path, settings: Settings, tmp_path: Path, workers_end: None
):
    run("own_policy", tiny, settings, tmp_path, jobs=2)
    assert text(tmp_path, "own_policy") == text(done, "own_policy")
    assert len(work(tmp_path)) == 18  # banks and errors of 3 seeds at 3 steps
    # what is wrong in a worker is told here
    root = Path(shutil.copytree(tiny_root, tmp_path / "root"))
    path = root / "smoke" / "cartpole" / "seed_001" / "step_00000020.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match=r"step_00000020\.safetensors: was altered"):
        run("returns", find(root, "smoke", "cartpole", None), settings, tmp_path / "other", jobs=2)


def test_steps_that_are_no_checkpoints(tiny: Population, settings: Settings, tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"^planning: steps \[500\] are no checkpoints of this population"):
        run("planning", tiny, changed(settings, "planning", steps=(60, 500)), tmp_path)
    assert not work(tmp_path)
