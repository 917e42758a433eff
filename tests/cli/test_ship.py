"""Is a population listed for a release only where it is whole, sound and made by a commit?"""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

from muzero_probe import agents, shipped
from muzero_probe import checkpoints as format
from muzero_probe.checkpoints import checkpoint_path, resume_folder, save_checkpoint, save_resume
from muzero_probe.cli import ship

CARTPOLE = agents.load("cartpole")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
STEPS = (0, 20, 60)
ARRAYS = {"w": np.ones(2, np.float32)}


def save(root: Path, seed: int, step: int, config: dict | None = None) -> Path:
    return save_checkpoint(
        root, agent="cartpole", profile="smoke", seed=seed, step=step, arrays=ARRAYS, overwrite=True,
        config=config or CARTPOLE.config("smoke").to_dict(),
    )  # fmt: skip


def metrics(root: Path, name: str, *seeds: int) -> Path:
    path = root / "smoke" / "cartpole" / "metrics" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("step", "seed"), *((20, seed) for seed in seeds)])
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seeds 0 and 1 of profile smoke, with metrics; and a seed more."""
    monkeypatch.setattr(format, "commit", lambda: COMMIT)
    for seed in (0, 1, 7):
        for step in STEPS:
            save(tmp_path, seed, step)
    metrics(tmp_path, "seeds_000-001.csv", 0, 1)
    metrics(tmp_path, "seeds_007.csv", 7)
    return tmp_path


def listed(root: Path, *words: str) -> tuple[int, set[str]]:
    """Exit code, and the names of the list if there is one now."""
    code = ship.main(["cartpole", "--profile", "smoke", "--root", str(root), *words])
    path = root / "smoke" / "cartpole" / "SHA256SUMS"
    return code, {line[66:] for line in path.read_text().splitlines()} if path.exists() else set()


def names(*steps: int) -> set[str]:
    return {f"seed_{seed:03d}/step_{step:08d}.safetensors" for seed in (0, 1) for step in steps}


def test_all_of_the_profile_s_seeds_and_their_metrics(root: Path, capsys: pytest.CaptureFixture):
    assert listed(root) == (0, names(*STEPS) | {"metrics/seeds_000-001.csv"})
    output, errors = capsys.readouterr()
    assert output == f"{root}/smoke/cartpole/SHA256SUMS: 7 files, 0.0 MB\n" and errors == ""
    found = shipped.read(root, "smoke", "cartpole")
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == digest for path, digest in found.digests.items())


def test_some_steps(root: Path):
    checkpoint_path(root, "smoke", "cartpole", 1, 0).unlink()
    assert listed(root, "--steps", "20", "60") == (0, names(20, 60) | {"metrics/seeds_000-001.csv"})


def test_a_list_is_made_anew(root: Path):
    assert listed(root, "--steps", "20", "60")[0] == 0
    assert listed(root)[1] >= names(0)


def test_without_metrics_it_says_so(root: Path, capsys: pytest.CaptureFixture):
    metrics(root, "seeds_000-001.csv", 0, 7)  # not of this population alone
    metrics(root, "seeds_000.csv", 0)
    assert listed(root) == (0, names(*STEPS) | {"metrics/seeds_000.csv"})
    assert capsys.readouterr().err.endswith(": seeds 1 ship without metrics, there is no table of them\n")


def absent(root: Path) -> None:
    checkpoint_path(root, "smoke", "cartpole", 1, 20).unlink()


def damaged(root: Path) -> None:
    path = checkpoint_path(root, "smoke", "cartpole", 1, 20)
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def dirty(root: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(format, "commit", lambda: f"{COMMIT}-dirty")
        save(root, 1, 20)


def outside(root: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(format, "commit", lambda: "unknown")
        save(root, 1, 20)


def other_settings(root: Path) -> None:
    config = CARTPOLE.config("smoke").to_dict()
    save(root, 1, 20, config | {"search": config["search"] | {"simulations": 9}})


def unfinished(root: Path) -> None:
    save_resume(
        resume_folder(root, "smoke", "cartpole", [1, 2]), agent="cartpole", profile="smoke", seeds=[1, 2], step=20,
        config=CARTPOLE.config("smoke").to_dict(), arrays=ARRAYS, meta={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (absent, "{path}: no such file"),
        (damaged, "{path}: was altered"),
        (dirty, "{path}: was made by {commit}-dirty, a commit without changes is needed"),
        (outside, "{path}: was made by unknown, a commit without changes is needed"),
        (other_settings, "{path}: was trained with other settings: config "),
        (unfinished, "{root}/smoke/cartpole: the run of seeds 1 is unfinished"),
    ],
)
def test_what_must_not_ship_is_refused(root: Path, spoil, says: str, capsys: pytest.CaptureFixture):
    spoil(root)
    assert listed(root) == (1, set())
    output, errors = capsys.readouterr()
    path = checkpoint_path(root, "smoke", "cartpole", 1, 20)
    assert says.format(path=path, root=root, commit=COMMIT) in errors
    assert output == "" and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mine"], "agent 'mine' is unknown, there are breakout, cartpole, "),
        (["cartpole", "--profile", "huge"], "profile 'huge' is unknown for cartpole"),
        (["cartpole", "--profile", "smoke", "--steps", "5"], "steps [5] are no checkpoints of smoke, which has [0, 20"),
        (
            ["cartpole", "--profile", "smoke", "--steps", "0", "60"],
            "steps lack [20]: the analyses of smoke need [20, 60]",
        ),
        (["minatar", "--profile", "desk", "--steps", "1000", "10000"], "steps lack [50000]: the analyses of desk need"),
    ],
)
def test_an_impossible_command(words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert ship.main([*words, "--root", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert says in errors and errors.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_steps_that_analyses_name():
    assert ship.measured(agents.load("minatar"), "desk") == {1_000, 10_000, 50_000}
    assert ship.measured(CARTPOLE, "paper") == {500, 2_000, 10_000, 100_000}
