"""LearnedModel and TrueModel behind one root / step / rollout contract.

The search and the probes see rows B and opaque states only: a state batch can be indexed along its first
axis, and that is all. `row_keys`-style identities, seeds and environments stay behind this border.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from muzero_probe.cpu import inference
from muzero_probe.cpu.parameters import sizes_of
from muzero_probe.envs.base import Environment
from muzero_probe.nets.categorical import expectation
from muzero_probe.nets.loss import Nets
from muzero_probe.nets.mlp import Mlp

LEAST_ROWS = 4  # that torch computes at a time on a CPU

States = Any  # an array or tensor with leading axis B


class Prediction(NamedTuple):
    """What a model says of B states."""

    states: States  # [B, ...]
    rewards: np.ndarray  # [B] float32, of the transition into the state; 0 at a root
    values: np.ndarray  # [B] float32
    logits: np.ndarray  # [B, A] float32, policy prior


class Model(Protocol):
    """Deterministic transitions and rewards with predictions, for B rows that never influence each other."""

    num_actions: int

    def root(self, inputs: Any) -> Prediction:
        """Predictions at the roots. inputs [B, ...]: observations (learned) or environment states (true)."""
        ...

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """One transition. actions [B] int64."""
        ...

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Rewards [B, T] float32 along plans [B, T]; after a known termination they are 0."""
        ...

    def rows(self, selection: slice | np.ndarray) -> "Model":
        """The same model for a selection of its rows, order kept."""
        ...

    def storage(self, count: int, states: States) -> States:
        """Uninitialised room [count, ...] for states like the given ones [B, ...]."""
        ...


class LearnedModel:
    """MuZero's h, g and f of S agents; rows belong to agents by `row_seeds`.

    Args:
        nets: sizes of the nets.
        theta: [S, P] parameters, float32, on the device to compute on.
        row_seeds: [B] index into S of every row, ascending.

    Raises:
        ValueError: if `row_seeds` is not ascending or points outside S.
    """

    def __init__(self, nets: Nets, theta: torch.Tensor, row_seeds: np.ndarray) -> None:
        """See the class."""
        row_seeds = np.ascontiguousarray(row_seeds, dtype=np.int64)
        if row_seeds.size and ((np.diff(row_seeds) < 0).any() or row_seeds[0] < 0 or row_seeds[-1] >= len(theta)):
            raise ValueError(f"row_seeds must ascend within 0..{len(theta) - 1}")
        self.nets = nets
        self.theta = theta
        self.row_seeds = row_seeds
        self.num_actions = nets.actions
        # the nets where compiled code computes them
        self._mlp = nets if theta.device.type == "cpu" and isinstance(nets, Mlp) else None
        self._theta = theta.detach().numpy() if self._mlp else None
        self._sizes = sizes_of(self._mlp) if self._mlp else None
        self._views_of: dict[int, dict[str, torch.Tensor]] = {}

    @property
    def kernel_arguments(self) -> tuple[Any, ...] | None:
        """What the compiled code wants to know of the agents and the rows; None where it does not compute."""
        return (self._theta, self._sizes, self.row_seeds) if self._mlp else None

    def rows(self, selection: slice | np.ndarray) -> "LearnedModel":
        """See `Model`; an index array must ascend."""
        return LearnedModel(self.nets, self.theta, self.row_seeds[selection])

    def storage(self, count: int, states: States) -> States:
        """See `Model`."""
        shape = (count, *states.shape[1:])
        if self._mlp:
            return np.empty(shape, np.float32)
        return torch.empty(shape, device=self.theta.device)

    def root(self, inputs: np.ndarray) -> Prediction:
        """H and f. inputs: observations [B, *observation_shape of the nets] or flat, of any number type."""
        B = len(self.row_seeds)
        observations = np.ascontiguousarray(inputs)
        shape, wanted = observations.shape[1:], self.nets.observation_shape
        if (len(wanted) > 1 < len(shape) and shape != wanted) or math.prod(shape) != math.prod(wanted):
            raise ValueError(f"observations have shape {list(shape)}, the nets take {list(wanted)}")
        observations = observations.reshape(B, -1)
        if not self._mlp:
            return self._predicted(lambda p, x: [self.nets.representation(p, x.float())], observations)
        observations = observations.astype(np.float32, copy=False)
        latents = np.empty((B, self._mlp.latent), np.float32)
        values = np.empty(B, np.float32)
        logits = np.empty((B, self.nets.actions), np.float32)
        inference.root(self._theta, self._sizes, self.row_seeds, observations, latents, values, logits)
        return Prediction(latents, np.zeros(B, np.float32), values, logits)

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """G and f. states: latents [B, D]."""
        if not self._mlp:
            return self._predicted(self.nets.dynamics, states, actions)
        B = len(self.row_seeds)
        latents = np.empty((B, self._mlp.latent), np.float32)
        rewards = np.empty(B, np.float32)
        values = np.empty(B, np.float32)
        logits = np.empty((B, self.nets.actions), np.float32)
        inference.step(
            self._theta, self._sizes, self.row_seeds, np.ascontiguousarray(states), actions,
            latents, rewards, values, logits,
        )  # fmt: skip
        return Prediction(latents, rewards, values, logits)

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Rewards that g predicts along plans."""
        B, T = plans.shape
        if not self._mlp:
            if T == 0:
                return np.zeros((B, 0), np.float32)
            return self._in_torch(self._rolled, states, plans)[0].cpu().numpy()
        rewards = np.empty((B, T), np.float32)
        plans = np.ascontiguousarray(plans, dtype=np.int64)
        inference.rollout(self._theta, self._sizes, self.row_seeds, np.ascontiguousarray(states), plans, rewards)
        return rewards

    def _in_torch(self, net: Callable, *inputs: Any) -> list[torch.Tensor]:
        """Torch path: what `net(p, *inputs)` says, a list of [S, R, ...], of rows [B, ...] folded to [S, R, ...].

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
        own = [torch.as_tensor(rows[part], device=device) for rows in inputs]
        seeds, counts = np.unique(self.row_seeds[part], return_counts=True)
        if len(seeds) == 1:
            (n,) = counts
            # products and convolutions of fewer rows are computed in another way, up to one or three by the processor
            spare = [0] * (LEAST_ROWS - n)
            folded = [torch.cat([rows, rows[spare]])[None] if spare else rows[None] for rows in own]
            return [found[0, :n] for found in net(self._views(int(seeds[0])), *folded)]
        within = np.concatenate([np.arange(count) for count in counts])
        at = (
            torch.as_tensor(np.repeat(np.arange(len(seeds)), counts), device=device),
            torch.as_tensor(within, device=device),
        )
        folded = [rows.new_zeros(len(seeds), int(counts.max()), *rows.shape[1:]) for rows in own]  # some are padding
        for place, rows in zip(folded, own, strict=True):
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

        latents, logits, values, *rewards = self._in_torch(answers, *inputs)
        gained = rewards[0].cpu().numpy() if rewards else np.zeros(len(values), np.float32)
        return Prediction(latents, gained, values.cpu().numpy(), logits.cpu().numpy())

    def _rolled(self, p: dict[str, torch.Tensor], latents: torch.Tensor, plans: torch.Tensor) -> list[torch.Tensor]:
        """Rewards that g predicts, f left out."""
        rewards = []
        for actions in plans.unbind(-1):
            latents, logits = self.nets.dynamics(p, latents, actions)
            rewards.append(expectation(logits, self.nets.reward_support))
        return [torch.stack(rewards, -1)]


