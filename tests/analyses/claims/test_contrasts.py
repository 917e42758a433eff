"""The primary contrast of every claim, against its formula written out in loops over single cells."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from analyses.claims.contrasts import CONTRASTS, NotMeasured, measure
from analyses.claims.sentences import CLAIMS
from analyses.tables import TableError
from tests.analyses.claims.synthetic import BUDGETS, STEPS, agent, lookup

TRAINED = [s for s in STEPS if s >= 10]  # 1 % of 1,000
LARGE = [16, 32, 128]
FEWEST = 4  # the smallest budget above 3 actions

Tables = dict[str, Any]


def mean(values: Iterator[float] | list[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def gain(t: Tables, seed: int) -> float:
    at = lambda s, p: lookup(t["returns"], "return_mean", seed=seed, step=s, policy=p)  # noqa: E731
    return mean(at(s, "search") - at(s, "prior") for s in (10, 60, 100, 400))  # T is 1 before 500


def growth(t: Tables, seed: int) -> float:
    at = lambda s, h: lookup(t["own_policy"], "error", seed=seed, step=s, horizon=h)  # noqa: E731
    return mean(math.log(at(s, 4) / at(s, 1)) for s in TRAINED)


def fall(t: Tables, seed: int) -> float:
    at = lambda s: lookup(t["own_policy"], "error", seed=seed, step=s, horizon=4)  # noqa: E731
    return at(1000) - at(400)


def concentration(t: Tables, seed: int, step: int) -> float:
    errors = [lookup(t["sequences"], "error", seed=seed, step=step, rank=r) for r in range(1, 9)]
    chances = [lookup(t["sequences"], "probability", seed=seed, step=step, rank=r) for r in range(1, 9)]
    weighted = sum(e * p for e, p in zip(errors, chances, strict=True)) / sum(chances)
    return math.log(mean(errors) / weighted)


def diagonal(t: Tables, seed: int) -> float:
    at = lambda a, b: math.log(  # noqa: E731
        lookup(t["cross_checkpoint"], "error", seed=seed, step=a, policy_step=b, horizon=4)
    )
    whole = mean(at(a, b) for a in TRAINED for b in TRAINED)
    return mean(at(s, s) - mean(at(s, b) for b in TRAINED) - mean(at(a, s) for a in TRAINED) + whole for s in TRAINED)


def late(t: Tables, seed: int) -> float:
    at = lambda a, b: lookup(t["cross_checkpoint"], "error", seed=seed, step=a, policy_step=b, horizon=4)  # noqa: E731
    return mean(math.log(at(s, 1000) / at(s, s)) for s in (5, 10, 60, 100))


def planner(t: Tables, seed: int) -> Callable[[str, str, int, int], float]:
    return lambda model, prior, budget, step: lookup(
        t["planning"], "return_mean", seed=seed, model=model, prior=prior, simulations=budget, step=step
    )


def planned(form: Callable[[Any, int, int], float], steps: tuple[int, ...] = (5, 60, 1000)) -> Callable:
    """The mean over checkpoints and budgets of 16 and more of a form of (planner, budget, step)."""
    return lambda t, seed: mean(form(planner(t, seed), b, s) for s in steps for b in LARGE)


def slope(t: Tables, seed: int) -> float:
    """By the normal equations of a line over log2 of the budgets."""
    at = planner(t, seed)

    def gap(b: int, s: int) -> float:
        learned, real = (at(m, "policy", b, s) - at(m, "uniform", b, s) for m in ("learned", "real"))
        return learned - real

    x = [math.log2(b) for b in LARGE]
    slopes = []
    for s in (5, 60, 1000):
        y = [gap(b, s) for b in LARGE]
        top = sum(u * v for u, v in zip(x, y, strict=True)) / 3 - mean(x) * mean(y)
        slopes.append(top / (sum(u * u for u in x) / 3 - mean(x) ** 2))
    return mean(slopes)


def by_prior(column: str, form: Callable[[float, float], float]) -> Callable[[Tables, int], float]:
    def formed(t: Tables, seed: int) -> float:
        at = lambda p, b: lookup(t["prior_effect"], column, seed=seed, prior=p, simulations=b, step=60)  # noqa: E731
        return mean(form(at("uniform", b), at("policy", b)) for b in LARGE)

    return formed


ORACLES: dict[str, Callable[[Tables, int], float]] = {
    "1": gain,
    "2b": growth,
    "3": fall,
    "4": lambda t, seed: mean(concentration(t, seed, s) for s in (60, 1000)),
    "5": lambda t, seed: concentration(t, seed, 1000) - concentration(t, seed, 5),
    "6": diagonal,
    "7": late,
    "8": planned(lambda at, b, s: at("real", "uniform", b, s) - at("learned", "uniform", b, s)),
    "9a": planned(lambda at, b, s: at("learned", "policy", b, s) - at("learned", "policy", FEWEST, s)),
    "9b": planned(
        lambda at, b, s: (at("real", "policy", b, s) - at("real", "policy", FEWEST, s))
        - (at("learned", "policy", b, s) - at("learned", "policy", FEWEST, s))
    ),
    "10a": planned(
        lambda at, b, s: at("learned", "policy", b, s) - at("learned", "uniform", b, s)
        - at("real", "policy", b, s) + at("real", "uniform", b, s)
    ),
    "10b": slope,
    "11a": by_prior("tv", lambda u, p: u - p),
    "11b": by_prior("error", lambda u, p: math.log(u / p)),
    "12": lambda t, seed: mean(
        planner(t, seed)("learned", "policy", b, s)
        - lookup(t["returns"], "return_mean", seed=seed, step=s, policy="prior")
        for s in (5, 60, 1000)
        for b in LARGE
    ),
    "13": planned(
        lambda at, b, s: at("learned", "uniform", b, s) - at("learned", "uniform", FEWEST, s), steps=(60, 1000)
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", CONTRASTS)
def test_every_contrast_is_its_formula(claim: str) -> None:
    """Of random tables of six seeds, formed within each seed."""
    tables = agent(stream=3)
    found = measure(claim, tables)
    assert list(found.primary.index) == list(range(6))
    for seed in range(6):
        assert found.primary[seed] == pytest.approx(ORACLES[claim](tables, seed), rel=1e-9, abs=1e-12), seed
    assert set(found.pooled) <= set(found.by_step.columns)


def test_every_claim_is_measured_or_says_what_it_waits_for() -> None:
    """No claim of the list is without either."""
    assert {name for name, claim in CLAIMS.items() if not claim.pending} == set(CONTRASTS) == set(ORACLES)


def test_a_planner_of_another_game_has_another_smallest_search() -> None:
    """The fewest simulations are the first budget above the number of actions."""
    tables = agent(actions=4)
    at = planner(tables, 0)
    expected = mean(at("learned", "policy", b, s) - at("learned", "policy", 8, s) for s in (5, 60, 1000) for b in LARGE)
    assert measure("9a", tables).primary[0] == pytest.approx(expected)


def test_without_returns_the_planners_own_baseline_serves() -> None:
    """It is the prior alone of the same starts, of fewer episodes."""
    tables = agent()
    alone = lookup(tables["planning"], "return_mean", seed=2, step=60, model="no search")
    both = measure("12", {"planning": tables["planning"]}).by_step.loc[2, 60]
    at = planner(tables, 2)
    assert both == pytest.approx(mean(at("learned", "policy", b, 60) for b in LARGE) - alone)


def test_an_error_of_zero_has_no_logarithm() -> None:
    """Such a seed has no measurement, the others keep theirs."""
    tables = agent()
    zero = tables["own_policy"]
    zero.loc[(zero["seed"] == 4) & (zero["step"] == 60) & (zero["horizon"] == 1), "error"] = 0.0
    found = measure("2b", tables).primary
    assert math.isnan(found[4]) and found.drop(4).notna().all()


@pytest.mark.parametrize(
    ("claim", "table", "keep", "why"),
    [
        ("1", "returns", lambda t: t[t["step"] >= 500], "no checkpoint"),
        ("2b", "own_policy", lambda t: t[t["step"] < 10], "no checkpoint"),
        ("3", "own_policy", lambda t: t[t["step"] >= 500], "no checkpoint"),
        ("5", "sequences", lambda t: t[t["step"] == 1000], "no checkpoint"),
        ("6", "cross_checkpoint", lambda t: t[(t["step"] == 60) & (t["policy_step"] == 60)], "no checkpoint"),
        ("7", "cross_checkpoint", lambda t: t[t["step"] > 100], "no checkpoint"),
        ("8", "planning", lambda t: t[t["simulations"] < 16], "planners have .*, needed are some of 16"),
        ("10b", "planning", lambda t: t[t["simulations"] <= 16], "two budgets of 16 and more"),
        ("9a", "planning", lambda t: t[~t["simulations"].isin([4, 8])], "no planner has fewer than 16"),
        ("8", "planning", lambda t: t[t["model"] != "real"], "no rows of model real"),
        ("11a", "prior_effect", lambda t: t[t["simulations"] < 16], "no search has 16"),
        ("1", "returns", lambda t: t[t["policy"] == "prior"], "no rows of policy search"),
    ],
)
def test_what_a_table_lacks_is_said(claim: str, table: str, keep: Callable, why: str) -> None:
    """A clause that says why the claim is not measured."""
    tables = agent()
    attrs = tables[table].attrs
    tables[table] = keep(tables[table])
    tables[table].attrs = attrs
    with pytest.raises(NotMeasured, match=why):
        measure(claim, tables)


def test_temperatures_must_be_known() -> None:
    """Claim 1 compares at T = 1, and cannot guess when that was."""
    with pytest.raises(NotMeasured, match="at which temperatures"):
        measure("1", agent(temperatures=None))


def test_a_missing_column_is_named() -> None:
    """It is a fault of the table, no finding."""
    tables = agent()
    tables["returns"] = tables["returns"].drop(columns="return_mean")
    with pytest.raises(TableError, match="lacks the column return_mean"):
        measure("1", tables)


def test_budgets_of_the_synthetic_study_cover_the_rule() -> None:
    """The oracles' budgets are those of 16 and more."""
    assert [b for b in BUDGETS if b >= 16] == LARGE
