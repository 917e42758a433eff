"""Is what a model cannot be made of, or cannot be asked, refused in one line; and what a user's own may not answer?"""

# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numba
import numpy as np
import pytest
import torch

from muzero_probe import FunctionModel, ProbedAgent, SearchConfig, TrueModel, search
from muzero_probe.engine import learned_model
from muzero_probe.models import LearnedModel, ModelError
from muzero_probe.models.functions import Several
from muzero_probe.nets.mlp import Mlp
from tests.doubles import random_nets
from tests.wrong.calls import (
    CHAIN,
    CONFIG,
    ENV,
    IN_TORCH,
    INF,
    LATENTS,
    MODEL,
    NAN,
    NETS,
    OBSERVATIONS,
    ROWS,
    STATES,
    THETA,
    A,
    Answering,
    B,
    Call,
    functions,
    refused,
    spoilt,
)  # fmt: skip

F = np.float32
ACTIONS = np.array([0, 1, 0])
PLANS = np.tile(ACTIONS[:, None], (1, 3))
TWO = Several([Answering(), Answering()], np.array([0, 0, 1]))


def made(words: str, theta: Any = THETA, rows: Any = ROWS, nets: Any = NETS) -> Call:
    return lambda: learned_model(nets, theta, rows), words


def asked(model: Any, kind: str) -> dict[str, Call]:
    """What no model takes, for rows [B] with latents."""
    return {
        f"{kind}: action 7 of 2": (lambda: model.step(LATENTS, ACTIONS + 6), r"actions must lie in 0\.\.1, 7"),
        f"{kind}: action 1e9": (
            lambda: model.step(LATENTS, ACTIONS * 10**9),
            r"actions must lie in 0\.\.1, 1000000000",
        ),
        f"{kind}: action -1": (lambda: model.step(LATENTS, ACTIONS - 1), r"actions must lie in 0\.\.1, -1"),
        f"{kind}: fewer actions": (
            lambda: model.step(LATENTS, ACTIONS[:2]),
            r"actions must have shape \[3\], not \[2\]",
        ),
        f"{kind}: more actions": (lambda: model.step(LATENTS, np.zeros(9, int)), r"actions must have shape \[3\]"),
        f"{kind}: real actions": (lambda: model.step(LATENTS, ACTIONS * 1.0), "actions must be integers, not float64"),
        f"{kind}: a list": (lambda: model.step(LATENTS, [0, 1, 0]), "actions must be a numpy array"),
        f"{kind}: fewer plans": (
            lambda: model.rollout(LATENTS, PLANS[:2]),
            r"plans must have shape \[3, T\], not \[2, 3\]",
        ),
        f"{kind}: more plans": (
            lambda: model.rollout(LATENTS, np.zeros((9, 3), int)),
            r"plans must have shape \[3, T\]",
        ),
        f"{kind}: plans of one axis": (lambda: model.rollout(LATENTS, ACTIONS), r"plans must have shape \[3, T\]"),
        f"{kind}: plans of 1e9": (
            lambda: model.rollout(LATENTS, PLANS * 10**9),
            r"plans must lie in 0\.\.1, 1000000000",
        ),
        f"{kind}: plans of -1": (lambda: model.rollout(LATENTS, PLANS - 1), r"plans must lie in 0\.\.1, -1"),
        f"{kind}: real plans": (lambda: model.rollout(LATENTS, PLANS * 1.0), "plans must be integers, not float64"),
    }


