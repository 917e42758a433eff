"""Are two functions a model, in numpy or torch, and several models one?"""

from typing import Any

import numpy as np
import pytest
import torch

from muzero_probe.models.contract import Model, ModelError, Prediction
from muzero_probe.models.functions import FunctionModel, Several
from tests.doubles import TableModel

TABLES = [TableModel.random(np.random.default_rng(seed), states=6, actions=3) for seed in range(3)]
ROWS = np.array([0, 0, 2, 2, 2])  # the second model has none
OBSERVATIONS = np.array([3, 1, 0, 5, 3])
ACTIONS = np.array([2, 0, 1, 1, 2])


def functions(table: TableModel, *, in_torch: bool = False) -> FunctionModel:
    """A table behind two functions, in float64."""

    def initial(observations: np.ndarray) -> Any:
        states, _, values, logits, *_ = table.root(observations)
        return tensors(states, values, logits) if in_torch else (states, values.astype(float), logits.astype(float))

    def recurrent(states: Any, actions: np.ndarray) -> Any:
        following, *numbers = table.step(np.asarray(states), actions)[:4]
        return tensors(following, *numbers) if in_torch else (following, *(x.astype(float) for x in numbers))

    return FunctionModel(initial, recurrent, num_actions=3)


def tensors(states: np.ndarray, *numbers: np.ndarray) -> Any:
    """On the way to a gradient, as a user may forget to leave it."""
    return (torch.as_tensor(states), *(torch.tensor(x, requires_grad=True, dtype=torch.float64) for x in numbers))


def same(found: Prediction, wanted: Prediction) -> None:
    for name, a, b in zip(("states", "rewards", "values", "prior_logits"), found[:4], wanted[:4], strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b)), name
    for array in found[1:4]:
        assert isinstance(array, np.ndarray) and array.dtype == np.float32


@pytest.mark.parametrize("in_torch", [False, True], ids=["numpy", "torch"])
def test_two_functions_are_a_model(in_torch: bool):
    table, model = TABLES[0], functions(TABLES[0], in_torch=in_torch)
    root = model.root(OBSERVATIONS)
    same(root, table.root(OBSERVATIONS))
    assert not root.rewards.any()
    assert isinstance(root.states, torch.Tensor) == in_torch
    same(model.step(root.states, ACTIONS), table.step(OBSERVATIONS, ACTIONS))
    plans = np.array([[0, 1, 2], [2, 2, 0], [1, 0, 1], [0, 0, 0], [2, 1, 1]])
    assert np.array_equal(model.rollout(root.states, plans), table.rollout(OBSERVATIONS, plans))
    assert model.rows(np.array([0, 3])) is model


@pytest.mark.parametrize("in_torch", [False, True], ids=["numpy", "torch"])
def test_several_models_answer_for_their_rows(in_torch: bool):
    several = Several([functions(table, in_torch=in_torch) for table in TABLES], ROWS)
    root = several.root(OBSERVATIONS)
    step = several.step(root.states, ACTIONS)
    plans = np.array([[0, 1, 2], [2, 2, 0], [1, 0, 1], [0, 0, 0], [2, 1, 1]])
    rewards = several.rollout(root.states, plans)
    assert isinstance(root.states, torch.Tensor) == in_torch and several.num_actions == 3
    for row, index in enumerate(ROWS):
        table, of_row = TABLES[index], slice(row, row + 1)
        same(Prediction(*(x[of_row] for x in root[:4])), table.root(OBSERVATIONS[of_row]))
        same(Prediction(*(x[of_row] for x in step[:4])), table.step(OBSERVATIONS[of_row], ACTIONS[of_row]))
        assert np.array_equal(rewards[of_row], table.rollout(OBSERVATIONS[of_row], plans[of_row]))


@pytest.mark.parametrize("selection", [np.array([1, 2, 4]), np.array([0, 0, 1, 3, 3]), slice(1, 4), slice(2, 5)])
def test_a_selection_of_rows(selection: np.ndarray | slice):
    several = Several([functions(table) for table in TABLES], ROWS)
    whole = several.root(OBSERVATIONS)
    same(several.rows(selection).root(OBSERVATIONS[selection]), Prediction(*(x[selection] for x in whole[:4])))


class Answering(Model):
    """Says what it is given."""

    num_actions = 2

    def __init__(self, **changes) -> None:
        self.changes = changes

    def root(self, observations: np.ndarray, states=None) -> Prediction:
        B = len(observations)
        numbers = np.zeros(B, np.float32), np.zeros(B, np.float32), np.zeros((B, 2), np.float32)
        return Prediction(observations, *numbers)._replace(**self.changes)

    def step(self, states, actions: np.ndarray) -> Prediction:
        return self.root(states)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"legal": np.ones((2, 2), bool)}, "a discount per transition, or illegal actions, are not searched yet"),
        ({"discounts": np.ones(2)}, "a discount per transition, or illegal actions, are not searched yet"),
        ({"values": np.zeros(3, np.float32)}, r"values must have shape \[2\], not \[3\]"),
    ],
)
def test_what_one_of_several_answers_is_checked(changes: dict, says: str):
    """Joined, it would be dropped, or belong to other rows."""
    several = Several([Answering(), Answering(**changes)], np.array([0, 1, 1]))
    for ask in (lambda: several.root(np.zeros(3)), lambda: several.step(np.zeros(3), np.zeros(3, int))):
        with pytest.raises(ModelError, match=f"^Answering: {says}$"):
            ask()
