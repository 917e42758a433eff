"""Are the claims' quantities formed within a seed, from the rows that each claim is about?"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses import claims
from analyses import tables as files
from analyses.harness.registry import questions
from analyses.harness.study import COMMON
from analyses.tables import TableError
from tests.analyses import studies

SEEDS = (0, 1, 2)
SPREAD = dict(zip(SEEDS, (-1.0, 0.0, 1.0), strict=True))  # common to a seed's rows: cancels in differences


def table(columns: dict[str, tuple], **values) -> pd.DataFrame:
    """All combinations of columns and seeds; every value is a function of the row."""
    rows = [dict(zip(("seed", *columns), cell, strict=True)) for cell in itertools.product(SEEDS, *columns.values())]
    return pd.DataFrame([row | {name: value(row) for name, value in values.items()} for row in rows])


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    planned = table(
        {"step": (5, 9), "model": ("learned", "real"), "prior": ("policy", "uniform"), "simulations": (4, 128)},
        return_mean=lambda r: (
            100 * (r["model"] == "real") + 10 * (r["prior"] == "policy") * (1 + (r["model"] == "learned"))
            + r["simulations"] + SPREAD[r["seed"]]
        ),
    )  # fmt: skip
    alone = table(
        {"step": (5, 9), "model": ("no search",), "prior": ("policy",), "simulations": (0,)},
        return_mean=lambda r: 50 + SPREAD[r["seed"]],
    )
    return {
        "returns": table(
            {"step": (0, 5, 9), "policy": ("search", "prior")},
            return_mean=lambda r: 40 * (r["policy"] == "search") + r["step"] + SPREAD[r["seed"]],
        ),
        "own_policy": table(
            {"step": (0, 9), "horizon": (1, 2, 3)},
            error=lambda r: r["horizon"] ** 2 / (1 + r["step"]) + SPREAD[r["seed"]],
            foreseen=lambda r: np.nan if r["seed"] == 0 else 0.25,
            invented=lambda r: 0.125,
        ),
        "sequences": table(
            {"step": (9,), "rank": tuple(range(1, 21))},
            error=lambda r: (r["rank"] if r["seed"] else -r["rank"]) / 10,
        ),
        "cross_checkpoint": table(
            {"step": (0, 5, 9), "policy_step": (0, 5, 9), "horizon": (1, 3)},
            error=lambda r: (abs(r["step"] - r["policy_step"]) + SPREAD[r["seed"]]) * (1 if r["horizon"] == 3 else 77),
        ),
        "prior_effect": table(
            {"step": (5,), "prior": ("policy", "uniform"), "simulations": (4, 128)},
            **{
                name: lambda r, scale=scale: scale * (r["prior"] == "uniform") * r["simulations"]
                for name, scale in (("error", 1.0), ("path_error", -1.0), ("tv", 0.5), ("kl", 2.0))
            },
        ),
        "planning": pd.concat([planned, alone]),
    }


EXPECTED = {
    (1, "return, search", 9): (49.0, 3**-0.5),
    (1, "return, search - prior alone", 9): (40.0, 0.0),
    (2, "error, horizon 1", 0): (1.0, 3**-0.5),
    (2, "error, horizon 3 - horizon 1", 0): (8.0, 0.0),
    (3, "error, horizon 3", 9): (0.9, 3**-0.5),
    (3, "share of terminations foreseen, horizon 3", 9): (0.25, 0.0),
    (3, "share of survivals called terminations, horizon 3", 9): (0.125, 0.0),
    # ranks 19 and 20 against 1 and 2: 1.8, with the sign turned in seed 0
    (4, "error, 2 unlikeliest - 2 likeliest sequences", 9): (0.6, 1.2),
    (4, "error, mean of the other sequences - likeliest", 9): (1 / 3, 2 / 3),
    (5, "rank correlation of error and rank", 9): (1 / 3, 2 / 3),
    (6, "error, best other policy - own policy", 5): (4.0, 0.0),
    (7, "error, policy of step 9 - own policy", 0): (9.0, 0.0),
    (8, "return, uniform prior, true - learned model, 128 simulations", 5): (100.0, 0.0),
    (9, "return, policy prior, learned model - prior alone, 128 simulations", 5): (143.0, 0.0),
    (9, "return, policy prior, true model - prior alone, 128 simulations", 5): (233.0, 0.0),
    (8, "return, uniform prior, learned model - prior alone, 4 simulations", 5): (-1.0, 0.0),
    (10, "policy - uniform prior, learned - true model, 4 simulations", 9): (10.0, 0.0),
    (11, "error, uniform - policy prior, 128 simulations", 5): (128.0, 0.0),
    (11, "error of the tree path, uniform - policy prior, 128 simulations", 5): (-128.0, 0.0),
    (11, "KL, uniform - policy prior, 128 simulations", 5): (256.0, 0.0),
}


def test_quantities(tables: dict[str, pd.DataFrame]):
    found = claims.evidence(tables).set_index(["claim", "quantity", "step"])
    for key, (mean, error) in EXPECTED.items():
        assert found.loc[key, "mean"] == pytest.approx(mean, abs=1e-9), key
        assert found.loc[key, "se"] == pytest.approx(error, abs=1e-9), key
    assert found.loc[(3, "share of terminations foreseen, horizon 3", 9), "n"] == 2
    assert (7, "error, policy of step 9 - own policy", 9) not in found.index
    assert sorted(set(found.index.get_level_values("claim"))) == sorted(claims.CLAIMS)


def test_a_task_whose_rewards_tell_nothing_of_terminations(tables: dict[str, pd.DataFrame]):
    tables["own_policy"][["foreseen", "invented"]] = np.nan
    found = claims.evidence(tables)
    assert not found["quantity"].str.contains("share of").any()
    assert sorted(set(found["claim"])) == sorted(claims.CLAIMS)


def test_a_seed_whose_sequences_err_alike_has_no_rank_correlation(tables: dict[str, pd.DataFrame]):
    tables["sequences"].loc[tables["sequences"]["seed"] == 0, "error"] = 0.3
    found = claims.evidence(tables).set_index(["claim", "quantity"]).loc[(5, "rank correlation of error and rank")]
    assert found[["mean", "se", "n"]].to_numpy().ravel().tolist() == pytest.approx([1, 0, 2])


def test_large_errors_are_shown_without_exponents():
    found = pd.DataFrame({"claim": [1], "quantity": ["q"], "step": [500], "mean": [-1234.0], "se": [102.4], "n": [3]})
    assert claims.show(found).splitlines()[-1] == "| q | -1230 ± 100 |"


def test_every_claim_is_shown(tables: dict[str, pd.DataFrame]):
    shown = claims.show(claims.evidence(tables))
    for number, text in claims.CLAIMS.items():
        assert f"**{number}. {text}**" in shown
    assert "| error, horizon 1 | 1 ± 0.58 | | 0.1 ± 0.58 |" in shown.replace("|  |", "| |")
    widths = {line.count("|") for line in shown.splitlines()}
    assert widths == {5}


def test_a_missing_column_is_named(tables: dict[str, pd.DataFrame]):
    tables["returns"] = tables["returns"].drop(columns="return_mean")
    with pytest.raises(TableError, match="lacks the column return_mean"):
        claims.evidence(tables)


def test_one_checkpoint(tables: dict[str, pd.DataFrame]):
    """Claims that compare checkpoints say nothing; all others hold what they held."""
    whole = claims.evidence(tables)
    alone: dict[str, Any] = {
        name: rows[rows["step"] == (5 if name == "prior_effect" else 9)] for name, rows in tables.items()
    }
    alone["cross_checkpoint"] = alone["cross_checkpoint"][alone["cross_checkpoint"]["policy_step"] == 9]
    found = claims.evidence(alone)
    assert sorted(set(claims.CLAIMS) - set(found["claim"])) == [6, 7]
    compared = whole.merge(found, on=["claim", "quantity", "step"], suffixes=("", "_alone"))
    assert len(compared) == len(found)
    for column in ("mean", "se", "n"):
        np.testing.assert_array_equal(compared[column], compared[f"{column}_alone"])
    assert {line.count("|") for line in claims.show(found).splitlines()} == {4}


# The command


def write(folder: Path, name: str, rows: Any) -> Path:
    """As an analysis would, but for the columns that no claim is about."""
    known = {**COMMON, **questions()[name].COLUMNS}
    columns = {column: known[column] for column in rows.columns}
    made = {"agent": "mine", "title": "Mine", "profile": "quick", "repeats": "trained seed", "commit": "abc"}
    files.write(folder / f"{name}.csv", rows, columns, made)
    return folder / f"{name}.csv"


def said_of(tables: Path, *words: str) -> int:
    return claims.main(["--tables", str(tables), *words])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    return studies.one_line(said.err, "python -m analyses.claims")


def test_the_command(tables: dict[str, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert said_of(tmp_path) == 1
    folder = tmp_path / "quick" / "cartpole"
    assert one_line(capsys) == f"{folder}: there are no tables, make them with `python -m analyses`"
    for name, rows in tables.items():
        write(folder, name, rows)
    assert said_of(tmp_path) == 0
    said = capsys.readouterr()
    written = files.read(folder / "claims.csv")
    assert (said.out.strip(), said.err) == (claims.show(written).strip(), "")
    pd.testing.assert_frame_equal(written, claims.evidence(tables), rtol=1e-5)
    assert written.attrs["columns"] == claims.COLUMNS
    assert written.attrs["provenance"] == {
        "agent": "mine", "title": "Mine", "profile": "quick", "repeats": "trained seed", "commit": "abc"
    }  # fmt: skip
    before = (folder / "claims.csv").read_bytes()
    (folder / "sequences.csv").write_text("")
    assert said_of(tmp_path) == 1
    assert one_line(capsys).startswith(f"{folder}/sequences.csv is no table of this study")
    assert (folder / "claims.csv").read_bytes() == before


def test_missing_tables_are_left_out_by_name(
    tables: dict[str, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Here those of an agent with one checkpoint, trained elsewhere, of which one analysis was not made."""
    folder = tmp_path / "foreign" / "mine"
    for name in ("own_policy", "sequences", "returns", "planning"):
        write(folder, name, tables[name][tables[name]["step"] == 9])
    assert said_of(tmp_path, "--profile", "foreign", "--agent", "somewhere/mine.py") == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"python -m analyses.claims: left out: there is no table {folder}/{name}.csv"
        for name in ("cross_checkpoint", "prior_effect")
    ]
    assert set(files.read(folder / "claims.csv")["claim"]) == {1, 2, 3, 4, 5, 8, 9, 10}


def test_without_the_returns_the_planners_own_baseline_serves(tables: dict[str, pd.DataFrame]):
    found = claims.evidence({"planning": tables["planning"]}).set_index(["claim", "quantity", "step"])
    quantity = "return, policy prior, learned model - prior alone, 128 simulations"
    assert found.loc[(9, quantity, 5), "mean"] == pytest.approx(98.0)  # 20 + 128 - 50
    assert claims.evidence(tables).set_index(found.index.names).loc[(9, quantity, 5), "mean"] == pytest.approx(143.0)


def test_an_impossible_command(capsys: pytest.CaptureFixture[str]):
    assert claims.main(["--profil", "paper"]) == 2
    assert one_line(capsys).startswith("Unrecognized options: --profil, paper; perhaps you meant --profile")
