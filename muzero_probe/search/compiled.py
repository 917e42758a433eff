"""The simulations of a search over MLP agents on a CPU, as one compiled call.

`mcts` runs any model, with a few calls from the interpreter per simulation. Two threads that search side by
side wait for each other there: without those calls they search about 15 % faster, to the same bits.
"""

import numpy as np

from muzero_probe.nets import kernels
from muzero_probe.search.leaves import random_plans
from muzero_probe.search.tree import descend, grow, jit


@jit
def simulate(
    nets,
    tree,
    paths,
    states,
    factors,
    uniform,
    discount,
    keys,
    horizon,
    reward_factors,
    simulations,
):
    """Runs all simulations.

    Args:
        nets: `LearnedModel.kernel_arguments`.
        tree, paths: empty but for the root. states: [(simulations + 1) B, D], the roots' latents at its head.
        factors: [simulations + 1] of `tree.exploration_factors`.
        uniform: whether the prior is uniform. discount: per step. keys: [B] of the rollouts.
        horizon: steps after the root behind which paths are cut.
        reward_factors: [T] discount^k for leaves that are random rollouts up to T = horizon; empty for value leaves.
        simulations: how many.
    """
    theta, dims, value_low, reward_low, row_seeds = nets
    B = row_seeds.size
    slots = np.empty(B, np.int64)
    taken = np.empty(B, np.int64)
    parents = np.empty((B, states.shape[1]), np.float32)
    rewards = np.empty(B, np.float32)
    values = np.empty(B, np.float32)
    logits = np.empty((B, tree.visits.shape[2]), np.float32)
    worth = np.empty(B, np.float64)
    for simulation in range(simulations):
        node = simulation + 1
        descend(tree, factors, horizon, paths, slots, taken)
        for b in range(B):
            parents[b] = states[slots[b]]
        leaves = states[node * B : (node + 1) * B]
        kernels.step(theta, dims, value_low, reward_low, row_seeds, parents, taken, leaves, rewards, values, logits)
        if reward_factors.size:
            steps = horizon - paths.lengths.min()
            plans = random_plans(keys, simulation, steps, logits.shape[1])
            rolled = np.empty((B, steps), np.float32)
            kernels.rollout(theta, dims, reward_low, row_seeds, leaves, plans, rolled)
            for b in range(B):
                worth[b] = 0.0
                for t in range(horizon - paths.lengths[b]):
                    worth[b] += rolled[b, t] * reward_factors[t]
        else:
            worth[:] = values
        grow(tree, paths, node, logits, uniform, rewards, discount, worth)