class TrueModel:
    """The environment itself as a model; priors and values come from the agents' h and f where given.

    Args:
        env: the environment.
        predictor: h and f that give policy prior and value at the real state of each node; None gives a
            uniform prior and value 0, without any net call.
    """

    def __init__(self, env: Environment, predictor: LearnedModel | None = None) -> None:
        """See the class."""
        self.env = env
        self.predictor = predictor
        self.num_actions = env.num_actions

    def rows(self, selection: slice | np.ndarray) -> "TrueModel":
        """See `Model`."""
        return TrueModel(self.env, self.predictor and self.predictor.rows(selection))

    def storage(self, count: int, states: States) -> States:
        """See `Model`."""
        return np.empty((count, *states.shape[1:]), states.dtype)

    def root(self, inputs: np.ndarray) -> Prediction:
        """Predictions at environment states [B, ...]."""
        observations = self.env.observe(inputs) if self.predictor else None
        return self._predict(inputs, observations, np.zeros(len(inputs), np.float32), self.env.is_terminal(inputs))

    def step(self, states: States, actions: np.ndarray) -> Prediction:
        """One real step; a terminal state is absorbing, its value is 0."""
        following, observations, rewards, terminated = self.env.step(states, actions)
        return self._predict(following, observations, rewards, terminated)

    def rollout(self, states: States, plans: np.ndarray) -> np.ndarray:
        """Real rewards along plans."""
        return self.env.rollout(states, plans)[0]

    def _predict(
        self, states: States, observations: np.ndarray | None, rewards: np.ndarray, terminal: np.ndarray
    ) -> Prediction:
        B = len(states)
        if self.predictor is None or observations is None:
            return Prediction(states, rewards, np.zeros(B, np.float32), np.zeros((B, self.num_actions), np.float32))
        _, _, values, logits = self.predictor.root(observations)
        return Prediction(states, rewards, np.where(terminal, np.float32(0), values), logits)
