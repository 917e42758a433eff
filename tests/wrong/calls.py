"""What wrong calls have in common: a model, an environment and arguments of which one is wrong at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from muzero_probe import FunctionModel, Model, Prediction, SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import chain
from muzero_probe.models import LearnedModel
from muzero_probe.randomness import row_keys
from tests.doubles import random_nets, random_theta

Call = tuple[Callable[[], Any], str]  # what is called, and words that its refusal must have

B, A = 3, 2  # few rows are searched in one part
NAN, INF = float("nan"), float("inf")
ENV = CartPole()
CHAIN = chain(3)
STATES, OBSERVATIONS = ENV.reset(np.arange(B))
OVER = np.array([[3.0, 0.0, 0.0, 0.0]])  # the cart has left the track
NETS = random_nets(observation=4, actions=A)
THETA = random_theta(NETS)
ROWS = np.zeros(B, int)
MODEL = learned_model(NETS, THETA, ROWS)
IN_TORCH = LearnedModel(NETS, THETA, ROWS)
LATENTS = MODEL.root(OBSERVATIONS).states
KEYS = row_keys(0, "test", B)
CONFIG = SearchConfig(simulations=4)


def spoilt(array: np.ndarray, value: float) -> np.ndarray:
    """A copy whose last number is another."""
    copy = array.copy()
    copy.reshape(-1)[-1] = value
    return copy


def refused(call: Call) -> None:
    """Holds a call to one line of ValueError or TypeError that has the words."""
    calling, words = call
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        calling()
    assert "\n" not in str(caught.value)


class Answering(Model):
    """Somebody's model that says what it is given in place of sound numbers."""

    num_actions = A

    def __init__(self, *, at_root: bool = True, **changes: Any) -> None:
        self.at_root = at_root
        self.changes = changes

    def root(self, observations: np.ndarray, states: Any = None) -> Any:
        return self.answer(observations, self.changes if self.at_root else {})

    def step(self, states: Any, actions: np.ndarray) -> Any:
        return self.answer(states, self.changes)

    @staticmethod
    def answer(states: Any, changes: dict[str, Any]) -> Prediction:
        n = len(states)
        numbers = np.zeros(n, np.float32), np.zeros(n, np.float32), np.zeros((n, A), np.float32)
        return Prediction(states, *numbers)._replace(**changes)


def functions(initial: Any = None, recurrent: Any = None, num_actions: Any = A) -> FunctionModel:
    """Two functions of which one may be replaced by what it answers."""

    def first(observations: np.ndarray) -> Any:
        n = len(observations)
        return (observations, np.zeros(n), np.zeros((n, A))) if initial is None else initial

    def then(states: np.ndarray, actions: np.ndarray) -> Any:
        n = len(states)
        return (states, np.zeros(n), np.zeros(n), np.zeros((n, A))) if recurrent is None else recurrent

    return FunctionModel(first, then, num_actions=num_actions)
