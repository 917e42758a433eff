"""Is a population on disk found whole, and does one line say what is wrong and what to do?"""

import pickle
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analyses.harness import checkpoints
from analyses.harness.checkpoints import Checkpoints
from analyses.harness.population import TRAINED, PopulationError
from muzero_probe import shipped
from muzero_probe.checkpoints import CheckpointError, checkpoint_path, load_checkpoint, save_checkpoint
from muzero_probe.cli import main as cli
from muzero_probe.config import Config
from muzero_probe.models import LearnedModel
from tests.analyses.conftest import CARTPOLE, train

STEPS = (0, 20, 60)


@pytest.fixture
def root(tmp_path: Path, tiny_root: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_root, tmp_path / "root"))


def find(root: Path, seeds: tuple[int, ...] | None = None) -> Checkpoints:
    return checkpoints.find(root, "smoke", CARTPOLE, seeds)


def refusal(root: Path, seeds: tuple[int, ...] | None = None) -> str:
    with pytest.raises((CheckpointError, PopulationError)) as caught:
        find(root, seeds)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def command(message: str) -> list[str]:
    """The words of the command that a message advises."""
    return shlex.split(message.split("make them with: ")[1])


def checkpoint(root: Path, seed: int, step: int) -> Path:
    return checkpoint_path(root, "smoke", "cartpole", seed, step)


def test_all_that_is_there(tiny_root: Path):
    found = find(tiny_root)
    assert (found.profile, found.name, found.seeds, found.steps) == ("smoke", "cartpole", (0, 1, 2), STEPS)
    assert (found.title, found.repeats) == ("Cart Pole", TRAINED)
    header = load_checkpoint(checkpoint(tiny_root, 1, 20))
    assert found.config_hash == header.config_hash
    assert found.config == Config.from_dict(header.config)
    assert found.commits == (header.commit,)
    assert found.digests.keys() == {(seed, step) for seed in range(3) for step in STEPS}
    assert found.digests[1, 20] == header.digest
    assert len(set(found.digests.values())) == 9
    assert found.provenance() == {
        "config_hash": header.config_hash,
        "checkpoint_commits": [header.commit],
        "training_steps": 60,
        "temperatures": [(0, 1.0), (30, 0.5), (45, 0.25)],
        "actions": 2,
        "return_range": (20, 500),
        "counts": True,
        "rule": "muzero",
    }


def test_chosen_seeds(tiny_root: Path):
    found = find(tiny_root, (0, 2))
    assert found.seeds == (0, 2)
    assert {seed for seed, _ in found.digests} == {0, 2}


def test_seeds_that_are_not_chosen_may_be_incomplete(root: Path):
    checkpoint(root, 1, 20).unlink()
    checkpoint(root, 1, 60).write_bytes(b"")
    assert find(root, (0, 2)).seeds == (0, 2)


def test_a_checkpoint_that_is_replaced_meanwhile(root: Path):
    found = find(root)
    path = checkpoint(root, 0, 60)
    old = load_checkpoint(path)
    path.unlink()
    arrays = {name: array + 1 for name, array in old.arrays.items()}
    save_checkpoint(root, agent="cartpole", profile="smoke", seed=0, step=60, config=old.config, arrays=arrays)
    with pytest.raises(CheckpointError, match="was replaced since the analysis began: begin it again"):
        found.agents((0,), 60, "cpu")


def test_shards(tiny: Checkpoints):
    assert tiny.shards(1) == [(0,), (1,), (2,)]
    assert tiny.shards(2) == [(0, 1), (2,)]
    assert tiny.shards(3) == tiny.shards(50) == [(0, 1, 2)]
    assert tiny.shards(1, 2) == [(0,), (1,)]
    assert tiny.shards(2, 50) == [(0, 1), (2,)]


@pytest.mark.parametrize("seeds", [None, (0, 1, 5)])
def test_nothing_is_there(tmp_path: Path, seeds: tuple[int, ...] | None):
    message = refusal(tmp_path, seeds)
    assert message.startswith(f"{tmp_path}/smoke/cartpole: no checkpoints; ")
    named = ["--seeds", "0:2,5"] if seeds else []
    words = ["muzero-probe", "train", "cartpole", "--profile", "smoke", "--root", str(tmp_path)]
    assert command(message) == words + named


def test_nothing_of_the_chosen_seeds(tiny_root: Path):
    message = refusal(tiny_root, (3, 7))
    assert "no checkpoints of seeds 3,7; " in message
    assert command(message)[-2:] == ["--seeds", "3,7"]


