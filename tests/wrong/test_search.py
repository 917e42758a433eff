"""Is what a search or a policy cannot be made of refused in one line, before anything is computed?"""

# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
import pytest

from muzero_probe import (
    RolloutLeaf,
    SearchConfig,
    TrueModel,
    ValueLeaf,
    sample_actions,
    search,
    search_policies,
    search_policy,
    visit_policy,
)
from muzero_probe.exact.products import dense
from muzero_probe.probes.policies import most_visited, prior_policy
from muzero_probe.randomness import observation_keys
from tests.wrong.calls import (
    CONFIG,
    ENV,
    INF,
    KEYS,
    MODEL,
    NAN,
    OBSERVATIONS,
    OVER,
    STATES,
    A,
    Answering,
    B,
    Call,
    functions,
    refused,
    spoilt,
)  # fmt: skip

SHARES = np.full((B, A), 0.5)
COUNTS = np.array([[3, 1], [0, 4]])


def searching(words: str, model: Any = MODEL, observations: Any = OBSERVATIONS, config: Any = CONFIG, **given) -> Call:
    return lambda: search(model, observations, config, **given), words


def answering(words: str, **changes: Any) -> Call:
    """A search with somebody's model, wrong from the first step on."""
    return searching(f"^Answering: {words}", Answering(at_root=False, **changes))


def configured(words: str, **changes: Any) -> Call:
    return lambda: SearchConfig(**changes), words


