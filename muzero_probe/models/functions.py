"""Anybody's MuZero as a model: two functions, and several models side by side."""

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numba.core.dispatcher import Dispatcher

from muzero_probe import door
from muzero_probe.models.contract import Model, ModelError, Prediction, States, actions_of, checked
from muzero_probe.search.compiled import simulate
from muzero_probe.search.tree import Plan, Tree

# observations [B, *observation shape] -> states [B, ...], values [B], prior logits [B, A]
Initial = Callable[[np.ndarray], tuple[States, Any, Any]]
# states [B, ...], actions [B] int64 -> next states [B, ...], rewards [B], values [B], prior logits [B, A]
Recurrent = Callable[[States, np.ndarray], tuple[States, Any, Any, Any]]


class FunctionModel(Model):
    """A model given by its initial and its recurrent inference, in numpy or torch.

    A recurrent function that numba compiled (states [B, D], float32) searches many times faster where rows are
    few: the whole search is then one compiled call.

    Args:
        initial: h, then f.
        recurrent: g, then f. Rewards and values are in the environment's own units.
        num_actions: A.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are no actions. What the functions answer is refused where it is used: as `ModelError`, if
            it is of another shape or type or not finite; and probabilities in place of logits, where three rows or more
            show it, which all sum to 1 and are not all uniform.
    """

    def __init__(self, initial: Initial, recurrent: Recurrent, *, num_actions: int) -> None:
        door.function("initial", initial)
        door.function("recurrent", recurrent)
        self.initial = initial
        self.recurrent = recurrent
        self.num_actions = door.whole("num_actions", num_actions, 1)

    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """See `Model`."""
        latents, values, prior_logits = self._called("initial", self.initial, 3, observations)
        found = _array(prior_logits)
        self._check_logits(found)
        return Prediction(latents, np.zeros(len(observations), np.float32), _array(values), found)

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """See `Model`."""
        door.actions("actions", actions, (_rows(states),), self.num_actions)
        latents, rewards, values, prior_logits = self._called("recurrent", self.recurrent, 4, states, actions)
        return Prediction(latents, _array(rewards), _array(values), _array(prior_logits))

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """See `Model`; actions are looked at once, values and priors are not asked after."""
        door.actions("plans", plans, (_rows(states), "T"), self.num_actions)
        rewards = np.zeros(plans.shape, np.float32)
        for t in range(plans.shape[1]):
            states, found, values, prior_logits = self._called("recurrent", self.recurrent, 4, states, plans[:, t])
            found = _array(found)
            if np.shape(found) != rewards.shape[:1]:
                checked(Prediction(states, found, _array(values), _array(prior_logits)), self, len(plans))
            rewards[:, t] = found
        return rewards

    def simulate(self, tree: Tree, roots: States, plan: Plan, keys: np.ndarray) -> bool:
        """See `Model`: one compiled call, if the recurrent function is compiled.

        Raises:
            ModelError: if the function answers anything else than `Recurrent` says.
        """
        if not isinstance(self.recurrent, Dispatcher):
            return False
        if not isinstance(roots, np.ndarray) or roots.ndim != 2:
            came = f"shape {list(roots.shape)}" if isinstance(roots, np.ndarray) else f"a {type(roots).__name__}"
            raise ModelError(
                f"{type(self).__name__}: states must be a numpy array [B, D] if recurrent is compiled, not {came}"
            )
        first = self.step(roots, np.zeros(len(keys), np.int64))
        checked(first, self, len(keys))
        if not isinstance(first.states, np.ndarray) or first.states.shape != roots.shape:
            raise ModelError(
                f"{type(self).__name__}: states must keep their shape {list(roots.shape)}, recurrent gave "
                f"{list(np.shape(first.states))}"
            )
        self._called("recurrent", partial(simulate, self.recurrent, tree), 0, roots, plan, keys)
        if not np.isfinite(tree.totals[:, 0].sum() + tree.priors.sum()):  # all that is backed up arrives at the root
            raise ModelError(f"{type(self).__name__}: recurrent must give finite numbers")
        return True

    def _check_logits(self, found: Any) -> None:
        """Refuses what can only be probabilities."""
        if not isinstance(found, np.ndarray) or found.shape[1:] != (self.num_actions,) or len(found) < 3:
            return
        if (found >= 0).all() and (np.abs(found.sum(-1) - 1) < 1e-5).all() and np.ptp(found, -1).any():
            raise ModelError(
                f"{type(self).__name__}: prior_logits must be logits, of which the search takes the softmax, not "
                f"probabilities: all {len(found)} rows are 0 or more and sum to 1"
            )

    def _called(self, name: str, function: Callable[..., Any], count: int, *inputs: Any) -> tuple[Any, ...]:
        try:
            found = function(*inputs)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
            raise ModelError(
                f"{type(self).__name__}: {name} failed at {at.filename}, line {at.lineno}: {said}"
            ) from error
        if count == 0:
            return ()
        if not isinstance(found, tuple) or len(found) != count:
            came = f"{len(found)} of them" if isinstance(found, tuple) else f"a {type(found).__name__}"
            raise ModelError(f"{type(self).__name__}: {name} must return a tuple of {count}, not {came}")
        return found


