"""Layers with a leading seed axis: S agents' parameters side by side in one flat tensor [S, P]."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from muzero_probe.exact.products import dense

SCALE_FLOOR = 1e-5  # smallest range that the min-max scaling divides by


@dataclass(frozen=True)
class Layout:
    """Where every named parameter stands in a seed's flat vector.

    One vector per seed makes clipping, the optimiser and a seed's checkpoint single operations.
    """

    shapes: dict[str, tuple[int, ...]]
    zeros: tuple[str, ...] = ()  # which start at 0

    @property
    def size(self) -> int:
        """Number of parameters P of one seed."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views(self, theta: Tensor) -> dict[str, Tensor]:
        """Returns named views [S, *shape] of parameters [S, P]."""
        parts = theta.split([math.prod(shape) for shape in self.shapes.values()], dim=1)
        return {name: part.unflatten(1, shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def arrays(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Returns one seed's named arrays from its vector [P]."""
        named = {}
        offset = 0
        for name, shape in self.shapes.items():
            named[name] = vector[offset : offset + math.prod(shape)].reshape(shape)
            offset += math.prod(shape)
        return named

    def vector(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Returns one seed's vector [P] from its named arrays.

        Raises:
            ValueError: if a name is missing or unknown, or a shape differs.
        """
        if arrays.keys() != self.shapes.keys():
            odd = sorted(arrays.keys() ^ self.shapes.keys())
            raise ValueError(f"parameters {odd} do not fit these nets, which have {sorted(self.shapes)}")
        for name, shape in self.shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(f"parameter {name} has shape {arrays[name].shape}, these nets have {shape}")
        return np.concatenate([arrays[name].ravel() for name in self.shapes]).astype(np.float32)


def initial_vector(layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Returns one seed's initial parameters [P]: weights and biases uniform in +-1/sqrt(fan-in), or 0.

    The range is that of `torch.nn.Linear`; the draw order is the layout's.
    """
    parts = []
    bound = 1.0
    for name, shape in layout.shapes.items():
        if len(shape) > 1:
            bound = 1 / math.sqrt(math.prod(shape[:-1]))
        elif not parts:
            raise ValueError(f"layout starts with {name}, a bias without weights")
        drawn = rng.uniform(-bound, bound, math.prod(shape))
        parts.append(np.zeros_like(drawn) if name in layout.zeros else drawn)
    return np.concatenate(parts).astype(np.float32)


def exact(x: Tensor, seeds: int) -> bool:
    """Whether products of x are to be exact: predictions of one seed on a CPU, in float32.

    A row of theirs does not depend on the others. Batches that a gradient is taken of have one size, and so torch's own
    products round them alike.
    """
    return seeds == 1 and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns x @ weight + bias per seed: x [S, B, in], weight [S, in, out], bias [S, out] -> [S, B, out]."""
    if not exact(x, len(x)):
        return torch.baddbmm(bias.unsqueeze(1), x, weight)
    return torch.from_numpy(dense(x[0].contiguous().numpy(), weight[0].numpy(), bias[0].numpy()))[None]


def min_max(x: Tensor) -> Tensor:
    """Scales the last axis to [0, 1] (Schrittwieser et al. 2020, appendix G)."""
    low = x.min(-1, keepdim=True).values
    high = x.max(-1, keepdim=True).values
    return (x - low) / (high - low).clamp(min=SCALE_FLOOR)


def halve_gradient(x: Tensor) -> Tensor:
    """Returns x; the gradient through it is halved."""
    return 0.5 * x + 0.5 * x.detach()
