"""Is a population that ships complete with what ships, left as it is, and mended where it was damaged?"""

import logging
import shutil
from pathlib import Path

import pytest

from muzero_probe import shipped
from muzero_probe.checkpoints import (
    CheckpointError,
    checkpoint_path,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from muzero_probe.runs import inventory
from muzero_probe.runs.run import Run
from tests.runs.small import STEPS, assert_same, damage, go, interrupted, run_at, weights

SHIP = STEPS[1:]  # without the first


@pytest.fixture
def root(tmp_path: Path, reference: Run) -> Path:
    """The reference as it comes out of a clone: without its first step, and nothing but what ships."""
    for folder in ("seed_000", "seed_001", "metrics"):
        shutil.copytree(reference.folder / folder, tmp_path / "smoke" / "cartpole" / folder)
    paths = [checkpoint_path(tmp_path, "smoke", "cartpole", seed, step) for seed in (0, 1) for step in SHIP]
    shipped.write(tmp_path, "smoke", "cartpole", [*paths, *tmp_path.rglob("*.csv")])
    for path in [*tmp_path.rglob(".lock"), *tmp_path.rglob("step_00000000.safetensors")]:
        path.unlink()
    return tmp_path


def contents(root: Path) -> dict[Path, tuple[bytes, int]]:
    """All files, and when they were written."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def own(path: Path) -> None:
    """Puts the same agent in the place of a shipped one, as another commit would write it."""
    data = path.read_bytes()
    found = load_checkpoint(path)
    path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("muzero_probe.checkpoints.commit", lambda: "another")
        save_checkpoint(
            path.parents[3], agent="cartpole", profile="smoke", seed=found.seed, step=found.step, config=found.config,
            arrays=found.arrays,
        )  # fmt: skip
    assert path.read_bytes() != data


@pytest.mark.parametrize("seeds", [(0, 1), (1,)])
def test_nothing_is_trained_and_nothing_written(root: Path, seeds: tuple[int, ...]):
    before = contents(root)
    assert go(run_at(root, seeds=seeds)) is None
    assert contents(root) == before


def test_other_settings_are_refused_and_nothing_written(root: Path):
    before = contents(root)
    with pytest.raises(CheckpointError, match=r"were trained with other settings: training\.n_step was 5, is 6"):
        go(run_at(root, n_step=6))
    assert contents(root) == before


def test_further_seeds_are_trained(root: Path):
    before = contents(root)
    assert go(run_at(root, seeds=(2,))) is not None
    assert before.items() <= contents(root).items()
    there = [(seed, step) for seed, step, _ in list_checkpoints(root, "smoke", "cartpole")]
    assert there == [(0, 20), (0, 48), (1, 20), (1, 48), (2, 0), (2, 20), (2, 48)]


def test_together_with_further_seeds_they_come_to_the_same_again(
    root: Path, reference: Run, caplog: pytest.LogCaptureFixture
):
    before = contents(root)
    with caplog.at_level(logging.INFO):
        assert go(run_at(root, seeds=(0, 1, 2))) is not None
    assert "seeds 0:2 are complete already and come to the same again; seeds 2 alone would do" in caplog.text
    assert before.items() <= contents(root).items()
    assert weights(reference.root).items() <= weights(root).items()


def test_elsewhere_all_is_trained_anew(root: Path, tmp_path: Path, reference: Run):
    run = run_at(tmp_path / "elsewhere")
    assert go(run) is not None
    assert_same(run, reference)


def test_an_interrupted_run_in_their_place_goes_on(root: Path, reference: Run):
    shutil.rmtree(root / "smoke" / "cartpole" / "seed_000")
    shutil.rmtree(root / "smoke" / "cartpole" / "seed_001")
    run = interrupted(root, 24)
    assert go(run) is not None
    assert_same(run, reference)


def test_what_is_gone_is_named_and_trained_again(root: Path, reference: Run, caplog: pytest.LogCaptureFixture):
    path = checkpoint_path(root, "smoke", "cartpole", 1, 48)
    path.unlink()
    assert go(run_at(root)) is not None
    assert f"{path}: ships with the repository, and is gone: git checkout -- {path} brings back" in caplog.text
    assert weights(root) == weights(reference.root)
    assert go(run_at(root)) is None


def test_what_is_damaged_is_named(root: Path, reference: Run):
    path = checkpoint_path(root, "smoke", "cartpole", 1, 48)
    damage(path)
    with pytest.raises(CheckpointError) as caught:
        go(run_at(root))
    message = str(caught.value)
    assert message.startswith(f"{path}: was altered") and "\n" not in message
    assert f": git checkout -- {path} brings back what ships; once deleted, make train-seeds" in message
    path.unlink()
    assert go(run_at(root)) is not None
    assert weights(root) == weights(reference.root)


def test_an_own_one_in_the_place_of_a_shipped_one_is_complete(root: Path):
    own(checkpoint_path(root, "smoke", "cartpole", 1, 48))
    assert go(run_at(root)) is None
    assert not shipped.read(root, "smoke", "cartpole").whole((0, 1))


def test_a_damaged_list_is_named(root: Path):
    path = root / "smoke" / "cartpole" / "SHA256SUMS"
    path.write_text("nothing\n")
    with pytest.raises(CheckpointError, match=r"SHA256SUMS: line 1 is not .*git checkout -- "):
        go(run_at(root))
    found = inventory.survey(root, "smoke", "cartpole")
    assert len(found.damaged) == 1 and found.damaged[0].startswith(f"{path}: line 1 is not")


# what is said of it


def test_survey_of_what_ships(root: Path):
    found = inventory.survey(root, "smoke", "cartpole")
    assert found.complete and not found.damaged and not found.other
    assert (found.seeds, found.steps, found.ships.seeds) == ([0, 1], list(SHIP), [0, 1])


def test_survey_of_what_ships_and_an_own_seed(root: Path):
    go(run_at(root, seeds=(2,)))
    found = inventory.survey(root, "smoke", "cartpole")
    assert found.complete and found.steps == list(STEPS)
    assert {step: found.wanted(step) for step in STEPS} == {0: [2], 20: [0, 1, 2], 48: [0, 1, 2]}
    checkpoint_path(root, "smoke", "cartpole", 2, 0).unlink()
    found = inventory.survey(root, "smoke", "cartpole")
    assert not found.complete and found.missing(0) == [2]


def test_survey_of_an_own_step_of_a_seed_that_ships(root: Path, reference: Run):
    parts = ("smoke", "cartpole", 0, 0)
    shutil.copy(checkpoint_path(reference.root, *parts), checkpoint_path(root, *parts))
    found = inventory.survey(root, "smoke", "cartpole")
    assert found.complete and found.wanted(0) == [0]


def test_survey_of_what_is_gone_damaged_or_another(root: Path):
    gone, damaged, other = (checkpoint_path(root, "smoke", "cartpole", *key) for key in ((0, 20), (0, 48), (1, 20)))
    gone.unlink()
    damage(damaged)
    own(other)
    metrics = root / "smoke" / "cartpole" / "metrics" / "seeds_000-001.csv"
    metrics.write_text("step,seed\n")
    found = inventory.survey(root, "smoke", "cartpole")
    assert {step: found.missing(step) for step in found.steps} == {20: [0], 48: [0]}
    altered, lost = found.damaged
    assert altered.startswith(f"{damaged}: was altered") and f"git checkout -- {damaged}" in altered
    assert lost.startswith(f"{gone}: ships with the repository, and is gone: git checkout -- {gone}")
    assert sorted(found.other) == sorted([metrics, other])
    assert inventory.survey(root, "smoke", "cartpole", seeds=[1]).damaged == []


def test_survey_where_all_is_gone(root: Path):
    for folder in ("seed_000", "seed_001", "metrics"):
        shutil.rmtree(root / "smoke" / "cartpole" / folder)
    found = inventory.survey(root, "smoke", "cartpole")
    assert (found.seeds, found.steps, found.missing(20)) == ([0, 1], list(SHIP), [0, 1])
    (lost,) = found.damaged
    assert f"is gone, and 4 more: git checkout -- {root / 'smoke' / 'cartpole'} brings" in lost
