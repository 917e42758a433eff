"""Multi-layer perceptrons h, g and f with a leading seed axis.

    h: observation -> latent          g: latent, action -> next latent, reward      f: latent -> policy, value

Each has one hidden layer with ReLU. Latents are min-max scaled; the reward is read from the next latent. For images,
the hidden layer of h may be a convolution: 3 x 3 windows, stride 1, no padding; a vector comes of it all the same.
This module defines the nets in torch operations for any device; `cpu` has compiled code that computes the same.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from muzero_probe import door
from muzero_probe.nets.categorical import Support
from muzero_probe.nets.layers import Layout, linear, min_max

WINDOW = 3  # side of a convolution's window


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

    def __post_init__(self) -> None:
        """Refuses impossible sizes."""
        for name in ("observation", "actions", "latent", "hidden"):
            door.whole(f"{name} of the nets", getattr(self, name), 1, 10**7)
        door.whole("filters of the nets", self.filters, 0)
        if self.filters and (min(self.image[:2]) < WINDOW or math.prod(self.image) != self.observation):
            raise ValueError(
                f"image of the nets must be the observation's {self.observation} numbers and at least {WINDOW} x "
                f"{WINDOW}, not {list(self.image)}"
            )

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of one observation."""
        return self.image if self.filters else (self.observation,)

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

    def representation(self, p: dict[str, Tensor], observations: Tensor) -> Tensor:
        """h: observations [S, B, O] -> latents [S, B, D]."""
        if not self.filters:
            return min_max(_net("h", p, observations))
        S, B, _ = observations.shape
        images = observations.unflatten(-1, self.image)
        windows = images.unfold(2, WINDOW, 1).unfold(3, WINDOW, 1)  # [S, B, rows, columns, planes, 3, 3]
        windows = windows.permute(0, 1, 2, 3, 5, 6, 4).reshape(S, -1, WINDOW * WINDOW * self.image[2])
        hidden = linear(windows, p["h.w1"].flatten(1, 3), p["h.b1"]).relu()
        hidden = hidden.unflatten(1, (B, -1)).transpose(2, 3).flatten(2)  # a filter's whole plane side by side
        return min_max(linear(hidden, p["h.w2"], p["h.b2"]))

    def dynamics(self, p: dict[str, Tensor], latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """g: latents [S, B, D], actions [S, B] -> next latents [S, B, D], reward logits [S, B, atoms]."""
        one_hot = F.one_hot(actions, self.actions).to(latents.dtype)
        next_latents = min_max(_net("g", p, torch.cat([latents, one_hot], -1)))
        return next_latents, _net("reward", p, next_latents)

    def prediction(self, p: dict[str, Tensor], latents: Tensor) -> tuple[Tensor, Tensor]:
        """f: latents [S, B, D] -> value logits [S, B, atoms], policy logits [S, B, A]."""
        return _net("value", p, latents), _net("policy", p, latents)


def _net(name: str, p: dict[str, Tensor], x: Tensor) -> Tensor:
    hidden = linear(x, p[f"{name}.w1"], p[f"{name}.b1"]).relu()
    return linear(hidden, p[f"{name}.w2"], p[f"{name}.b2"])
