"""Does the command line say what is wrong in one line, take every setting, and show what is there?"""

import csv
import dataclasses
import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from muzero_probe.checkpoints import checkpoint_path, list_checkpoints, load_checkpoint
from muzero_probe.cli import arguments
from muzero_probe.cli import main as cli
from muzero_probe.cli.seeds import parse_seeds, show_seeds
from muzero_probe.config import Config
from muzero_probe.presets import PRESETS, population_size, preset
from muzero_probe.runs.run import Run

SMOKE = ["train", "cartpole", "--profile", "smoke"]
FAST = ["--search.simulations", "4", "--training.batch-size", "4", "--training.steps", "24"]
FAST += ["--training.checkpoints", "0", "24"]


def parsed(*words: str) -> Run:
    command = cli._parse(words)
    assert isinstance(command, cli.Train)
    return cli._run_of(command)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    assert cli.main([*SMOKE, *FAST, "--root", str(root)]) == 0
    return root


@pytest.fixture
def root(tmp_path: Path, trained: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(trained, tmp_path / "root")
    return tmp_path / "root"


def lines(text: str) -> list[list[str]]:
    """The cells of a table's rows."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]


# Settings


@pytest.mark.parametrize(("agent", "profile"), [(agent, profile) for agent in PRESETS for profile in PRESETS[agent]])
def test_defaults_are_the_presets(agent: str, profile: str):
    run = parsed("train", agent, "--profile", profile)
    assert run.config == preset(agent, profile)
    assert run.profile == profile
    assert run.seeds == tuple(range(population_size(agent, profile)))
    assert (run.root, run.device) == (Path("checkpoints"), "cpu")


def test_the_profile_is_quick_by_default():
    assert parsed("train", "cartpole") == parsed("train", "cartpole", "--profile=quick")


@pytest.mark.parametrize("section", ["nets", "search", "training"])
def test_every_setting_can_be_given(section: str):
    default = getattr(preset("cartpole", "smoke"), section)
    changes: dict[str, Any] = {
        field.name: {
            "value_low": -1, "reward_low": -3, "discount": 0.9, "checkpoints": (0, 10), "temperatures": (0.9, 0.5),
            "temperature_changes": (0.25,), "dirichlet_fraction": 0.5, "priority_alpha": 0.25,
            "priority_beta_start": 0.5, "priority_beta_end": 0.75, "reanalyse_fraction": 0.5,
        }.get(field.name, getattr(default, field.name) * 2)
        for field in dataclasses.fields(default)
    }  # fmt: skip
    words = list(SMOKE)
    for name, value in changes.items():
        words += [f"--{section}.{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else [value])]
    assert getattr(parsed(*words).config, section) == dataclasses.replace(default, **changes)


def test_an_override_is_checked_against_the_profile():
    # 30 steps would not hold the checkpoints of another profile
    assert parsed(*SMOKE, "--training.checkpoints", "0", "30", "--training.steps", "30").config.training.steps == 30


def test_a_folder_may_be_called_like_an_agent():
    assert parsed("train", "--root", "cartpole", "cartpole").root == Path("cartpole")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0:3", (0, 1, 2)), ("3", (3,)), ("0,4,7", (0, 4, 7)), ("7,4", (4, 7)), ("0:2,9,4:6", (0, 1, 4, 5, 9))],
)
def test_seeds(text: str, seeds: tuple[int, ...]):
    assert parse_seeds(text) == seeds
    assert parse_seeds(show_seeds(seeds)) == seeds
    assert parsed(*SMOKE, "--seeds", text).seeds == seeds


def test_seeds_are_shown_shortly():
    assert show_seeds([9, 0, 1, 4, 2]) == "0:3,4,9"
    assert show_seeds([]) == ""


@pytest.mark.parametrize("text", ["", "a", "-1", "1:", ":3", "3:3", "5:2", "1,1", "0:3,2", "1.5", "0:2000000", "0 1"])
def test_impossible_seeds(text: str):
    with pytest.raises(ValueError, match=r"^seeds '.*: "):
        parse_seeds(text)


# What is wrong, in one line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "a command is missing, there are train, status, agents"),
        ("trian cartpole", "command 'trian' is unknown, there are train, status, agents"),
        ("train", "Missing from muzero-probe train: {cartpole"),
        ("train cartpol", "invalid choice 'cartpol' for argument 'agent'. Expected one of ('cartpole',"),
        ("train cartpole --profile quik", "invalid choice 'quik' for argument '--profile'. Expected one of ('smoke',"),
        ("train cartpole again", "Unrecognized options: again; see muzero-probe"),
        ("train cartpole --training.batch-siz 3", "perhaps you meant --training.batch-size INT"),
        ("train cartpole --training.batch-size x", "--training.batch-size: invalid literal for int()"),
        ("train cartpole --training.batch-size 1.5", "allowed: --training.batch-size INT"),
        ("train cartpole --training.batch-size", "Missing value for argument '--training.batch-size'"),
        ("train cartpole --training.batch-size 0", "training.batch_size is 0, at least 1 is needed"),
        ("train cartpole --training.steps 100", "2000, 5000, 10000) must lie in 0..100"),
        ("train cartpole --training.checkpoints", "training.checkpoints is empty"),
        ("train cartpole --training.checkpoints 5 x", "allowed: --training.checkpoints [INT [INT ...]]"),
        ("train cartpole --training.learning-rate nan", "training.learning_rate is nan, it must be finite"),
        ("train cartpole --search.discount 1.5", "search.discount is 1.5, it must lie in (0, 1]"),
        ("train cartpole --nets.value-low 50", "nets.value_high is 20, it must be above nets.value_low (50)"),
        ("train cartpole --seeds 4:2", "4:2 is empty"),
        ("train cartpole --seeds all", "write 0:30 (0 to 29), 3 or 0,4,7"),
        ("train cartpole --device gpu", "device is 'gpu', allowed are cpu, cuda and cuda:0"),
        ("train cartpole --resume-minutes -1", "resume-minutes is -1.0, it must be 0 or more"),
        ("train cartpole --resume-minutes nan", "resume-minutes is nan"),
        ("train cartpole --metrics-every 0", "metrics-every is 0, at least 1 is needed"),
        ("train cartpole --environment bandit-3", "Unrecognized options: --environment"),
        ("status --agent ../up", "'../up' cannot be the name of a profile or an agent"),
        ("status --agent lander", "agent 'lander' is unknown, there are breakout, cartpole"),
        ("status --profile fast", "profile 'fast' is unknown, there are "),
        ("status --seeds 1,1", "a seed is named twice"),
        ("agents please", "Unrecognized options: please"),
    ],
)  # fmt: skip
def test_a_wrong_command_is_one_line(words: str, says: str, capsys: pytest.CaptureFixture, tmp_path: Path):
    root = ["--root", str(tmp_path)] if words.startswith(("train ", "status ")) else []
    assert cli.main([*words.split(), *root]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("muzero-probe: ")
    assert errors.count("\n") == 1
    assert says in errors
    assert not re.search("[│╭─╯]|tyro|__", errors)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], ["train", "status", "agents", "Exit code 0"]),
        (SMOKE, ["--training.batch-size INT", "positions per update", "(default: 16)", "--seeds", "(default: 0:2)"]),
        (["train", "cartpole"], ["(default: quick)", "(default: 0:6)", "--resume-minutes FLOAT", "(default: 5.0)"]),
        (["status"], ["--root PATH", "(default: checkpoints)", "(default: all)"]),
        (["agents"], ["Lists what can be trained"]),
    ],
)
def test_help(words: list[str], says: list[str], capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as end:
        cli.main([*words, "--help"])
    assert end.value.code == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert all(text in output for text in says)


def test_trouble_with_files_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "file").write_text("")
    assert cli.main([*SMOKE, *FAST, "--root", str(tmp_path / "file")]) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_an_interruption_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def train(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "train", train)
    assert cli.main([*SMOKE, "--root", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "muzero-probe: interrupted; the same command goes on from the last resume state\n"


# train


def test_train(tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture):
    words = [*SMOKE, *FAST, "--root", str(tmp_path), "--metrics-every", "6"]
    assert cli.main(words) == 0
    output, errors = capsys.readouterr()
    assert re.fullmatch(
        r"cartpole/smoke: seeds 0:2 trained to step 24 in 0:00:\d\d, [\d,.]+ seed-updates/s, "
        rf"peak memory [\d,]+ MiB, checkpoints in {tmp_path}/smoke/cartpole\n",
        output,
    )
    assert "step 24: checkpoints are saved" in errors
    assert re.search(r"0:00:\d\d elapsed, step 6 of 24, [\d,.]+ seed-updates/s, 0:00:0\d left, return mean", errors)
    found = list_checkpoints(tmp_path, "smoke", "cartpole")
    assert [(seed, step) for seed, step, _ in found] == [(0, 0), (0, 24), (1, 0), (1, 24)]
    for seed, step, path in found:
        checkpoint = load_checkpoint(path)
        config = Config.from_dict(checkpoint.config)
        assert (config.search.simulations, config.training.batch_size, config.training.n_step) == (4, 4, 5)
        other = load_checkpoint(checkpoint_path(trained, "smoke", "cartpole", seed, step))
        assert {name: array.tobytes() for name, array in checkpoint.arrays.items()} == {
            name: array.tobytes() for name, array in other.arrays.items()
        }
    with (tmp_path / "smoke" / "cartpole" / "metrics" / "seeds_000-001.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["6", "6", "12", "12", "18", "18", "24", "24"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out == (
        f"cartpole/smoke: seeds 0:2 are complete: all checkpoints of 2 steps in {tmp_path}/smoke/cartpole\n"
    )


def test_other_settings_are_refused(root: Path, capsys: pytest.CaptureFixture):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.safetensors")}
    assert cli.main([*SMOKE, *FAST, "--training.n-step", "6", "--root", str(root)]) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "seeds 0:2 were trained with other settings: training.n_step was 5, is 6: take the old ones" in errors
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*.safetensors")}


# status and agents


def test_status_of_a_complete_population(trained: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["status", "--root", str(trained)]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    (first, second) = lines(output)
    assert first[:2] == ["smoke", "cartpole"]
    assert re.fullmatch("[0-9a-f]{12}", first[2])
    assert first[3:] == ["0", "2 of 2", "-"]
    assert second == ["", "", "", "24", "2 of 2", "-"]


def test_status_of_a_partial_population(root: Path, capsys: pytest.CaptureFixture):
    checkpoint_path(root, "smoke", "cartpole", 1, 24).unlink()
    assert cli.main(["status", "--root", str(root), "--seeds", "0:5"]) == 0
    assert [row[3:] for row in lines(capsys.readouterr().out)] == [["0", "2 of 5", "2:5"], ["24", "1 of 5", "1:5"]]


def test_status_of_a_damaged_population(root: Path, capsys: pytest.CaptureFixture):
    path = checkpoint_path(root, "smoke", "cartpole", 1, 24)
    path.write_bytes(path.read_bytes()[:-5])
    assert cli.main(["status", "--root", str(root)]) == 1
    output = capsys.readouterr().out
    assert lines(output)[1][3:] == ["24", "1 of 2", "1"]
    assert f"damaged: {path}: is half-written, damaged" in output
    assert cli.main(["status", "--root", str(root), "--seeds", "0"]) == 0


def test_status_of_a_mixture(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    other = tmp_path / "other"
    assert cli.main([*SMOKE, *FAST, "--training.n-step", "6", "--seeds", "7", "--root", str(other)]) == 0
    shutil.copytree(other, root, dirs_exist_ok=True)
    capsys.readouterr()
    assert cli.main(["status", "--root", str(root)]) == 0
    output = capsys.readouterr().out
    assert re.search("smoke/cartpole mixes 2 configs: [0-9a-f]{12}: seeds 0:2; [0-9a-f]{12}: seeds 7\n", output)
    assert cli.main([*SMOKE, *FAST, "--root", str(root)]) == 1
    assert "seeds 7 were trained with other settings" in capsys.readouterr().err


def test_status_of_an_unfinished_run(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    run = parsed(*SMOKE, *FAST, "--root", str(tmp_path))

    def stop(report: Any) -> None:
        if report.step >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cli.train(run, resume_minutes=0, metrics_every=12, report=stop)
    assert cli.main(["status", "--root", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert [row[3:] for row in lines(output)] == [["0", "2 of 2", "-"], ["24", "0 of 2", "0:2"]]
    assert re.search(r"smoke/cartpole: seeds 0:2 are unfinished, at step 12 \(config [0-9a-f]{12}\)\n", output)


def test_status_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["status", "--root", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == f"nothing is there under {tmp_path / 'none'}\n"
    # asked for by name, the preset says what is missing
    assert cli.main(["status", "--root", str(tmp_path), "--profile", "smoke", "--agent", "cartpole"]) == 0
    rows = lines(capsys.readouterr().out)
    assert rows[0] == ["smoke", "cartpole", "-", "0", "0 of 2", "0:2"]
    assert [row[3] for row in rows] == ["0", "20", "60"]


def test_agents(capsys: pytest.CaptureFixture):
    assert cli.main(["agents"]) == 0
    rows = lines(capsys.readouterr().out)
    assert ["cartpole", "cartpole", "smoke", "60", "0:2", "0 20 60"] in rows
    assert len(rows) == sum(len(profiles) for profiles in PRESETS.values())


# Any typed command line


@dataclasses.dataclass(frozen=True)
class Words:
    """Says something."""

    count: int = 1  # how often
    word: str = "yes"  # what

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}, it must be 0 or more")


def test_parse_with_defaults_that_depend_on_the_words():
    def defaults(words: Any) -> Words:
        return Words(count=5 if arguments.option(words, "--word") == "no" else 2)

    assert arguments.parse(Words, [], program="say") == Words()
    assert arguments.parse(Words, ["--word", "no"], program="say", defaults=defaults) == Words(5, "no")
    assert arguments.parse(Words, ["--word=so"], program="say", defaults=defaults) == Words(2, "so")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--count", "-1"], "^count is -1, it must be 0 or more$"),
        (["--cout", "1"], "^Unrecognized options: --cout, 1; perhaps you meant --count INT$"),
        (["--count", "1x"], r"^Error parsing --count: invalid literal for .*: '1x'; allowed: --count INT$"),
        (["so"], "^Unrecognized options: so; see say --help$"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_parse_condenses(words: list[str], says: str, encoding: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(ValueError, match=says):
        arguments.parse(Words, words, program="say")


def test_option():
    assert arguments.option(["--a", "1", "--a=2", "x"], "--a") == "2"
    assert arguments.option(["--ab", "1", "--a"], "--a") is None
