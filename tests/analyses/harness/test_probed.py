"""Can anybody's agent be asked all questions, and are the answers right?"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses import __main__ as program
from analyses.claims import __main__ as claims
from analyses.harness import probed, registry, study
from analyses.tables import read
from figures import __main__ as figures
from tests.analyses.harness import adapters
from tests.analyses.studies import NAMES, run, table

ROOT = Path(__file__).parents[3]
OF = "own/walker"
ONE = [name for name in NAMES if name != "cross_checkpoint"]


def measured(folder: Path, reference: str, *words: str) -> int:
    places = ["--tables", str(folder / "tables"), "--units", str(folder / "units"), "--jobs", "1"]
    return program.main([*words, "--agent", reference, *places])


def answers(folder: Path, name: str) -> Any:
    """A table of the walker's."""
    return table(folder, name, of=OF)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All tables of an agent with one checkpoint, whose model expects 0.5 too much for every step."""
    folder = tmp_path_factory.mktemp("alone")
    reference = adapters.treadmill(folder / "one_walker.py", "{300: model(0.5)}")
    assert measured(folder, reference) == 0
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All tables of two checkpoints of three seeds."""
    folder = tmp_path_factory.mktemp("trained")
    models = "{0: [model(1), model(2), model(3)], 50: [model(x) for x in (0, 0.25, -0.5)]}"
    assert measured(folder, adapters.treadmill(folder / "three_walkers.py", models)) == 0
    return folder


def too_much(horizon: int) -> float:
    """What a reward of 1 too much for every step comes to, discounted by one half."""
    return 2 * (1 - 0.5**horizon)


# One checkpoint


def test_one_checkpoint_leaves_out_what_compares_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    reference = adapters.treadmill(tmp_path / "a_walker.py", "{300: model(0.5)}")
    assert measured(tmp_path, reference, "returns", "cross_checkpoint") == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/tables/own/walker/returns.csv\n"
    assert said.err == ("python -m analyses: left out: cross_checkpoint compares checkpoints, and walker has one\n")


def test_one_checkpoint_answers_all_other_questions(alone: Path):
    assert {path.stem for path in (alone / "tables" / OF).iterdir()} == set(ONE)
    for name in ONE:
        found = answers(alone, name)
        assert set(found["agent"]) == {"walker"} and set(found["profile"]) == {"own"}
        assert set(found["step"]) == {300}
        assert sorted(set(found["seed"])) == [0, 1, 2, 3, 4] and set(found["repeats"]) == {"repetition"}
        made = found.attrs["provenance"]
        assert (made["title"], made["repeats"], made["seeds"]) == ("A walker", "repetition", [0, 1, 2, 3, 4])
        assert made["loaded_by"] == "one_walker.py:load"


def test_a_known_error_is_found_at_every_horizon(alone: Path):
    for horizon, rows in answers(alone, "own_policy").groupby("horizon"):
        np.testing.assert_allclose(rows["error"], 0.5 * too_much(int(str(horizon))), rtol=1e-5)
        np.testing.assert_allclose(rows["bias"], -0.5 * too_much(int(str(horizon))), rtol=1e-5)
    sequences = answers(alone, "sequences")
    np.testing.assert_allclose(sequences["error"], 0.5 * too_much(3), rtol=1e-5)
    np.testing.assert_allclose(sequences.groupby("seed")["probability"].sum(), 1, atol=1e-5)
    np.testing.assert_allclose(answers(alone, "prior_effect")["error"], 0.5 * too_much(5), rtol=1e-5)


def test_repetitions_are_of_other_chances(alone: Path):
    """Other starts and actions for every one; a treadmill starts in one state, but actions are drawn."""
    found = answers(alone, "returns")
    assert found.groupby("policy")["return_mean"].nunique().min() > 1
    assert set(found["length_mean"]) == {6}
    assert answers(alone, "prior_effect").groupby(["prior", "simulations"])["tv"].nunique().min() > 1