ROLLOUT = RolloutLeaf(horizon=3)
LONG = RolloutLeaf(horizon=100_000)
F = np.float32
CALLS: dict[str, Call] = {
    "no model": searching("model must be of kind Model, not a str", "learned"),
    "a class for a model": searching("model must be of kind Model, not Answering", Answering),
    "no observations": searching("observations must be a numpy array", observations=[[0.0] * 4] * B),
    "observations without rows": searching("observations must be a numpy array", observations=np.array(1.0)),
    "observations are objects": searching(
        "observations must be numbers, not object", observations=STATES.astype(object)
    ),
    "observations NaN": searching("observations must be finite, nan", observations=spoilt(OBSERVATIONS, NAN)),
    "observations inf": searching("observations must be finite, inf", observations=spoilt(OBSERVATIONS, INF)),
    "observations of other width": searching(r"shape \[3\], the nets take \[4\]", observations=OBSERVATIONS[:, :3]),
    "fewer observations": searching("there are 2 observations for 3 rows", observations=OBSERVATIONS[:2]),
    "more observations": searching("there are 5 observations for 3 rows", observations=np.zeros((5, 4), F)),
    "fewer states": searching("there are 2 states for 3 observations", states=STATES[:2]),
    "states are a list": searching("states must be an array or tensor", states=STATES.tolist()),
    "config is a dict": searching("config must be of kind SearchConfig, not a dict", config={"simulations": 4}),
    "noise of other width": searching(r"noise must have shape \[3, 2\], not \[3, 3\]", noise=np.full((B, 3), 1 / 3)),
    "noise sums to 2": searching("noise must be 0 or more and sum to 1, not 2", noise=SHARES * 2),
    "noise sums to 0": searching("noise must be 0 or more and sum to 1, not 0", noise=SHARES * 0),
    "noise negative": searching("noise must be 0 or more", noise=np.tile([-1.0, 2.0], (B, 1))),
    "noise NaN": searching("noise must be finite, nan", noise=spoilt(SHARES, NAN)),
    "noise inf": searching("noise must be finite, inf", noise=spoilt(SHARES, INF)),
    "noise is a list": searching("noise must be a numpy array", noise=SHARES.tolist()),
    "noise of integers": searching("noise must be 0 or more and sum to 1", noise=np.ones((B, A), int)),
    "keys signed": searching("keys must be uint64, not int64", keys=np.arange(B)),
    "keys floating": searching("keys must be integers, not float64", keys=np.zeros(B)),
    "fewer keys": searching(r"keys must have shape \[3\], not \[2\]", keys=KEYS[:2]),
    "keys with a column": searching(r"keys must have shape \[3\], not \[3, 1\]", keys=KEYS[:, None]),
    "keys are a list": searching("keys must be a numpy array", keys=KEYS.tolist()),
    "rollouts without keys": searching("random rollouts need keys", leaf=ROLLOUT),
    "unknown prior": searching("prior 'greedy' is unknown: policy or uniform", prior="greedy"),
    "prior is None": searching("prior None is unknown", prior=None),
    "unknown leaf": searching("leaf must be a ValueLeaf or a RolloutLeaf, not 'value'", leaf="value"),
    "a class for a leaf": searching("leaf must be a ValueLeaf or a RolloutLeaf", leaf=ValueLeaf),
    "terminal root": searching(
        "cartpole: states must not be terminal to start from, row 0 is", TrueModel(ENV), OVER.astype(F), states=OVER
    ),
    "true model without states": searching("starts from the environment's states", TrueModel(ENV)),
    "states NaN": searching("cartpole: states must be finite, nan", TrueModel(ENV), states=spoilt(STATES, NAN)),
    "trees without end": searching(
        "600 trees of 100,000 simulations would take .* GiB, at most 4 GiB",
        Answering(),
        np.zeros((600, 4), F),
        SearchConfig(simulations=100_000),
        record=True,
    ),
    "record without end": searching(
        "would take .* GiB, at most 4 GiB", config=SearchConfig(simulations=20_000), leaf=LONG, keys=KEYS, record=True
    ),
    "plans without end": searching(
        "would take .* GiB, at most 4 GiB",
        Answering(),
        np.zeros((9_000, 4), F),
        leaf=LONG,
        keys=np.zeros(9_000, np.uint64),
        record=True,
    ),
    "states without end": searching(
        "states of 100,000 simulations would take",
        Answering(),
        np.zeros((1, 10**6), F),
        SearchConfig(simulations=100_000),
    ),
    "value leaf of no horizon": (lambda: ValueLeaf(horizon=0), "horizon of paths is 0, at least 1"),
    "value leaf of negative horizon": (lambda: ValueLeaf(horizon=-3), "horizon of paths is -3, at least 1"),
    "rollouts of no horizon": (lambda: RolloutLeaf(horizon=0), "planning horizon is 0, at least 1"),
    "rollouts of 1e9": (lambda: RolloutLeaf(horizon=10**9), "planning horizon is 1000000000, at most 100,000"),
    "rollouts of 2.5": (lambda: RolloutLeaf(horizon=2.5), "planning horizon must be a whole number .* not 2.5"),
    "rollouts of NaN": (lambda: RolloutLeaf(horizon=NAN), "planning horizon must be a whole number .* not nan"),
    "rollouts of true": (lambda: RolloutLeaf(horizon=True), "planning horizon must be a whole number .* not True"),
    "c1 negative": configured(r"search\.c1 is -5, it must lie in \[0, 1e6\]", c1=-5),
    "c1 NaN": configured(r"search\.c1 is nan", c1=NAN),
    "c1 text": configured(r"search\.c1 is '1', a number is needed", c1="1"),
    "c2 zero": configured(r"search\.c2 is 0, it must lie in", c2=0),
    "c2 inf": configured(r"search\.c2 is inf, it must lie in", c2=INF),
    "discount 2": configured(r"search\.discount is 2, it must lie in \(0, 1\]", discount=2),
    "discount NaN": configured(r"search\.discount is nan", discount=NAN),
    "discount inf": configured(r"search\.discount is inf", discount=INF),
    "discount None": configured(r"search\.discount is None, a number is needed", discount=None),
    "discount true": configured(r"search\.discount is True, a number is needed", discount=True),
    "simulations 0": configured(r"search\.simulations is 0, at least 1", simulations=0),
    "simulations 1e9": configured(r"search\.simulations is 1000000000, at most 100,000", simulations=10**9),
    "simulations 2.5": configured(r"search\.simulations is 2\.5, a whole number", simulations=2.5),
    "simulations NaN": configured(r"search\.simulations is nan, a whole number", simulations=NAN),
    "simulations text": configured(r"search\.simulations is '4', a whole number", simulations="4"),
    "rule": configured(r"search\.rule is 'alphazero', there are muzero", rule="alphazero"),
    "alpha 0": configured(r"dirichlet_alpha is 0, it must lie in", dirichlet_alpha=0),
    "fraction 2": configured(r"dirichlet_fraction is 2, it must lie in", dirichlet_fraction=2),
    "rewards NaN": answering("rewards must be finite, nan", rewards=np.full(B, NAN, F)),
    "rewards inf": answering("rewards must be finite, inf", rewards=np.full(B, INF, F)),
    "values NaN": answering("values must be finite, nan", values=np.full(B, NAN, F)),
    "values -inf": answering("values must be finite, -inf", values=np.full(B, -INF, F)),
    "logits NaN": answering("prior_logits must be finite, nan", prior_logits=np.full((B, A), NAN, F)),
    "logits inf": answering("prior_logits must be finite, inf", prior_logits=np.full((B, A), INF, F)),
    "values with a column": answering(r"values must have shape \[3\], not \[3, 1\]", values=np.zeros((B, 1), F)),
    "fewer rewards": answering(r"rewards must have shape \[3\], not \[2\]", rewards=np.zeros(2, F)),
    "logits of other width": answering(r"prior_logits must have shape \[3, 2\]", prior_logits=np.zeros((B, 7), F)),
    "rewards of integers": answering("rewards must be .* floating-point numbers, not int64", rewards=np.zeros(B, int)),
    "values are a list": answering("values must be .* not list", values=[0.0] * B),
    "values None": answering("values must be .* not NoneType", values=None),
    "fewer states behind": answering("states must be an array or tensor of 3 rows", states=OBSERVATIONS[:2]),
    "states None": answering("states must be an array or tensor of 3 rows", states=None),
    "states of another width": answering("states must keep their shape", states=np.zeros((B, 9), F)),
    "states of more axes": answering("states must keep their shape", states=np.zeros((B, 4, 1), F)),
    "states NaN at the root": searching(
        "Answering: states must be finite, nan", Answering(states=spoilt(OBSERVATIONS, NAN))
    ),
    "temperature 0": (lambda: visit_policy(COUNTS, 0), r"temperature is 0, it must lie in \[1e-06, 1e\+06\]"),
    "temperature NaN": (lambda: visit_policy(COUNTS, NAN), "temperature is nan, it must lie in"),
    "temperature tiny": (lambda: visit_policy(COUNTS, 1e-320), "temperature is 1e-320, it must lie in"),
    "temperature text": (lambda: visit_policy(COUNTS, "1"), "temperature must be a number"),
    "temperature of a search": (
        lambda: search_policies(MODEL, OBSERVATIONS, CONFIG, temperature=INF),
        "temperature is inf, it must lie in",
    ),
    "visits are a list": (lambda: visit_policy([[1, 2]], 1.0), "visits must be a numpy array"),
    "visits negative": (lambda: visit_policy(COUNTS - 1, 1.0), "visits must be 0 or more, -1"),
    "visits NaN": (lambda: visit_policy(spoilt(COUNTS * 1.0, NAN), 1.0), "visits must be finite, nan"),
    "visits not whole": (lambda: visit_policy(spoilt(COUNTS * 1.0, 2.5), 1.0), "visits must be whole numbers, 2.5"),
    "no visits": (lambda: visit_policy(COUNTS * 0, 1.0), "visits are all 0 in a row, at least one"),
    "no actions": (lambda: visit_policy(np.zeros((3, 0)), 1.0), "visits must be a numpy array"),
    "policies sum to 2": (lambda: sample_actions(SHARES * 2, np.zeros(B)), "policies must be .* sum to 1, not 2"),
    "policies sum to 0": (lambda: sample_actions(SHARES * 0, np.zeros(B)), "policies must be .* sum to 1, not 0"),
    "policies negative": (lambda: sample_actions(np.array([[2.0, -1.0]]), np.zeros(1)), "policies must be 0 or more"),
    "policies NaN": (lambda: sample_actions(spoilt(SHARES, NAN), np.zeros(B)), "policies must be finite, nan"),
    "policies of one axis": (lambda: sample_actions(SHARES[0], np.zeros(1)), r"policies must have shape \[B, A\]"),
    "draw of 1": (lambda: sample_actions(SHARES, np.ones(B)), r"draws must lie in \[0, 1\), 1"),
    "draw negative": (lambda: sample_actions(SHARES, -np.ones(B)), r"draws must lie in \[0, 1\), -1"),
    "draws NaN": (lambda: sample_actions(SHARES, np.full(B, NAN)), "draws must be finite, nan"),
    "fewer draws": (lambda: sample_actions(SHARES, np.zeros(2)), r"draws must have shape \[3\], not \[2\]"),
    "draws of most visited": (lambda: most_visited(COUNTS, np.zeros(3)), r"draws must have shape \[2\], not \[3\]"),
    "seeds of search_policy": (
        lambda: search_policy(MODEL, OBSERVATIONS, CONFIG, 1.0, np.arange(2)),
        r"seeds of the rows must have shape \[3\]",
    ),
    "negative seeds of search_policy": (
        lambda: search_policy(MODEL, OBSERVATIONS, CONFIG, 1.0, np.arange(B) - 1),
        "seeds of the rows must be 0 or more",
    ),
    "objects for keys": (lambda: observation_keys(np.array([None])), "observations must be numbers, not object"),
    "no model for a prior": (lambda: prior_policy(None, OBSERVATIONS), "model must be of kind Model"),
    "products of other sizes": (
        lambda: dense(np.zeros((2, 3), F), np.zeros((4, 8), F), np.zeros(8, F)),
        "do not fit together",
    ),
    "probabilities for logits": searching(
        "FunctionModel: prior_logits must be logits, .* not probabilities",
        functions(initial=(OBSERVATIONS, np.zeros(B), np.tile([0.25, 0.75], (B, 1)))),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_refused_in_one_line(name: str):
    refused(CALLS[name])


@pytest.mark.parametrize("logits", [[0.5, 0.5], [0.2, 0.7], [-0.5, 1.5]])
def test_logits_that_may_be_logits_are_searched(logits: list[float]):
    """Uniform ones, which mean the same, ones of another sum, and negative ones."""
    model = functions(initial=(OBSERVATIONS, np.zeros(B), np.tile(logits, (B, 1))))
    assert search(model, OBSERVATIONS, CONFIG).visits.sum() == B * CONFIG.simulations


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_few_rows_are_searched(rows: int):
    assert search(MODEL.rows(slice(0, rows)), OBSERVATIONS[:rows], CONFIG).visits.shape == (rows, A)
