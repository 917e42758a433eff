"""Does the command line train, and show what is there?"""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from muzero_probe import agents
from muzero_probe.checkpoints import checkpoint_path, list_checkpoints, load_checkpoint
from muzero_probe.cli import entry
from muzero_probe.cli import main as cli
from tests.agents import own
from tests.cli.words import FAST, SMOKE, lines, parsed


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
        config = agents.load("cartpole").read(checkpoint.config, "smoke")
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
    assert cli.main(["status", "--root", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"muzero-probe: there is no folder {tmp_path / 'none'}\n"
    assert cli.main(["status", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"nothing is there under {tmp_path}\n"
    # asked for by name, the profile says what is missing
    assert cli.main(["status", "--root", str(tmp_path), "--profile", "smoke", "--agent", "cartpole"]) == 0
    rows = lines(capsys.readouterr().out)
    assert rows[0] == ["smoke", "cartpole", "-", "0", "0 of 2", "0:2"]
    assert [row[3] for row in rows] == ["0", "20", "60"]


def test_agents(capsys: pytest.CaptureFixture):
    assert cli.main(["agents"]) == 0
    rows = lines(capsys.readouterr().out)
    assert ["cartpole", "Cart Pole", "smoke", "60", "0:2", "0 20 60"] in rows
    listed = [(row[0], row[2]) for row in rows if row[0]]  # a long row goes on without a name
    assert listed == [(name, profile) for name in agents.names() for profile in agents.load(name).profiles]


# An agent of one's own


def test_a_file_is_trained_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture):
    card, root = own.write(tmp_path), tmp_path / "root"
    words = ["train", "--agent", card, "--profile", "smoke", "--root", str(root)]
    assert cli.main(words) == 0
    output = capsys.readouterr().out
    assert output.startswith("mine/smoke: seeds 0:2 trained to step 60 in ")
    assert output.endswith(f"checkpoints in {root}/smoke/mine\n")
    found = list_checkpoints(root, "smoke", "mine")
    assert [(seed, step) for seed, step, _ in found] == [(seed, step) for seed in (0, 1) for step in (0, 20, 60)]
    agent = agents.load(card)
    for _, _, path in found:
        assert agent.read(load_checkpoint(path).config, "smoke") == agent.config("smoke")
    assert cli.main(["train", card, "--root", str(root)]) == 0  # its only profile, the same run
    assert capsys.readouterr().out.startswith("mine/smoke: seeds 0:2 are complete: ")
    for named in ([], ["--agent", "mine"], ["--profile", "smoke", "--agent", "mine"]):
        assert cli.main(["status", "--root", str(root), *named]) == 0
        rows = lines(capsys.readouterr().out)
        assert rows[0][:2] == ["smoke", "mine"]
        assert [row[3:] for row in rows] == [[step, "2 of 2", "-"] for step in ("0", "20", "60")]


def test_a_program_trains_a_file(tmp_path: Path):
    """From another folder, by a relative path."""
    own.write(tmp_path)
    program = "import sys; from muzero_probe.cli.main import main; sys.exit(main())"
    words = ["train", "mine.py", "--training.steps", "4", "--training.checkpoints", "4", "--seeds", "3"]
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list_checkpoints(tmp_path / "checkpoints", "smoke", "mine")[0][:2] == (3, 4)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (("AGENT = Agent(", "OTHER = Agent("), 2, "{card}: AGENT must be an Agent of muzero_probe.agents, "),
        (("discount=0.9", "discount=1.9"), 2, "{card}: running it failed: ValueError: search.discount is 1.9"),
        (("return chain(length)", "return length"), 1, "agent mine: environment must make an Environment, not a int"),
        (("environment=environment", "environment='No-v0'"), 1, "replayed:No-v0: Gymnasium cannot make it: "),
        (("import NetsConfig,", "import ImageNetsConfig as NetsConfig,"), 1, "these nets take images of at least 3 "),
    ],
)
def test_a_wrong_file_is_one_line(
    change: tuple[str, str], code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    gym = [('{"length": 7}', "{}")] if "No-v0" in change[1] else []
    card = own.write(tmp_path, change, *gym)
    assert cli.main(["train", card, "--root", str(tmp_path / "root")]) == code
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines()[-1].startswith(f"muzero-probe: {says.format(card=card)}")
    assert "Traceback" not in errors
    assert not list((tmp_path / "root").rglob("*.safetensors"))


def test_the_library_alone_says_what_the_command_needs():
    code = "import sys; sys.modules['tyro'] = None; from muzero_probe.cli import entry; sys.exit(entry())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "muzero-probe: the package tyro is not installed: pip install 'muzero-probe[train]'\n"


@pytest.mark.parametrize("below", ["", "docs/deep"])
def test_in_another_checkout_its_code_is_not_passed_over(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A copy's environment still holds the original's code."""
    copied = tmp_path / "muzero_probe" / "cli" / "__init__.py"
    copied.parent.mkdir(parents=True)
    copied.touch()
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / below)
    assert entry() == 2
    (line,) = capsys.readouterr().err.splitlines()
    ours = Path(agents.__file__).parents[2]
    assert line.startswith(
        f"muzero-probe: here lies the checkout {tmp_path}, but what is installed is the code of {ours}"
    )