def test_missing_checkpoints(root: Path):
    checkpoint(root, 1, 20).unlink()
    checkpoint(root, 2, 60).unlink()
    message = refusal(root)
    assert "2 of 9 checkpoints are missing, first seed 1 step 20; " in message
    assert command(message)[-2:] == ["--seeds", "1:3"]


def test_a_missing_seed(tiny_root: Path):
    message = refusal(tiny_root, (0, 2, 4))
    assert "3 of 9 checkpoints are missing, first seed 4 step 0; " in message
    assert command(message)[-2:] == ["--seeds", "4"]


def test_the_advised_command_is_one(tiny_root: Path, tmp_path: Path):
    """The training program takes it, and it names what lacks."""
    for message in (refusal(tiny_root, (0, 4)), refusal(tmp_path), refusal(tmp_path, (2, 3))):
        words = command(message)
        assert words[0] == "muzero-probe"
        command_line = cli._parse(words[1:])
        assert isinstance(command_line, cli.Train)
        run = cli._run_of(command_line)
        assert (run.profile, run.config.agent) == ("smoke", "cartpole")
        assert run.root in (tiny_root, tmp_path)
        assert run.seeds == ((4,) if run.root == tiny_root else (2, 3) if "--seeds" in words else (0, 1))


def ship(root: Path, *, seeds: tuple[int, ...], steps: tuple[int, ...]) -> None:
    """Leaves of some seeds only the steps that ship."""
    for seed in seeds:
        for step in set(STEPS) - set(steps):
            checkpoint(root, seed, step).unlink()
    shipped.write(root, "smoke", "cartpole", [checkpoint(root, seed, step) for seed in seeds for step in steps])


def test_shipped_steps_are_all_that_is_expected(root: Path):
    ship(root, seeds=(0, 1, 2), steps=(20, 60))
    found = find(root)
    assert (found.seeds, found.steps) == ((0, 1, 2), (20, 60))
    assert found.digests.keys() == {(seed, step) for seed in range(3) for step in (20, 60)}
    assert found.provenance()["training_steps"] == 60


def test_an_own_seed_beside_shipped_ones_is_measured_at_their_steps(root: Path):
    ship(root, seeds=(0, 1), steps=(20, 60))
    assert find(root).steps == (20, 60)
    assert find(root, (2,)).steps == STEPS
    checkpoint(root, 2, 60).unlink()
    assert "1 of 6 checkpoints are missing, first seed 2 step 60; make them with: " in refusal(root)


def test_own_steps_of_shipped_seeds_are_measured(root: Path):
    shipped.write(root, "smoke", "cartpole", [checkpoint(root, seed, 60) for seed in range(3)])
    assert find(root).steps == STEPS


def test_what_ships_and_is_gone_or_damaged_is_named(root: Path):
    ship(root, seeds=(0, 1, 2), steps=(20, 60))
    path = checkpoint(root, 1, 20)
    brings, again = "brings back what ships; ", "make train-seeds PROFILE=smoke AGENT=cartpole trains it again"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    message = refusal(root)
    assert message.startswith(f"{path}: was altered") and message.endswith(
        f": git checkout -- {path} {brings}once deleted, {again}"
    )
    path.unlink()
    assert refusal(root) == (
        f"{root}/smoke/cartpole: 1 of 6 checkpoints are missing, first seed 1 step 20: "
        f"git checkout -- {path} {brings}{again}"
    )
    shutil.rmtree(path.parent)  # a whole seed is not passed over
    folder = path.parents[1]
    assert f"2 of 6 checkpoints are missing, first seed 1 step 20: git checkout -- {folder} {brings}{again}" in refusal(
        root
    )
    for seed in (0, 2):
        shutil.rmtree(checkpoint(root, seed, 0).parent)
    assert refusal(root) == f"{root}/smoke/cartpole: no checkpoints: git checkout -- {folder} {brings}{again}"
    assert refusal(root, (5,)).startswith(f"{root}/smoke/cartpole: no checkpoints; make them with: ")


def test_mixed_configs(root: Path, other_config: Config):
    train(root, other_config, [5])
    message = refusal(root)
    hashes = {load_checkpoint(checkpoint(root, seed, 0)).config_hash for seed in (0, 5)}
    assert len(hashes) == 2 and all(each in message for each in hashes)
    assert "checkpoints of different configs" in message and "`muzero-probe status`" in message
    # each population by itself can be analysed
    assert find(root, (0, 1, 2)).config_hash != find(root, (5,)).config_hash


