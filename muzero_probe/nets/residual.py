"""Residual convolutional h, g and f with a leading seed axis, for screens (EfficientZero's set-up, Ye et al. 2021).

    h: pixels -> latent planes          g: latent, action planes -> next latent, reward      f: latent -> policy, value

h halves the side four times (a convolution, a residual block, two poolings); latents are planes of a sixteenth of
the screen's side, scaled to [0, 1] over the whole latent. g and f have one residual block each; the reward is read
from the next latent. Every convolution is followed by a normalisation over all planes of one row (layer
normalisation): batch statistics would make a row's result depend on the other rows, and a seed's on the batch.
No consistency loss, value prefix or recurrent state.

Only torch computes these nets, on any device: their convolutions are large enough to hide what a call costs.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from muzero_probe.nets.layers import Layout, linear, min_max
from muzero_probe.support import Support

SHRINKS = 16  # side of the screen over side of the latent
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

    @property
    def observation(self) -> int:
        """Entries of a flat observation."""
        return self.screens * math.prod(self.image)

    @property
    def latent(self) -> tuple[int, int, int]:
        """Planes, height and width of a latent."""
        return self.channels, -(-self.image[0] // SHRINKS), -(-self.image[1] // SHRINKS)

    @property
    def layout(self) -> Layout:
        """Where every parameter stands."""
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
        return Layout(shapes)

    def representation(self, p: Parameters, observations: Tensor) -> Tensor:
        """h: observations [S, B, O], pixels 0 to 255 -> latents [S, B, C, H, W]."""
        screens = observations.unflatten(-1, (self.screens, *self.image))
        x = screens.movedim(-1, 3).flatten(2, 3) / BRIGHTEST  # all planes of the oldest screen, then the next one's
        x = _layer(p, "h.first", x, stride=2).relu()
        x = _block(p, "h.half", x)
        skip = _layer(p, "h.down.skip", x, stride=2)
        x = _layer(p, "h.down.2", _layer(p, "h.down.1", x, stride=2).relu())
        x = (x + skip).relu()
        x = _pooled(_block(p, "h.quarter", x))
        x = _pooled(_block(p, "h.eighth", x))
        return _scaled(_block(p, "h.last", x))

    def dynamics(self, p: Parameters, latents: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """g: latents [S, B, C, H, W], actions [S, B] -> next latents, reward logits [S, B, atoms]."""
        S, B, _, H, W = latents.shape
        planes = F.one_hot(actions, self.actions).to(latents.dtype)[..., None, None].expand(S, B, self.actions, H, W)
        x = (_layer(p, "g.first", torch.cat([latents, planes], 2)) + latents).relu()
        following = _scaled(_block(p, "g.block", x))
        return following, _head(p, "reward", following)

    def prediction(self, p: Parameters, latents: Tensor) -> tuple[Tensor, Tensor]:
        """f: latents [S, B, C, H, W] -> value logits [S, B, atoms], policy logits [S, B, A]."""
        x = _block(p, "f.block", latents)
        return _head(p, "value", x), _head(p, "policy", x)


def _convolved(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """X [S, B, C, H, W] with weight [S, k, k, C, C'], each seed with its own -> [S, B, C', H', W']."""
    S = len(x)
    kernels = weight.permute(0, 4, 3, 1, 2)
    padding = weight.shape[1] // 2
    if S == 1:
        return F.conv2d(x[0], kernels[0], stride=stride, padding=padding)[None]
    side_by_side = x.transpose(0, 1).flatten(1, 2)
    y = F.conv2d(side_by_side, kernels.flatten(0, 1), stride=stride, padding=padding, groups=S)
    return y.unflatten(1, (S, -1)).transpose(0, 1)


def _layer(p: Parameters, name: str, x: Tensor, *, stride: int = 1) -> Tensor:
    """A convolution and the normalisation of its rows."""
    y = _convolved(x, p[f"{name}.w"], stride)
    y = F.layer_norm(y, y.shape[2:])
    scale, shift = (p[f"{name}.{part}"][:, None, :, None, None] for part in ("scale", "shift"))
    return y * (1.0 + scale) + shift


def _block(p: Parameters, name: str, x: Tensor) -> Tensor:
    """A residual block of two convolutions."""
    return (_layer(p, f"{name}.2", _layer(p, f"{name}.1", x).relu()) + x).relu()


def _pooled(x: Tensor) -> Tensor:
    """Means over 3 x 3 windows, every other one."""
    return F.avg_pool2d(x.flatten(0, 1), 3, stride=2, padding=1).unflatten(0, x.shape[:2])


def _scaled(x: Tensor) -> Tensor:
    return min_max(x.flatten(2)).unflatten(2, x.shape[2:])


def _head(p: Parameters, name: str, x: Tensor) -> Tensor:
    planes = _layer(p, f"{name}.planes", x).relu().flatten(2)
    hidden = linear(planes, p[f"{name}.hidden.w"], p[f"{name}.hidden.b"]).relu()
    return linear(hidden, p[f"{name}.out.w"], p[f"{name}.out.b"])
