"""MuZero's own model, computed in torch on any device: h, g and f of S agents side by side."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch

from muzero_probe import door
from muzero_probe.models.contract import Model, Prediction, States
from muzero_probe.nets.categorical import expectation
from muzero_probe.nets.loss import Nets

LEAST_ROWS = 4  # that torch computes at a time on a CPU


class LearnedModel(Model):
    """MuZero's h, g and f of S agents; rows belong to agents by `row_seeds`. `engine` knows a faster one.

    Args:
        nets: sizes of the nets.
        theta: [S, P] parameters, float32, on the device to compute on.
        row_seeds: [B] index into S of every row, ascending.
        may_diverge: whether parameters and what comes of them may be not finite: in training, one seed's.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if `theta` does not fit the nets or is not finite, or `row_seeds` is not ascending or points outside
            S. So do its methods where what they are given does not fit B rows and the nets, or is not finite.
    """

    def __init__(self, nets: Nets, theta: torch.Tensor, row_seeds: np.ndarray, *, may_diverge: bool = False) -> None:
        door.instance("theta", theta, torch.Tensor)
        P = nets.layout.size
        if theta.ndim != 2 or theta.shape[1] != P or theta.dtype != torch.float32 or not theta.is_contiguous():
            came = f"{theta.dtype} {list(theta.shape)}".removeprefix("torch.")
            raise ValueError(f"theta must be contiguous float32 [S, {P}] for these nets, not {came}")
        if not may_diverge and not theta.isfinite().all():
            raise ValueError("theta must be finite, a number that is not is among the parameters")
        row_seeds = np.ascontiguousarray(door.array("row_seeds", row_seeds, ("B",), door.INTEGERS), dtype=np.int64)
        if row_seeds.size and ((np.diff(row_seeds) < 0).any() or row_seeds[0] < 0 or row_seeds[-1] >= len(theta)):
            raise ValueError(f"row_seeds must ascend within 0..{len(theta) - 1}")
        self.may_diverge = may_diverge
        self.nets = nets
        self.theta = theta
        self.row_seeds = row_seeds
        self.num_actions = nets.actions
        self._views_of: dict[int, dict[str, torch.Tensor]] = {}

    @property
    def count(self) -> int:
        """See `Model`."""
        return len(self.row_seeds)

    def rows(self, selection: slice | np.ndarray) -> Self:
        """See `Model`."""
        part = copy.copy(self)
        part.row_seeds = self._selected(selection)
        return part

    def _selected(self, selection: slice | np.ndarray) -> np.ndarray:
        """Returns the seeds of a selection of rows."""
        if not isinstance(selection, slice):
            B = len(self.row_seeds)
            door.array("rows", selection, ("n",), door.INTEGERS, low=0, high=B - 1)
            if (np.diff(selection) < 0).any():
                raise ValueError(f"rows must ascend within 0..{B - 1}")
        return self.row_seeds[selection]

    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """h, then f. observations: [B, *observation_shape of the nets] or flat, of any number type."""
        return self._predicted(lambda p, x: [self.nets.representation(p, x.float())], self._flat(observations))

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """g, then f. states: latents [B, ...]."""
        actions = self._actions("actions", actions, ())
        return self._predicted(self.nets.dynamics, self._latents(states), actions)

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Rewards that g predicts along plans, without f."""
        plans, states = self._actions("plans", plans, ("T",)), self._latents(states)
        if plans.shape[1] == 0:
            return np.zeros(plans.shape, np.float32)
        return self._in_torch(self._rolled, states, plans)[0].cpu().numpy()

    def _actions(self, what: str, given: np.ndarray, behind: tuple[str, ...]) -> np.ndarray:
        """Returns actions [B, ...] as int64, contiguous."""
        found = door.actions(what, given, (len(self.row_seeds), *behind), self.num_actions)
        return np.ascontiguousarray(found, dtype=np.int64)

    def _latents(self, states: States) -> States:
        """Returns latents, if there is one for every row."""
        B = len(self.row_seeds)
        if not isinstance(states, np.ndarray | torch.Tensor) or not states.ndim or len(states) != B:
            came = f"shape {list(states.shape)}" if hasattr(states, "shape") else f"a {type(states).__name__}"
            raise ValueError(f"states must be the latents [{B}, ...] of {B} rows, not {came}")
        if not torch.as_tensor(states).is_floating_point():
            raise TypeError(f"states must be floating-point numbers, not {states.dtype}")
        if self.theta.device.type == "cpu" and not self.may_diverge:
            door.all_finite("states", np.asarray(states))
        return states

    def _flat(self, observations: np.ndarray) -> np.ndarray:
        """Returns the observations as [B, O], contiguous."""
        if not isinstance(observations, np.ndarray) or observations.dtype.kind not in "fiub" or not observations.ndim:
            came = observations.dtype if isinstance(observations, np.ndarray) else type(observations).__name__
            raise TypeError(f"observations must be a numpy array [B, ...] of numbers, not {came}")
        observations = np.ascontiguousarray(observations)
        shape, wanted = observations.shape[1:], self.nets.observation_shape
        if (len(wanted) > 1 < len(shape) and shape != wanted) or math.prod(shape) != math.prod(wanted):
            raise ValueError(f"observations have shape {list(shape)}, the nets take {list(wanted)}")
        if len(observations) != len(self.row_seeds):
            raise ValueError(f"there are {len(observations)} observations for {len(self.row_seeds)} rows")
        if observations.dtype.kind == "f" and not self.may_diverge:
            door.all_finite("observations", observations)
        return observations.reshape(len(observations), math.prod(wanted))

    def _in_torch(self, net: Callable, *inputs: Any) -> list[torch.Tensor]:
        """Returns what `net(p, *inputs)` says, a list of [S, R, ...], of rows [B, ...] folded to [S, R, ...].

        On a CPU seeds are computed one after the other, so that a row does not depend on the other agents.
        """
        edges = [0, len(self.row_seeds)]
        if self.theta.device.type == "cpu":
            edges[1:1] = np.flatnonzero(np.diff(self.row_seeds)) + 1
        with torch.no_grad():
            parts = [self._folded(net, slice(a, b), inputs) for a, b in itertools.pairwise(edges)]
        return [torch.cat(found) for found in zip(*parts, strict=True)]

    def _folded(self, net: Callable, part: slice, inputs: tuple[Any, ...]) -> list[torch.Tensor]:
        device = self.theta.device
        given = [torch.as_tensor(rows[part], device=device) for rows in inputs]
        seeds, counts = np.unique(self.row_seeds[part], return_counts=True)
        if len(seeds) == 1:
            (n,) = counts
            # products and convolutions of fewer rows are computed in another way, up to one or three by the processor
            spare = [0] * (LEAST_ROWS - n)
            folded = [torch.cat([rows, rows[spare]])[None] if spare else rows[None] for rows in given]
            return [found[0, :n] for found in net(self._views(int(seeds[0])), *folded)]
        within = np.concatenate([np.arange(count) for count in counts])
        at = (
            torch.as_tensor(np.repeat(np.arange(len(seeds)), counts), device=device),
            torch.as_tensor(within, device=device),
        )
        folded = [rows.new_zeros(len(seeds), int(counts.max()), *rows.shape[1:]) for rows in given]  # some are padding
        for place, rows in zip(folded, given, strict=True):
            place[at] = rows
        p = self.nets.layout.views(self.theta[torch.as_tensor(seeds, device=device)])
        return [found[at] for found in net(p, *folded)]

    def _views(self, seed: int) -> dict[str, torch.Tensor]:
        """A seed's parameters; they follow `theta`."""
        if seed not in self._views_of:
            self._views_of[seed] = self.nets.layout.views(self.theta[seed : seed + 1])
        return self._views_of[seed]

    def _predicted(self, net: Callable, *inputs: Any) -> Prediction:
        """`net` is h or g."""

        def answers(p: dict[str, torch.Tensor], *folded: torch.Tensor) -> list[torch.Tensor]:
            latents, *reward_logits = net(p, *folded)
            value_logits, policy_logits = self.nets.prediction(p, latents)
            values = expectation(value_logits, self.nets.value_support)
            rewards = [expectation(logits, self.nets.reward_support) for logits in reward_logits]
            return [latents, policy_logits, values, *rewards]

        latents, prior_logits, values, *rewards = self._in_torch(answers, *inputs)
        of_the_step = rewards[0].cpu().numpy() if rewards else np.zeros(len(values), np.float32)
        return Prediction(latents, of_the_step, values.cpu().numpy(), prior_logits.cpu().numpy())

    def _rolled(self, p: dict[str, torch.Tensor], latents: torch.Tensor, plans: torch.Tensor) -> list[torch.Tensor]:
        """Rewards that g predicts, f left out."""
        rewards = []
        for actions in plans.unbind(-1):
            latents, logits = self.nets.dynamics(p, latents, actions)
            rewards.append(expectation(logits, self.nets.reward_support))
        return [torch.stack(rewards, -1)]
