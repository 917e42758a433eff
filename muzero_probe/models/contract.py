"""What the search, the probes and the planners ask of a model.

They see B rows and opaque states: a batch of states is an array or tensor with a leading axis B, which can be indexed
along it and copied into another one. Seeds, nets and environments stay behind this border.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.search.tree import Plan, Tree

States = Any  # a numpy array or torch tensor with leading axis B


class Prediction(NamedTuple):
    """What a model says of B states."""

    states: States  # [B, ...]
    rewards: np.ndarray  # [B] float32, of the transition into the state; 0 at a root
    values: np.ndarray  # [B] float32
    prior_logits: np.ndarray  # [B, A] float32, of the policy prior
    # [B], of the transition into the state: 0 ends an episode, a negative one changes sides. None: the search's own
    discounts: np.ndarray | None = None
    legal: np.ndarray | None = None  # [B, A] bool, the actions that may be taken in the state. None: all


class Model(ABC):
    """Deterministic transitions and rewards with predictions, for B rows that never influence each other."""

    num_actions: int
    may_diverge = False  # whether a search lets numbers pass that are not finite: one seed's, in training

    @property
    def count(self) -> int | None:
        """B, where the model has rows of its own; None where it answers for any number."""
        return None

    @abstractmethod
    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """Returns the predictions at the roots.

        Args:
            observations: [B, *observation shape].
            states: [B, ...] the environment's, where they are known. A model of the environment itself needs them.
        """

    @abstractmethod
    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """Takes one action [B] int64 in each of the model's states [B, ...]."""

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Returns the rewards [B, T] float32 along plans [B, T]; after a known termination they are 0."""
        door.actions("plans", plans, (len(states), "T"), self.num_actions)
        rewards = np.zeros(plans.shape, np.float32)
        for t in range(plans.shape[1]):
            prediction = self.step(states, plans[:, t])
            if np.shape(prediction.rewards) != rewards.shape[:1]:
                checked(prediction, self, len(plans))
            states, rewards[:, t] = prediction.states, prediction.rewards
        return rewards

    def rows(self, selection: slice | np.ndarray) -> "Model":
        """Returns the model of a selection of its rows, order kept; itself, where its rows are all alike.

        An index array ascends; it may name a row more than once.
        """
        return self

    def simulate(self, tree: Tree, roots: States, plan: Plan, keys: np.ndarray) -> bool:
        """Runs all simulations of a search in the model's own way, and says whether it did.

        Args:
            tree: B trees whose roots have priors; written.
            roots: [B, ...] the model's states there.
            plan: how to search.
            keys: [B] uint64 streams of ties and of random rollouts.
        """
        return False


class ModelError(ValueError):
    """A model's answer is not what the contract asks for; one line says what was expected and what came."""


def actions_of(model: Any) -> int:
    """Returns a model's number of actions.

    Raises:
        TypeError: if it is none, or its number of actions is none.
        ValueError: if it has none.
    """
    door.instance("model", model, Model)
    return door.whole(f"num_actions of {type(model).__name__}", getattr(model, "num_actions", None), 1)


def same_actions(model: Any, env: Any) -> int:
    """Returns the number of actions of a model and of the environment that it is held against.

    Raises:
        TypeError: if the model is none.
        ValueError: if they differ.
    """
    A = actions_of(model)
    if env.num_actions != A:
        raise ValueError(f"the model has {A} actions, {env.name} has {env.num_actions}")
    return A


def rolled(model: "Model", states: States, plans: np.ndarray) -> np.ndarray:
    """Returns the rewards [B, T] that a model gives along plans [B, T].

    Raises:
        ModelError: if they are of another shape or type, or not finite and `model` may not diverge.
    """
    rewards = model.rollout(states, plans)
    try:
        return door.array("rewards of rollout", rewards, plans.shape, door.REALS, finite=not model.may_diverge)
    except (TypeError, ValueError) as error:
        raise _error(model, str(error)) from None


def checked(prediction: Prediction, model: Model, rows: int) -> Prediction:
    """Returns the prediction of B = `rows` states, if it is one.

    Raises:
        ModelError: if an array has another shape or type, or a value that is not finite and `model` may not diverge.
    """
    B, A = rows, model.num_actions
    if not isinstance(prediction, Prediction):
        raise _error(model, f"root and step must return a Prediction, not a {type(prediction).__name__}")
    _, rewards, values, prior_logits, discounts, legal = prediction
    try:
        fits = (
            rewards.shape == (B,) == values.shape and prior_logits.shape == (B, A) and prediction.states.shape[0] == B
        )
        # a sum is finite where all numbers are, but for huge ones
        if fits and discounts is None and legal is None and rewards.dtype.kind == values.dtype.kind == "f":
            total = np.add.reduce(rewards) + np.add.reduce(values) + np.add.reduce(prior_logits, None)
            if prior_logits.dtype.kind == "f" and (model.may_diverge or math.isfinite(total)):
                return prediction
    except (AttributeError, TypeError):
        pass
    _refuse(prediction, model, rows)
    return prediction


def _refuse(prediction: Prediction, model: Model, rows: int) -> None:
    """Says what is wrong with a prediction, if anything is."""
    B, A = rows, model.num_actions
    found = prediction.rewards, prediction.values, prediction.prior_logits
    for name, array, shape in zip(("rewards", "values", "prior_logits"), found, ((B,), (B,), (B, A)), strict=True):
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            came = str(array.dtype) if isinstance(array, np.ndarray) else type(array).__name__
            raise _error(model, f"{name} must be a numpy array of floating-point numbers, not {came}")
        if array.shape != shape:
            raise _error(model, f"{name} must have shape {list(shape)}, not {list(array.shape)}")
        if not model.may_diverge and not np.isfinite(array).all():
            raise _error(model, f"{name} must be finite, {array[~np.isfinite(array)][0]} is among them")
    of_states = getattr(prediction.states, "shape", ())
    if not of_states or of_states[0] != rows:
        came = f"shape {list(of_states)}" if of_states else f"a {type(prediction.states).__name__}"
        raise _error(model, f"states must be an array or tensor of {rows} rows, not {came}")
    if prediction.discounts is not None or prediction.legal is not None:
        raise _error(model, "a discount per transition, or illegal actions, are not searched yet")


def _error(model: Model, what: str) -> ModelError:
    return ModelError(f"{type(model).__name__}: {what}")