def of_latents(model: Any, kind: str) -> dict[str, Call]:
    return {
        f"{kind}: states NaN": (lambda: model.step(spoilt(LATENTS, NAN), ACTIONS), "states must be finite, nan"),
        f"{kind}: states inf": (lambda: model.rollout(spoilt(LATENTS, INF), PLANS), "states must be finite, inf"),
        f"{kind}: fewer states": (
            lambda: model.step(LATENTS[:2], ACTIONS),
            r"states must (be the latents \[3|have shape \[3)",
        ),
        f"{kind}: fewer states of plans": (lambda: model.rollout(LATENTS[:2], PLANS), r"states must .* \[3, "),
        f"{kind}: whole states": (lambda: model.step(ROWS[:, None], ACTIONS), "states must (be|have) "),
        f"{kind}: states are a list": (lambda: model.step(LATENTS.tolist(), ACTIONS), "states must be .* list"),
        f"{kind}: observations NaN": (
            lambda: model.root(spoilt(OBSERVATIONS, NAN)),
            "observations must be finite, nan",
        ),
        f"{kind}: fewer observations": (lambda: model.root(OBSERVATIONS[:2]), "there are 2 observations for 3 rows"),
        f"{kind}: observations of text": (lambda: model.root(np.full((B, 4), "x")), "observations must be .* numbers"),
        f"{kind}: rows out of range": (lambda: model.rows(np.array([0, 7])), r"rows must lie in 0\.\.2, 7"),
        f"{kind}: rows that descend": (lambda: model.rows(np.array([2, 0])), r"rows must ascend within 0\.\.2"),
        f"{kind}: rows are real": (lambda: model.rows(np.array([0.5])), "rows must be integers, not float64"),
    }


@numba.njit
def more_rows_later(states, actions):
    """Sound at first, when action 0 is asked everywhere."""
    n = len(states) + 5 * (actions.max() > 0)
    return states, np.ones(n, np.float32), np.zeros(n, np.float32), np.zeros((n, 2), np.float32)


@numba.njit
def other_states(states, actions):
    n = len(states)
    return states[:, :2].copy(), np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros((n, 2), np.float32)


@numba.njit
def failing_later(states, actions):
    n = len(states)
    if actions.max() > 0:
        raise ValueError("no such action")
    return states, np.ones(n, np.float32), np.zeros(n, np.float32), np.zeros((n, 2), np.float32)


def searched(model: Any, words: str, **given: Any) -> Call:
    return lambda: search(model, OBSERVATIONS, CONFIG, **given), words


def compiled(recurrent: Any, words: str, states: Any = OBSERVATIONS) -> Call:
    model = FunctionModel(lambda o: (states, np.zeros(B), np.zeros((B, A))), recurrent, num_actions=A)
    return searched(model, f"^FunctionModel: {words}")


def agent(words: str, **changes: Any) -> Call:
    given: dict[str, Any] = {"name": "mine", "title": "Mine", "environment": CHAIN, "models": {0: Answering()}}
    return lambda: ProbedAgent(**(given | {"discount": 0.9} | changes)).make(), words


class NoActions(Answering):
    num_actions = 0


class Unnumbered(Answering):
    num_actions = None


class NoModelRows(Answering):
    def rows(self, selection: Any) -> Any:
        return None


class Idle(Answering):
    def simulate(self, tree: Any, roots: Any, plan: Any, keys: Any) -> bool:
        return True


