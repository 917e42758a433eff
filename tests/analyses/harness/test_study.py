"""Is nothing measured twice, and are tables the same whoever measures how much at a time?"""

import dataclasses
import io
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from analyses.harness import banks, checkpoints, study
from analyses.harness.agents import Agents, Inputs
from analyses.harness.checkpoints import Checkpoints
from analyses.harness.population import PopulationError
from analyses.harness.registry import questions
from muzero_probe.checkpoints import CheckpointError
from tests.analyses.conftest import CARTPOLE
from tests.analyses.studies import NAMES, SEEDS, STEPS, changed, path_of, run, table


@pytest.fixture
def again(tmp_path: Path, done: Path) -> Path:
    """A copy to go on from."""
    return Path(shutil.copytree(done, tmp_path / "again"))


def text(folder: Path, name: str) -> str:
    return path_of(folder, name).read_text()


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
        self.original = questions()[name].measure
        self.measured: list[tuple[tuple[int, ...], int]] = []
        self.stop_at: int | None = None
        monkeypatch.setattr(questions()[name], "measure", self)

    def __call__(self, agents: Agents, own: Any, inputs: Inputs) -> list[dict[str, Any]]:
        if self.stop_at == len(self.measured):
            raise KeyboardInterrupt
        self.measured.append((agents.seeds, agents.step))
        return self.original(agents, own, inputs)


@pytest.mark.parametrize("name", ["own_policy", "planning"])
def test_an_interrupted_analysis_goes_on(
    done: Path, tiny: Checkpoints, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    interrupted = Interrupted(name, monkeypatch)
    steps = settings.planning.steps if name == "planning" else STEPS
    cells = [((seed,), step) for step in steps for seed in SEEDS]
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
        ("sequences", {"steps": ()}, {"sequences": 3}),  # all
        ("prior_effect", {"step": 60}, {"prior_effect": 3}),
        ("prior_effect", {"step": None}, {"prior_effect": 3}),  # the last
        ("prior_effect", {"budgets": (2, 3)}, {"prior_effect": 3}),
        ("planning", {"steps": (0, 20, 60)}, {"planning": 3}),
        ("planning", {"horizon": 3}, {"planning": 9}),  # with free search in the true model, once a seed
        ("search_tree", {"candidates": 3}, {"search_tree": 3}),
        ("search_tree", {"seeds": 1}, {}),
        (
            "bank", {"states": 3},
            {"banks": 9, "own_policy": 9, "sequences": 6, "cross_checkpoint": 9, "prior_effect": 3, "search_tree": 3},
        ),
    ],
)  # fmt: skip
def test_a_changed_setting_measures_what_it_touches(
    again: Path, tiny: Checkpoints, settings: Any, section: str, changes: dict[str, Any], measured: dict[str, int]
):
    before = work(again)
    for name in NAMES:
        run(name, tiny, changed(settings, section, **changes), again)
    assert added(before, work(again)) == measured
    # and back again: nothing
    before = work(again)
    for name in measured.keys() & set(NAMES):
        run(name, tiny, settings, again)
    assert added(before, work(again)) == {}


def test_a_changed_checkpoint_measures_what_reads_it(tiny: Checkpoints, settings: Any, tmp_path: Path):
    """Its own row alone, but for the question that compares a seed's checkpoints."""
    other = dataclasses.replace(tiny, digests=tiny.digests | {(1, 60): "another"})
    touched = {}
    for name, question in questions().items():
        for seed, step in itertools.product(SEEDS, STEPS):
            paths = [
                study.Work(each, tmp_path, "cpu").unit(
                    name, question, getattr(settings, name), (seed,), step, None, None
                ).path
                for each in (tiny, other)
            ]  # fmt: skip
            if paths[0] != paths[1]:
                touched.setdefault(name, []).append((seed, step))
    crossed = {"cross_checkpoint": [(1, 0), (1, 20), (1, 60)]}
    assert touched == {name: [(1, 60)] for name in NAMES} | crossed


def test_other_seeds_add_their_own_units(tiny_root: Path, settings: Any, tmp_path: Path):
    for seeds, new in (((0, 2), 2), ((0, 1, 2), 1)):
        before = work(tmp_path)
        run("returns", checkpoints.find(tiny_root, "smoke", CARTPOLE, seeds), settings, tmp_path)
        assert added(before, work(tmp_path)) == {"returns": 3 * new}
        assert sorted(set(table(tmp_path, "returns").seed)) == list(seeds)