@pytest.mark.parametrize("keep", [0, 5, 300, -8])
def test_a_truncated_file(root: Path, keep: int):
    path = checkpoint(root, 1, 20)
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal(root).startswith(f"{path}: is half-written, damaged or not a safetensors file")


def test_an_altered_file_shows_before_anything_is_measured(root: Path):
    """Also where all units that would read it are kept."""
    path = checkpoint(root, 1, 20)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert refusal(root).startswith(f"{path}: was altered")
    assert find(root, seeds=(0,)).seeds == (0,)


@pytest.mark.parametrize(
    ("change", "name", "shapes"),
    [
        (
            lambda a: a | {"policy.b2": np.append(a["policy.b2"], a["policy.b2"][:1])},
            "policy.b2",
            "(3,), these nets have (2,)",
        ),
        (lambda a: a | {"h.w1": a["h.w1"][:3]}, "h.w1", "(3, 16), these nets have (4, 16)"),
    ],
    ids=["other actions", "other observations"],
)
def test_nets_of_another_action_set_or_observation(root: Path, change: Callable, name: str, shapes: str):
    """A file that is sound in itself, but not what its config and the environment make of it."""
    path = checkpoint(root, 1, 20)
    there = load_checkpoint(path)
    arrays = change(there.arrays)
    save_checkpoint(
        root, agent="cartpole", profile="smoke", seed=1, step=20, config=there.config, arrays=arrays, overwrite=True
    )
    with pytest.raises(CheckpointError) as caught:
        find(root).agents((1,), 20, "cpu")
    assert str(caught.value) == (
        f"{path}: does not fit cartpole with 2 actions and observations [4]: parameter {name} has shape {shapes}; "
        "train it again, or take the package versions in its header"
    )


def test_a_config_that_this_code_does_not_know(root: Path):
    for seed in range(3):
        for step in STEPS:
            there = load_checkpoint(checkpoint(root, seed, step))
            config = there.config | {"search": there.config["search"] | {"depth": 3}}
            save_checkpoint(
                root, agent="cartpole", profile="smoke", seed=seed, step=step, config=config, arrays=there.arrays,
                overwrite=True,
            )  # fmt: skip
    message = refusal(root)
    assert "written by another version of the code" in message and "depth" in message


def test_wanted_steps(tiny: Checkpoints):
    assert tiny.select((0, 60), "planning") == (0, 60)
    assert tiny.select((), "planning") == STEPS
    with pytest.raises(PopulationError) as caught:
        tiny.select((20, 500, 60, 2000), "planning")
    assert str(caught.value) == (
        "planning: steps [500, 2000] are no checkpoints of this population, which has [0, 20, 60]"
    )


# Agents


def test_agents_are_the_seeds_checkpoints_in_order(tiny: Checkpoints, tiny_root: Path):
    agents = tiny.agents((0, 2), 20, "cpu")
    model = agents.model(np.array([0, 1]))
    assert isinstance(model, LearnedModel)
    assert (agents.seeds, agents.step, model.theta.shape[0]) == ((0, 2), 20, 2)
    assert (agents.search, agents.horizon) == (tiny.config.search, tiny.config.training.unroll_steps)
    for index, seed in enumerate((0, 2)):
        stored = load_checkpoint(checkpoint(tiny_root, seed, 20)).arrays
        found = model.nets.layout.arrays(model.theta[index].numpy())
        assert found.keys() == stored.keys()
        assert all(np.array_equal(found[name], stored[name]) for name in stored)


@pytest.mark.parametrize(("step", "temperature"), [(0, 1.0), (20, 1.0), (60, 0.25)])
def test_agents_have_the_temperature_of_their_step(tiny: Checkpoints, step: int, temperature: float):
    assert tiny.agents((0,), step, "cpu").temperature == temperature
    assert tiny.digest(0, step) == f"{tiny.digests[0, step]} {temperature:g}"


def test_a_population_travels_to_other_processes(tiny: Checkpoints):
    """Also one that has made its environment and nets, and whose agent is made of functions."""
    assert tiny.env and tiny.nets
    there = pickle.loads(pickle.dumps(tiny))
    assert not {"env", "nets"} & vars(there).keys()
    assert there == tiny
    observations = np.full((2, 4), 0.1, np.float32)
    answers = [each.agents((0, 2), 20, "cpu").model(np.array([0, 1])).root(observations) for each in (tiny, there)]
    assert all(np.array_equal(a, b) for a, b in zip(answers[0][:4], answers[1][:4], strict=True))