FEW = (OBSERVATIONS[:2], np.zeros(2), np.zeros((2, A)))
CALLS: dict[str, Call] = {
    "parameters are an array": made("theta must be of kind Tensor, not a ndarray", THETA.numpy()),
    "parameters without seeds": made(r"theta must be contiguous float32 \[S, \d+\]", THETA[0]),
    "too few parameters": made(r"theta must be contiguous float32 \[S, \d+\]", THETA[:, :-1].contiguous()),
    "too many parameters": made(r"theta must be contiguous float32 \[S, \d+\]", torch.cat([THETA, THETA], 1)),
    "parameters of float64": made("theta must be contiguous float32 .* not float64", THETA.double()),
    "parameters with gaps": made("theta must be contiguous", torch.cat([THETA, THETA])[:, ::2]),
    "parameters NaN": made("theta must be finite", THETA * NAN),
    "rows of no seed": made(r"row_seeds must ascend within 0\.\.0", rows=np.array([0, 1])),
    "rows are real": made("row_seeds must be integers, not float64", rows=np.zeros(B)),
    "rows are a list": made("row_seeds must be a numpy array", rows=[0]),
    "rows of two axes": made(r"row_seeds must have shape \[B\]", rows=np.zeros((2, 2), int)),
    "nets of no actions": (lambda: random_nets(actions=0), "actions of the nets is 0, at least 1"),
    "nets of no latent": (lambda: random_nets(latent=0), "latent of the nets is 0, at least 1"),
    "nets of no hidden": (lambda: random_nets(hidden=-1), "hidden of the nets is -1, at least 1"),
    "small images": (lambda: random_nets(image=(2, 9, 1), filters=4), "image of the nets must be .* at least 3 x 3"),
    **asked(MODEL, "compiled"),
    **asked(IN_TORCH, "torch"),
    **asked(Several([Answering()], ROWS), "several"),
    **of_latents(MODEL, "compiled"),
    **of_latents(IN_TORCH, "torch"),
    "compiled: latents of other width": (
        lambda: MODEL.step(LATENTS[:, :3], ACTIONS),
        r"states must have shape \[3, 16\]",
    ),
    "own: plans": (lambda: Answering().rollout(OBSERVATIONS, PLANS[:2]), r"plans must have shape \[3, T\]"),
    "functions: action 7": (lambda: functions().step(OBSERVATIONS, ACTIONS + 6), r"actions must lie in 0\.\.1, 7"),
    "functions: fewer actions": (lambda: functions().step(OBSERVATIONS, ACTIONS[:2]), r"actions must have shape \[3\]"),
    "functions: no states": (lambda: functions().step(None, ACTIONS), "states must be an array or tensor"),
    "functions of no actions": (lambda: functions(num_actions=0), "num_actions is 0, at least 1"),
    "functions of half an action": (lambda: functions(num_actions=1.5), "num_actions must be a whole number"),
    "functions of many actions": (lambda: functions(num_actions=10**9), "num_actions is 1000000000, at most"),
    "initial is no function": (
        lambda: FunctionModel(None, max, num_actions=2),
        "initial must be a function",
    ),
    "recurrent is no function": (
        lambda: FunctionModel(max, "g", num_actions=2),
        "recurrent must be a function",
    ),
    "too few answers": searched(functions(initial=(OBSERVATIONS,)), "initial must return a tuple of 3, not 1"),
    "no tuple": searched(functions(initial=OBSERVATIONS), "initial must return a tuple of 3, not a ndarray"),
    "fewer rows": searched(functions(initial=FEW), r"values must have shape \[3\], not \[2\]"),
    "recurrent of fewer rows": searched(functions(recurrent=(FEW[0], *FEW[:0:-1], FEW[2])[:4]), "must have shape"),
    "recurrent of NaN": searched(
        functions(recurrent=(OBSERVATIONS, np.full(B, NAN), np.zeros(B), np.zeros((B, A)))),
        "rewards must be finite, nan",
    ),
    "recurrent of text": searched(
        functions(recurrent=(OBSERVATIONS, "x", np.zeros(B), np.zeros((B, A)))), "rewards must be a numpy array .* str"
    ),
    "compiled of more rows later": compiled(more_rows_later, "recurrent failed .* another number of rows"),
    "compiled of other states": compiled(other_states, r"states must keep their shape \[3, 4\]"),
    "compiled that fails later": compiled(failing_later, "recurrent failed .* no such action"),
    "compiled of images": compiled(more_rows_later, r"states must be a numpy array \[B, D\]", np.zeros((B, 2, 2), F)),
    "compiled of tensors": compiled(more_rows_later, r"states must be a numpy array \[B, D\]", torch.zeros(B, 4)),
    "no prediction": searched(Answering(states=None), "states must be an array or tensor of 3 rows"),
    "a model of no actions": searched(NoActions(), "num_actions of NoActions is 0, at least 1"),
    "a model of unknown actions": searched(Unnumbered(), "num_actions of Unnumbered must be a whole number"),
    "rows that are no model": searched(NoModelRows(), "what NoModelRows.rows returns must be of kind Model"),
    "a search that was none": searched(Idle(), "Idle: simulate made 0 simulations of 4"),
    "several of none": (lambda: Several([], ROWS), "models must be of one number of actions"),
    "several of two kinds": (
        lambda: Several([Answering(), NoModelRows(), functions(num_actions=3)], ROWS),
        "one number",
    ),
    "several of no model": (lambda: Several([Answering(), None], ROWS), "model must be of kind Model"),
    "rows of no model": (lambda: Several([Answering()], ROWS + 1), r"row_models must lie in 0\.\.0, 1"),
    "rows of models descend": (lambda: Several([Answering()] * 2, np.array([1, 0])), "row_models must ascend"),
    "several: fewer rows": (lambda: TWO.root(OBSERVATIONS[:2]), "there are 2 states or observations for 3 rows"),
    "true model of no environment": (lambda: TrueModel("cartpole"), "env must be of kind Environment"),
    "true model of other actions": (
        lambda: TrueModel(ENV, functions(num_actions=3)),
        "the model has 3 actions, cartpole has 2",
    ),
    "true model of no predictor": (lambda: TrueModel(ENV, "f"), "model must be of kind Model"),
    "true model: action 7": (lambda: TrueModel(ENV).step(STATES, ACTIONS + 6), r"cartpole: actions must lie in 0\.\.1"),
    "true model: plans": (
        lambda: TrueModel(ENV).rollout(STATES, PLANS[:2]),
        r"cartpole: plans must have shape \[3, T\]",
    ),
    "agent of no name": agent("name must be of kind str", name=7),
    "agent of no title": agent("title must be of kind str", title=None),
    "agent of no discount": agent(r"search\.discount is nan", discount=NAN),
    "agent of text": agent(r"search\.simulations is '5', a whole number", simulations="5"),
    "agent of temperature NaN": agent("temperature is nan, it must be positive", temperature=NAN),
    "agent of half a horizon": agent("horizon must be a whole number", horizon=2.5),
    "agent of a horizon of 1e9": agent("horizon is 1000000000, at most", horizon=10**9),
    "agent of repetitions 1e9": agent("repetitions is 1000000000, at most", repetitions=10**9),
    "agent of negative steps": agent("training steps, 0 or above", models={-1: Answering()}),
    "agent of no environment": agent("environment must be an Environment, not a int", environment=3),
    "agent of other actions": agent("num_actions of its models is 3", models={0: functions(num_actions=3)}),
    "agent of an empty range": agent(r"return_range must be two numbers, ascending", return_range=(1.0, NAN)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_refused_in_one_line(name: str):
    refused(CALLS[name])


def test_a_model_in_training_may_diverge():
    """And its rows, too: one seed's numbers must not stop the others."""
    theta = torch.cat([THETA * NAN, THETA])
    for kind in (learned_model, LearnedModel):
        model = kind(NETS, theta, np.array([0, 1]), may_diverge=True)
        found = search(model, OBSERVATIONS[:2], CONFIG)
        alone = search(model.rows(np.array([1])), OBSERVATIONS[1:2], CONFIG)
        assert np.array_equal(found.visits[1:], alone.visits) and np.isnan(found.values[0])


def test_a_model_whose_parameters_were_spoilt_later_is_named():
    theta = THETA.clone()
    model = learned_model(NETS, theta, ROWS)
    theta *= NAN
    with pytest.raises(ModelError, match=r"CompiledModel: (values|prior_logits) must be finite"):
        search(model, OBSERVATIONS, SearchConfig(simulations=2))


def test_sizes_of_nets_are_whole_numbers():
    assert isinstance(NETS, Mlp)
    with pytest.raises(TypeError, match="latent of the nets must be a whole number"):
        random_nets(latent=2.5)