def test_the_number_of_repetitions(tmp_path: Path):
    reference = adapters.treadmill(tmp_path / "thrice.py", "{300: model(0.5)}", settings="repetitions=3")
    assert probed.find(reference, None).seeds == (0, 1, 2)
    assert probed.find(reference, (1, 7)).seeds == (1, 7)


def test_figures_say_how_often_a_measurement_was_repeated(alone: Path, tmp_path: Path):
    places = ["--profile", "own", "--tables", str(alone / "tables"), "--out", str(tmp_path)]
    assert figures.main([*ONE, *places]) == 0
    assert {path.name for path in (tmp_path / "own").iterdir()} == {
        f"{name}.{suffix}" for name in ONE for suffix in ("png", "pdf")
    }
    for name in ONE:
        tables = figures.read(name, profile="own", agents=(), root=alone / "tables")
        titles = "\n".join(axes.get_title() for axes in figures.modules()[name].draw(tables).axes)
        told = "repetition 0" if name == "search_tree" else "n = 5 repetitions"
        assert "A walker" in titles and told in titles and "seed" not in titles


def test_claims_of_one_checkpoint(alone: Path, capsys: pytest.CaptureFixture[str]):
    assert claims.main(["--profile", "own", "--agent", "walker", "--tables", str(alone / "tables")]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "python -m analyses.claims: left out: walker has no table cross_checkpoint",
        str(alone / "tables" / "own" / "claims.csv"),
    ]
    assert "| 6. A model is most accurate for the policy of its own checkpoint | – not measured |" in said.out
    judged: Any = read(alone / "tables" / "own" / "claims.csv")
    judged = judged[judged["role"] == "primary"].set_index("claim")
    # errors of 0.5, 0.75 and 0.875: every repetition grows alike, and five cannot establish it
    assert judged.loc["2b", "effect"] == pytest.approx(np.log(1.75), rel=1e-4)
    assert (judged.loc["2b", "verdict"], judged.loc["2b", "n"]) == ("open", 5)
    assert judged.loc["2b", "reason"] == "5 cannot establish anything: p is at least 0.0625"


# Several seeds and checkpoints


def test_trained_seeds_answer_all_questions(trained: Path):
    for name in NAMES:
        found = answers(trained, name)
        assert sorted(set(found["seed"])) == [0, 1, 2] and set(found["repeats"]) == {"trained seed"}
        steps = {50} if name in ("prior_effect", "search_tree") else {0, 50}
        assert set(found["step"]) == steps


def test_every_seed_and_step_is_its_own_model(trained: Path):
    wrong = {(0, 0): 1, (1, 0): 2, (2, 0): 3, (0, 50): 0, (1, 50): 0.25, (2, 50): -0.5}
    own = answers(trained, "own_policy")
    crossed = answers(trained, "cross_checkpoint")
    assert len(crossed) == 3 * 2 * 2 and set(crossed["horizon"]) == {3}
    for rows in (own, crossed):
        expected = [
            abs(wrong[seed, step]) * too_much(horizon)
            for seed, step, horizon in rows[["seed", "step", "horizon"]].itertuples(index=False)
        ]
        np.testing.assert_allclose(rows["error"], expected, rtol=1e-5, atol=1e-9)


def test_a_right_model_plans_as_the_real_one(trained: Path):
    found = answers(trained, "planning")
    found = found[(found["seed"] == 0) & (found["step"] == 50)].set_index(["model", "prior", "simulations"])
    learned, real = found.loc["learned", "return_mean"], found.loc["real", "return_mean"]
    pd.testing.assert_series_equal(learned.sort_index(), real.sort_index())


def test_seeds_together_are_what_each_is_alone(trained: Path, tmp_path: Path):
    reference = f"{trained / 'three_walkers.py'}:load"
    for name in NAMES:
        together = answers(trained, name)
        for seed in (0, 2):
            run(name, probed.find(reference, (seed,)), registry.settings(adapters.SMALL), tmp_path)
            own = together[together["seed"] == seed].reset_index(drop=True)
            pd.testing.assert_frame_equal(answers(tmp_path, name), own)


