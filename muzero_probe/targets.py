"""n-step targets, and discounted sums up to a horizon (docs/protocol.md, Agents and Model error)."""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.exact.elementary import powers


@jit
def n_step_return(rewards, values, terminated, final, start, n, discount):
    """Returns the value target v_t of one stream of positions kept in a ring; nu is the search value.

        v_t = sum_{k<n} gamma^k r_{t+k} + gamma^n nu_{t+n}
        v_t = sum_{k<m} gamma^k r_{t+k}                       if the m-th action from t terminates, m <= n
        v_t = sum_{k<m} gamma^k r_{t+k} + gamma^m nu_{t+m}    if a time limit cuts the episode at t + m, m <= n

    Args:
        rewards, values: [C] of the action taken at, and the search value of, each position.
        terminated: [C] whether the action taken there ended the episode.
        final: [C] whether the position is the state at which a time limit cut its episode (no action).
        start: absolute index t; position i is kept at i modulo C.
        n: steps before the bootstrap.
        discount: gamma per step.
    """
    C = rewards.size
    total = 0.0
    factor = 1.0
    i = start % C
    for _ in range(n):
        if final[i]:
            return total + factor * values[i]
        total += factor * rewards[i]
        factor *= discount
        if terminated[i]:
            return total
        i += 1
        if i == C:  # cheaper than a division
            i = 0
    return total + factor * values[i]


def discounted_sums(rewards: np.ndarray, discount: float) -> np.ndarray:
    """Returns sum_{k<h} gamma^k r_k for every horizon h = 1..T: rewards [..., T] -> [..., T] float64 (eqs 3, 4)."""
    return np.cumsum(rewards * powers(discount, rewards.shape[-1]), -1, dtype=np.float64)
