"""The learned model of agents on a CPU, in compiled code."""

import math

import numpy as np
import torch

from muzero_probe import door
from muzero_probe.cpu import inference, parameters, residual_parameters, search
from muzero_probe.models.contract import Prediction, States
from muzero_probe.models.learned import LearnedModel
from muzero_probe.nets.loss import Nets
from muzero_probe.nets.mlp import Mlp
from muzero_probe.nets.residual import Residual
from muzero_probe.search.tree import Plan, Tree

KNOWN = Mlp, Residual  # nets
Sizes = parameters.Sizes | residual_parameters.Sizes


def sizes_of(nets: Mlp | Residual) -> Sizes:
    """Returns what the compiled code wants to know of nets."""
    return parameters.sizes_of(nets) if isinstance(nets, Mlp) else residual_parameters.sizes_of(nets)


def computes(nets: Nets, theta: torch.Tensor) -> bool:
    """Returns whether the compiled code knows these nets, and parameters where they lie."""
    return isinstance(nets, KNOWN) and isinstance(theta, torch.Tensor) and theta.device.type == "cpu"


class CompiledModel(LearnedModel):
    """What `LearnedModel` says, sooner, and a row's result depends on the row and the weights alone.

    Args:
        nets: as in `LearnedModel`, but an `Mlp` or a `Residual`.
        theta: [S, P] parameters, float32, on a CPU.
        row_seeds: [B] index into S of every row, ascending.

    Raises:
        TypeError: if the compiled code does not know the nets.
    """

    def __init__(self, nets: Nets, theta: torch.Tensor, row_seeds: np.ndarray, *, may_diverge: bool = False) -> None:
        if not isinstance(nets, KNOWN):
            raise TypeError(f"compiled code knows Mlp and Residual nets, not {type(nets).__name__}")
        if theta.device.type != "cpu":
            raise TypeError(f"compiled code computes on a CPU, parameters are on {theta.device}")
        super().__init__(nets, theta, row_seeds, may_diverge=may_diverge)
        self._latent = (nets.latent,) if isinstance(nets, Mlp) else nets.latent
        self._parameters = theta.detach().numpy()
        self._sizes = sizes_of(nets)

    def root(self, observations: np.ndarray, states: States | None = None) -> Prediction:
        """See `LearnedModel`."""
        out = self._empty()
        flat = self._flat(observations).astype(np.float32, copy=False)
        inference.root(*self._agents, flat, out.states, out.values, out.prior_logits)
        out.rewards[:] = 0.0
        return out._replace(states=self._images(out.states))

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """See `LearnedModel`."""
        states, actions = self._latents(states), self._actions("actions", actions, ())
        out = self._empty()
        inference.step(*self._agents, states, actions, *out[:4])
        return out._replace(states=self._images(out.states))

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """See `LearnedModel`."""
        states, plans = self._latents(states), self._actions("plans", plans, ("T",))
        door.room("rewards of the plans", 4 * plans.size)
        rewards = np.empty(plans.shape, np.float32)
        inference.rollout(*self._agents, states, plans, rewards)
        return rewards

    def simulate(self, tree: Tree, roots: States, plan: Plan, keys: np.ndarray) -> bool:
        """See `Model`: all simulations are one compiled call."""
        search.simulate(*self._agents, tree, self._latents(roots), plan, keys)
        return True

    @property
    def _agents(self) -> tuple[np.ndarray, Sizes, np.ndarray]:
        """What the compiled code wants to know of the agents."""
        return self._parameters, self._sizes, self.row_seeds

    def _latents(self, states: States) -> np.ndarray:
        """Returns latents as compiled code has them: [B, D], contiguous, an image's planes last."""
        B = len(self.row_seeds)
        found = door.array("states", states, (B, *self._latent), door.REALS, finite=not self.may_diverge)
        if found.ndim > 2:
            found = np.moveaxis(found, 1, -1)
        return np.ascontiguousarray(found, dtype=np.float32).reshape(B, math.prod(self._latent))

    def _images(self, latents: np.ndarray) -> np.ndarray:
        """The reverse of `_latents`, in the same memory."""
        if len(self._latent) == 1:
            return latents
        C, H, W = self._latent
        return np.moveaxis(latents.reshape(len(latents), H, W, C), -1, 1)

    def _empty(self) -> Prediction:
        """Returns arrays of the right shape."""
        B = len(self.row_seeds)
        return Prediction(
            np.empty((B, math.prod(self._latent)), np.float32),
            np.empty(B, np.float32),
            np.empty(B, np.float32),
            np.empty((B, self.num_actions), np.float32),
        )