def test_only_the_seeds_that_are_asked_for(trained: Path, tmp_path: Path):
    reference = f"{trained / 'three_walkers.py'}:load"
    assert measured(tmp_path, reference, "returns", "--seeds", "1:3") == 0
    assert sorted(set(answers(tmp_path, "returns")["seed"])) == [1, 2]


def test_settings_are_the_agent_s_but_for_what_is_given(trained: Path, tmp_path: Path):
    reference = f"{trained / 'three_walkers.py'}:load"
    assert measured(tmp_path, reference, "sequences", "--sequences.length", "2") == 0
    made = answers(tmp_path, "sequences").attrs["provenance"]["settings"]
    assert made == {"states": 2, "length": 2, "steps": []}


def test_by_default_as_many_sequences_as_a_figure_takes(tmp_path: Path):
    analyses = adapters.SMALL | {"sequences": {"states": 1}}
    reference = adapters.treadmill(tmp_path / "long_walks.py", "{0: model(1)}", analyses=analyses)
    assert measured(tmp_path, reference, "sequences", "--seeds", "0") == 0
    found = answers(tmp_path, "sequences")
    assert found["rank"].tolist() == list(range(1, 2**8 + 1))
    np.testing.assert_allclose(found["error"], too_much(8), rtol=1e-5)


# As a process, and what is kept


def test_in_processes_of_their_own(trained: Path, tmp_path: Path):
    """Each of them runs the file; the tables are the same."""
    command = [
        sys.executable, "-W", "error", "-m", "analyses", "returns", "own_policy", "--agent",
        f"{trained / 'three_walkers.py'}:load", "--jobs", "2", "--shard", "1",
        "--tables", str(tmp_path / "tables"), "--units", str(tmp_path / "units"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("returns", "own_policy"):
        pd.testing.assert_frame_equal(answers(tmp_path, name), answers(trained, name))


def test_by_the_name_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    adapters.treadmill(tmp_path / "walker_as_module.py", "{0: model(1)}")
    monkeypatch.syspath_prepend(tmp_path)
    population = probed.find("walker_as_module:load", (0,))
    assert population.sources()[0] == "walker_as_module"
    run("own_policy", population, registry.settings(adapters.SMALL), tmp_path)
    found = answers(tmp_path, "own_policy")
    assert found.attrs["provenance"]["loaded_by"] == "walker_as_module:load"
    np.testing.assert_allclose(found["error"], [too_much(h) for h in (1, 2, 3)], rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "models", "settings"),
    [
        ((1, 2, 1), "{{0: model({})}}", ""),
        ((1, 0.5, 1), "{{0: model(1)}}", "temperature={}"),
        ((4, 5, 4), "{{0: model(1)}}", "horizon=int({})"),
        ((4, 5, 4), "{{0: model(1)}}", "simulations=int({})"),
        ((0.5, 0.25, 0.5), "{{0: model(1)}}", "discount={}"),
        ((3, 4, 3), "{{0: model(1)}}", "environment=treadmill(time_limit=int({}))"),
    ],
)
def test_what_an_agent_reads_from_other_files_names_its_units(
    tmp_path: Path, values: tuple[float, ...], models: str, settings: str
):
    """Weights are data, and so may all else be: the adapter's own file stays the same."""
    read = f"float(np.loadtxt({str(tmp_path / 'data.txt')!r}))"
    reference = adapters.treadmill(
        tmp_path / f"reading_{len(settings)}.py", models.format(read), settings=settings.format(read)
    )
    chosen: Any = registry.settings(adapters.SMALL)
    names = []
    for value in values:
        (tmp_path / "data.txt").write_text(str(value))
        probed.load.cache_clear()
        probed._environment.cache_clear()
        work = study.Work(probed.find(reference, None), tmp_path, "cpu")
        names.append(work.bank(chosen.bank, (0,), 0).path.name)
    assert names[0] != names[1] and names[0] == names[2]
