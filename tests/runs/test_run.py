"""Does a run leave every checkpoint and tidy metrics, the same again and in any company?"""

import csv
from pathlib import Path

import pytest

from muzero_probe.checkpoints import checkpoint_path, load_checkpoint
from muzero_probe.runs.run import Run
from tests.runs.small import AGENT, STEPS, assert_same, go, run_at, table, weights


def test_checkpoints_of_every_seed_and_step(reference: Run):
    assert set(weights(reference.root)) == {(seed, step) for seed in (0, 1) for step in STEPS}
    header = load_checkpoint(checkpoint_path(reference.root, "smoke", "cartpole", 1, 20))
    assert AGENT.read(header.config, "smoke") == reference.config
    assert not reference.resume_folder.exists()


def test_seeds_and_steps_have_different_weights(reference: Run):
    found = list(weights(reference.root).values())
    assert all(a != b for i, a in enumerate(found) for b in found[:i])


def test_metrics_are_tidy(reference: Run):
    rows = table(reference)
    assert [(row["step"], row["seed"]) for row in rows] == [
        (str(step), str(seed)) for step in range(12, STEPS[-1] + 1, 12) for seed in (0, 1)
    ]
    with (reference.folder / "metrics" / "seeds_000-001.csv").open() as file:
        columns = next(csv.reader(file))
    assert columns[:4] == ["step", "seed", "return_mean", "episodes"]
    assert {"value_loss", "gradient_norm", "skipped", "environment_steps", "reanalysed_fraction"} < set(columns)
    assert {"seconds_act", "seconds_learn", "seconds_replay", "seconds_reanalyse"} < set(columns)
    assert all(float(row["value_loss"]) > 0 for row in rows)
    assert all((row["return_mean"] == "") == (row["episodes"] == "0") for row in rows)


def test_two_runs_are_equal(tmp_path: Path, reference: Run):
    run = run_at(tmp_path)
    go(run, resume_minutes=1e9)  # nor does it matter whether states are saved
    assert_same(run, reference)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_seed_alone_is_the_seed_in_a_population(tmp_path: Path, seed: int):
    """To the bit, on a CPU; long enough for what a vector leaves over to be rounded otherwise."""
    together = run_at(tmp_path / "together", seeds=(0, 1, 2), steps=300, checkpoints=(300,))
    alone = run_at(tmp_path / "alone", seeds=(seed,), steps=300, checkpoints=(300,))
    go(together)
    go(alone)
    assert weights(alone.root) == {(seed, 300): weights(together.root)[seed, 300]}
