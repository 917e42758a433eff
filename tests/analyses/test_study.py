"""Do tables say what the study defines, whoever measures how much at a time, and is nothing measured twice?"""

import dataclasses
import functools
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analyses import banks, own_policy, study
from analyses.population import Agents, Population, find
from analyses.settings import SETTINGS, Settings
from analyses.study import ANALYSES
from figures import __main__ as figures
from muzero_probe.checkpoints import CheckpointError
from muzero_probe.presets import PRESETS, preset
from muzero_probe.probes.episodes import play, reset_seeds
from muzero_probe.probes.planning import play_planner, play_prior
from muzero_probe.probes.prior_effect import prior_effect
from muzero_probe.probes.value_error import PolicyError
from muzero_probe.provenance import commit, versions
from muzero_probe.randomness import row_keys
from tests.doubles import OneAtATime, OneLatent, OneState
from tests.reference import search as reference_search
from tests.reference import value_error as reference

QUIET = Console(quiet=True)
SEEDS, STEPS, K = [0, 1, 2], [0, 20, 60], 4
USING_BANKS = {"own_policy", "sequences", "cross_checkpoint", "prior_effect"}
ERRORS = ["error", "bias", "monte_carlo_se", "states", "over", "foreseen", "invented"]
# the columns that tell rows apart, and what is measured
COLUMNS = {
    "returns": (["seed", "step", "policy"], ["return_mean", "length_mean", "episodes"]),
    "own_policy": (["seed", "step", "horizon"], ERRORS),
    "sequences": (["seed", "step", "rank"], ["probability", "error"]),
    "cross_checkpoint": (["seed", "step", "policy_step", "horizon"], ERRORS),
    "prior_effect": (["seed", "step", "prior", "simulations"], ["error", "path_error", "tv", "kl"]),
    "planning": (["seed", "step", "model", "prior", "simulations"], ["return_mean", "episodes"]),
}


