"""Is the repository small, and is what ships in it what its lists say?"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from muzero_probe import agents, shipped
from muzero_probe.cli import ship

ROOT = Path(__file__).parents[1]
MOST = 150e6  # bytes
LISTS = sorted((ROOT / "checkpoints").glob(f"*/*/{shipped.NAME}"))


def git(*words: str) -> list[str]:
    if shutil.which("git") is None:
        return []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(ROOT), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.split("\0") if line]


TRACKED = {ROOT / name for name in git("ls-files", "-z")}
in_a_checkout = pytest.mark.skipif(not TRACKED, reason="this is no checkout")


@in_a_checkout
def test_it_stays_small():
    assert 0 < sum(path.stat().st_size for path in TRACKED if path.exists()) < MOST


@in_a_checkout
@pytest.mark.parametrize(
    "name",
    [
        "seed_000/.lock",
        "seed_030/step_00000000.safetensors",
        "resume/seeds_000-029/state_00002000.safetensors",
        "tensorboard/seeds_000-029/events",
    ],
)
def test_what_is_trained_beside_what_ships_is_ignored(name: str):
    path = f"checkpoints/paper/cartpole/{name}"
    assert git("check-ignore", path) == [f"{path}\n"]


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.parent.name)
def test_a_list_is_what_would_ship_today(path: Path):
    """Its files are whole and sound, of the profile's settings, and its analyses' steps are among them."""
    ships = shipped.read(ROOT / "checkpoints", path.parents[1].name, path.parent.name)
    agent, profile = agents.load(path.parent.name), path.parents[1].name
    steps = sorted({step for _, step in ships.checkpoints})
    assert ship.measured(agent, profile) <= set(steps)
    assert set(ships.digests) == set(ship.chosen(ROOT / "checkpoints", agent, profile, steps))
    assert ships.changed() == ([], [])


@in_a_checkout
@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.parent.name)
def test_a_list_says_what_is_tracked(path: Path):
    ships = shipped.read(ROOT / "checkpoints", path.parents[1].name, path.parent.name)
    assert {each for each in TRACKED if path.parent in each.parents} == {path, *ships.digests}
