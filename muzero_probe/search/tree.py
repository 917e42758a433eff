"""Arrays of B search trees and the compiled kernels that walk them.

Node 0 is the root; simulation i may add node i + 1. A row touches its own slices only.
"""

import math
from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.exact.elementary import exp, log

UNVISITED = -1


class Tree(NamedTuple):
    """Statistics of B trees with N nodes; mutated in place by the kernels of one search."""

    visits: np.ndarray  # [B, N, A] int32, N(z, a)
    totals: np.ndarray  # [B, N, A] float64, sum of the returns backed up through (z, a)
    priors: np.ndarray  # [B, N, A] float64
    children: np.ndarray  # [B, N, A] int32, node behind (z, a), or UNVISITED
    counts: np.ndarray  # [B, N] int32, sum over actions of N(z, a)
    rewards: np.ndarray  # [B, N] float64, of the transition into the node
    bounds: np.ndarray  # [B, 2] float64, smallest and largest Q met in this tree


class Paths(NamedTuple):
    """The branch that every row follows in the current simulation."""

    nodes: np.ndarray  # [B, depth] int32
    actions: np.ndarray  # [B, depth] int64
    lengths: np.ndarray  # [B] int32, edges followed
    fresh: np.ndarray  # [B] bool, whether the last edge leads to a new node


def allocate(*, rows: int, nodes: int, actions: int) -> Tree:
    """Returns empty trees."""
    shape = (rows, nodes, actions)
    return Tree(
        visits=np.zeros(shape, np.int32),
        totals=np.zeros(shape),
        priors=np.zeros(shape),
        children=np.full(shape, UNVISITED, np.int32),
        counts=np.zeros(shape[:2], np.int32),
        rewards=np.zeros(shape[:2]),
        bounds=np.tile([np.inf, -np.inf], (rows, 1)),
    )


def exploration_factors(simulations: int, c1: float, c2: float) -> np.ndarray:
    """Returns c(n) sqrt(n) of eq 1 for n = 0..simulations visits: [simulations + 1] float64."""
    return np.array([(c1 + log((n + c2 + 1) / c2)) * math.sqrt(n) for n in range(simulations + 1)])


@jit
def set_priors(tree, node, logits, uniform):
    """Writes softmax(logits) [B, A], or the uniform prior, as the prior of the given node of every row."""
    B, A = logits.shape
    for b in range(B):
        if uniform:
            for a in range(A):
                tree.priors[b, node, a] = 1.0 / A
            continue
        top = logits[b, 0]
        for a in range(1, A):
            top = max(top, logits[b, a])
        total = 0.0
        for a in range(A):
            weight = exp(np.float64(logits[b, a] - top))
            tree.priors[b, node, a] = weight
            total += weight
        for a in range(A):
            tree.priors[b, node, a] /= total


@jit
def select(tree, factors, horizon, paths):
    """Follows argmax of eq 1 from every root to an edge without a node, or to depth `horizon`.

    An unvisited action counts as Q = 0 on the normalised scale; while the smallest Q equals the largest, Q
    is left as it is. Ties go to the action with the larger prior, then to the lower one: in a fresh node eq 1
    is 0 for every action, and action order alone would favour action 0 below every leaf.
    """
    B, _, A = tree.visits.shape
    for b in range(B):
        low = tree.bounds[b, 0]
        high = tree.bounds[b, 1]
        node = 0
        depth = 0
        while True:
            factor = factors[tree.counts[b, node]]
            best = -np.inf
            chosen = 0
            for a in range(A):
                n = tree.visits[b, node, a]
                score = factor * tree.priors[b, node, a] / (1 + n)
                if n > 0:
                    q = tree.totals[b, node, a] / n
                    score += (q - low) / (high - low) if high > low else q
                if score > best or (score == best and tree.priors[b, node, a] > tree.priors[b, node, chosen]):
                    best = score
                    chosen = a
            paths.nodes[b, depth] = node
            paths.actions[b, depth] = chosen
            depth += 1
            child = tree.children[b, node, chosen]
            if child == UNVISITED or depth == horizon:
                paths.lengths[b] = depth
                paths.fresh[b] = child == UNVISITED
                break
            node = child


@jit
def last_edges(paths, slots, actions):
    """Writes where the state lies that every row's last edge leaves, and the edge's action: [B], [B].

    States of all nodes lie in one array, that of row b and node n at n * B + b.
    """
    B = slots.size
    for b in range(B):
        slots[b] = paths.nodes[b, paths.lengths[b] - 1] * B + b
        actions[b] = paths.actions[b, paths.lengths[b] - 1]


@jit
def descend(tree, factors, horizon, paths, slots, actions):
    """`select` and `last_edges` in one call."""
    select(tree, factors, horizon, paths)
    last_edges(paths, slots, actions)


@jit
def expand(tree, paths, node, rewards):
    """Links the new node behind every row's last edge, where that edge had none."""
    for b in range(rewards.size):
        if paths.fresh[b]:
            last = paths.lengths[b] - 1
            tree.children[b, paths.nodes[b, last], paths.actions[b, last]] = node
            tree.rewards[b, node] = rewards[b]


@jit
def back_up(tree, paths, discount, leaf_values):
    """Backs r + discount * value up every row's path and widens the row's bounds by the Qs on it."""
    for b in range(leaf_values.size):
        value = np.float64(leaf_values[b])
        for d in range(paths.lengths[b] - 1, -1, -1):
            node = paths.nodes[b, d]
            a = paths.actions[b, d]
            value = tree.rewards[b, tree.children[b, node, a]] + discount * value
            tree.visits[b, node, a] += 1
            tree.counts[b, node] += 1
            tree.totals[b, node, a] += value
            q = tree.totals[b, node, a] / tree.visits[b, node, a]
            tree.bounds[b, 0] = min(tree.bounds[b, 0], q)
            tree.bounds[b, 1] = max(tree.bounds[b, 1], q)


@jit
def grow(tree, paths, node, logits, uniform, rewards, discount, leaf_values):
    """`set_priors`, `expand` and `back_up` in one call: the interpreter is what two searching threads share."""
    set_priors(tree, node, logits, uniform)
    expand(tree, paths, node, rewards)
    back_up(tree, paths, discount, leaf_values)
