"""Negative controls, through the same code: what must not be found is not found."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analyses import __main__ as analyses
from analyses import stats
from analyses.claims import __main__ as claims
from analyses.claims.contrasts import measure
from analyses.claims.descriptive import QUANTITIES
from analyses.claims.verdicts import ESTABLISHED, judge, of_claim, rule
from tests.analyses.harness import adapters

TABLES = Path("analyses/tables")
COUNTING = {"cartpole": "paper/cartpole", "lunar_lander": "desk/lunar_lander", "minatar": "desk/minatar"}
DRAWS = 1000
MOST = scipy_stats.binom.ppf(0.999, DRAWS, stats.LEVEL)  # of draws, by chance, at the level of the test


@pytest.fixture(scope="module")
def study() -> Mapping[str, Any]:
    return claims.read(profile="study", agents=list(COUNTING.values()), root=TABLES)


@pytest.mark.parametrize("claim", ["4", "8", "10b"])
def test_random_signs_establish_nothing(study: Mapping[str, Any], claim: str) -> None:
    """Each seed's contrast is turned round by a coin, 1,000 times, in the committed tables' own values.

    Of all draws, some agent is significant in 5 % at most, Holm's family-wise level, and one agent alone in 5 %.
    """
    random = np.random.default_rng(0)
    primary = {agent: measure(claim, tables).primary.dropna().to_numpy() for agent, tables in study.items()}
    anyone, alone = 0, dict.fromkeys(primary, 0)
    for _ in range(DRAWS):
        drawn = {agent: x * random.choice([-1, 1], x.size) for agent, x in primary.items()}
        p = [stats.sign_flip(x) for x in drawn.values()]
        found = {
            agent: rule(x.mean(), sure=adjusted < stats.LEVEL, small=False)
            for (agent, x), adjusted in zip(drawn.items(), stats.holm(p), strict=True)
        }
        anyone += any(verdict != "open" for verdict in found.values())
        for agent, value in zip(primary, p, strict=True):
            alone[agent] += value < stats.LEVEL
    assert anyone <= MOST
    assert max(alone.values()) <= MOST
    # with 20 and 30 seeds the test is hardly discrete: it uses its level
    assert alone["minatar"] >= scipy_stats.binom.ppf(0.001, DRAWS, stats.LEVEL)


def test_random_signs_through_the_whole_judgement(study: Mapping[str, Any]) -> None:
    """The same with intervals, margins and verdicts, for fewer draws: what is open or equivalent is the rule."""
    random = np.random.default_rng(1)
    measured = {agent: measure("8", tables) for agent, tables in study.items()}
    heads = {agent: {"return_range": (0, 1e-9)} for agent in study}
    established = 0
    for _ in range(40):
        drawn = {a: m._replace(primary=m.primary * random.choice([-1, 1], len(m.primary))) for a, m in measured.items()}
        established += any(v.verdict == ESTABLISHED for v in of_claim("8", drawn, heads))
    assert established <= scipy_stats.binom.ppf(0.999, 40, stats.LEVEL / 2)  # in the claim's direction


SETTINGS = {
    "bank": {"episodes": 2, "states": 4},
    "returns": {"episodes": 2},
    "own_policy": {"states": 4},
    "sequences": {"states": 4, "length": 3},
    "cross_checkpoint": {"states": 3},
    "prior_effect": {"states": 4, "horizon": 5, "budgets": (4, 16)},
    "planning": {"episodes": 1, "horizon": 6, "budgets": (4, 16, 32)},
}

# Untrained nets of Cart Pole, other ones at every step.
UNTRAINED = """
import numpy as np
import torch
from muzero_probe import ProbedAgent, agents
from muzero_probe.engine import learned_model
from muzero_probe.nets.layers import initial_vector

CARD = agents.load("cartpole")
ENV = CARD.make({{}})
NETS = CARD.build(CARD.profile("smoke").nets, ENV)


def nets(step, seed):
    vector = initial_vector(NETS.layout, np.random.default_rng([step, seed]))
    return learned_model(NETS, torch.tensor(vector[None]), np.zeros(4096, np.int64))


def load():
    return ProbedAgent(
        name="control", title="Control", environment="cartpole", discount=0.997, simulations=8, horizon=4,
        models={{step: [nets(step, seed) for seed in range(8)] for step in (100, 500, 10_000)}}, analyses={settings!r},
    )
"""


def control(folder: Path, reference: str, *names: str) -> dict[str, Any]:
    """The tables of a control, and its verdicts by claim."""
    words = [*names, "--agent", reference, "--jobs", "1", "--tables", str(folder), "--units", str(folder / "units")]
    assert analyses.main(words) == 0
    found = claims.read(profile="own", agents=(), root=folder)
    (tables,) = found.values()
    return {"tables": tables, **{v.claim: v for v in judge(found)}}


def test_the_true_model_as_the_learned_one_has_no_errors(tmp_path: Path) -> None:
    """All errors are exactly 0, planning with it is planning with the true model, and no claim finds a difference."""
    models = "{step: [model(0.0) for seed in range(6)] for step in (100, 500, 10_000)}"
    found = control(tmp_path, adapters.treadmill(tmp_path / "known.py", models, settings=f"analyses={SETTINGS!r}"))
    for name in ("own_policy", "sequences", "cross_checkpoint"):
        assert (found["tables"][name]["error"] == 0).all(), name
    assert (found["tables"]["prior_effect"][["error", "path_error"]] == 0).all(axis=None)
    for claim in ("2b", "4", "5", "6", "7", "11b"):  # an error of 0 has no logarithm
        assert found[claim].verdict == "not measured", claim
    assert found["3"].contrast.effect == 0 and found["3"].verdict == "open"
    for claim in ("8", "9b", "10a", "10b"):
        assert found[claim].contrast.effect == 0 and found[claim].verdict in ("open", "equivalent"), claim


def test_untrained_nets_establish_only_what_needs_no_training(tmp_path: Path) -> None:
    """Sums of rewards grow with the horizon, and a search stays near its prior, whatever the nets know.

    Planners are left out: the true model gains by planning where untrained nets cannot (claims 8, 9b and 10a).
    """
    (tmp_path / "untrained.py").write_text(UNTRAINED.format(settings=SETTINGS))
    found = control(tmp_path, f"{tmp_path}/untrained.py:load", *(name for name in QUANTITIES if name != "planning"))
    established = {claim for claim, v in found.items() if claim != "tables" and v.verdict == ESTABLISHED}
    assert established <= {"2b", "11a"}
    for claim in ("1", "3", "4", "5", "6", "7", "11b"):
        assert found[claim].verdict != ESTABLISHED and found[claim].contrast.n == 8, claim