def test_an_analysis_of_fewer_seeds(tiny: Checkpoints, settings: Any, tmp_path: Path):
    for seeds, new in ((2, 2 * 3), (0, 3)):  # two checkpoints and free search; 0: all three seeds
        before = work(tmp_path)
        run("planning", tiny, changed(settings, "planning", seeds=seeds), tmp_path)
        assert added(before, work(tmp_path)) == {"planning": new}
        there = list(range(seeds or 3))
        found = table(tmp_path, "planning")
        assert sorted(set(found.seed)) == found.attrs["provenance"]["seeds"] == there


@pytest.mark.parametrize("shard", [2, 3])
def test_tables_do_not_depend_on_the_shard(done: Path, tiny: Checkpoints, settings: Any, tmp_path: Path, shard: int):
    """But for the last digits of the nets' sums, which another number of rows may round otherwise."""
    for name in NAMES:
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
    done: Path, tiny: Checkpoints, tiny_root: Path, settings: Any, tmp_path: Path, workers_end: None
):
    run("own_policy", tiny, settings, tmp_path, jobs=2)
    assert text(tmp_path, "own_policy") == text(done, "own_policy")
    assert len(work(tmp_path)) == 18  # banks and errors of 3 seeds at 3 steps
    # what is wrong in a worker is told here
    root = Path(shutil.copytree(tiny_root, tmp_path / "root"))
    path = root / "smoke" / "cartpole" / "seed_001" / "step_00000020.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match=r"step_00000020\.safetensors: was altered"):
        run("returns", checkpoints.find(root, "smoke", CARTPOLE, None), settings, tmp_path / "other", jobs=2)


def test_steps_that_are_no_checkpoints(tiny: Checkpoints, settings: Any, tmp_path: Path):
    with pytest.raises(PopulationError, match=r"^planning: steps \[500\] are no checkpoints of this population"):
        run("planning", tiny, changed(settings, "planning", steps=(60, 500)), tmp_path)
    assert not work(tmp_path)


def test_a_table_tells_which_code_measured_it(
    tiny: Checkpoints, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its units may be of other commits than itself."""
    for seeds, commit in (((0,), "b"), ((0, 1), "a"), ((0, 1, 2), "c")):
        monkeypatch.setattr(study, "commit", lambda commit=commit: commit)
        run("returns", dataclasses.replace(tiny, seeds=seeds), settings, tmp_path)
    made = table(tmp_path, "returns").attrs["provenance"]
    assert (made["commit"], made["measured_at"]) == ("c", ["a", "b", "c"])


@pytest.mark.parametrize("kind", ["returns", "banks"])
@pytest.mark.parametrize("how", ["cut", "altered", "empty", "another's"])
def test_a_unit_that_is_not_itself_is_named_and_measured_again(
    again: Path, tiny: Checkpoints, settings: Any, kind: str, how: str, monkeypatch: pytest.MonkeyPatch
):
    name = "returns" if kind == "returns" else "own_policy"
    unit, other = sorted(path for path in (again / "units" / kind).iterdir() if "00000020" in path.name)[:2]
    whole = unit.read_bytes()
    place = len(whole) - 3
    unit.write_bytes(
        {
            "cut": whole[:-5],
            "altered": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
            "empty": b"",
            "another's": other.read_bytes(),
        }[how]
    )
    before = text(again, name)
    said = Console(file=io.StringIO(), width=500)
    monkeypatch.setattr("tests.analyses.studies.QUIET", said)
    run(name, tiny, settings, again)
    assert text(again, name) == before
    # the writer of banks orders a header at random
    assert banks.check(unit) is None if kind == "banks" else unit.read_bytes() == whole
    (line,) = said.file.getvalue().splitlines()  # pyright: ignore
    assert line.startswith(f"{unit} ") and line.endswith(": it is measured again")


def test_an_analysis_of_all_checkpoints_does_not_apply_to_one(tiny: Checkpoints):
    assert not any(study.why_not(name, tiny) for name in NAMES)
    alone = dataclasses.replace(tiny, steps=(60,))
    reasons = {name: study.why_not(name, alone) for name in NAMES}
    assert reasons.pop("cross_checkpoint") == "cross_checkpoint compares checkpoints, and cartpole has one"
    assert not any(reasons.values())
