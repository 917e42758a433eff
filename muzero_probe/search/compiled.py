"""The simulations of a search over a model whose recurrent inference is compiled, as one call."""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.randomness import random_plans
from muzero_probe.search.tree import descend, empty_paths, grow


@jit(cache=False)
def simulate(recurrent, tree, roots, plan, keys):
    """Runs all simulations.

    Args:
        recurrent: (states [B, D], actions [B]) -> next states, rewards [B], values [B], prior logits [B, A].
        tree: B trees, empty but for the root.
        roots: [B, D] states.
        plan: `tree.Plan`.
        keys: [B] of ties and rollouts.
    """
    B, D = roots.shape
    simulations = plan.factors.size - 1
    paths = empty_paths(B, plan.depth)
    states = np.empty(((simulations + 1) * B, D), roots.dtype)
    states[:B] = roots
    slots = np.empty(B, np.int64)
    taken = np.empty(B, np.int64)
    leaf_values = np.empty(B, np.float64)
    for simulation in range(simulations):
        node = simulation + 1
        descend(tree, plan, keys, paths, slots, taken)
        found, rewards, values, prior_logits = recurrent(states[slots], taken)
        if (
            found.shape != roots.shape
            or rewards.size != B
            or values.size != B
            or len(prior_logits) != B
            or prior_logits.shape[1] != tree.priors.shape[2]
        ):
            raise ValueError("recurrent gave another number of rows or actions than it was asked for")
        states[node * B : (node + 1) * B] = found
        if plan.reward_factors.size:
            steps = plan.horizon - paths.lengths.min()
            plans = random_plans(keys, simulation, steps, prior_logits.shape[1])
            leaf_values[:] = 0.0
            for t in range(steps):
                found, along, _, _ = recurrent(found, plans[:, t].copy())
                for b in range(B):
                    if t < plan.horizon - paths.lengths[b]:
                        leaf_values[b] += along[b] * plan.reward_factors[t]
        else:
            leaf_values[:] = values
        grow(tree, plan, paths, node, prior_logits, rewards, leaf_values)
