"""Has every table its rows and columns, its provenance and its figure?"""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from analyses.harness.checkpoints import Checkpoints
from analyses.harness.registry import questions
from analyses.harness.study import COMMON
from figures import __main__ as figures
from muzero_probe.provenance import commit, versions
from tests.analyses.studies import NAMES, SEEDS, STEPS, K, table

USING_BANKS = {"own_policy", "sequences", "cross_checkpoint", "prior_effect", "search_tree"}
ERRORS = ["error", "bias", "monte_carlo_se", "states", "over", "foreseen", "invented"]
SOME_STEPS = {"sequences": [20, 60], "prior_effect": [20], "planning": [0, 60], "search_tree": [60]}
# the columns that tell rows apart, and what is measured
COLUMNS = {
    "returns": (["seed", "step", "policy"], ["return_mean", "length_mean", "episodes"]),
    "own_policy": (["seed", "step", "horizon"], ERRORS),
    "sequences": (["seed", "step", "rank"], ["probability", "error"]),
    "cross_checkpoint": (["seed", "step", "policy_step", "horizon"], ERRORS),
    "prior_effect": (["seed", "step", "rule", "prior", "simulations"], ["error", "path_error", "tv", "kl"]),
    "planning": (["seed", "step", "model", "rule", "prior", "simulations"], ["return_mean", "episodes"]),
    "search_tree": (
        ["seed", "step", "state", "node"],
        [
            "parent",
            "action",
            "depth",
            "visits",
            "ended",
            "prior",
            "q",
            "reward",
            "reward_real",
            "value",
            "value_real",
            "path_error",
        ],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_a_row_per_seed_and_setting(done: Path, tiny: Checkpoints, name: str):
    found = table(done, name, every_rule=True)
    keys, values = COLUMNS[name]
    assert list(found.columns) == ["agent", "profile", "seed", "repeats", "step", *keys[2:], *values]
    assert found.attrs["columns"] == {**COMMON, **questions()[name].COLUMNS}
    levels: dict[str, list[Any]] = {
        "policy": ["prior", "search"],
        "horizon": [1, 2, 3, 4] if name == "own_policy" else [K],
        "policy_step": STEPS,
        "rank": list(range(1, 9)),
        "rule": ["efficientzero", "muzero"],
        "prior": ["policy", "uniform"],
        "simulations": [3, 9] if name == "planning" else [2, 4],
        "model": ["learned", "real"],
        "seed": SEEDS,
        "state": [0, 1],
        "node": list(range(9)),
        "step": SOME_STEPS.get(name, STEPS),
    }
    wanted = set(itertools.product(*(levels[key] for key in keys)))
    if name == "planning":
        wanted |= {(seed, step, "no search", "no search", "policy", 0) for seed in SEEDS for step in (0, 60)}
    rows = [tuple(row) for row in found[keys].itertuples(index=False)]
    assert len(rows) == len(wanted) and set(rows) == wanted
    assert rows == sorted(rows)
    for column, value in {"agent": "cartpole", "profile": "smoke", "repeats": "trained seed"}.items():
        assert set(found[column]) == {value}
    assert {column for column in values if found[column].isna().to_numpy().any()} <= {"foreseen", "invented", "prior"}


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_can_be_drawn_of_every_table(done: Path, tmp_path: Path, name: str):
    assert set(figures.modules()[name].COLUMNS) <= set(table(done, name).columns)
    places = ["--tables", str(done / "tables"), "--out", str(tmp_path)]
    assert figures.main([name, "--profile", "smoke", *places]) == 0
    assert {path.name for path in (tmp_path / "smoke").iterdir()} == {f"{name}.png", f"{name}.pdf"}


def test_every_analysis_has_a_figure():
    assert list(questions()) == list(COLUMNS) == NAMES
    assert set(figures.modules()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_provenance(done: Path, tiny: Checkpoints, settings: Any, name: str):
    assert table(done, name).attrs["provenance"] == {
        "analysis": name,
        "agent": "cartpole",
        "title": "Cart Pole",
        "profile": "smoke",
        "repeats": "trained seed",
        "settings": json.loads(json.dumps(vars(getattr(settings, name)))),
        "bank": vars(settings.bank) if name in USING_BANKS else None,
        "config_hash": tiny.config_hash,
        "commit": commit(),
        "checkpoint_commits": list(tiny.commits),
        "measured_at": [commit()],
        "versions": versions(),
        "seeds": SEEDS,
        "training_steps": 60,
        "temperatures": [[0, 1.0], [30, 0.5], [45, 0.25]],
        "actions": 2,
        "return_range": [20, 500],
        "counts": True,
        "rule": "muzero",
    }
