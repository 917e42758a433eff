"""Is every wrong `muzero-probe` command refused in one line, before anything is left behind?"""

import os
from pathlib import Path

import pytest

from muzero_probe.cli import main as cli
from tests.refused import HUGE, LONG, furnish, refused

TINY = Path(__file__).parents[2] / "checkpoints" / "tiny"
NUMBER = "invalid literal for int()"
NAME = "cannot be the name of a profile or an agent"

# integers of `train cartpole --profile smoke`, and what is the most
SIZES = ["batch-size", "unroll-steps", "n-step", "environments"]
STEPS = ["steps", "warmup-slots", "replay-slots"]
UNITS = ["latent", "hidden"]

TRAIN: list[tuple[str, int, str]] = [
    *((f"--training.{name} {HUGE}", 2, "at most 100,000 are possible") for name in SIZES),
    *((f"--training.{name} {HUGE}", 2, "at most 1,000,000,000 are possible") for name in STEPS),
    *((f"--nets.{name} {HUGE}", 2, "at most 100,000 are possible") for name in UNITS),
    *((f"--training.{name} -1", 2, "at least ") for name in [*SIZES, *STEPS]),
    *((f"--training.{name} ١٠", 2, "digits 0 to 9") for name in [*SIZES, *STEPS]),
    *((f"--training.{name} 1e3", 2, NUMBER) for name in [*SIZES, *STEPS]),
    *((f"--nets.{name} 0", 2, "at least 1 is needed") for name in UNITS),
    *((f"--nets.{name} 0x10", 2, NUMBER) for name in UNITS),
    (f"--search.simulations {HUGE}", 2, "at most 100,000 are possible"),
    ("--search.simulations 0", 2, "at least 1 is needed"),
    ("--search.simulations １０", 2, "digits 0 to 9"),
    (f"--search.simulations {'9' * 5000}", 2, "is a number of 5000 digits, at most 18 are possible"),
    (f"--nets.latent {'9' * 19}", 2, "is a number of 19 digits, at most 18 are possible"),
    (f"--training.steps=-{'9' * 19}", 2, "at most 18 are possible"),
    (f"--nets.value-low -{HUGE}", 2, "must lie in -100,000..100,000"),
    (f"--nets.value-low {HUGE} --nets.value-high 1{HUGE}", 2, "must lie in -100,000..100,000"),
    (f"--nets.reward-high {HUGE}", 2, "must lie in -100,000..100,000"),
    ("--nets.reward-low 2", 2, "must be above nets.reward_low (2)"),
    ("--training.learning-rate 1e308", 2, "it must lie in (0, 1]"),
    ("--training.learning-rate 0", 2, "it must lie in (0, 1]"),
    ("--training.learning-rate -1e-3", 2, "it must lie in (0, 1]"),
    ("--training.learning-rate ٠.١", 2, "digits 0 to 9"),
    ("--training.learning-rate fast", 2, "allowed: --training.learning-rate FLOAT"),
    ("--training.learning-rate-end inf", 2, "it must lie in (0, 1]"),
    ("--training.gradient-norm 1e300", 2, "it must lie in (0, 1e+12]"),
    ("--training.gradient-norm 0", 2, "it must lie in (0, 1e+12]"),
    ("--training.weight-decay -1", 2, "it must lie in [0, 1]"),
    ("--training.value-weight 1e38", 2, "it must lie in [0, 1e+06]"),
    ("--training.loss-terms policy 1e38", 2, "it must lie in [-1e6, 1e6]"),
    ("--training.loss-terms nothing 1", 2, "nets.loss.TERMS"),
    ("--training.priority-alpha 2", 2, "it must lie in [0, 1]"),
    ("--training.priority-beta-start -0.1", 2, "it must lie in [0, 1]"),
    ("--training.priority-beta-end nan", 2, "a number is needed"),
    ("--training.reanalyse-fraction 1.01", 2, "it must lie in [0, 1]"),
    ("--training.updates-per-environment-step 1e-300", 2, "it must lie in [1e-6, 1e6]"),
    ("--training.updates-per-environment-step inf", 2, "it must lie in [1e-6, 1e6]"),
    ("--training.temperatures 1", 2, "one more than temperature_changes"),
    ("--training.temperatures 1 0.5 -1", 2, "must lie in [0.001, 1000]"),
    ("--training.temperatures 1 0.5 1e-300", 2, "must lie in [0.001, 1000]"),
    ("--training.temperatures 1 0.5 nan", 2, "must lie in [0.001, 1000]"),
    ("--training.temperature-changes -5 7", 2, "must ascend within [0, 1]"),
    ("--training.temperature-changes 0.7 0.2", 2, "must ascend within [0, 1]"),
    ("--training.temperature-changes nan nan", 2, "must ascend within [0, 1]"),
    ("--training.checkpoints 0 100", 2, "must lie in 0..60"),
    ("--training.checkpoints -5 0", 2, "must lie in 0..60"),
    (f"--training.checkpoints 0 {HUGE}", 2, "must lie in 0..60"),
    ("--training.checkpoints 20 0", 2, "must ascend"),
    ("--training.checkpoints 0 0", 2, "must ascend"),
    ("--training.replay-slots 30", 2, "it must be at least warmup_slots (40)"),
    ("--training.warmup-slots 5", 2, "it must exceed n_step + unroll_steps (9)"),
    ("--training.batch-size 1", 2, "at least 2 is needed"),
    ("--search.c1 -1", 2, "it must lie in [0, 1e6]"),
    ("--search.c1 1e300", 2, "it must lie in [0, 1e6]"),
    ("--search.c2 0", 2, "it must lie in (0, 1e12]"),
    ("--search.discount 0", 2, "it must lie in (0, 1]"),
    ("--search.discount -0.5", 2, "it must lie in (0, 1]"),
    ("--search.dirichlet-alpha 0", 2, "it must lie in [0.001, 1e6]"),
    ("--search.dirichlet-alpha nan", 2, "a number is needed"),
    ("--search.dirichlet-fraction 1.5", 2, "it must lie in [0, 1]"),
    ("--search.rule ''", 2, "--search.rule is empty"),
    ("--search.rule MUZERO", 2, "invalid choice 'MUZERO'"),
    ("--seeds 0:1000000", 2, "at most 1,000"),
    ("--seeds 0:1001", 2, "at most 1,000"),
    ("--seeds 1000000", 2, "the largest seed is 999999"),
    (f"--seeds {HUGE}", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--seeds ٣", 2, "digits 0 to 9"),
    ("--seeds 0:٣", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--seeds -1", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--seeds 0:0", 2, "is empty"),
    ("--seeds ''", 2, "--seeds is empty"),
    ("--seeds=", 2, "--seeds is empty"),
    ("--seeds 0;3", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--device cpu:7", 2, "allowed are cpu, cuda and cuda:0"),
    ("--device meta", 2, "allowed are cpu, cuda and cuda:0"),
    ("--device cuda:-1", 2, "allowed are cpu, cuda and cuda:0"),
    (f"--device cuda:{HUGE}", 2, "allowed are cpu, cuda and cuda:0"),
    ("--device cuda:77", 2, "CUDA devices here"),
    ("--device ''", 2, "--device is empty"),
    (f"--device {LONG}", 2, "allowed are cpu, cuda and cuda:0"),
    ("--root ''", 2, "--root is empty"),
    ("--root=", 2, "--root is empty"),
    ("--root file", 1, "file: is no folder"),
    ("--root file/below", 1, "file: is no folder"),
    ("--root pipe", 1, "pipe: is no folder"),
    (f"--root {LONG}", 1, "File name too long"),
    ("--resume-minutes -0.1", 2, "it must be 0 or more"),
    ("--resume-minutes inf", 2, "it must be 0 or more"),
    ("--resume-minutes soon", 2, "allowed: --resume-minutes FLOAT"),
    ("--metrics-every -3", 2, "at least 1 is needed"),
    (f"--metrics-every {HUGE}", 2, "at most 1,000,000,000"),
    ("--profile ''", 2, "--profile is empty"),
    (f"--profile {LONG}", 2, "is unknown for cartpole: smoke, quick, paper"),
    ("--profile 'a b'", 2, "is unknown for cartpole: smoke, quick, paper"),
    ("--profile .smoke", 2, "is unknown for cartpole: smoke, quick, paper"),
    ("--nets.filters 3", 2, "Unrecognized options: --nets.filters"),
    ("--batch-size 3", 2, "perhaps you meant --training.batch-size"),
    ("-x", 2, "Unrecognized options: -x"),
    ("''", 2, "a word is empty"),
]

AGENTS: list[tuple[str, int, str]] = [
    ("pipe.py", 2, "pipe.py: there is no such file"),
    ("folder.py", 2, "folder.py: there is no such file"),
    ("file", 2, "or the path of a file that defines one"),
    ("file/x.py", 2, "file/x.py: there is no such file"),
    ("none.py", 2, "none.py: there is no such file"),
    ("nothing.py", 2, "AGENT must be an Agent of muzero_probe.agents, found nothing"),
    ("number.py", 2, "AGENT must be an Agent of muzero_probe.agents, found a int"),
    ("broken.py", 2, "running it failed: RuntimeError: two lines"),
    ("unclosed.py", 2, "running it failed: SyntaxError"),
    ("leaves.py", 2, "running it failed: SystemExit: 0"),
    ("'my agent.py'", 2, "'my agent' cannot be the name of an agent"),
    ("''", 2, "a word is empty"),
    (LONG, 2, "is unknown: breakout, cartpole"),
    (f"{LONG}.py", 2, "there is no such file"),
    ("Cartpole", 2, "is unknown: breakout, cartpole"),
    ("card", 2, "is unknown: breakout, cartpole"),
]

PLAY: list[tuple[str, int, str]] = [
    ("--seed 7", 2, "no checkpoints of seed 7, there are those of 0:2"),
    ("--seed -1", 2, "there are those of 0:2"),
    (f"--seed {HUGE}", 2, "there are those of 0:2"),
    ("--seed 1.0", 2, NUMBER),
    ("--seed ١", 2, "digits 0 to 9"),
    ("--step 30", 2, "but of 0, 20, 60"),
    (f"--step {HUGE}", 2, "but of 0, 20, 60"),
    ("--step last", 2, NUMBER),
    ("--episodes -1", 2, "at least 1 is needed"),
    (f"--episodes {HUGE}", 2, "at most 10,000 are possible"),
    ("--episodes many", 2, NUMBER),
    ("--policy SEARCH", 2, "invalid choice 'SEARCH'"),
    ("--policy ''", 2, "--policy is empty"),
    ("--out film.mp4", 2, "its name must end in .gif"),
    ("--out .gif", 2, "its name must end in .gif"),
    ("--out ''", 2, "--out is empty"),
    ("--out folder.gif", 2, "folder.gif, which is a folder"),
    ("--out pipe.gif", 1, "pipe.gif: is no regular file"),
    ("--out file/x.gif", 1, "file: is no folder"),
    ("--out none/x.gif", 1, "there is no folder none"),
    (f"--out {LONG}.gif", 1, "File name too long"),
    ("--profile quick", 1, "or choose profile smoke, which is there"),
    ("--profile nope", 2, "is unknown for cartpole: smoke, quick, paper"),
    ("--device cuda", 2, "misplaced options: --device"),
    ("--root none", 1, "no checkpoints; make them with: muzero-probe train cartpole"),
    ("--root file", 1, "no checkpoints; make them with: muzero-probe train cartpole"),
    ("--root ''", 2, "--root is empty"),
    (f"--root {LONG}", 1, "File name too long"),
]

DIAGNOSE: list[tuple[str, int, str]] = [
    ("--seeds 7", 2, "nothing of seeds 7, there are 0:2"),
    ("--seeds 0:9", 2, "nothing of seeds 2:9, there are 0:2"),
    ("--seeds -1", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--seeds ٣", 2, "digits 0 to 9"),
    ("--seeds 0:1000000", 2, "at most 1,000"),
    ("--seeds ''", 2, "--seeds is empty"),
    ("--episodes -1", 2, "it must be 0 or more"),
    (f"--episodes {HUGE}", 2, "at most 1,000 are possible"),
    ("--episodes many", 2, NUMBER),
    ("--profile quick", 1, "or choose profile smoke, which is there"),
    ("--profile nope", 2, "is unknown for cartpole: smoke, quick, paper"),
    ("--device cuda", 2, "misplaced options: --device"),
    ("--step 3", 2, "misplaced options: --step"),
    ("--root none", 1, "no checkpoints or metrics; make them with: muzero-probe train cartpole"),
    ("--root file", 1, "no checkpoints or metrics; make them with: muzero-probe train cartpole"),
    ("--root ''", 2, "--root is empty"),
    (f"--root {LONG}", 1, "File name too long"),
]

STATUS: list[tuple[str, int, str]] = [
    ("--root none", 1, "there is no folder none"),
    ("--root file", 1, "there is no folder file"),
    ("--root file/below", 1, "there is no folder file/below"),
    ("--root pipe", 1, "there is no folder pipe"),
    ("--root ''", 2, "--root is empty"),
    (f"--root {LONG}", 1, "there is no folder"),
    ("--root folder --profile nope", 2, "profile 'nope' is unknown, there are desk, "),
    ("--root folder --agent nope", 2, "agent 'nope' is unknown, there are breakout, cartpole"),
    ("--root folder --profile 'a b'", 2, NAME),
    ("--root folder --profile .a", 2, NAME),
    ("--root folder --profile ..", 2, NAME),
    ("--root folder --profile a/b", 2, NAME),
    ("--root folder --agent ''", 2, "--agent is empty"),
    ("--root folder --agent cart*", 2, NAME),
    (f"--root folder --agent {LONG}", 2, NAME),
    ("--root folder --seeds 0:1000000", 2, "at most 1,000"),
    ("--root folder --seeds x", 2, "write 0:30 (0 to 29), 3 or 0,4,7"),
    ("--root folder --seeds ٣", 2, "digits 0 to 9"),
    ("--root folder cartpole", 2, "Unrecognized options: cartpole"),
    ("--root folder --device cpu", 2, "misplaced options: --device"),
]

OTHER: list[tuple[str, int, str]] = [
    ("''", 2, "a word is empty"),
    ("--version", 2, "Unrecognized options: --version"),
    ("-v", 2, "Unrecognized options: -v"),
    ("TRAIN", 2, "there are train, play, diagnose, status, agents"),
    ("train play", 2, "is unknown: breakout, cartpole"),
    ("agents --root folder", 2, "misplaced options: --root"),
    ("agents cartpole", 2, "Unrecognized options: cartpole"),
    (LONG, 2, "there are train, play, diagnose, status, agents"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is given."""
    monkeypatch.chdir(furnish(tmp_path))
    return tmp_path


def check(words: str | list[str], code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, said = refused(cli.main, "muzero-probe", words, place, capsys)
    assert (says in said, found) == (True, code), said


@pytest.mark.parametrize(("words", "code", "says"), TRAIN)
def test_train(words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    check(f"train cartpole --profile smoke {words}", code, says, place, capsys)


@pytest.mark.parametrize("command", ["train", "play", "diagnose"])
@pytest.mark.parametrize(("agent", "code", "says"), AGENTS)
def test_agents(command: str, agent: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    check(f"{command} {agent}", code, says, place, capsys)


@pytest.mark.parametrize(
    ("command", "words", "code", "says"),
    [(command, *case) for command, cases in (("play", PLAY), ("diagnose", DIAGNOSE)) for case in cases],
)
def test_of_what_is_there(
    command: str, words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]
):
    root = "" if "--root" in words else f"--root {TINY}"
    profile = "" if "--profile" in words else "--profile smoke"
    check(f"{command} cartpole {root} {profile} {words}", code, says, place, capsys)


@pytest.mark.parametrize(("words", "code", "says"), STATUS)
def test_status(words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    check(f"status {words}", code, says, place, capsys)


@pytest.mark.parametrize(("words", "code", "says"), OTHER)
def test_other(words: str, code: int, says: str, place: Path, capsys: pytest.CaptureFixture[str]):
    check(words, code, says, place, capsys)


@pytest.mark.parametrize("character", ["\0", "\n", "\x1b[31m", "\x07", "\x7f", "\x9b", "\u202e"])
@pytest.mark.parametrize("words", ["train {}", "train cartpole --root {}", "status --profile {}", "{}"])
def test_control_characters(words: str, character: str, place: Path, capsys: pytest.CaptureFixture[str]):
    given = [word.format(f"a{character}b") for word in words.split()]
    check(given, 2, "control characters", place, capsys)


@pytest.mark.parametrize("what", ["folder", "pipe"])
@pytest.mark.parametrize("file", ["metrics/seeds_000.csv", "seed_000/.lock", "seed_000/step_00000000.safetensors"])
def test_what_is_no_file(file: str, what: str, place: Path, capsys: pytest.CaptureFixture[str]):
    """Training names what lies in the place of one of its files."""
    path = place / "checkpoints" / "smoke" / "cartpole" / file
    path.parent.mkdir(parents=True)
    path.mkdir() if what == "folder" else os.mkfifo(path)
    (place / "checkpoints" / "smoke" / "cartpole" / "seed_000").mkdir(exist_ok=True)
    assert cli.main(["train", "cartpole", "--profile", "smoke", "--seeds", "0"]) == 1
    errors = capsys.readouterr().err
    assert "Traceback" not in errors and str(path.relative_to(place)) in errors.splitlines()[-1]
