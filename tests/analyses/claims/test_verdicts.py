"""The rule that turns contrasts into verdicts."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analyses.claims import verdicts
from analyses.claims.sentences import CLAIMS
from analyses.claims.verdicts import Verdict, judge
from tests.analyses.claims.synthetic import agent

Tables = dict[str, Any]


def returns(gains: list[float], name: str = "cartpole", **head) -> Tables:
    """An agent whose search plays better than its prior by these amounts at every checkpoint, one a seed."""
    table = agent(name, seeds=len(gains), **head)["returns"]
    table["return_mean"] = np.where(table["policy"] == "search", np.array(gains)[table["seed"]], 0.0)
    return {"returns": table}


def of(claim: str, found: dict[str, Tables]) -> dict[str, Verdict]:
    return {v.agent: v for v in judge(found) if v.claim == claim}


SPREAD = np.linspace(-1, 1, 10)


@pytest.mark.parametrize(
    ("gains", "verdict", "small"),
    [
        (20 + SPREAD, "established", False),
        (-20 + SPREAD, "contradicted", False),
        (2 + SPREAD, "established", True),  # the margin is 5
        (SPREAD, "equivalent", True),
        (20 * SPREAD, "open", False),
    ],
)
def test_the_rule(gains: np.ndarray, verdict: str, small: bool) -> None:
    """Ten seeds, a range of returns of 0 to 100."""
    v = of("1", {"cartpole": returns(list(gains))})["cartpole"]
    assert (v.verdict, v.small, v.margin, v.contrast.n, v.reason) == (verdict, small, 5.0, 10, "")
    assert v.contrast.effect == pytest.approx(gains.mean())


def test_a_claim_of_less_is_established_by_less() -> None:
    """Claim 3 says that errors fall."""
    table = agent(seeds=10)["own_policy"]
    table["error"] = np.where(table["step"] == 400, 5.0, 1.0) + SPREAD[table["seed"]] * (table["step"] == 1000)
    v = of("3", {"cartpole": {"own_policy": table}})["cartpole"]
    assert v.contrast.effect == pytest.approx(-4.0) and v.verdict == "established"
    table["error"] = np.where(table["step"] == 400, 1.0, 5.0)
    assert of("3", {"cartpole": {"own_policy": table}})["cartpole"].verdict == "contradicted"


def test_holm_is_over_the_agents_of_a_claim() -> None:
    """p = 0.03125 of six seeds that agree establishes one agent; two such agents have 0.0625 each."""
    agree = [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
    alone = of("1", {"a": returns(agree, "a")})
    assert (alone["a"].contrast.p, alone["a"].p_holm, alone["a"].verdict) == (0.03125, 0.03125, "established")
    two = of("1", {name: returns(agree, name) for name in "ab"})
    assert [(v.p_holm, v.verdict) for v in two.values()] == [(0.0625, "open")] * 2


def test_who_does_not_play_well_stands_outside() -> None:
    """Such agents are shown and not judged, and take nothing from the others."""
    agree = [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]
    found = of("1", {"a": returns(agree, "a"), "breakout": returns(agree, "breakout", counts=False)})
    assert (found["a"].p_holm, found["a"].verdict) == (0.03125, "established")
    assert found["breakout"].verdict == "outside" and math.isnan(found["breakout"].p_holm)
    assert found["breakout"].contrast.effect == 22.5


def test_four_seeds_are_said_to_be_too_few() -> None:
    """Their smallest possible p is 1/8."""
    v = of("1", {"a": returns([20.0, 21.0, 22.0, 23.0], "a")})["a"]
    assert (v.verdict, v.reason) == ("open", "4 cannot establish anything: p is at least 0.125")


def test_what_is_not_measured_says_why() -> None:
    """One seed, a missing table, another game, a claim that waits."""
    one = of("1", {"a": returns([5.0], "a")})["a"]
    assert (one.verdict, one.reason) == ("not measured", "one seed has no interval")
    found = {v.claim: v for v in judge({"lander": returns([5.0, 6.0], "lander")})}
    assert found["2b"].reason == "there is no table own_policy"
    assert found["12"].reason == found["13"].reason == "the claim is about another game"
    assert found["14"].reason.startswith("needs the spread of true sums of rewards")
    assert {v.verdict for name, v in found.items() if name != "1"} == {"not measured"}


def test_seeds_without_a_measurement_are_counted() -> None:
    """A NaN leaves the mean and n, and is said."""
    tables = returns(list(20 + SPREAD))
    tables["returns"].loc[tables["returns"]["seed"] == 3, "return_mean"] = np.nan
    v = of("1", {"cartpole": tables})["cartpole"]
    assert (v.contrast.n, v.verdict, v.reason) == (9, "established", "1 of 10 seeds have no measurement")


def test_checkpoints_that_disagree_are_marked() -> None:
    """Search gains 20 at steps 10 and 60 and loses 20 at 100 and 400: mixed, and nothing over all."""
    tables = returns(list(20 + SPREAD))
    t = tables["returns"]
    t.loc[(t["policy"] == "search") & t["step"].isin([100, 400]), "return_mean"] -= 40
    v = of("1", {"cartpole": tables})["cartpole"]
    assert (v.mixed, v.verdict) == (True, "equivalent")
    assert not of("1", {"cartpole": returns(list(20 + SPREAD))})["cartpole"].mixed


def test_no_margin_without_a_range_of_returns() -> None:
    """Equivalence is not tested where nobody said what matters; factors of errors need no range."""
    assert math.isnan(CLAIMS["1"].smallest(None))
    assert of("1", {"a": returns(list(SPREAD), "a", return_range=None)})["a"].verdict == "open"
    assert CLAIMS["4"].smallest(None) == pytest.approx(math.log(1.25))
    assert CLAIMS["1"].smallest((-200, 300)) == pytest.approx(25)


def test_tables_hold_every_contrast() -> None:
    """Primary rows for all claims and agents, with a row per checkpoint and the values of every seed."""
    judged = judge({"cartpole": agent(stream=1), "minatar": agent("minatar", stream=2)})
    rows: Any = verdicts.table(judged)
    values: Any = verdicts.values(judged)
    primary = rows[rows["role"] == "primary"]
    assert list(zip(primary["claim"], primary["agent"], strict=True)) == [
        (claim, name) for claim in CLAIMS for name in ("cartpole", "minatar")
    ]
    assert set(primary["status"]) == {"confirmatory"} and set(primary["step"]) == {-1}
    of_two = values[(values["claim"] == "2b") & (values["agent"] == "cartpole")]
    pooled = of_two[of_two["step"] == -1].set_index("seed")["value"]
    each = of_two[(of_two["step"] != -1) & (of_two["pooled"] == "yes")]
    pd.testing.assert_series_equal(each.groupby("seed")["value"].mean(), pooled)
    row = primary[(primary["claim"] == "2b") & (primary["agent"] == "cartpole")].iloc[0]
    assert row["effect"] == pytest.approx(pooled.mean()) and row["n"] == 6


def test_contrasts_are_exploratory_where_the_tables_had_been_seen() -> None:
    """Of the populations that they were chosen by, and of nobody else."""
    seen = of("1", {"cartpole": returns([1.0, 2.0], config_hash="e19705defd56")})["cartpole"]
    foreign = of("1", {"a": returns([1.0, 2.0], "a", loaded_by="muzero_general.py:cartpole")})["a"]
    other = of("1", {"cartpole": returns([1.0, 2.0], config_hash="000000000000")})["cartpole"]
    assert (seen.exploratory, foreign.exploratory, other.exploratory) == (True, True, False)
