"""Does `muzero-probe diagnose` name what is wrong with little populations, seed by seed, and what it cannot tell?"""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from muzero_probe import agents
from muzero_probe.checkpoints import save_checkpoint
from muzero_probe.cli import main as cli
from muzero_probe.nets.build import build
from muzero_probe.nets.layers import initial_vector
from muzero_probe.randomness import stream
from tests.cli.words import FAST, SMOKE

TINY = Path(__file__).parents[2] / "checkpoints" / "tiny"
TABLES = Path(__file__).parents[1] / "diagnosis" / "tables"


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert cli.main(["diagnose", *words]) == 0
    output, errors = capsys.readouterr()
    assert all("compiling for this processor, once" in line for line in errors.splitlines())
    return output.splitlines()


def of_seeds(lines: list[str]) -> dict[int, set[str]]:
    """The findings of every seed, by their names."""
    found: dict[int, set[str]] = {}
    seed = -1
    for line in lines:
        if head := re.match(r"\S.*, seed (\d+), by .*: (nothing found|(\d+) findings?)$", line):
            seed = int(head[1])
            found[seed] = set()
        elif re.match(r"  \S", line):
            found[seed].add(line.strip().partition(":")[0])
    return found


def with_table(name: str, agent: str, root: Path) -> list[str]:
    """Puts a real run's metrics where an agent's belong."""
    folder = root / "quick" / agent / "metrics"
    folder.mkdir(parents=True)
    shutil.copy(TABLES / f"{name}.csv", folder / "seeds_000-001.csv")
    return [agent, "--profile", "quick", "--root", str(root)]


def test_late_cart_pole_has_no_falling_poles_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two agents of 10,000 updates whose replay of 3,200 positions holds what they do now; in the middle it did."""
    words = with_table("cartpole", "cartpole", tmp_path)
    lines = said(words, capsys)
    found = of_seeds(lines)
    assert found.keys() == {0, 1}
    assert all("replay without terminations" in names for names in found.values())
    assert any(line.startswith("  replay without terminations: the positions that an update unrolls") for line in lines)
    path = next((tmp_path / "quick" / "cartpole" / "metrics").iterdir())
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text(head + "".join(row for row in rows if int(row.split(",")[0]) <= 4_000))
    assert not any("replay without terminations" in names for names in of_seeds(said(words, capsys)).values())


def test_an_agent_of_ale_that_came_to_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two small agents of a few hundred updates, T = 0.25 from 30 % on: seed 0 never serves at the end."""
    lines = said(with_table("breakout", "breakout", tmp_path), capsys)
    found = of_seeds(lines)
    assert {"waits", "waits for the time limit", "collapsed policy"} <= found[0]
    assert not {"waits", "waits for the time limit", "collapsed policy"} & found[1]
    (share,) = (
        float(x[1]) for x in (re.match(r"  waits: the game is on in only (\S+) % of the d", y) for y in lines) if x
    )
    assert share < 10


def test_agents_that_never_serve_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Of two agents of ALE, the one whose prior leaves the serve out."""
    agent = agents.load("breakout")
    config = agent.config("smoke")
    nets = build(config.nets, agent.make(config.environment))
    for seed, push in ((0, 50.0), (1, -50.0)):
        arrays = nets.layout.arrays(initial_vector(nets.layout, stream(seed, "weights")))
        arrays["policy.out.b"] = arrays["policy.out.b"] + push * np.eye(4, dtype=np.float32)[1]
        save_checkpoint(
            tmp_path, agent="breakout", profile="smoke", seed=seed, step=20, config=config.to_dict(), arrays=arrays
        )
    lines = said(["breakout", "--profile", "smoke", "--root", str(tmp_path), "--episodes", "2"], capsys)
    found = of_seeds(lines)
    assert "waits" not in found[0] and {"waits", "waits for the time limit"} <= found[1]
    sentence = "  waits: the game is on in only 0 % of the decisions: the agent does not serve (in 2 episodes of the "
    assert any(line.startswith(sentence) for line in lines)


def test_a_population_that_was_just_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main([*SMOKE, *FAST, "--metrics-every", "6", "--root", str(tmp_path)]) == 0
    capsys.readouterr()
    words = ["cartpole", "--profile", "smoke", "--root", str(tmp_path)]
    lines = said([*words, "--episodes", "0"], capsys)
    assert lines[0].startswith("Cart Pole, seed 0, by metrics to step 24: ")
    assert "not judged, no checkpoint was watched: saturated value head (seeds 0:2)" in lines
    lines = said([*words, "--seeds", "1"], capsys)
    assert of_seeds(lines).keys() == {1}
    assert "by metrics to step 24 and 3 episodes of the checkpoint of step 24: " in lines[0]
    assert "waits (seeds 1)" in next(line for line in lines if "the environment does not say" in line)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert said([*words, "--seeds", "1"], capsys) == lines
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_checkpoints_alone(capsys: pytest.CaptureFixture[str]):
    """Those of an earlier version, without their metrics."""
    lines = said(["cartpole", "--profile", "smoke", "--root", str(TINY)], capsys)
    assert of_seeds(lines).keys() == {0, 1}
    (line,) = (line for line in lines if line.startswith("not judged, there are no metrics: "))
    assert "replay without terminations (seeds 0:2), unexplained returns (seeds 0:2), " in line


def test_nothing_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["diagnose", "cartpole", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"muzero-probe: {tmp_path}/quick/cartpole: no checkpoints or metrics; make them with: "
        f"muzero-probe train cartpole --profile quick --root {tmp_path}\n"
    )


@pytest.mark.parametrize("damage", ["metrics", "checkpoint"])
def test_a_damaged_file_is_named(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(TINY, tmp_path, dirs_exist_ok=True)
    words = ["diagnose", "cartpole", "--profile", "smoke", "--root", str(tmp_path)]
    folder = tmp_path / "smoke" / "cartpole"
    path = folder / ("metrics/seeds_000.csv" if damage == "metrics" else "seed_001/step_00000060.safetensors")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"step,seed\n1\n" if damage == "metrics" else path.read_bytes()[:-5])
    assert cli.main(words) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"muzero-probe: {path}: is ") and errors.count("\n") == 1
