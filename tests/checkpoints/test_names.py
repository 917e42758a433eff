"""Do names say which file is whose, and is one that does not fit never passed over?"""

import re
from pathlib import Path

import pytest

from muzero_probe.checkpoints import (
    CheckpointError,
    checkpoint_path,
    list_checkpoints,
    load_checkpoint,
    lock_seeds,
    resume_folder,
)
from tests.checkpoints.files import save, save_state


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a b", ".hidden"])
def test_names_stay_inside_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        save(tmp_path, agent=name)
    with pytest.raises(ValueError, match="cannot be the name"):
        list_checkpoints(tmp_path, name, "cartpole")


def test_negative_numbers_have_no_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seeds"):
        checkpoint_path(tmp_path, "tiny", "cartpole", -1, 0)
    with pytest.raises(ValueError, match="step -1"):
        checkpoint_path(tmp_path, "tiny", "cartpole", 0, -1)


def test_list(tmp_path: Path) -> None:
    assert list_checkpoints(tmp_path, "tiny", "cartpole") == []
    wanted = [(7, 200), (7, 1000), (12, 0), (1234, 123_456_789)]
    for seed, step in reversed(wanted):
        save(tmp_path, seed=seed, step=step)
    save(tmp_path, agent="lunar_lander")
    save_state(tmp_path, 5)
    (tmp_path / "tiny" / "cartpole" / "seed_007" / ".step_00003000.safetensors.tmp").touch()
    with lock_seeds(tmp_path, "tiny", "cartpole", [7, 90]):
        listed = list_checkpoints(tmp_path, "tiny", "cartpole")
    assert [(seed, step) for seed, step, _ in listed] == wanted
    assert all(load_checkpoint(path).seed == seed for seed, _, path in listed)


STRANGE = ["step_2000", "step_", "best", "step_00002000 (copy)", "step_000002000", "step_²0000000"]


@pytest.mark.parametrize("name", STRANGE)
def test_unexpected_names_are_never_skipped(tmp_path: Path, name: str) -> None:
    strange = save(tmp_path).with_name(f"{name}.safetensors")
    strange.touch()
    with pytest.raises(CheckpointError, match=re.escape(str(strange))):
        list_checkpoints(tmp_path, "tiny", "cartpole")


@pytest.mark.parametrize("name", ["seed_7", "seed_", "seed_007_old", "seed_0007"])
def test_unexpected_seed_folders_are_never_skipped(tmp_path: Path, name: str) -> None:
    strange = save(tmp_path).parents[1] / name
    strange.mkdir()
    with pytest.raises(CheckpointError, match=re.escape(str(strange))):
        list_checkpoints(tmp_path, "tiny", "cartpole")


def test_resume_folder_names() -> None:
    def name(seeds: list[int] | range) -> str:
        return resume_folder("", "tiny", "cartpole", seeds).name

    assert name([7]) == "seeds_007"
    assert name(range(30)) == "seeds_000-029"
    assert name([0, 3, 7]) == "seeds_000_003_007"
    long = [*range(8), 9]
    assert re.fullmatch(r"seeds_000_001_and_7_more_[0-9a-f]{8}", name(long))
    assert name(long) == name(list(long)) != name([*range(8), 10])
    for bad in ([], [2, 1], [1, 1], [-1, 0]):
        with pytest.raises(ValueError, match="seeds"):
            name(bad)
