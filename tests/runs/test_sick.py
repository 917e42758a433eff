"""Does a run give up a seed whose numbers are not finite, say so, and train the others as if nothing were?"""

from pathlib import Path

import numpy as np
import pytest

from analyses.harness import checkpoints
from analyses.harness.population import PopulationError
from muzero_probe.cli import main as cli
from muzero_probe.runs import inventory
from muzero_probe.runs.run import Run
from muzero_probe.training.batch import Batch
from muzero_probe.training.trainer import Trainer
from tests.cli.words import SMOKE
from tests.runs.small import AGENT, STEPS, Stopped, go, run_at, stop_at, weights


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 1 loses its parameters behind the second checkpoint."""
    draw = Trainer._draw

    def drawn(self: Trainer, updates: int) -> Batch:
        if self.step >= 24:
            self.learner.theta[self.seeds.index(1)] = np.nan
        return draw(self, updates)

    monkeypatch.setattr(Trainer, "_draw", drawn)


def sound(reference: Run) -> dict:
    """What is there at last: all but the spoilt seed's last checkpoint."""
    return {key: arrays for key, arrays in weights(reference.root).items() if key != (1, STEPS[-1])}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.usefixtures("spoilt")
def test_the_others_are_trained_to_the_same_bits(tmp_path: Path, reference: Run, caplog: pytest.LogCaptureFixture):
    took = go(run_at(tmp_path))
    assert took is not None and list(took.sick) == [1]
    assert [r.message for r in caplog.records if "given up" in r.message] == [f"seed 1 is given up: {took.sick[1]}"]
    assert took.sick[1].startswith("its parameters at step 2")
    assert weights(tmp_path) == sound(reference)
    assert inventory.survey(tmp_path, "smoke", "cartpole").missing(STEPS[-1]) == [1]
    with pytest.raises(PopulationError, match=rf"1 of 6 checkpoints are missing, first seed 1 step {STEPS[-1]}"):
        checkpoints.find(tmp_path, "smoke", AGENT, None)
    assert checkpoints.find(tmp_path, "smoke", AGENT, (0,)).steps == STEPS


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.usefixtures("spoilt")
def test_a_seed_that_was_given_up_stays_so(tmp_path: Path, reference: Run):
    with pytest.raises(Stopped):
        go(run_at(tmp_path), report=stop_at(36))
    took = go(run_at(tmp_path))
    assert took is not None and list(took.sick) == [1] and took.starts == 2
    assert weights(tmp_path) == sound(reference)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.usefixtures("spoilt")
def test_a_command_says_so_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main([*SMOKE, "--seeds", "0:2", "--root", str(tmp_path)]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("muzero-probe: seed 1")]
    assert line.endswith("are not finite; its later checkpoints are not there")


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.usefixtures("spoilt")
def test_nothing_is_trained_where_all_are_sick(tmp_path: Path):
    took = go(run_at(tmp_path, seeds=(1,)))
    assert took is not None and list(took.sick) == [1] and took.updates < STEPS[-1]
    assert {step for _, step in weights(tmp_path)} == {0, 20}
