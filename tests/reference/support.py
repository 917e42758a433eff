"""What are h(x), its inverse and the two-hot distribution? One scalar at a time, in Python floats.

    h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x

The inverse is found by bisection, so that no closed form can be wrong twice.
"""

import math


def scale(x: float) -> float:
    return math.copysign(math.sqrt(abs(x) + 1) - 1, x) + 0.001 * x


def unscale(y: float) -> float:
    low, high = -1.0, 1.0
    while scale(low) > y:
        low *= 2
    while scale(high) < y:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if scale(middle) < y:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def two_hot(x: float, low: int, high: int) -> list[float]:
    """The weights of the atoms low..high: the two around h(x) share it so that their mean is h(x)."""
    y = min(max(scale(x), low), high)
    return [max(0.0, 1 - abs(y - atom)) for atom in range(low, high + 1)]


def decode(logits: list[float], low: int) -> float:
    """The scalar that a categorical distribution over the atoms low, low + 1, ... stands for."""
    top = max(logits)
    weights = [math.exp(logit - top) for logit in logits]
    return unscale(sum(weight * (low + i) for i, weight in enumerate(weights)) / sum(weights))
