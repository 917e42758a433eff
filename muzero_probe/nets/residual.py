"""Residual convolutional h, g and f with a leading seed axis, for screens (EfficientZero's set-up, Ye et al. 2021).

    h: pixels -> latent planes          g: latent, action planes -> next latent, reward      f: latent -> policy, value

h halves the side four times (a convolution, a residual block, two poolings), or three, without the last pooling, where
it shrinks by 8 only. Latents are planes of that side, scaled to [0, 1] over the whole latent. g and f have one residual
block each; the reward is read from the next latent. Every convolution is followed by a normalisation over all planes of
one row (layer normalisation): batch statistics would make a row's result depend on the other rows, and a seed's on the
batch.
No consistency loss, value prefix or recurrent state. As in EfficientZero the last layers of the heads start at 0, so
that untrained nets predict the middle of the supports and every action alike.

What moves is small, a ball of two pixels before a wall of bricks, and a normalisation within a row, unlike one over a
batch, does not lift it: untrained, a thousandth of a latent's range depended on the state. So h sees the difference to
a fixed screen, the first of a game, and its poolings take the largest of a window, not the mean. Measured with small
nets, one run each, by teaching h and the value head the returns of random play: without the fixed screen they explain
nothing of the variance of returns in other games, with it 0.13 to 0.47 (mean) and 0.43 to 0.52 (largest) of it.

This module defines the nets in torch operations for any device; `cpu` has compiled code that computes the same.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from muzero_probe.nets.categorical import Support
from muzero_probe.nets.layers import Layout, linear, min_max

BRIGHTEST = 255.0  # of a pixel

Parameters = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Residual:
    """Sizes of the three nets; parameters are passed in, named views [S, ...] of `layout`."""

    image: tuple[int, int, int]  # height, width, planes of a screen
    actions: int
    channels: int  # planes of the latent; half as many before the first residual block that shrinks
    head_planes: int  # of the 1 x 1 convolution that a head starts with
    head_hidden: int  # units of a head's hidden layer
    value_support: Support
    reward_support: Support
    screens: int = 1  # in an observation, one behind the other
    shrinks: int = 16  # side of the screen over side of the latent, 8 or 16
    backdrop: np.ndarray = field(compare=False, repr=False)  # [height, width, planes], pixels of the fixed screen

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of one observation."""
        return (self.screens, *self.image) if self.screens > 1 else self.image

    @property
    def observation(self) -> int:
        """Entries of a flat observation."""
        return math.prod(self.observation_shape)

    @property
    def latent(self) -> tuple[int, int, int]:
        """Planes, height and width of a latent."""
        return self.channels, -(-self.image[0] // self.shrinks), -(-self.image[1] // self.shrinks)

    @property
    def layout(self) -> Layout:
        """Where every parameter stands."""
        return self._layout

    @cached_property
    def _layout(self) -> Layout:
        shapes: dict[str, tuple[int, ...]] = {}

        def convolution(name: str, n_in: int, n_out: int, window: int = 3) -> None:
            shapes[f"{name}.w"] = (window, window, n_in, n_out)
            shapes[f"{name}.scale"] = (n_out,)  # less 1
            shapes[f"{name}.shift"] = (n_out,)

        def block(name: str, n: int) -> None:
            convolution(f"{name}.1", n, n)
            convolution(f"{name}.2", n, n)

        def dense(name: str, n_in: int, n_out: int) -> None:
            shapes[f"{name}.w"] = (n_in, n_out)
            shapes[f"{name}.b"] = (n_out,)

        n, half = self.channels, self.channels // 2
        convolution("h.first", self.screens * self.image[2], half)
        block("h.half", half)
        convolution("h.down.1", half, n)
        convolution("h.down.2", n, n)
        convolution("h.down.skip", half, n)
        for name in ("h.quarter", "h.eighth", "h.last"):
            block(name, n)
        convolution("g.first", n + self.actions, n)
        block("g.block", n)
        block("f.block", n)
        places = self.latent[1] * self.latent[2]
        for head, n_out in (
            ("reward", self.reward_support.atoms),
            ("value", self.value_support.atoms),
            ("policy", self.actions),
        ):
            convolution(f"{head}.planes", n, self.head_planes, 1)
            dense(f"{head}.hidden", self.head_planes * places, self.head_hidden)
            dense(f"{head}.out", self.head_hidden, n_out)
        return Layout(shapes, zeros=tuple(name for name in shapes if ".out." in name))

    def representation(self, p: Parameters, observations: Tensor) -> Tensor:
        """h: observations [S, B, O], pixels 0 to 255 -> latents [S, B, C, H, W]."""
        S = len(observations)
        screens = observations.unflatten(-1, (self.screens, *self.image))
        # planes are all of the oldest screen, then the next one's; put side by side this way, pixels move once
        x = torch.cat(screens.unbind(2), -1).sub_(self._backdrop_on(observations.device)).div_(BRIGHTEST)
        x = _beside(x.movedim(-1, 2))
        x = _layer(p, "h.first", x, stride=2).relu()
        x = _block(p, "h.half", x)
        skip = _layer(p, "h.down.skip", x, stride=2)
        x = _layer(p, "h.down.2", _layer(p, "h.down.1", x, stride=2).relu())
        x = (x + skip).relu()
        x = _pooled(_block(p, "h.quarter", x))
        x = _block(p, "h.eighth", x)
        x = _pooled(x) if self.shrinks == 16 else x
        return _scaled(_apart(_block(p, "h.last", x), S))

    def _backdrop_on(self, device: torch.device) -> Tensor:
        if device not in self._backdrops:
            backdrop = torch.tensor(self.backdrop, dtype=torch.float32, device=device)
            self._backdrops[device] = backdrop.tile(self.screens)
        return self._backdrops[device]

    @cached_property
    def _backdrops(self) -> dict[torch.device, Tensor]:
        return {}

    def dynamics(self, p: Parameters, latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """g: latents [S, B, C, H, W], actions [S, B] -> next latents, reward logits [S, B, atoms]."""
        S, B, _, H, W = latents.shape
        planes = F.one_hot(actions, self.actions).to(latents.dtype)[..., None, None].expand(S, B, self.actions, H, W)
        x = _layer(p, "g.first", _beside(torch.cat([latents, planes], 2)))
        next_latents = _scaled(_apart(_block(p, "g.block", (x + _beside(latents)).relu()), S))
        return next_latents, _head(p, "reward", _beside(next_latents), S)

    def prediction(self, p: Parameters, latents: Tensor) -> tuple[Tensor, Tensor]:
        """f: latents [S, B, C, H, W] -> value logits [S, B, atoms], policy logits [S, B, A]."""
        S = len(latents)
        x = _block(p, "f.block", _beside(latents))
        return _head(p, "value", x, S), _head(p, "policy", x, S)


# Inside, x is [B, S*C, H, W]: a seed's planes side by side, so that one convolution in S groups has each seed's weights


def _beside(x: Tensor) -> Tensor:
    """[S, B, C, H, W] as x."""
    if len(x) == 1:  # planes last: convolutions of few planes are up to twice as fast on a CPU
        return x[0].contiguous(memory_format=torch.channels_last)
    return x.transpose(0, 1).flatten(1, 2)


def _apart(x: Tensor, seeds: int) -> Tensor:
    """The reverse of `_beside`: x as [S, B, C, H, W]."""
    return x.unflatten(1, (seeds, -1)).transpose(0, 1)


def _layer(p: Parameters, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
    """A convolution, and the normalisation of each row over all planes of a seed."""
    weight = p[f"{name}.w"]  # [S, k, k, C, C']
    S, window = weight.shape[:2]
    kernels = weight.permute(0, 4, 3, 1, 2).flatten(0, 1)
    y = F.conv2d(x, kernels, stride=stride, padding=window // 2, groups=S)
    return F.group_norm(y, S, 1.0 + p[f"{name}.scale"].flatten(), p[f"{name}.shift"].flatten())


def _block(p: Parameters, name: str, x: Tensor) -> Tensor:
    """A residual block of two convolutions."""
    return (_layer(p, f"{name}.2", _layer(p, f"{name}.1", x).relu()) + x).relu()


def _pooled(x: Tensor) -> Tensor:
    """The largest of 3 x 3 windows, every other one."""
    return F.max_pool2d(x, 3, stride=2, padding=1)


def _scaled(x: Tensor) -> Tensor:
    return min_max(x.flatten(2)).unflatten(2, x.shape[2:])


def _head(p: Parameters, name: str, x: Tensor, seeds: int) -> Tensor:
    planes = _apart(_layer(p, f"{name}.planes", x).relu(), seeds).flatten(2)
    hidden = linear(planes, p[f"{name}.hidden.w"], p[f"{name}.hidden.b"]).relu()
    return linear(hidden, p[f"{name}.out.w"], p[f"{name}.out.b"])
