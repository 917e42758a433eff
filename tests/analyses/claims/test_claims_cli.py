"""`python -m analyses.claims`: which tables it reads, what it writes and prints, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses import tables as files
from analyses.claims import __main__ as claims
from analyses.claims import verdicts
from analyses.claims.descriptive import describe
from analyses.claims.sentences import CLAIMS
from analyses.harness.registry import questions
from analyses.harness.study import COMMON
from tests.analyses import studies
from tests.analyses.claims.synthetic import HEAD, agent


def write(root: Path, name: str, found: dict[str, Any], *, profile: str = "quick", **head: Any) -> Path:
    """As analyses would, but for the columns that no claim is about."""
    for table, rows in found.items():
        known = {**COMMON, **questions()[table].COLUMNS}
        columns = {column: known[column] for column in rows.columns}
        files.write(
            root / profile / name / f"{table}.csv",
            rows,
            columns,
            HEAD | {"analysis": table, "agent": name, "profile": profile} | head,
        )
    return root / profile


def said_of(tables: Path, *words: str) -> int:
    return claims.main(["--tables", str(tables), *words])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    return studies.one_line(said.err, "python -m analyses.claims")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """All agents with tables are judged together; both tables are written, the verdicts printed."""
    assert said_of(tmp_path) == 1
    assert one_line(capsys) == f"{tmp_path}/quick: there are no tables, make them with `python -m analyses`"
    both = {"cartpole": agent(stream=1), "minatar": agent("minatar", stream=2)}
    folder = tmp_path / "quick"
    for name, found in both.items():
        write(tmp_path, name, found, title=f"My {name}")
    assert said_of(tmp_path) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "| claim | My cartpole | My minatar |"
    assert len(said.out.splitlines()) == 2 + len(CLAIMS)
    assert {line.count("|") for line in said.out.splitlines()} == {4}
    written = files.read(folder / "claims.csv")
    assert written.attrs["columns"] == verdicts.COLUMNS
    head = written.attrs["provenance"]
    assert head["agents"] == {"cartpole": "My cartpole", "minatar": "My minatar"}
    digest = files.read(folder / "minatar" / "planning.csv").attrs["digest"]
    assert head["tables"]["minatar/planning"] == digest[:16] and len(head["tables"]) == 12
    assert set(written["role"]) == {"primary", "checkpoint", "descriptive"}
    values = files.read(folder / "contrasts.csv")
    assert set(values["agent"]) == {"cartpole", "minatar"}
    before = (folder / "claims.csv").read_bytes()
    assert said_of(tmp_path) == 0 and (folder / "claims.csv").read_bytes() == before
    (folder / "minatar" / "sequences.csv").write_text("")
    capsys.readouterr()
    assert said_of(tmp_path) == 1
    assert one_line(capsys).startswith(f"{folder}/minatar/sequences.csv is no table of this study")
    assert (folder / "claims.csv").read_bytes() == before


def test_agents_of_several_profiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """They stand side by side in the profile that is written, like figures."""
    write(tmp_path, "cartpole", agent(), profile="paper")
    write(tmp_path, "minatar", agent("minatar"), profile="desk")
    assert said_of(tmp_path, "--profile", "study", "--agent", "paper/cartpole", "--agent", "desk/minatar") == 0
    written = files.read(tmp_path / "study" / "claims.csv")
    assert list(written.attrs["provenance"]["agents"]) == ["cartpole", "minatar"]
    assert not (tmp_path / "paper" / "claims.csv").exists()


def test_missing_tables_are_left_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Here those of an agent trained elsewhere, of which two analyses were not made."""
    found = {name: rows for name, rows in agent("mine").items() if name not in ("cross_checkpoint", "prior_effect")}
    folder = write(tmp_path, "mine", found, profile="foreign")
    assert said_of(tmp_path, "--profile", "foreign", "--agent", "somewhere/mine.py") == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"python -m analyses.claims: left out: mine has no table {name}"
        for name in ("cross_checkpoint", "prior_effect")
    ] + [str(folder / "claims.csv")]
    written = files.read(folder / "claims.csv")
    written = written[(written["claim"] == "6") & (written["role"] == "primary")]
    assert set(written["verdict"]) == {"not measured"}
    assert set(written["reason"]) == {"there is no table cross_checkpoint"}


