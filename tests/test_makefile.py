"""Does make say what is wrong with what it is given, before it makes anything?"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Only says what it would do, in a folder without anything to do it with."""
    command = ["make", "--dry-run", "--file", str(MAKEFILE), *shlex.split(words)]
    # a make under `make test` would take that one's flags, and name the folders that it enters and leaves
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("figures PROFIL=paper", "PROFIL is unknown, there are PROFILE AGENT SEEDS DEVICE TRAIN STEPS and PYTHON."),
        ("test profile=paper", "profile is unknown, there are PROFILE AGENT"),
        (
            "study PROFILE=nope",
            "show the committed tables of all agents: PROFILE AGENT SEEDS DEVICE TRAIN STEPS are not theirs.",
        ),
        ("study AGENT=minatar", "are not theirs."),
        ("study SEEDS=0:3", "are not theirs."),
        ("report DEVICE=cuda", "are not theirs."),
        ("report TRAIN=--help", "are not theirs."),
        ("figures PROFILE=", 'PROFILE is "", it must be one word.'),
        ("redraw PROFILE='a b'", 'PROFILE is "a b", it must be one word.'),
        ("analyses AGENT='my agent.py'", 'AGENT is "my agent.py", it must be one word.'),
        ("train-seeds DEVICE=", 'DEVICE is "", it must be one word.'),
        ("train-seeds SEEDS='0, 3'", 'SEEDS is "0, 3": write 0:30 (0 to 29), 3 or 0,4,7.'),
        ("baselines AGENT=", 'AGENT is "", it must be one word.'),
        ("figure", "No rule to make target 'figure'."),
    ],
)
def test_it_is_refused(words: str, says: str, tmp_path: Path):
    done = make(words, tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert says in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_given_arrives(tmp_path: Path):
    for name in ("pyproject.toml", "requirements/study.txt", "requirements/torch.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    done = make("figures PROFILE=smoke AGENT=a.py SEEDS=0:2 DEVICE=cuda:1 TRAIN='--root x y'", tmp_path)
    assert done.returncode == 0, done
    commands = done.stdout.splitlines()
    assert ".venv/bin/muzero-probe train a.py --profile smoke --seeds 0:2 --device cuda:1 --root x y" in commands
    assert ".venv/bin/python -m analyses --profile smoke --agent a.py --seeds 0:2 --device cuda:1" in commands
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("", "--agent paper/cartpole --agent desk/lunar_lander --agent desk/minatar --agent desk/breakout"),
        ("AGENT=minatar", "--agent desk/minatar"),
        ("AGENT=minatar PROFILE=smoke SEEDS=0:2", "--agent smoke/minatar --seeds 0:2"),
        ("PROFILE=smoke", "--agent smoke/cartpole"),
    ],
)
def test_whose_baselines_are_made(words: str, places: str, tmp_path: Path):
    for name in ("pyproject.toml", *(f"requirements/{each}.txt" for each in ("study", "torch", "dev"))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    done = make(f"baselines {words}", tmp_path)
    assert done.returncode == 0, done
    assert f".venv/bin/python -m baselines {places}" in [line.strip() for line in done.stdout.splitlines()]
