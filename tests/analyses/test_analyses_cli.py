"""`python -m analyses`: which tables it writes, and one line for what it cannot do."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from analyses import __main__ as program
from analyses import tables
from analyses.harness import registry
from muzero_probe import agents, shipped
from tests.analyses import studies
from tests.analyses.conftest import CARTPOLE
from tests.analyses.studies import NAMES, path_of, table

ROOT = Path(__file__).parents[2]
FAST = [
    "--profile", "smoke", "--jobs", "1", "--bank.episodes", "1", "--bank.states", "2", "--own-policy.states", "1",
    "--planning.budgets", "2", "--returns.episodes", "1",
]  # fmt: skip


def places(root: Path, out: Path) -> list[str]:
    return ["--root", str(root), "--tables", str(out / "tables"), "--units", str(out / "units")]


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said, which is one line on stderr and nothing on stdout."""
    said = capsys.readouterr()
    assert said.out == ""
    return studies.one_line(said.err, "python -m analyses")


# What it makes


def test_all_tables_by_default(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert program.main([*FAST, *places(tiny_root, tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    paths = [Path(line) for line in said.out.splitlines()]
    assert paths == [path_of(tmp_path, name) for name in NAMES]
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)


def test_the_committed_population_becomes_pictures(tmp_path: Path):
    """By the commands of the Makefile, with nothing of the profile's settings changed."""
    commands = [
        ["-m", "analyses", "--profile", "smoke", "--jobs", "1", *places(ROOT / "checkpoints" / "tiny", tmp_path)],
        ["-m", "figures", "--profile", "smoke", "--tables", str(tmp_path / "tables"), "--out", str(tmp_path / "out")],
    ]
    for command in commands:
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    for name in NAMES:
        assert set(table(tmp_path, name).seed) == {0, 1}
        picture = tmp_path / "out" / "smoke" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000


def test_the_named_tables_of_the_chosen_seeds(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["own_policy", "returns", *FAST, "--seeds", "0,2", *places(tiny_root, tmp_path)]
    assert program.main(words) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.stem for path in paths] == ["own_policy", "returns"]
    for path in paths:
        found = tables.read(path)
        assert sorted(set(found.seed)) == found.attrs["provenance"]["seeds"] == [0, 2]


def test_of_what_ships_the_steps_that_ship(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """And the population is only read."""
    root = Path(shutil.copytree(tiny_root, tmp_path / "root"))
    for path in root.rglob("step_00000000.safetensors"):
        path.unlink()
    shipped.write(root, "smoke", "cartpole", sorted(root.rglob("*.safetensors")))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert program.main(["own_policy", "cross_checkpoint", "planning", *FAST, *places(root, tmp_path)]) == 0
    left = "left out: steps 0, which do not ship with the repository: cartpole is measured without them"
    assert capsys.readouterr().err == f"python -m analyses: {left}\n"
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert set(table(tmp_path, "own_policy").step) == {20, 60}
    assert set(table(tmp_path, "cross_checkpoint").policy_step) == {20, 60}
    assert set(table(tmp_path, "planning").step) == {60}
    assert program.main(["planning", *FAST, "--planning.steps", "0", "60", *places(root, tmp_path)]) == 1
    assert "planning: steps [0] are no checkpoints of this population, which has [20, 60]" in capsys.readouterr().err


def test_settings_are_the_profile_s_but_for_what_is_given(tiny_root: Path, tmp_path: Path):
    words = ["planning", "--profile", "smoke", "--jobs", "1", "--planning.budgets", "1", "3", "--shard", "2"]
    assert program.main([*words, *places(tiny_root, tmp_path)]) == 0
    made = table(tmp_path, "planning").attrs["provenance"]
    smoke = registry.settings(CARTPOLE.profile("smoke").analyses).planning
    changed = {"steps": list(smoke.steps), "budgets": [1, 3], "rules": list(smoke.rules)}
    assert made["settings"] == vars(smoke) | changed
    assert (
        len(list((tmp_path / "units" / "planning").iterdir())) == 2 * 2
    )  # shards of 2 and 1: free search, a checkpoint


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_defaults_are_those_of_the_profile(profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found, seen = [], []
    config = CARTPOLE.config(profile)
    population = SimpleNamespace(name="cartpole", steps=config.training.checkpoints, config=config)
    monkeypatch.setattr(program.checkpoints, "find", lambda *given: found.append(given) or population)
    monkeypatch.setattr(program.study, "check", lambda *given, **rest: None)
    monkeypatch.setattr(program.study, "run", lambda name, of, settings, **rest: seen.append((name, of, settings)))
    words = [f"--profile={profile}"] if profile == "paper" else ["--profile", profile]
    assert program.main(words if profile != "quick" else []) == 0
    assert [name for name, _, _ in seen] == list(NAMES)
    assert found == [(Path("checkpoints"), profile, CARTPOLE, None)]
    for _, of, settings in seen:
        assert of is population
        assert settings == registry.settings(CARTPOLE.profile(profile).analyses)


def own_agent(file: Path, analyses: str) -> str:
    """A file of one's own defines an agent as one of the study's does."""
    file.write_text(
        "from dataclasses import replace\n"
        "from muzero_probe.agents import Agent, load\n"
        "theirs = load('cartpole')\n"
        f"profiles = {{'small': replace(theirs.profile('smoke'), analyses={analyses})}}\n"
        "AGENT = Agent(title='Mine', environment=theirs.environment, profiles=profiles)\n"
    )
    return str(file)


def test_defaults_are_those_of_a_file_s_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = own_agent(tmp_path / "mine.py", '{"shard": 4, "planning": {"budgets": (5,)}}')
    seen = []

    def find(*given):
        config = given[2].config(given[1])
        return SimpleNamespace(name=given[2].name, steps=config.training.checkpoints, config=config, given=given)

    monkeypatch.setattr(program.checkpoints, "find", find)
    monkeypatch.setattr(program.study, "check", lambda *given, **rest: None)
    monkeypatch.setattr(program.study, "run", lambda name, of, settings, **rest: seen.append((of.given, settings)))
    assert program.main(["planning", "--agent", file, "--profile", "small", "--planning.episodes", "2"]) == 0
    ((given, settings),) = seen
    assert given == (Path("checkpoints"), "small", agents.load(file), None)
    assert (settings.shard, settings.planning.budgets, settings.planning.episodes) == (4, (5,), 2)


# What it cannot do


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "return",
            "analysis 'return' is unknown: returns, own_policy, sequences, cross_checkpoint, prior_effect, planning",
        ),
        ("returns own-policy", "analysis 'own-policy' is unknown: returns, own_policy, "),
        ("--bank.states few", "Error parsing --bank.states: invalid literal for int"),
        (
            "--planning.budgets 4 x",
            "Error parsing --planning.budgets: Could not find valid parse for arguments: ['4', 'x']",
        ),
        ("--jobs 1.5", "Error parsing --jobs: invalid literal for int"),
        ("--bank.state 3", "Unrecognized options: --bank.state, 3; perhaps you meant --bank.states"),
        ("--own-policy.samples 1", "own_policy.samples is 1, it must be 0 (exact) or at least 2"),
        ("--bank.episodes 0", "bank.episodes is 0, at least 1 is needed"),
        ("--prior-effect.budgets 8 4", "prior_effect.budgets is (8, 4): one or more values are needed, ascending"),
        ("--sequences.length 0", "sequences.length is 0, at least 1 is needed"),
        ("--planning.budgets", "planning.budgets is (): one or more values are needed"),
        ("--planning.steps 60 20", "planning.steps is (60, 20): one or more values are needed, ascending"),
        ("--shard 0", "shard is 0, at least 1 is needed"),
        ("--jobs 0", "jobs is 0, at least 1 is needed"),
        ("--seeds 3:1", "seeds '3:1': 3:1 is empty"),
        ("--seeds all", "seeds 'all': write 0:30"),
        ("--profile fast", "profile 'fast' is unknown for cartpole: smoke, quick, paper"),
        ("--agent pong", "agent 'pong' is unknown: breakout, cartpole, lunar_lander, minatar, or the path of a file"),
        ("--agent pong.py", "pong.py: there is no such file"),
        ("--device tpu", "device is 'tpu', allowed are cpu, cuda"),
        ("--device cuda:99", "device is 'cuda:99', but torch sees "),
    ],
)
def test_an_impossible_command(words: str, says: str, capsys: pytest.CaptureFixture[str]):
    assert program.main(words.split()) == 2
    assert one_line(capsys).startswith(says)


def test_a_file_s_agent_with_unknown_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = own_agent(tmp_path / "unknown.py", '{"planning": {"budget": 5}}')
    assert program.main(["--agent", file, "--profile", "small"]) == 2
    assert one_line(capsys).startswith("settings of planning: got an unexpected keyword argument 'budget'")


def test_an_interruption(tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupted(*given: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program.study, "run", interrupted)
    assert program.main([*FAST, *places(tiny_root, tmp_path)]) == 130
    assert one_line(capsys) == "interrupted; the same command goes on with the finished units"


def test_no_population(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert program.main([*FAST, *places(tmp_path / "none", tmp_path)]) == 1
    assert one_line(capsys) == (
        f"{tmp_path}/none/smoke/cartpole: no checkpoints; make them with: "
        f"muzero-probe train cartpole --profile smoke --root {tmp_path}/none"
    )
    assert not list(tmp_path.iterdir())


def test_missing_seeds(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert program.main([*FAST, "--seeds", "0:9", *places(tiny_root, tmp_path)]) == 1
    assert one_line(capsys).endswith(f"train cartpole --profile smoke --root {tiny_root} --seeds 3:9")


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_checkpoint(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str):
    """Whether it shows at once, or in the midst of the work."""
    root = Path(shutil.copytree(tiny_root, tmp_path / "root"))
    path = root / "smoke" / "cartpole" / "seed_001" / "step_00000060.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-9] if damage == "truncated" else data[:-1] + bytes([data[-1] ^ 1]))
    assert program.main(["returns", *FAST, *places(root, tmp_path)]) == 1
    assert one_line(capsys).startswith(f"{path}: {'is half-written' if damage == 'truncated' else 'was altered'}")


def test_a_step_that_was_not_kept(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["planning", *FAST, "--planning.steps", "20", "2000", *places(tiny_root, tmp_path)]
    assert program.main(words) == 1
    assert one_line(capsys) == ("planning: steps [2000] are no checkpoints of this population, which has [0, 20, 60]")


def test_a_folder_that_is_none(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "tables").write_text("a file")
    assert program.main(["returns", *FAST, *places(tiny_root, tmp_path)]) == 1
    assert f"{tmp_path / 'tables'}: is no folder" in one_line(capsys)


def test_as_a_process(tmp_path: Path):
    """Its exit code, one line and no traceback; warnings are errors."""
    command = [sys.executable, "-W", "error", "-m", "analyses", "returns", "--root", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"python -m analyses: [^\n]*: no checkpoints; make them with: [^\n]*\n", done.stderr)


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        program.main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for name in ("--bank.states", "--own-policy.samples", "--sequences.steps", "--planning.budgets", "--seeds"):
        assert name in said
