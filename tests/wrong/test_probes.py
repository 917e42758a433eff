"""Is what a probe cannot measure refused in one line; and what somebody's environment may not answer?"""

# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
import pytest

from muzero_probe import Episodes, Sequences, StepResult, by_rank, enumerate_sequences, play, play_planner, play_prior
from muzero_probe import policy_value_error as value_error
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.minatar import MinAtarBreakout
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain, tree
from muzero_probe.probes.episodes import MOST_STEPS, draw_bank
from muzero_probe.probes.foresight import foresight
from muzero_probe.probes.prior_effect import prior_effect
from muzero_probe.probes.search_tree import greedy_returns, most_divided, real_values, search_trees
from muzero_probe.probes.value_error import every, grow, sampled
from tests.wrong.calls import (
    CHAIN,
    CONFIG,
    ENV,
    INF,
    KEYS,
    MODEL,
    NAN,
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

STARTS = np.arange(B)
RNGS = [np.random.default_rng(0)]
F = np.float32


def uniform(rows: np.ndarray, observations: np.ndarray) -> np.ndarray:
    return np.full((len(rows), A), 1 / A)


def errors(
    words: str, env: Any = ENV, model: Any = MODEL, states: Any = STATES, policy: Any = uniform, **given: Any
) -> Call:
    settings = {"horizon": 2, "discount": 0.9, "samples": None} | given
    return lambda: value_error(env, model, states, policy, **settings), words


def enumerated(words: str, states: Any = STATES, model: Any = MODEL, **given: Any) -> Call:
    settings = {"length": 2, "discount": 0.9} | given
    return lambda: enumerate_sequences(ENV, model, states, uniform, **settings), words


def planned(
    words: str, env: Any = ENV, model: Any = MODEL, starts: Any = STARTS, config: Any = CONFIG, **given: Any
) -> Call:
    settings = {"prior": "policy", "horizon": 3, "keys": KEYS} | given
    return lambda: play_planner(env, model, starts, config, **settings), words


def effects(words: str, model: Any = MODEL, states: Any = STATES, config: Any = CONFIG, **given: Any) -> Call:
    settings = {"prior": "policy", "horizon": 3, "keys": KEYS, "budgets": [2, 4]} | given
    return lambda: prior_effect(ENV, model, states, config, **settings), words


def policy_of(shares: Any, words: str) -> Call:
    return errors(words, policy=lambda rows, observations: np.tile(shares, (len(rows), 1)))


def seen(words: str, states: Any = STATES, actions: Any = STARTS % A, **given: Any) -> Call:
    settings = {"unroll": 2, "discount": 0.9} | given
    return lambda: foresight(ENV, MODEL, states, actions, **settings), words


class Theirs(CartPole):
    """Somebody's environment, of which one answer is wrong."""

    name = "theirs"

    def __init__(self, *, of_reset: Any = None, **changes: Any) -> None:
        super().__init__()
        self.of_reset = of_reset
        self.changes = changes

    def reset(self, seeds: Any) -> Any:
        return super().reset(seeds) if self.of_reset is None else self.of_reset

    def step(self, states: np.ndarray, actions: Any) -> StepResult:
        return super().step(states, actions)._replace(**self.changes)


def theirs(words: str, **changes: Any) -> Call:
    return lambda: play(Theirs(**changes), STARTS, still), f"^theirs: {words}"


def still(rows: np.ndarray, states: np.ndarray, observations: np.ndarray, time: int) -> np.ndarray:
    return np.zeros(len(rows), int)


def played(words: str, env: Any = CHAIN, starts: Any = STARTS, act: Any = still) -> Call:
    return lambda: play(env, starts, act), words


def of_minatar(place: int, value: int) -> Any:
    def call() -> Any:
        env = MinAtarBreakout()
        states, _ = env.reset([0])
        states[0, place] = value
        return env.observe(states)

    return call


class NanRollouts(Answering):
    def rollout(self, states: Any, plans: np.ndarray) -> np.ndarray:
        return np.full(plans.shape, NAN, F)


RANKED = Sequences(np.full((2, 4), 0.25), np.zeros((2, 4)))
TREES = search_trees(ENV, MODEL, STATES, CONFIG)
CALLS: dict[str, Call] = {
    "an unknown model in play_planner": planned("model must be of kind Model, not a str", model="learned"),
    "an unknown environment": planned("env must be of kind Environment, not a str", env="cartpole"),
    "model of other actions": planned("the model has 3 actions, cartpole has 2", model=functions(num_actions=3)),
    "prior of play_planner": planned("prior 'net' is unknown", prior="net"),
    "planner's horizon of 1e9": planned("planning horizon is 1000000000, at most 100,000", horizon=10**9),
    "planner's keys": planned(r"keys must have shape \[3\], not \[2\]", keys=KEYS[:2]),
    "planner's signed keys": planned("keys must be uint64", keys=STARTS),
    "planner's config": planned("config must be of kind SearchConfig", config=None),
    "planner's real starts": planned("starts must be integers", starts=STARTS / 2),
    "planner's negative starts": planned("starts must be 0 or more, -1", starts=STARTS - 1),
    "starts are a list": planned("starts must be a numpy array", starts=[0, 1, 2]),
    "prior's keys": (lambda: play_prior(ENV, MODEL, STARTS, KEYS[:2]), r"keys must have shape \[3\]"),
    "prior of no model": (lambda: play_prior(ENV, None, STARTS, KEYS), "model must be of kind Model"),
    "an episode without end": played(
        f"has no time limit, and an episode goes on after {MOST_STEPS:,} steps", starts=STARTS[:1]
    ),
    "play without a policy": played("act must be a function, not a str", act="random"),
    "a policy of action 7": played(r"actions must lie in 0\.\.1, got 7", act=lambda rows, *_: np.full(len(rows), 7)),
    "a policy of one action": played(r"actions must have shape \[3\]", act=lambda *_: 0),
    "a policy of reals": played("actions must be integers", act=lambda rows, *_: np.zeros(len(rows))),
    "their rewards NaN": theirs("rewards must be finite, nan", rewards=np.full(B, NAN, F)),
    "their rewards inf": theirs("rewards must be finite, inf", rewards=np.full(B, INF, F)),
    "their rewards with a column": theirs(r"rewards must have shape \[3\]", rewards=np.zeros((B, 1), F)),
    "their rewards of integers": theirs("rewards must be floating-point", rewards=np.zeros(B, int)),
    "their ends are numbers": theirs("terminated must be booleans", terminated=np.zeros(B)),
    "their observations": theirs(r"observations must have shape \[3, 4\]", observations=np.zeros((B, 5), F)),
    "their observations NaN": theirs("observations must be finite", observations=np.full((B, 4), NAN, F)),
    "their states": theirs("states must be an array of 3 rows", states=STATES[:2]),
    "their reset": theirs("reset must return states and observations", of_reset=STATES),
    "fewer of their reset": theirs("states must be an array of 3 rows", of_reset=(STATES[:2], np.zeros((2, 4), F))),
    "exact over 2^30": errors("are 3,221,225,472 action sequences, at most 4,194,304", horizon=30),
    "exact over 2^1000": errors(r"are about 10\^302 action sequences, at most", horizon=1000),
    "horizon 0": errors("horizon is 0, at least 1", horizon=0),
    "horizon 1e9": errors("horizon is 1000000000, at most 100,000", horizon=10**9),
    "horizon 2.5": errors("horizon must be a whole number .* not 2.5", horizon=2.5),
    "discount 2": errors(r"discount is 2, it must lie in \(0, 1\]", discount=2),
    "discount NaN": errors("discount is nan, it must lie in", discount=NAN),
    "discount inf": errors("discount is inf, it must lie in", discount=INF),
    "discount 0": errors("discount is 0, it must lie in", discount=0),
    "discount text": errors("discount must be a number", discount="0.9"),
    "samples 1": errors("samples is 1, at least 2", samples=1, rngs=RNGS),
    "samples 2.5": errors("samples must be a whole number", samples=2.5, rngs=RNGS),
    "samples 1e9": errors("samples is 1000000000, at most 100,000", samples=10**9, rngs=RNGS),
    "too many samples": errors(
        "action sequences, at most", states=np.zeros((99, 4)), samples=10**5, rngs=RNGS, horizon=20
    ),
    "streams are seeds": errors("rngs must be a list of numpy.random.Generator", samples=2, rngs=[1]),
    "no streams": errors("sampling needs random streams", samples=2),
    "groups out of range": errors(r"groups must be \[3\], ascending within", samples=2, rngs=RNGS, groups=STARTS),
    "groups are real": errors("groups must be integers", samples=2, rngs=RNGS, groups=np.zeros(B)),
    "policy sums to 2": policy_of([1.0, 1.0], "must be 0 or more and sum to 1, not 2"),
    "policy sums to 0": policy_of([0.0, 0.0], "must be 0 or more and sum to 1, not 0"),
    "policy negative": policy_of([-1.0, 2.0], "must be 0 or more"),
    "policy NaN": policy_of([NAN, 1.0], "must be 0 or more and sum to 1"),
    "policy of other width": policy_of([0.5, 0.25, 0.25], r"must give probabilities of shape \[3, 2\]"),
    "policy is no function": errors("policy must be a function", policy=np.full((B, A), 0.5)),
    "terminal states": errors("cartpole: states must not be terminal to start from, row 0", states=OVER),
    "states NaN": errors("cartpole: states must be finite, nan", states=spoilt(STATES, NAN)),
    "states inf": errors("cartpole: states must be finite, inf", states=spoilt(STATES, INF)),
    "model's rewards NaN": errors("rewards must be finite", model=Answering(at_root=False, rewards=np.full(6, NAN, F))),
    "error of no model": errors("model must be of kind Model", model=None),
    "error of no environment": errors("env must be of kind Environment", env=None),
    "sequences of 2^30": enumerated("of length 30 from 3 states are 3,221,225,472 action sequences", length=30),
    "sequences of length 1e9": enumerated("length is 1000000000, at most", length=10**9),
    "sequences of length 0": enumerated("length is 0, at least 1", length=0),
    "sequences of half a length": enumerated("length must be a whole number", length=1.5),
    "sequences of discount -1": enumerated("discount is -1, it must lie", discount=-1),
    "sequences from the end": enumerated("states must not be terminal", states=OVER),
    "counts not whole": (
        lambda: sampled(RNGS, np.zeros(2, int))(np.arange(2), np.array([2.0, 1.5]), np.full((2, 2), 0.5)),
        "counts of sampled sequences must be whole .* 1.5",
    ),
    "counts negative": (
        lambda: sampled(RNGS, np.zeros(2, int))(np.arange(2), np.array([2.0, -1.0]), np.full((2, 2), 0.5)),
        "counts of sampled sequences must be whole and 0 or more, -1",
    ),
    "spread is no function": (
        lambda: next(grow(ENV, MODEL, STATES, uniform, None, horizon=2, discount=0.9)),
        "spread must be a function",
    ),
    "growth over all limits": (
        lambda: next(grow(ENV, MODEL, STATES, uniform, boundless, horizon=9, discount=0.9)),
        "action sequences, at most",
    ),
    "fewer streams of ranks": (lambda: by_rank(RANKED, RNGS), "rngs must be 2 random streams, not 1"),
    "ranks of NaN": (
        lambda: by_rank(RANKED._replace(error=spoilt(RANKED.error, NAN)), RNGS * 2),
        "error must be finite",
    ),
    "ranks of no sequences": (lambda: by_rank(None, RNGS), "sequences must be of kind Sequences"),
    "no budgets": effects("budgets must be a list of one number", budgets=[]),
    "budget 0": effects("budget is 0, at least 1", budgets=[0, 4]),
    "budget 2.5": effects("budget must be a whole number", budgets=[2.5, 4]),
    "other budgets": effects(r"search\.simulations is 4, the largest budget is 8", budgets=[8]),
    "horizon of the effect": effects("planning horizon is 1000000000, at most", horizon=10**9),
    "effect from the end": effects("states must not be terminal", states=OVER),
    "effect of no model": effects("model must be of kind Model", model=None),
    "effect of NaN rollouts": effects("NanRollouts: rewards of rollout must be finite, nan", model=NanRollouts()),
    "unroll 0": seen("unroll is 0, at least 1", unroll=0),
    "unroll 1e9": seen("unroll is 1000000000, at most", unroll=10**9),
    "foresight of fewer actions": seen(r"actions must have shape \[3\], not \[2\]", actions=np.zeros(2, int)),
    "foresight of action 7": seen(r"actions must lie in 0\.\.1, 7", actions=np.full(B, 7)),
    "foresight from the end": seen("states must not be terminal", states=OVER),
    "foresight of discount 2": seen("discount is 2, it must lie", discount=2),
    "trees from the end": (lambda: search_trees(ENV, MODEL, OVER, CONFIG), "states must not be terminal"),
    "trees of no model": (lambda: search_trees(ENV, None, STATES, CONFIG), "model must be of kind Model"),
    "fewer states than trees": (
        lambda: real_values(ENV, MODEL, STATES[:2], TREES, CONFIG, horizon=2),
        "there are 3 trees for 2 states",
    ),
    "values of no trees": (
        lambda: real_values(ENV, MODEL, STATES, None, CONFIG, horizon=2),
        "trees must be of kind SearchTrees",
    ),
    "greedy for 1e9 steps": (
        lambda: greedy_returns(ENV, MODEL, STATES, CONFIG, horizon=10**9),
        "horizon is 1000000000, at most",
    ),
    "no divided trees": (lambda: most_divided(TREES, 0), "count of trees is 0, at least 1"),
    "bank of fewer rows": (lambda: draw_bank(STATES, STARTS[:2], [0, 1, 2], 2), r"row_seeds must have shape \[3\]"),
    "bank of unknown seeds": (lambda: draw_bank(STATES, STARTS, [0], 2), r"row_seeds must lie in 0\.\.0, 2"),
    "bank of no states": (lambda: draw_bank(STATES, STARTS, [0, 1, 2], 0), "states is 0, at least 1"),
    "chain of 1e9": (lambda: chain(10**9), "length of the chain is 1000000000, at most 1,000"),
    "chain of half": (lambda: chain(2.5), "length of the chain must be a whole number"),
    "tree of depth 30": (lambda: tree(30), "depth of the tree is 30, at most 20"),
    "tree of many": (lambda: tree(19, 4), "number of nodes of a tree of depth 19 and 4 actions is"),
    "bandit of NaN": (lambda: bandit((1.0, NAN)), "rewards must be finite"),
    "table that starts between": (
        lambda: TabularEnvironment([[0]], [[0.0]], [False], start=0.5),
        "start must be",
    ),
    "ragged actions": (
        lambda: CHAIN.step(np.zeros(2, int), [[0], [0, 1]]),
        "chain-3: actions must be integers, got object",
    ),
    "states of a ball outside": (of_minatar(0, 200), "minatar: states must have ball_x in 0..9, got 200"),
    "states of direction 4": (of_minatar(2, 4), "minatar: states must have ball_dir in 0..3, got 4"),
    "states of half bricks": (of_minatar(50, 7), "minatar: states must have bricks 0 or 1, got 7"),
}


def boundless(rows: np.ndarray, weights: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """A spread that keeps more children than there are."""
    return np.broadcast_to(1.0, (2**22, 2))


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_refused_in_one_line(name: str):
    refused(CALLS[name])


def test_no_episodes_are_none():
    found = play(CHAIN, STARTS[:0], still, keep_states=True)
    assert isinstance(found, Episodes) and found.visited is not None and len(found.visited) == 0


def test_every_sequence_may_be_followed():
    assert sum(len(p.rows) for p in grow(ENV, MODEL, STATES, uniform, every, horizon=3, discount=1)) == B * (2 + 4 + 8)
