"""How far is a search from its prior, and how wrong was what it simulated? In plain Python.

visit distribution  q(a) = (1 + N(a)) / (|A| + sum_b N(b))
total variation     1/2 sum_a |p(a) - q(a)|
divergence          sum_a p(a) log(p(a) / q(a))
"""

import math
from collections.abc import Sequence


def visit_distribution(first_actions: Sequence[int], num_actions: int) -> list[float]:
    """Of a root whose simulations began with these actions."""
    return [(1 + list(first_actions).count(a)) / (num_actions + len(first_actions)) for a in range(num_actions)]


def total_variation(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(abs(x - y) for x, y in zip(p, q, strict=True)) / 2


def divergence(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(x * math.log(x / y) for x, y in zip(p, q, strict=True) if x > 0)
