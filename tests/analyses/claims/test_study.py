"""The committed verdicts: made of the committed tables, and of numbers that somebody else computed from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses import tables
from analyses.claims import __main__ as claims

TABLES = Path("analyses/tables")
STUDY = ["paper/cartpole", "desk/lunar_lander", "desk/minatar", "desk/breakout"]


@pytest.fixture(scope="module")
def committed() -> Any:
    return tables.read(TABLES / "study" / "claims.csv")


@pytest.mark.parametrize(("profile", "agents"), [("study", STUDY), ("foreign", [])])
def test_they_are_of_these_tables(profile: str, agents: list[str], tmp_path: Path) -> None:
    """What the command writes today is what is committed, but for the commit that made it.

    The last of six digits may differ by one: versions of numpy and pandas add in other orders.
    """
    committed = {name: tables.read(TABLES / profile / f"{name}.csv") for name in ("claims", "contrasts")}
    link = tmp_path / "tables"
    link.mkdir()
    for folder in {"foreign"} if profile == "foreign" else {"paper", "desk"}:
        for agent in (TABLES / folder).iterdir():
            if agent.is_dir():
                (link / folder).mkdir(exist_ok=True)
                (link / folder / agent.name).symlink_to(agent.resolve())
    words = [word for agent in agents for word in ("--agent", agent)]
    assert claims.main(["--profile", profile, "--tables", str(link), *words]) == 0
    for name, before in committed.items():
        now = tables.read(link / profile / f"{name}.csv")
        pd.testing.assert_frame_equal(now, before, rtol=1.001e-5, atol=1e-12, obj=name)
        assert now.attrs["provenance"] | {"commit": ""} == before.attrs["provenance"] | {"commit": ""}


# effect and standard error of contrasts over seeds, as a review of these tables computed them by itself
REVIEWED = [
    ("1", "lunar_lander", "checkpoint", 100_000, 127, 11),
    ("1", "cartpole", "checkpoint", 2_000, 35, 9),
    ("5", "cartpole", "primary", -1, 1.10, 0.12),
    ("5", "minatar", "primary", -1, 0.60, 0.13),
    ("5", "lunar_lander", "primary", -1, 0.16, 0.10),
    ("8", "lunar_lander", "checkpoint", 1_000, 372, 53),
    ("8", "lunar_lander", "checkpoint", 10_000, 226, 47),
    ("8", "lunar_lander", "checkpoint", 100_000, 134, 43),
    ("8", "cartpole", "checkpoint", 10_000, -13, 21),
    ("10a", "lunar_lander", "primary", -1, 130, 29),
    ("10b", "cartpole", "checkpoint", 100_000, 24, 6),
]


@pytest.mark.parametrize(("claim", "agent", "role", "step", "effect", "se"), REVIEWED)
def test_a_second_computation_agrees(
    committed: Any, claim: str, agent: str, role: str, step: int, effect: float, se: float
) -> None:
    """To the digits that were written down."""
    row = committed[(committed["claim"] == claim) & (committed["agent"] == agent)]
    row = row[(row["role"] == role) & (row["step"] == step)].iloc[0]
    digits = 0 if abs(effect) >= 10 else 2
    assert round(row["effect"], digits) == effect
    from_interval = (row["high"] - row["low"]) / 2 / QUANTILE[row["n"]]
    assert round(from_interval, digits) == se


QUANTILE = {30: 2.04523, 20: 2.09302, 10: 2.26216}  # of t with n - 1 degrees of freedom at 97.5 %, from a printed table


@pytest.mark.parametrize(("agent", "percent"), [("cartpole", -21), ("lunar_lander", -16)])
def test_the_own_policy_errs_less(committed: Any, agent: str, percent: int) -> None:
    """Double-centred log errors on the diagonal, as the review has them; its MinAtar left out a checkpoint of ours."""
    row = committed[(committed["claim"] == "6") & (committed["agent"] == agent) & (committed["role"] == "primary")]
    assert round(100 * np.expm1(row["effect"].iloc[0])) == percent
    assert set(row["verdict"]) == {"established"}


def test_no_verdict_is_missing(committed: Any) -> None:
    """Every claim for every agent: a verdict, or a reason."""
    primary = committed[committed["role"] == "primary"]
    assert len(primary) == 18 * 4
    assert (primary[primary["verdict"].isin(["not measured", "outside"])]["reason"] != "").all()
