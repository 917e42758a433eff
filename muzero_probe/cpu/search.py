"""The simulations of a search over compiled agents, as one compiled call.

`search.mcts` runs any model, with a few calls from the interpreter per simulation. Here nothing waits for it, and all
simulations of a few rows of one seed follow each other, while their weights, trees and latents are in the core's cache.
"""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.inference import segment_end, unroll
from muzero_probe.cpu.kinds import advance, predict, scratch_for, weights_of
from muzero_probe.cpu.rows import padded
from muzero_probe.randomness import random_plans
from muzero_probe.search.tree import Tree, descend, empty_paths, grow

ROWS = 32  # of one seed that are searched side by side


@jit
def simulate(theta, sizes, row_seeds, tree, latents, plan, keys):
    """Runs all simulations.

    Args:
        theta: [S, P] parameters.
        sizes: of the nets, see `kinds`.
        row_seeds: [B] index into S of every row, ascending.
        tree: B trees, empty but for the root.
        latents: [B, D] of the roots.
        plan: `search.tree.Plan`.
        keys: [B] of ties and rollouts.
    """
    start = 0
    while start < row_seeds.size:
        end = segment_end(row_seeds, start)
        w = weights_of(theta[row_seeds[start]], sizes)
        for a in range(start, end, ROWS):
            b = min(a + ROWS, end)
            part = Tree(
                tree.visits[a:b],
                tree.totals[a:b],
                tree.priors[a:b],
                tree.children[a:b],
                tree.counts[a:b],
                tree.rewards[a:b],
                tree.bounds[a:b],
            )
            _simulate_rows(w, sizes, part, latents[a:b], plan, keys[a:b])
        start = end


@jit
def _simulate_rows(w, sizes, tree, latents, plan, keys):
    B, D = latents.shape
    simulations = plan.factors.size - 1
    paths = empty_paths(B, plan.depth)
    states = np.empty(((simulations + 1) * B, padded(D)), np.float32)
    states[:B, :D] = latents
    scratch = scratch_for(sizes, B)
    parents = np.empty((B, padded(D)), np.float32)
    slots = np.empty(B, np.int64)
    taken = np.empty(B, np.int64)
    rewards = np.empty(B, np.float32)
    values = np.empty(B, np.float32)
    prior_logits = np.empty((B, sizes.actions), np.float32)
    leaf_values = np.empty(B, np.float64)
    for simulation in range(simulations):
        node = simulation + 1
        descend(tree, plan, keys, paths, slots, taken)
        for b in range(B):
            parents[b] = states[slots[b]]
        advance(w, sizes, parents, taken, scratch, rewards)
        states[node * B : (node + 1) * B] = scratch.latents
        predict(w, sizes, B, scratch, values, prior_logits)
        if plan.reward_factors.size:
            steps = plan.horizon - paths.lengths.min()
            rolled = np.empty((B, steps), np.float32)
            unroll(w, sizes, random_plans(keys, simulation, steps, sizes.actions), scratch, rolled)
            for b in range(B):
                leaf_values[b] = 0.0
                for t in range(plan.horizon - paths.lengths[b]):
                    leaf_values[b] += rolled[b, t] * plan.reward_factors[t]
        else:
            leaf_values[:] = values
        grow(tree, plan, paths, node, prior_logits, rewards, leaf_values)