def run(name: str, population: Population, settings: Settings, folder: Path, *, jobs: int = 1) -> Path:
    return study.run(
        name, population, settings, tables=folder / "tables", folder=folder / "units", jobs=jobs, device="cpu",
        console=QUIET,
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(tiny: Population, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all tables and units of the tiny population; only read, or copied."""
    folder = tmp_path_factory.mktemp("done")
    for name in ANALYSES:
        run(name, tiny, settings, folder)
    return folder


@pytest.fixture
def again(tmp_path: Path, done: Path) -> Path:
    """A copy to go on from."""
    return Path(shutil.copytree(done, tmp_path / "again"))


def table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / "tables" / "smoke" / "cartpole" / f"{name}.csv"
    return pd.read_csv(path, keep_default_na=False, na_values=["nan"])


def text(folder: Path, name: str) -> str:
    return (folder / "tables" / "smoke" / "cartpole" / f"{name}.csv").read_text()


def work(folder: Path) -> dict[Path, int]:
    """Every unit, and when it was written."""
    return {
        path.relative_to(folder): path.stat().st_mtime_ns for path in (folder / "units").rglob("*") if path.is_file()
    }


def added(before: dict[Path, int], after: dict[Path, int]) -> dict[str, int]:
    """How many units of each analysis were measured; those that were there are untouched."""
    assert before.items() <= after.items()
    names = [path.parts[1] for path in after.keys() - before.keys()]
    return {name: names.count(name) for name in set(names)}


# What tables hold


@pytest.mark.parametrize("name", ANALYSES)
def test_a_table_has_a_row_per_seed_and_setting(done: Path, tiny: Population, name: str):
    found = table(done, name)
    keys, values = COLUMNS[name]
    assert list(found.columns) == ["agent", "profile", *keys, *values, "config_hash", "commit"]
    levels: dict[str, list[Any]] = {
        "policy": ["prior", "search"],
        "horizon": [1, 2, 3, 4] if name == "own_policy" else [K],
        "policy_step": STEPS,
        "rank": list(range(1, 9)),
        "prior": ["policy", "uniform"],
        "simulations": [3, 9] if name == "planning" else [2, 4],
        "model": ["learned", "true"],
        "seed": SEEDS,
        "step": {"sequences": [20, 60], "prior_effect": [20], "planning": [0, 60]}.get(name, STEPS),
    }
    wanted = set(itertools.product(*(levels[key] for key in keys)))
    if name == "planning":
        wanted |= {(seed, step, "none", "policy", 0) for seed in SEEDS for step in (0, 60)}
    rows = [tuple(row) for row in found[keys].itertuples(index=False)]
    assert len(rows) == len(wanted) and set(rows) == wanted
    assert rows == sorted(rows)
    for column, value in {
        "agent": "cartpole", "profile": "smoke", "config_hash": tiny.config_hash, "commit": commit()
    }.items():  # fmt: skip
        assert set(found[column]) == {value}
    missing = found[values].isna().any()
    assert set(missing.index[missing]) <= {"foreseen", "invented"}


@pytest.mark.parametrize("name", ANALYSES)
def test_a_figure_can_be_drawn_of_every_table(done: Path, tmp_path: Path, name: str):
    assert set(figures.FIGURES[name].COLUMNS) <= set(table(done, name).columns)
    assert figures.main((name,), profile="smoke", tables=done / "tables", out=tmp_path) == 0
    assert {path.name for path in (tmp_path / "smoke").iterdir()} == {f"{name}.png", f"{name}.pdf"}


def test_every_analysis_has_a_figure():
    assert list(figures.FIGURES) == list(ANALYSES) == list(COLUMNS)


@pytest.mark.parametrize("name", ANALYSES)
def test_provenance(done: Path, tiny: Population, settings: Settings, name: str):
    found = json.loads((done / "tables" / "smoke" / "cartpole" / f"{name}.json").read_text())
    wanted = {
        "analysis": name,
        "settings": json.loads(json.dumps(vars(getattr(settings, name)))),
        "bank": vars(settings.bank) if name in USING_BANKS else None,
        "config_hash": tiny.config_hash,
        "commit": commit(),
        "checkpoint_commits": list(tiny.commits),
        "versions": versions(),
        "seeds": SEEDS,
    }
    assert found == wanted


# What the numbers are, by the reference


def policy_at(agents: Agents, index: int) -> Callable[[Any], list[float]]:
    """Eq 2 of one agent, a recursive search for every state."""
    planner = OneAtATime(agents.model(np.array([index])))
    temperature = {0: 1.0, 20: 1.0, 60: 0.25}[agents.step]

    @functools.cache
    def policy(state: bytes) -> list[float]:
        observation = agents.env.observe(np.frombuffer(state)[None])[0]
        visits = reference_search.search(planner, observation, simulations=8, discount=0.997, c1=1.25, c2=19652).visits
        powers = [n ** (1 / temperature) for n in visits]
        return [power / sum(powers) for power in powers]

    return lambda state: policy(state.tobytes())


def enumerated(
    tiny: Population, done: Path, settings: Settings, *, seed: int, step: int, states: int, length: int,
    policy_step: int | None = None,
) -> list[list[reference.Unrolled]]:  # fmt: skip
    """All sequences of the first states of a seed's bank."""
    agents = tiny.agents((seed,), step, "cpu")
    bank = banks.read(banks.unit(tiny, settings.bank, (seed,), step, done / "units", "cpu"), agents, states)[0]
    assert len(bank) == states
    guess = OneLatent(agents.model(np.zeros(1, int)), 0)
    policy = policy_at(tiny.agents((seed,), step if policy_step is None else policy_step, "cpu"), 0)
    return [
        reference.enumerate_all(
            OneState(agents.env), guess, state, guess.root(agents.env.observe(state[None])[0]), policy,
            length=length, discount=0.997,
        )
        for state in bank
    ]  # fmt: skip


def one_row(found: pd.DataFrame, **setting: Any) -> pd.Series:
    for column, value in setting.items():
        found = found[found[column] == value]
    (row,) = found.to_dict("records")
    return pd.Series(row)


@pytest.mark.parametrize(("seed", "step"), [(0, 0), (2, 60)])
def test_own_policy_is_the_mean_over_states_of_eq_7(
    done: Path, tiny: Population, settings: Settings, seed: int, step: int
):
    for h in (1, 2, K):
        all_ = enumerated(tiny, done, settings, seed=seed, step=step, states=3, length=h)
        errors = [reference.policy_error(sequences, alive_reward=1.0) for sequences in all_]
        row = one_row(table(done, "own_policy"), seed=seed, step=step, horizon=h)
        assert (row.states, row.monte_carlo_se) == (3, 0)
        for column in ("error", "bias", "over"):
            assert row[column] == pytest.approx(np.mean([error[column] for error in errors]), rel=2e-5, abs=1e-5), (
                column
            )
        over = np.mean([error["over"] for error in errors])
        assert row.invented == pytest.approx(
            np.mean([error["invented"] for error in errors]) / (1 - over), rel=2e-5, abs=1e-5
        )


@pytest.mark.parametrize(("step", "policy_step"), [(20, 60), (60, 20), (0, 0)])
def test_cross_checkpoint_takes_model_and_states_of_the_row_and_policy_of_the_column(
    done: Path, tiny: Population, settings: Settings, step: int, policy_step: int
):
    for seed in (0, 1):
        all_ = enumerated(tiny, done, settings, seed=seed, step=step, policy_step=policy_step, states=2, length=K)
        errors = [reference.policy_error(sequences, alive_reward=1.0) for sequences in all_]
        row = one_row(table(done, "cross_checkpoint"), seed=seed, step=step, policy_step=policy_step)
        assert row.horizon == K
        for column in ("error", "bias", "over"):
            assert row[column] == pytest.approx(np.mean([error[column] for error in errors]), rel=2e-5, abs=1e-5), (
                column
            )


def test_sequences_are_means_over_states_per_rank(done: Path, tiny: Population, settings: Settings):
    for seed, step in ((0, 20), (2, 60)):
        all_ = enumerated(tiny, done, settings, seed=seed, step=step, states=2, length=3)
        found = table(done, "sequences")
        found = found[(found.seed == seed) & (found.step == step)]
        ranked = [sorted(sequences, key=lambda s: -s.probability) for sequences in all_]
        wanted = [np.mean([one[i].probability for one in ranked]) for i in range(8)]
        assert found.probability.tolist() == pytest.approx(wanted, rel=2e-5, abs=1e-5)
        assert found.probability.sum() == pytest.approx(1, abs=1e-5)
        # errors of equally likely sequences may stand in any order
        assert found.error.sum() == pytest.approx(sum(s.error for one in all_ for s in one) / 2, rel=2e-5, abs=1e-5)
        likeliest = [[s.error for s in one if s.probability > one[0].probability - 1e-12] for one in ranked]
        if all(len(errors) == 1 for errors in likeliest):
            assert found.error.iloc[0] == pytest.approx(np.mean(likeliest), rel=2e-5, abs=1e-5)


def test_prior_effect_is_measured_at_the_bank_s_states(done: Path, tiny: Population, settings: Settings):
    for seed in SEEDS:
        agents = tiny.agents((seed,), 20, "cpu")
        states, row_seeds = banks.read(banks.unit(tiny, settings.bank, (seed,), 20, done / "units", "cpu"), agents, 2)
        for prior in ("policy", "uniform"):
            for budget in (2, 4):
                effect = prior_effect(
                    agents.env, agents.model(row_seeds), states,
                    dataclasses.replace(tiny.config.search, simulations=budget), prior=prior, horizon=5,
                    budgets=[budget], keys=row_keys(seed, "prior effect", 2, 20),
                )  # fmt: skip
                row = one_row(table(done, "prior_effect"), seed=seed, prior=prior, simulations=budget)
                for column, values in effect._asdict().items():
                    assert row[column] == pytest.approx(values.mean(), rel=2e-5, abs=1e-5), column


def test_returns_are_means_over_episodes(done: Path, tiny: Population):
    """Undiscounted, of the search policy and of the prior alone, from the same starts."""
    for seed, step in ((0, 20), (1, 60)):
        agents = tiny.agents((seed,), step, "cpu")
        starts, keys, row_seeds = banks.starts_and_keys(agents.seeds, "returns", 2, agents.step)
        played = {
            "search": play(agents.env, starts, banks.search_actor(agents, row_seeds, keys)),
            "prior": play_prior(agents.env, agents.model(row_seeds), starts, keys),
        }
        for policy, episodes in played.items():
            row = one_row(table(done, "returns"), seed=seed, step=step, policy=policy)
            assert row.return_mean == pytest.approx(episodes.returns.mean(), rel=1e-5)
            assert row.length_mean == row.return_mean and row.episodes == 2
    found = table(done, "returns")
    assert found.groupby("policy").return_mean.sum().nunique() == 2


def test_planning_is_played_by_the_planner_that_the_row_names(done: Path, tiny: Population):
    found = table(done, "planning")
    agents = tiny.agents((1,), 60, "cpu")
    starts, keys = reset_seeds(1, "planning starts", 2), row_keys(1, "planning keys", 2)
    model = agents.model(np.zeros(2, int))
    for plans_with, prior, budget in itertools.product(("learned", "true"), ("policy", "uniform"), (3, 9)):
        episodes = play_planner(
            agents.env, model, starts, dataclasses.replace(tiny.config.search, simulations=budget),
            model=plans_with, prior=prior, horizon=8, keys=keys,
        )  # fmt: skip
        row = one_row(found, seed=1, step=60, model=plans_with, prior=prior, simulations=budget)
        assert (row.return_mean, row.episodes) == (pytest.approx(episodes.returns.mean(), rel=1e-5), 2)
    row = one_row(found, seed=1, step=60, model="none")
    assert row.return_mean == pytest.approx(play_prior(agents.env, model, starts, keys).returns.mean(), rel=1e-5)


def test_free_search_in_the_true_model_is_the_same_at_every_checkpoint(done: Path):
    """The agent has no part in it; of the other planners, its checkpoint tells."""
    found = table(done, "planning").set_index(["seed", "model", "prior", "simulations"])
    early, late = (found[found.step == step].return_mean for step in (0, 60))
    assert early.loc[:, "true", "uniform"].equals(late.loc[:, "true", "uniform"])
    assert not early.loc[:, "learned", "policy"].equals(late.loc[:, "learned", "policy"])


def test_means_over_states_by_hand():
    """Two of three states are the seed's. Shares are of the episodes that are over, and of those that are not."""
    errors = PolicyError(
        error=np.array([[0, 0.5], [0, 9], [0, 1.5]]),
        bias=np.array([[0, -0.5], [0, 9], [0, 1.5]]),
        standard_error=np.array([[0, 0.3], [0, 9], [0, 0.4]]),
        over=np.array([[0, 0.25], [0, 9], [0, 0.75]]),
        foreseen=np.array([[0, 0.125], [0, 9], [0, 0.25]]),
        invented=np.array([[0.5, 0.25], [0, 9], [0, 0.0]]),
    )
    mine = np.array([True, False, True])
    assert own_policy.means(errors, mine, 2) == {
        "error": 1.0,
        "bias": 0.5,
        "monte_carlo_se": 0.25,  # sqrt(0.09 + 0.16) / 2
        "states": 2,
        "over": 0.5,
        "foreseen": 0.375,  # (0.125 + 0.25) / 2 of 0.5
        "invented": 0.25,
    }
    first = own_policy.means(errors, mine, 1)
    assert np.isnan(first["foreseen"]) and first["invented"] == 0.25
    over = PolicyError(*(np.ones((3, 1)) for _ in PolicyError._fields))
    last = own_policy.means(over, mine, 1)
    assert last["foreseen"] == 1 and np.isnan(last["invented"])


@pytest.mark.parametrize("name", ["own_policy", "cross_checkpoint"])
def test_sampled_errors_are_near_the_exact_ones(
    done: Path, tiny: Population, settings: Settings, tmp_path: Path, name: str
):
    """And differ from them; by less than five of the standard errors that stand beside them."""
    changed = dataclasses.replace(getattr(settings, name), samples=20_000)
    run(name, tiny, dataclasses.replace(settings, **{name: changed}), tmp_path)
    sampled, exact = table(tmp_path, name), table(done, name)
    assert (sampled.monte_carlo_se > 0).mean() > 0.5
    distance = np.abs(sampled.bias - exact.bias)
    assert (distance <= 5 * sampled.monte_carlo_se + 2e-5).all() and distance.max() > 1e-4


# Units


class Interrupted:
    """An analysis that counts what it measures, and is stopped at one of its units."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.original = ANALYSES[name]
        self.measured: list[tuple[tuple[int, ...], int]] = []
        self.stop_at: int | None = None
        monkeypatch.setitem(ANALYSES, name, dataclasses.replace(self.original, measure=self))

    def __call__(self, agents: Agents, own: Any, **given: Any) -> pd.DataFrame:
        if self.stop_at == len(self.measured):
            raise KeyboardInterrupt
        self.measured.append((agents.seeds, agents.step))
        return self.original.measure(agents, own, **given)


@pytest.mark.parametrize("name", ["own_policy", "planning"])
def test_an_interrupted_analysis_goes_on(
    done: Path, tiny: Population, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    interrupted = Interrupted(name, monkeypatch)
    cells = [((seed,), step) for step in ANALYSES[name].steps(tiny, settings) for seed in SEEDS]
    for stop in (2, 3, None):
        interrupted.stop_at = stop
        if stop is None:
            run(name, tiny, settings, tmp_path)
        else:
            with pytest.raises(KeyboardInterrupt):
                run(name, tiny, settings, tmp_path)
            assert not (tmp_path / "tables").exists()
    assert sorted(interrupted.measured) == sorted(cells)
    assert text(tmp_path, name) == text(done, name)
    run(name, tiny, settings, tmp_path)
    assert len(interrupted.measured) == len(cells)


def changed(settings: Settings, section: str, **changes: Any) -> Settings:
    return dataclasses.replace(settings, **{section: dataclasses.replace(getattr(settings, section), **changes)})


@pytest.mark.parametrize(
    ("section", "changes", "measured"),
    [
        ("returns", {}, {}),
        ("own_policy", {"states": 2}, {"own_policy": 9}),
        ("own_policy", {"samples": 4}, {"own_policy": 9}),
        ("returns", {"episodes": 1}, {"returns": 9}),
        ("cross_checkpoint", {"states": 1}, {"cross_checkpoint": 9}),
        ("sequences", {"length": 2}, {"sequences": 6}),
        ("sequences", {"steps": (60,)}, {}),
        ("sequences", {"steps": (0, 60)}, {"sequences": 3}),
        ("prior_effect", {"step": 60}, {"prior_effect": 3}),
        ("prior_effect", {"budgets": (2, 3)}, {"prior_effect": 3}),
        ("planning", {"steps": (0, 20, 60)}, {"planning": 3}),
        ("planning", {"horizon": 3}, {"planning": 9}),  # with free search in the true model, once a seed
        (
            "bank", {"states": 3},
            {"banks": 9, "own_policy": 9, "sequences": 6, "cross_checkpoint": 9, "prior_effect": 3},
        ),
    ],
)  # fmt: skip
def test_a_changed_setting_measures_what_it_touches(
    again: Path, tiny: Population, settings: Settings, section: str, changes: dict[str, Any], measured: dict[str, int]
):
    before = work(again)
    for name in ANALYSES:
        run(name, tiny, changed(settings, section, **changes), again)
    assert added(before, work(again)) == measured
    # and back again: nothing
    before = work(again)
    for name in measured.keys() & set(ANALYSES):
        run(name, tiny, settings, again)
    assert added(before, work(again)) == {}


def test_other_seeds_add_their_own_units(tiny_root: Path, settings: Settings, tmp_path: Path):
    for seeds, new in (((0, 2), 2), ((0, 1, 2), 1)):
        before = work(tmp_path)
        run("returns", find(tiny_root, "smoke", "cartpole", seeds), settings, tmp_path)
        assert added(before, work(tmp_path)) == {"returns": 3 * new}
        assert sorted(set(table(tmp_path, "returns").seed)) == list(seeds)


def test_an_analysis_of_fewer_seeds(tiny: Population, settings: Settings, tmp_path: Path):
    for seeds, new in ((2, 2 * 3), (0, 3)):  # two checkpoints and free search; 0: all three seeds
        before = work(tmp_path)
        path = run("planning", tiny, changed(settings, "planning", seeds=seeds), tmp_path)
        assert added(before, work(tmp_path)) == {"planning": new}
        there = list(range(seeds or 3))
        assert sorted(set(table(tmp_path, "planning").seed)) == there
        assert json.loads(path.with_suffix(".json").read_text())["seeds"] == there


@pytest.mark.parametrize("shard", [2, 3])
def test_tables_do_not_depend_on_the_shard(
    done: Path, tiny: Population, settings: Settings, tmp_path: Path, shard: int
):
    """But for the last digits of the nets' sums, which another number of rows may round otherwise."""
    for name in ANALYSES:
        run(name, tiny, dataclasses.replace(settings, shard=shard), tmp_path)
        found, wanted = table(tmp_path, name), table(done, name)
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=2e-5, atol=1e-5)
    units = [path for path in work(tmp_path) if path.parts[1] == "returns"]
    assert len(units) == 3 * -(-3 // shard)


@pytest.fixture
def workers_end() -> Iterator[None]:
    """Ends joblib's worker processes."""
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def test_tables_do_not_depend_on_the_number_of_jobs(
    done: Path, tiny: Population, tiny_root: Path, settings: Settings, tmp_path: Path, workers_end: None
):
    run("own_policy", tiny, settings, tmp_path, jobs=2)
    assert text(tmp_path, "own_policy") == text(done, "own_policy")
    assert len(work(tmp_path)) == 18  # banks and errors of 3 seeds at 3 steps
    # what is wrong in a worker is told here
    root = Path(shutil.copytree(tiny_root, tmp_path / "root"))
    path = root / "smoke" / "cartpole" / "seed_001" / "step_00000020.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match=r"step_00000020\.safetensors: was altered"):
        run("returns", find(root, "smoke", "cartpole", None), settings, tmp_path / "other", jobs=2)


def test_steps_that_are_no_checkpoints(tiny: Population, settings: Settings, tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"^planning: steps \[500\] are no checkpoints of this population"):
        run("planning", tiny, changed(settings, "planning", steps=(60, 500)), tmp_path)
    assert not work(tmp_path)


# Settings


@pytest.mark.parametrize(
    ("section", "changes", "says"),
    [
        ("bank", {"episodes": 0}, "bank.episodes is 0, at least 1 is needed"),
        ("bank", {"states": -1}, "bank.states is -1, at least 1 is needed"),
        ("returns", {"episodes": 0}, "returns.episodes is 0, at least 1 is needed"),
        ("own_policy", {"states": 0}, "own_policy.states is 0, at least 1 is needed"),
        ("own_policy", {"samples": 1}, "own_policy.samples is 1, it must be 0 (exact) or at least 2"),
        ("own_policy", {"samples": -2}, "own_policy.samples is -2, it must be 0 (exact) or at least 2"),
        ("sequences", {"states": 0}, "sequences.states is 0, at least 1 is needed"),
        ("sequences", {"length": 0}, "sequences.length is 0, at least 1 is needed"),
        ("sequences", {"steps": ()}, "sequences.steps is (): one or more values are needed"),
        ("sequences", {"steps": (60, 20)}, "sequences.steps is (60, 20): one or more values are needed, ascending"),
        ("sequences", {"steps": (-1, 20)}, "sequences.steps is (-1, 20): "),
        ("cross_checkpoint", {"states": 0}, "cross_checkpoint.states is 0, at least 1 is needed"),
        ("cross_checkpoint", {"samples": 1}, "cross_checkpoint.samples is 1, it must be 0 (exact) or at least 2"),
        ("prior_effect", {"states": 0}, "prior_effect.states is 0, at least 1 is needed"),
        ("prior_effect", {"horizon": 0}, "prior_effect.horizon is 0, at least 1 is needed"),
        ("prior_effect", {"step": -5}, "prior_effect.step is -5, it must be 0 or more"),
        ("prior_effect", {"budgets": ()}, "prior_effect.budgets is (): one or more values are needed"),
        ("prior_effect", {"budgets": (0, 2)}, "prior_effect.budgets is (0, 2): "),
        ("planning", {"episodes": 0}, "planning.episodes is 0, at least 1 is needed"),
        ("planning", {"seeds": -1}, "planning.seeds is -1, it must be 0 (all) or more"),
        ("planning", {"horizon": 0}, "planning.horizon is 0, at least 1 is needed"),
        ("planning", {"budgets": (4, 4)}, "planning.budgets is (4, 4): one or more values are needed, ascending"),
        ("planning", {"steps": ()}, "planning.steps is (): one or more values are needed"),
    ],
)
def test_impossible_settings(settings: Settings, section: str, changes: dict[str, Any], says: str):
    with pytest.raises(ValueError) as caught:
        changed(settings, section, **changes)
    assert str(caught.value).startswith(says) and "\n" not in str(caught.value)


def test_an_impossible_shard(settings: Settings):
    with pytest.raises(ValueError, match=r"^shard is 0, at least 1 is needed$"):
        dataclasses.replace(settings, shard=0)


def test_smallest_settings(settings: Settings):
    changed(settings, "own_policy", states=1, samples=2)
    changed(settings, "sequences", states=1, length=1, steps=(0,))
    changed(settings, "planning", episodes=1, horizon=1, budgets=(1,), steps=(0,))
    changed(settings, "prior_effect", step=0, budgets=(1,))


@pytest.mark.parametrize(("agent", "profile"), [(a, p) for a, profiles in SETTINGS.items() for p in profiles])
def test_presets_choose_checkpoints_that_training_makes(agent: str, profile: str):
    chosen = SETTINGS[agent][profile]()
    there = set(preset(agent, profile).training.checkpoints)
    assert {*chosen.sequences.steps, *chosen.planning.steps, chosen.prior_effect.step} <= there
    for own in (chosen.own_policy, chosen.sequences, chosen.cross_checkpoint, chosen.prior_effect):
        assert own.states <= chosen.bank.states
    assert PRESETS.keys() == SETTINGS.keys() and PRESETS[agent].keys() == SETTINGS[agent].keys()