class Several(Model):
    """Models side by side; every row belongs to one of them.

    Args:
        models: of one number of actions.
        row_models: [B] index into `models` of every row, ascending.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there is no model, their numbers of actions differ, or rows belong to none or do not ascend.
    """

    def __init__(self, models: Sequence[Model], row_models: np.ndarray) -> None:
        counts = {actions_of(model) for model in models}
        if len(counts) != 1:
            raise ValueError(f"models must be of one number of actions, not {sorted(counts) or 'none'}")
        door.array("row_models", row_models, ("B",), door.INTEGERS, low=0, high=len(models) - 1)
        if (np.diff(row_models) < 0).any():
            raise ValueError(f"row_models must ascend within 0..{len(models) - 1}")
        self.models = models
        self.row_models = row_models
        self.num_actions = models[0].num_actions

    @property
    def count(self) -> int:
        """See `Model`."""
        return len(self.row_models)

    def rows(self, selection: slice | np.ndarray) -> "Several":
        """See `Model`."""
        return Several(self.models, self.row_models[selection])

    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """See `Model`."""
        self._check_rows(len(observations))
        return self._joined(
            lambda model, part: model.root(observations[part], None if states is None else states[part])
        )

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """See `Model`."""
        self._check_rows(len(states))
        door.actions("actions", actions, (len(self.row_models),), self.num_actions)
        return self._joined(lambda model, part: model.step(states[part], actions[part]))

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """See `Model`."""
        self._check_rows(len(states))
        door.actions("plans", plans, (len(self.row_models), "T"), self.num_actions)
        return np.concatenate([model.rows(part).rollout(states[part], plans[part]) for model, part in self._parts()])

    def simulate(self, tree: Tree, roots: States, plan: Plan, keys: np.ndarray) -> bool:
        """See `Model`: every model in its own way, if all have one."""
        done = [
            model.rows(part).simulate(Tree(*(field[part] for field in tree)), roots[part], plan, keys[part])
            for model, part in self._parts()
        ]
        if any(done) and not all(done):
            raise ModelError(f"{type(self).__name__}: either all recurrent functions are compiled, or none is")
        return all(done)

    def _parts(self) -> list[tuple[Model, slice]]:
        """Returns the models that have rows, and their rows."""
        edges = np.searchsorted(self.row_models, np.arange(len(self.models) + 1)).tolist()
        return [(model, slice(a, b)) for model, a, b in zip(self.models, edges[:-1], edges[1:], strict=True) if b > a]

    def _check_rows(self, count: int) -> None:
        if count != len(self.row_models):
            raise ValueError(f"there are {count} states or observations for {len(self.row_models)} rows")

    def _joined(self, ask: Callable[[Model, slice], Prediction]) -> Prediction:
        """Returns what the models answer for their rows; each is checked, since joining drops what is not searched."""
        found = [checked(ask(model.rows(part), part), model, part.stop - part.start) for model, part in self._parts()]
        if len(found) == 1:
            return found[0]
        states = [prediction.states for prediction in found]
        joined = torch.cat(states) if isinstance(states[0], torch.Tensor) else np.concatenate(states)
        return Prediction(joined, *(np.concatenate(field) for field in list(zip(*found, strict=True))[1:4]))


def _rows(states: States) -> int:
    shape = getattr(states, "shape", ())
    if not shape:
        raise TypeError(f"states must be an array or tensor [B, ...], not a {type(states).__name__}")
    return shape[0]


def _array(found: Any) -> Any:
    """Returns float32 numbers of numpy or torch; anything else as it is, to be refused."""
    if type(found) is np.ndarray and found.dtype == np.float32:
        return found  # soon told
    if isinstance(found, torch.Tensor):
        found = found.detach().cpu().numpy()
    if isinstance(found, np.ndarray) and found.dtype != np.float32 and found.dtype.kind == "f":
        found = found.astype(np.float32)
    return found