def test_another_agents_rows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A file that was copied to a wrong folder would speak for someone else."""
    write(tmp_path, "minatar", {"returns": agent("cartpole")["returns"]})
    assert said_of(tmp_path) == 1
    again = "(python -m analyses returns --profile quick --agent minatar)"
    assert one_line(capsys) == f"{tmp_path}/quick/minatar/returns.csv holds rows of cartpole, not of minatar {again}"


def test_an_agent_without_tables_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write(tmp_path, "cartpole", agent())
    assert said_of(tmp_path, "--agent", "acrobot") == 1
    assert one_line(capsys) == f"{tmp_path}/quick/acrobot: there are no tables, make them with `python -m analyses`"


def test_an_impossible_command(capsys: pytest.CaptureFixture[str]):
    assert claims.main(["--profil", "paper"]) == 2
    assert one_line(capsys).startswith("Unrecognized options: --profil, paper; perhaps you meant --profile")


def test_cells_say_what_qualifies_them():
    """A word, a symbol, and whether the effect is small or checkpoints disagree."""
    v = verdicts.judge({"cartpole": agent()})[0]
    shown = v._replace(verdict="established", small=True, mixed=True, p_holm=0.01)
    assert claims.cell(shown) == "✓ established, small, mixed"
    assert claims.cell(shown._replace(verdict="equivalent", p_holm=0.4, mixed=False)) == "= equivalent"


# Descriptive quantities


def test_descriptive_quantities_judge_nothing():
    """They are formed within a seed; an error that grows as h^2 has the exponent 2."""
    tables = agent()
    own = tables["own_policy"]
    own["error"] = 0.5 * own["horizon"] ** 2.0
    found: Any = describe("cartpole", tables).set_index(["quantity", "step"])
    assert set(found["role"]) == {"descriptive"} and set(found["verdict"]) == {""}
    assert found.loc[("exponent of the error's growth with the horizon", 60), "effect"] == pytest.approx(2.0)
    assert found.loc[("error, horizon 1", 60), "effect"] == pytest.approx(0.5)
    cross = tables["cross_checkpoint"]
    row = cross[(cross["horizon"] == 4) & (cross["step"] == 60)].pivot(
        index="seed", columns="policy_step", values="error"
    )
    ranks = [1 + sum(error < errors[60] for error in errors) for _, errors in row.iterrows()]
    assert found.loc[("rank of the own policy's error in its row", 60), "effect"] == pytest.approx(np.mean(ranks))
    planned, alone = tables["planning"], tables["returns"]
    chosen = planned[(planned["step"] == 60) & (planned["model"] == "real") & (planned["prior"] == "uniform")]
    expected = chosen[chosen["simulations"] == 32].set_index("seed")["return_mean"]
    prior = alone[(alone["step"] == 60) & (alone["policy"] == "prior")].set_index("seed")["return_mean"]
    quantity = "return, true model, uniform prior, 32 simulations - prior alone"
    assert found.loc[(quantity, 60), "effect"] == pytest.approx((expected - prior).mean())


def test_rewards_that_tell_nothing_of_terminations():
    tables = agent()
    tables["own_policy"][["foreseen", "invented"]] = float("nan")
    assert not describe("cartpole", tables)["quantity"].str.contains("share").any()


def test_every_row_has_its_columns():
    found = pd.concat([verdicts.table(verdicts.judge({"a": agent("a")})), describe("a", agent("a"))])
    assert list(found.columns) == list(verdicts.COLUMNS)
