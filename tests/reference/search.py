"""What does MuZero's search find? One tree, recursive, in plain Python.

    argmax_a  Q(z,a) + c prior(a|z) sqrt(sum_b N(z,b)) / (1 + N(z,a)),   c = c1 + log((sum_b N(z,b) + c2 + 1) / c2)

Q(z,a) is the mean of r + gamma * (value backed up from below), normalised with the smallest and the largest Q
met in this tree; an unvisited action counts as 0 on the normalised scale; while the two are equal Q is left as
it is; of equal actions the one with the largest prior is taken, of those one that the tree's stream draws. With
rollouts, a simulation ends `horizon` steps after the root.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Planner(Protocol):
    """A model for one state at a time."""

    def root(self, start: Any) -> tuple[Any, float, list[float]]:
        """State, value, policy logits."""
        ...

    def step(self, state: Any, action: int) -> tuple[Any, float, float, list[float]]:
        """Next state, reward, value, policy logits."""
        ...


WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15


def mix(x: int) -> int:
    """SplitMix64's finaliser."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % WORD
    return x ^ (x >> 31)


def drawn(equals: list[int], key: int, simulation: int, node: int, actions: int) -> int:
    """One of equal actions: the i-th, counted from 1, replaces the pick so far where its draw is below 1 / i."""
    stream = mix((mix(key ^ 0xD1B54A32D192ED03) + GOLDEN * (simulation + 1)) % WORD)
    pick = equals[0]
    for i, action in enumerate(equals[1:], 2):
        draw = mix((stream + GOLDEN * (node * actions + action + 1)) % WORD) >> 32
        if draw / 2**32 * i < 1:
            pick = action
    return pick


@dataclass
class Node:
    number: int  # of the simulation that found it, counted from 1; 0: the root
    state: Any
    reward: float
    prior: list[float]
    backed_up: list[list[float]] = field(default_factory=list)  # per action, one return per visit
    children: dict[int, "Node"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backed_up = [[] for _ in self.prior]

    def q(self, action: int) -> float:
        return sum(self.backed_up[action]) / len(self.backed_up[action])


@dataclass
class Found:
    visits: list[int]
    value: float  # mean return backed up to the root
    paths: list[list[int]]  # of every simulation, actions inside the tree
    rollouts: list[list[int]]  # of every simulation, actions behind it
    root: Node
    smallest: float
    largest: float


def softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(logit - top) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def search(
    model: Planner,
    start: Any,
    *,
    simulations: int,
    discount: float,
    c1: float,
    c2: float,
    uniform: bool = False,
    noise: list[float] | None = None,
    fraction: float = 0.0,
    horizon: int | None = None,
    plan: Callable[[int, int], list[int]] | None = None,
    rule: str = "muzero",
    key: int = 0,
) -> Found:
    """Searches from one root.

    Args:
        model: what to plan with.
        start: what the model's `root` takes.
        simulations, discount, c1, c2: as in the equations.
        uniform: take the uniform prior everywhere.
        noise: mixed into the root's prior by `fraction`.
        fraction: see `noise`.
        horizon: None for leaves worth the model's value, else steps from the root at which a rollout ends.
        plan: (simulation, steps) -> actions of its rollout.
        rule: "muzero", or "efficientzero": the range of Q counts as 0.01 at least, what is normalised is cut to
            [0, 1], and an unvisited action counts as the mean over the node's visited actions' Qs and, below the
            root, the parent's such mean; at a root without visits as 0.
        key: of the stream that picks among equals.
    """
    smallest, largest = math.inf, -math.inf
    paths: list[list[int]] = []
    rollouts: list[list[int]] = []

    def prior(logits: list[float]) -> list[float]:
        return [1 / len(logits)] * len(logits) if uniform else softmax(logits)

    def mean_q(node: Node, of_parent: float | None) -> float:
        known = [node.q(action) for action, returns in enumerate(node.backed_up) if returns]
        known += [of_parent] if of_parent is not None else []
        return sum(known) / len(known) if known else 0.0

    def normalised_by_efficientzero(q: float) -> float:
        if largest > smallest:
            q = (q - smallest) / max(largest - smallest, 0.01)
        return min(max(q, 0.0), 1.0)

    def select(node: Node, unvisited: float) -> int:
        total = sum(len(returns) for returns in node.backed_up)
        c = c1 + math.log((total + c2 + 1) / c2)
        scores = []
        for action, returns in enumerate(node.backed_up):
            normalised = 0.0
            if rule == "efficientzero":
                normalised = normalised_by_efficientzero(node.q(action) if returns else unvisited)
            elif returns:
                normalised = node.q(action)
                if largest > smallest:
                    normalised = (normalised - smallest) / (largest - smallest)
            scores.append(normalised + c * node.prior[action] * math.sqrt(total) / (1 + len(returns)))
        best = max(zip(scores, node.prior, strict=True))
        equals = [a for a, found in enumerate(zip(scores, node.prior, strict=True)) if found == best]
        return drawn(equals, key, len(paths), node.number, len(scores))

    def rolled_out(state: Any, simulation: int, steps: int) -> float:
        assert plan is not None
        actions = plan(simulation, steps) if steps else []
        rollouts.append(actions)
        total = 0.0
        for k, action in enumerate(actions):
            state, reward, _, _ = model.step(state, action)
            total += discount**k * reward
        return total

    def simulate(node: Node, depth: int, path: list[int], of_parent: float | None) -> float:
        """One simulation from a node; returns the return that it backs up from there."""
        nonlocal smallest, largest
        mean = mean_q(node, of_parent)
        action = select(node, mean)
        path.append(action)
        child = node.children.get(action)
        if child is None:
            state, reward, value, logits = model.step(node.state, action)
            child = node.children[action] = Node(len(paths) + 1, state, reward, prior(logits))
            below = value if horizon is None else rolled_out(state, len(paths), horizon - depth - 1)
        elif depth + 1 == horizon:
            below = rolled_out(child.state, len(paths), 0)
        else:
            below = simulate(child, depth + 1, path, mean)
        returned = child.reward + discount * below
        node.backed_up[action].append(returned)
        smallest = min(smallest, node.q(action))
        largest = max(largest, node.q(action))
        return returned

    state, _, logits = model.root(start)
    root = Node(0, state, 0.0, prior(logits))
    if noise is not None:
        root.prior = [(1 - fraction) * p + fraction * x for p, x in zip(root.prior, noise, strict=True)]
    returns = []
    for _ in range(simulations):
        path: list[int] = []
        returns.append(simulate(root, 0, path, None))
        paths.append(path)
    visits = [len(r) for r in root.backed_up]
    return Found(visits, sum(returns) / len(returns), paths, rollouts, root, smallest, largest)
