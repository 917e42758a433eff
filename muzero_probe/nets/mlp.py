"""Multi-layer perceptrons h, g and f with a leading seed axis.

    h: observation -> latent          g: latent, action -> next latent, reward      f: latent -> policy, value

Each has one hidden layer with ReLU. Latents are min-max scaled; the reward is read from the next latent. For images,
the hidden layer of h may be a convolution: 3 x 3 windows, stride 1, no padding; a vector comes of it all the same.
This module defines the nets in torch operations for any device; `kernels` and `updates` compute the same on a CPU.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from muzero_probe.config import ImageNetsConfig, NetsConfig
from muzero_probe.envs.base import Environment
from muzero_probe.nets.kernels import WINDOW
from muzero_probe.nets.layers import Layout, halve_gradient, linear, min_max
from muzero_probe.support import Support, two_hot


@dataclass(frozen=True, kw_only=True)
class Mlp:
    """Sizes of the three nets; parameters are passed in, [S, P], in the order of `layout`."""

    observation: int  # entries of a flat observation
    actions: int
    latent: int
    hidden: int
    value_support: Support
    reward_support: Support
    image: tuple[int, int, int] = (0, 0, 0)  # height, width, planes of an observation that h convolves
    filters: int = 0  # of that convolution; 0: the hidden layer of h is linear, like the others

    @property
    def layout(self) -> Layout:
        """Where every parameter stands."""
        shapes: dict[str, tuple[int, ...]] = {}

        def net(name: str, n_in: int, n_out: int) -> None:
            shapes[f"{name}.w1"] = (n_in, self.hidden)
            shapes[f"{name}.b1"] = (self.hidden,)
            shapes[f"{name}.w2"] = (self.hidden, n_out)
            shapes[f"{name}.b2"] = (n_out,)

        if self.filters:
            height, width, planes = self.image
            shapes["h.w1"] = (WINDOW, WINDOW, planes, self.filters)
            shapes["h.b1"] = (self.filters,)
            shapes["h.w2"] = (self.filters * (height - WINDOW + 1) * (width - WINDOW + 1), self.latent)
            shapes["h.b2"] = (self.latent,)
        else:
            net("h", self.observation, self.latent)
        net("g", self.latent + self.actions, self.latent)
        net("reward", self.latent, self.reward_support.atoms)
        net("value", self.latent, self.value_support.atoms)
        net("policy", self.latent, self.actions)
        return Layout(shapes)

    @property
    def dims(self) -> tuple[int, int, int, int, int, int, tuple[int, int, int, int]]:
        """The sizes in the order that the kernels take them."""
        return (
            self.observation,
            self.latent,
            self.hidden,
            self.actions,
            self.value_support.atoms,
            self.reward_support.atoms,
            (*self.image, self.filters),
        )


def build(config: NetsConfig, env: Environment) -> Mlp:
    """Returns the nets of a config for an environment.

    Raises:
        ValueError: if the config has filters and the observations are no images of at least 3 x 3.
    """
    filters, image = 0, (0, 0, 0)
    if isinstance(config, ImageNetsConfig):
        filters, image = config.filters, env.observation_shape
        if len(image) != 3 or min(image[:2]) < WINDOW:
            raise ValueError(
                f"nets.filters is {filters}, but {env.name} has observations {list(image)}: images of 3 axes, at least "
                f"{WINDOW} x {WINDOW}, are needed"
            )
    return Mlp(
        observation=int(np.prod(env.observation_shape)),
        actions=env.num_actions,
        latent=config.latent,
        hidden=config.hidden,
        value_support=Support(low=config.value_low, high=config.value_high),
        reward_support=Support(low=config.reward_low, high=config.reward_high),
        image=image,
        filters=filters,
    )


def _net(name: str, p: dict[str, Tensor], x: Tensor) -> Tensor:
    hidden = linear(x, p[f"{name}.w1"], p[f"{name}.b1"]).relu()
    return linear(hidden, p[f"{name}.w2"], p[f"{name}.b2"])


def representation(nets: Mlp, p: dict[str, Tensor], observations: Tensor) -> Tensor:
    """h: observations [S, B, O] -> latents [S, B, D]."""
    if not nets.filters:
        return min_max(_net("h", p, observations))
    S, B, _ = observations.shape
    images = observations.unflatten(-1, nets.image)
    windows = images.unfold(2, WINDOW, 1).unfold(3, WINDOW, 1)  # [S, B, rows, columns, planes, 3, 3]
    windows = windows.permute(0, 1, 2, 3, 5, 6, 4).reshape(S, -1, WINDOW * WINDOW * nets.image[2])
    hidden = linear(windows, p["h.w1"].flatten(1, 3), p["h.b1"]).relu()
    hidden = hidden.unflatten(1, (B, -1)).transpose(2, 3).flatten(2)  # a filter's whole plane side by side
    return min_max(linear(hidden, p["h.w2"], p["h.b2"]))


def dynamics(p: dict[str, Tensor], latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """g: latents [S, B, D], actions [S, B] -> next latents [S, B, D], reward logits [S, B, atoms]."""
    count = p["g.w1"].shape[1] - latents.shape[-1]
    one_hot = F.one_hot(actions, count).to(latents.dtype)
    following = min_max(_net("g", p, torch.cat([latents, one_hot], -1)))
    return following, _net("reward", p, following)


def prediction(p: dict[str, Tensor], latents: Tensor) -> tuple[Tensor, Tensor]:
    """f: latents [S, B, D] -> value logits [S, B, atoms], policy logits [S, B, A]."""
    return _net("value", p, latents), _net("policy", p, latents)


def losses(
    nets: Mlp,
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
    """Returns the weighted reward, value and policy losses [S, 3]; see `updates.loss_and_gradient`."""
    _, K, _ = actions.shape
    p = nets.layout.views(theta)
    latents = representation(nets, p, observations)
    reward_loss = value_loss = policy_loss = torch.zeros(len(theta), device=theta.device)
    for k in range(K + 1):
        value_logits, policy_logits = prediction(p, latents)
        value_loss = value_loss + _cross_entropy(
            value_logits, two_hot(values[:, k], nets.value_support), value_weights[:, k]
        )
        policy_loss = policy_loss + _cross_entropy(policy_logits, policies[:, k], policy_weights[:, k])
        if k < K:
            latents, reward_logits = dynamics(p, halve_gradient(latents), actions[:, k])
            reward_loss = reward_loss + _cross_entropy(
                reward_logits, two_hot(rewards[:, k], nets.reward_support), reward_weights[:, k]
            )
    return torch.stack([reward_loss, value_loss, policy_loss], -1)


def _cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    return -((targets * logits.log_softmax(-1)).sum(-1) * weights).sum(-1)
