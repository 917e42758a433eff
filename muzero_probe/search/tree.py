"""Arrays of B search trees and the compiled kernels that walk them.

Node 0 is the root; simulation i may add node i + 1. A row touches its own slices only.
"""

import math
from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.exact.elementary import exp, log
from muzero_probe.search.rules import choose, value_of_unvisited

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


class Plan(NamedTuple):
    """How to search."""

    rule: int  # of `rules`
    factors: np.ndarray  # [simulations + 1] of `exploration_factors`
    uniform: bool  # whether the prior is uniform
    discount: float  # per step
    depth: int  # most edges of a path
    horizon: int  # steps after the root behind which paths are cut
    reward_factors: np.ndarray  # [horizon] discount^k for leaves that are random rollouts; empty for value leaves


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


@jit
def empty_paths(rows, depth):
    """Returns paths without edges."""
    return Paths(
        np.zeros((rows, depth), np.int32),
        np.zeros((rows, depth), np.int64),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.bool_),
    )


def exploration_factors(simulations: int, c1: float, c2: float) -> np.ndarray:
    """Returns c(z) sqrt(N(z)) of eq 1 by N(z) = 0..simulations: [simulations + 1] float64.

        c(z) = c1 + log((N(z) + c2 + 1) / c2),    N(z) = sum_b N(z, b)

    N(z) counts the descents through z, so the factor of a fresh node is 0.

    Args:
        simulations: the largest N(z).
        c1: MuZero's pb_c_init.
        c2: MuZero's pb_c_base, in visits.
    """
    return np.array([(c1 + log((n + c2 + 1) / c2)) * math.sqrt(n) for n in range(simulations + 1)])


@jit
def set_priors(tree, node, prior_logits, uniform):
    """Writes softmax(prior_logits) [B, A], or the uniform prior, as the prior of the given node of every row."""
    B, A = prior_logits.shape
    for b in range(B):
        if uniform:
            for a in range(A):
                tree.priors[b, node, a] = 1.0 / A
            continue
        top = prior_logits[b, 0]
        for a in range(1, A):
            top = max(top, prior_logits[b, a])
        total = 0.0
        for a in range(A):
            weight = exp(np.float64(prior_logits[b, a] - top))
            tree.priors[b, node, a] = weight
            total += weight
        for a in range(A):
            tree.priors[b, node, a] /= total


@jit
def select(tree, plan, keys, paths):
    """Follows the rule's choice from every root to an edge without a node, or to the plan's horizon; keys: [B]."""
    for b in range(tree.visits.shape[0]):
        node = 0
        depth = 0
        unvisited = 0.0
        while True:
            unvisited = value_of_unvisited(tree, b, node, plan.rule, unvisited)
            chosen = choose(tree, b, node, plan.factors[tree.counts[b, node]], plan.rule, unvisited, keys[b])
            paths.nodes[b, depth] = node
            paths.actions[b, depth] = chosen
            depth += 1
            child = tree.children[b, node, chosen]
            if child == UNVISITED or depth == plan.horizon:
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
def descend(tree, plan, keys, paths, slots, actions):
    """`select` and `last_edges` in one call."""
    select(tree, plan, keys, paths)
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
def grow(tree, plan, paths, node, prior_logits, rewards, leaf_values):
    """`set_priors`, `expand` and `back_up` in one call: the interpreter is what two searching threads share."""
    set_priors(tree, node, prior_logits, plan.uniform)
    expand(tree, paths, node, rewards)
    back_up(tree, paths, plan.discount, leaf_values)


@jit
def root_rewards(tree):
    """Returns the model's reward of every action at the root [B, A] float64; not a number where it was not tried."""
    B, _, A = tree.visits.shape
    found = np.full((B, A), np.nan)
    for b in range(B):
        for a in range(A):
            node = tree.children[b, 0, a]
            if node != UNVISITED:
                found[b, a] = tree.rewards[b, node]
    return found
