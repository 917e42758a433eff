"""Value scaling h(x) and the two-hot categorical support, each with its inverse.

    h(x) = sign(x) (sqrt(|x| + 1) - 1) + eps x,   eps = 0.001        (Pohlen et al. 2018; MuZero, appendix F)

A scalar is written on the support as the two neighbouring integer atoms whose weighted mean it is, and read
back as the mean of the distribution followed by the inverse of h.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 0.001


@dataclass(frozen=True, kw_only=True)
class Support:
    """Integer atoms low, low + 1, ..., high on the scaled axis h(x)."""

    low: int
    high: int

    def __post_init__(self) -> None:
        """Refuses an empty support."""
        if self.high <= self.low:
            raise ValueError(f"support: high ({self.high}) must be above low ({self.low})")

    @property
    def atoms(self) -> int:
        """Number of atoms."""
        return self.high - self.low + 1


def scale(x: Tensor) -> Tensor:
    """Returns h(x), elementwise."""
    return x.sign() * ((x.abs() + 1).sqrt() - 1) + EPSILON * x


def unscale(y: Tensor) -> Tensor:
    """Returns the x with h(x) = y, elementwise, computed in float64 (the closed form cancels in float32)."""
    magnitude = y.double().abs()
    root = ((1 + 4 * EPSILON * (magnitude + 1 + EPSILON)).sqrt() - 1) / (2 * EPSILON)
    return (y.sign() * (root * root - 1)).to(y.dtype)


def two_hot(x: Tensor, support: Support) -> Tensor:
    """Returns the two-hot distribution of scalars.

    Args:
        x: scalars in the task's units, any shape [...]; values outside the support are clipped to its ends.
        support: the atoms.

    Returns:
        [..., atoms], non-negative, summing to 1.
    """
    position = scale(x).clamp(support.low, support.high) - support.low
    lower = position.floor().clamp(max=support.atoms - 2)
    upper_weight = (position - lower).unsqueeze(-1)
    index = lower.long().unsqueeze(-1)
    distribution = torch.zeros(*x.shape, support.atoms, dtype=x.dtype, device=x.device)
    return distribution.scatter(-1, index, 1 - upper_weight).scatter(-1, index + 1, upper_weight)


def expectation(logits: Tensor, support: Support) -> Tensor:
    """Returns the scalars [...] that distributions with the given logits [..., atoms] stand for."""
    atoms = torch.arange(support.low, support.high + 1, dtype=logits.dtype, device=logits.device)
    return unscale((logits.softmax(-1) * atoms).sum(-1))  # no product of matrices: rows must not meet
