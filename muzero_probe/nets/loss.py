"""The weighted loss of unrolled nets, in torch operations, for any nets and device; and what nets are."""

from typing import Protocol

import torch
from torch import Tensor

from muzero_probe.nets.categorical import Support, two_hot
from muzero_probe.nets.layers import Layout, halve_gradient


class Nets(Protocol):
    """Sizes of h, g and f, and their arithmetic; parameters are passed in, named views [S, ...] of `layout`."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of one observation, which h takes flat."""
        ...

    @property
    def actions(self) -> int:
        """A."""
        ...

    @property
    def value_support(self) -> Support:
        """Atoms of the value."""
        ...

    @property
    def reward_support(self) -> Support:
        """Atoms of the reward."""
        ...

    @property
    def layout(self) -> Layout:
        """Where every parameter stands in a seed's vector."""
        ...

    def representation(self, p: dict[str, Tensor], observations: Tensor) -> Tensor:
        """h: observations [S, B, O] -> latents [S, B, ...]."""
        ...

    def dynamics(self, p: dict[str, Tensor], latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """g: latents [S, B, ...], actions [S, B] -> next latents, reward logits [S, B, atoms]."""
        ...

    def prediction(self, p: dict[str, Tensor], latents: Tensor) -> tuple[Tensor, Tensor]:
        """f: latents [S, B, ...] -> value logits [S, B, atoms], policy logits [S, B, A]."""
        ...


def losses(
    nets: Nets,
    theta: Tensor,
    observations: Tensor,
    actions: Tensor,
    rewards: Tensor,
    values: Tensor,
    policies: Tensor,
    reward_weights: Tensor,
    value_weights: Tensor,
    policy_weights: Tensor,
) -> Tensor:
    """Returns the weighted reward, value and policy losses [S, 3]; see `cpu.updates.Rows`."""
    _, K, _ = actions.shape
    p = nets.layout.views(theta)
    latents = nets.representation(p, observations.to(theta.dtype))
    reward_loss = value_loss = policy_loss = torch.zeros(len(theta), device=theta.device)
    for k in range(K + 1):
        value_logits, policy_logits = nets.prediction(p, latents)
        value_loss = value_loss + _cross_entropy(
            value_logits, two_hot(values[:, k], nets.value_support), value_weights[:, k]
        )
        policy_loss = policy_loss + _cross_entropy(policy_logits, policies[:, k], policy_weights[:, k])
        if k < K:
            latents, reward_logits = nets.dynamics(p, halve_gradient(latents), actions[:, k])
            reward_loss = reward_loss + _cross_entropy(
                reward_logits, two_hot(rewards[:, k], nets.reward_support), reward_weights[:, k]
            )
    return torch.stack([reward_loss, value_loss, policy_loss], -1)


def _cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return -((targets * logits.log_softmax(-1)).sum(-1) * weights).sum(-1)
