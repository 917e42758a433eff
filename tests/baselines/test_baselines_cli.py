"""`python -m baselines`: makes what lacks, keeps it, and says in one line what it cannot make."""

import importlib.util
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from analyses import tables
from baselines import __main__ as program
from baselines import run, study
from baselines.hyperparameters import BASELINES
from muzero_probe import agents
from muzero_probe.checkpoints import config_hash
from muzero_probe.provenance import commit, versions
from tests.analyses.studies import one_line

WAYS = [("dqn", "greedy"), ("ppo", "greedy"), ("ppo", "sampled")]


def make(folder: Path, *words: str) -> int:
    places = ["--tables", str(folder / "tables"), "--units", str(folder / "units"), "--jobs", "1"]
    return program.main(["--agent", "smoke/cartpole", *places, *words])


def kept(folder: Path) -> dict[str, int]:
    """Finished runs, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "units" / "baselines").iterdir()}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed 0, and then seeds 0 and 1."""
    folder = tmp_path_factory.mktemp("baselines")
    assert make(folder, "--seeds", "0") == 0
    first = kept(folder)
    assert make(folder, "--seeds", "0:2") == 0
    assert len(first) == 2 and len(kept(folder)) == 4 and first.items() <= kept(folder).items()
    return folder


def test_a_row_per_seed_algorithm_and_way_of_playing(done: Path):
    found: Any = tables.measured(done / "tables" / "smoke" / "cartpole" / "baselines.csv")
    assert list(found.columns) == list(study.COLUMNS)
    assert list(found[["seed", "algorithm", "policy"]].itertuples(index=False, name=None)) == [
        (seed, *way) for seed in (0, 1) for way in WAYS
    ]
    # 60 updates at two a slot end with the 69th slot, 30 from the warm-up's 40th on; of 4 steps each, 276: two rounds
    assert set(found["environment_steps"]) == {512}
    assert set(found["episodes"]) == {2} and set(found["repeats"]) == {"trained seed"}
    assert found["return_mean"].equals(found["length_mean"])  # Cart Pole pays 1 a step


def test_provenance(done: Path):
    said = tables.read(done / "tables" / "smoke" / "cartpole" / "baselines.csv").attrs["provenance"]
    assert said["settings"] == {"episodes": 2, "environment_steps": 276}
    assert said["config_hash"] == config_hash(agents.load("cartpole").config("smoke").to_dict())
    assert said["versions"] == {**versions(), "stable-baselines3": metadata.version("stable-baselines3")}
    assert (said["seeds"], said["commit"], said["measured_at"]) == ([0, 1], commit(), [commit()])
    hyperparameters = said["hyperparameters"]
    assert {name: each["values"] for name, each in hyperparameters.items()} == {
        name: baseline.values for name, baseline in BASELINES["cartpole"].items()
    }
    assert len(said["hyperparameters_hash"]) == 12


def test_finished_runs_are_not_made_again(done: Path, monkeypatch: pytest.MonkeyPatch):
    def untouched(*_: Any, **__: Any) -> Any:
        raise AssertionError("a run is made again")

    monkeypatch.setattr(run, "measure", untouched)
    before = kept(done)
    assert make(done, "--seeds", "0:2") == 0 and kept(done) == before


def test_other_hyperparameters_are_other_runs(done: Path):
    place = study.Place(agents.load("cartpole"), "smoke")
    unit = study._unit(place, "ppo", 0, done / "units")
    assert unit.path.is_file()
    with pytest.MonkeyPatch.context() as patch:
        changed = {**BASELINES["cartpole"], "ppo": BASELINES["minatar"]["ppo"]}
        patch.setitem(BASELINES, "cartpole", changed)
        assert not study._unit(place, "ppo", 0, done / "units").path.exists()


def test_a_damaged_run_is_named_and_made_again(done: Path, capsys: pytest.CaptureFixture[str]):
    (path,) = (done / "units" / "baselines").glob("*ppo_001*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert make(done, "--seeds", "0:2") == 0
    assert f"{path} was cut or altered" in " ".join(capsys.readouterr().err.split())
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "--agent is missing: PROFILE/NAME, of cartpole, lunar_lander, minatar, breakout"),
        ("--agent cartpole", "agent 'cartpole' must be PROFILE/NAME, of cartpole,"),
        ("--agent smoke/acrobot", "agent 'smoke/acrobot' must be PROFILE/NAME, of cartpole,"),
        ("--agent desk/cartpole", "profile 'desk' is unknown for cartpole: smoke, quick, paper"),
        ("--agent smoke/cartpole --agent quick/cartpole", "have one name, cartpole: name one of them"),
        ("--agent smoke/cartpole --seeds 0:0", "the end of a range is not part of it"),
        ("--agent smoke/cartpole --jobs 0", "jobs is 0, at least 1 is needed"),
        ("--agent smoke/cartpole --jobs 1001", "jobs is 1001, at most 1,000 are possible"),
        ("--agent smoke/cartpole --episodes 3", "Unrecognized options: --episodes"),
    ],
)
def test_it_is_refused(words: str, says: str, capsys: pytest.CaptureFixture[str]):
    assert program.main(words.split()) == 2
    assert says in one_line(capsys.readouterr().err, program.PROGRAM)


def test_what_is_in_the_way_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The library, and places that cannot be written."""
    (tmp_path / "tables").write_text("")
    assert make(tmp_path) == 1
    assert str(tmp_path / "tables") in one_line(capsys.readouterr().err, program.PROGRAM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        assert make(tmp_path) == 1
    said = one_line(capsys.readouterr().err, program.PROGRAM)
    assert said == "the package stable-baselines3 is not installed: pip install 'muzero-probe[baselines]'"
    assert not (tmp_path / "units").exists()


def test_a_damaged_table_names_the_command(tmp_path: Path):
    path = tmp_path / "smoke" / "cartpole" / "baselines.csv"
    path.parent.mkdir(parents=True)
    tables.write(path, [{"x": 1}], {"x": tables.Column("int", "", "")}, {"analysis": "baselines"})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(tables.TableError, match=r"\(python -m baselines --agent smoke/cartpole\)$"):
        tables.read(path)
