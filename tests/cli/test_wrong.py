"""Does the command line say in one line what is wrong?"""

import re
from pathlib import Path
from typing import Any

import pytest

from muzero_probe.cli import main as cli
from tests.cli.words import FAST, SMOKE


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "a command is missing, there are train, play, diagnose, status, agents"),
        ("trian cartpole", "command 'trian' is unknown, there are train, play, diagnose, status, agents"),
        ("train", "Missing from muzero-probe train: AGENT What to train: a name"),
        ("train cartpol", "agent 'cartpol' is unknown: breakout, cartpole, lunar_lander, minatar, or the path of"),
        ("train --agent cartpol", "agent 'cartpol' is unknown: breakout, cartpole, lunar_lander, minatar, or the path"),
        ("train --agent", "Missing from muzero-probe train: AGENT"),
        ("train no/such.py", "no/such.py: there is no such file"),
        ("train cartpole --profile quik", "profile 'quik' is unknown for cartpole: smoke, quick, paper"),
        ("train breakout --profile quik", "profile 'quik' is unknown for breakout: smoke, quick, desk, paper"),
        ("train cartpole again", "Unrecognized options: again; see muzero-probe"),
        ("train cartpole minatar", "Unrecognized options: minatar; see muzero-probe"),
        ("train minatar --agent cartpole", "Unrecognized options: minatar; see muzero-probe"),
        ("train cartpole --training.batch-siz 3", "perhaps you meant --training.batch-size INT"),
        ("train cartpole --training.batch-size x", "--training.batch-size: invalid literal for int()"),
        ("train cartpole --training.batch-size 1.5", "allowed: --training.batch-size INT"),
        ("train cartpole --training.batch-size", "Missing value for argument '--training.batch-size'"),
        ("train cartpole --training.batch-size 0", "training.batch_size is 0, at least 1 is needed"),
        ("train cartpole --training.steps 100", "2000, 5000, 10000) must lie in 0..100"),
        ("train cartpole --training.checkpoints", "training.checkpoints is empty"),
        ("train cartpole --training.checkpoints 5 x", "allowed: --training.checkpoints [INT [INT ...]]"),
        ("train cartpole --training.learning-rate nan", "training.learning_rate is nan, a number is needed"),
        ("train cartpole --training.loss-terms consistency 1", "loss_terms has consistency, but nets.loss.TERMS "),
        ("train cartpole --training.loss-terms consistency", "allowed: --training.loss-terms [STR FLOAT [STR "),
        ("train cartpole --search.rule gumbel", "invalid choice 'gumbel' for argument '--search.rule'."),
        ("train cartpole --search.discount 1.5", "search.discount is 1.5, it must lie in (0, 1]"),
        ("train cartpole --nets.value-low 50", "nets.value_high is 20, it must be above nets.value_low (50)"),
        ("train cartpole --seeds 4:2", "4:2 is empty"),
        ("train cartpole --seeds all", "write 0:30 (0 to 29), 3 or 0,4,7"),
        ("train cartpole --device gpu", "device is 'gpu', allowed are cpu, cuda and cuda:0"),
        ("train cartpole --resume-minutes -1", "resume-minutes is -1.0, it must be 0 or more"),
        ("train cartpole --resume-minutes nan", "resume-minutes is nan"),
        ("train cartpole --metrics-every 0", "metrics-every is 0, at least 1 is needed"),
        ("train cartpole --environment bandit-3", "Unrecognized options: --environment"),
        ("play", "Missing from muzero-probe play: AGENT Who plays: a name"),
        ("play cartpol", "agent 'cartpol' is unknown: breakout, cartpole, lunar_lander, minatar, or the path of"),
        ("play no/such.py", "no/such.py: there is no such file"),
        ("play cartpole --profile quik", "profile 'quik' is unknown for cartpole: smoke, quick, paper"),
        ("play cartpole --policy best", "invalid choice 'best' for argument '--policy'."),
        ("play cartpole --seed x", "--seed: invalid literal for int()"),
        ("play cartpole --episodes 0", "episodes is 0, at least 1 is needed"),
        ("play cartpole --out x.png", "out is x.png, its name must end in .gif"),
        ("play cartpole --training.steps 9", "misplaced options: --training.steps (applied to muzero-probe play)"),
        ("diagnose", "Missing from muzero-probe diagnose: AGENT Whom to look at: a name"),
        ("diagnose cartpol", "agent 'cartpol' is unknown: breakout, cartpole, lunar_lander, minatar, or the path of"),
        ("diagnose cartpole --profile quik", "profile 'quik' is unknown for cartpole: smoke, quick, paper"),
        ("diagnose cartpole --episodes -1", "episodes is -1, it must be 0 or more"),
        ("diagnose cartpole --seeds 1,1", "a seed is named twice"),
        ("diagnose cartpole --seed 1", "misplaced options: --seed (applied to muzero-probe diagnose)"),
        ("status --agent ../up", "'../up' cannot be the name of a profile or an agent"),
        ("status --agent no/such.py", "'no/such.py' cannot be the name of a profile or an agent"),
        ("status --agent lander", "agent 'lander' is unknown, there are breakout, cartpole"),
        ("status --profile fast", "profile 'fast' is unknown, there are "),
        ("status --seeds 1,1", "a seed is named twice"),
        ("agents please", "Unrecognized options: please"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_one_line(words: str, says: str, capsys: pytest.CaptureFixture, tmp_path: Path):
    root = ["--root", str(tmp_path)] if words.startswith(("train ", "play ", "diagnose ", "status ")) else []
    assert cli.main([*words.split(), *root]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("muzero-probe: ")
    assert errors.count("\n") == 1
    assert says in errors
    assert not re.search("[│╭─╯]|tyro|__", errors)
    assert not list(tmp_path.iterdir())


def test_trouble_with_files_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "smoke").write_text("")
    assert cli.main([*SMOKE, *FAST, "--root", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_an_interruption_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def train(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "train", train)
    assert cli.main([*SMOKE, "--root", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "muzero-probe: interrupted; the same command goes on from the last resume state\n"
