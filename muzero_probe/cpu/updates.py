"""Compiled updates of one seed: gradient, clipping and Adam, for all nets that `kinds` knows."""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.kinds import loss_and_gradient
from muzero_probe.cpu.rows import norm
from muzero_probe.exact.elementary import power
from muzero_probe.training.learner import ADAM_EPSILON, BETA1, BETA2

# Weight decay drives the weights of dead units towards 0 for ever. Denormal numbers, with which a processor
# computes a hundred times slower (after 4,000 updates a search took 12 times as long), must not come of it:
# what is smaller than these is 0, which no prediction and, for Adam's epsilon, no update can tell.
NO_WEIGHT = np.float32(1e-12)
NO_GRADIENT = np.float32(1e-18)
NO_MOMENT = np.float32(1e-36)


class Adam(NamedTuple):
    """S agents' parameters and what Adam keeps of their gradients, [S, P] each; updated in place."""

    theta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class Schedule(NamedTuple):
    """How some updates are made."""

    step: int  # updates made before
    rates: np.ndarray  # [U] learning rates
    decay: float  # of the weights
    gradient_norm: float  # largest


class Rows(NamedTuple):
    """One update's training data of one seed; see `nets.loss.Targets`."""

    observations: np.ndarray  # [B, O], float32 or pixels of one byte
    actions: np.ndarray  # [K, B] int64
    rewards: np.ndarray  # [K, B] in the task's units
    values: np.ndarray  # [K+1, B]
    policies: np.ndarray  # [K+1, B, A]
    reward_weights: np.ndarray  # [K, B]
    value_weights: np.ndarray  # [K+1, B]
    policy_weights: np.ndarray  # [K+1, B]


@jit
def adam_step(adam, s, grad, step, rate, decay, factor):
    """Step number `step` (from 1) of Adam for seed s on factor * grad + decay * parameters."""
    p, mean, variance = adam.theta[s], adam.mean[s], adam.variance[s]
    size = np.float32(rate / (1.0 - power(BETA1, np.float64(step))))
    root = np.float32(1.0 / np.sqrt(1.0 - power(BETA2, np.float64(step))))
    keep1, take1 = np.float32(BETA1), np.float32(1.0 - BETA1)
    keep2, take2 = np.float32(BETA2), np.float32(1.0 - BETA2)
    factor, decay, epsilon = np.float32(factor), np.float32(decay), np.float32(ADAM_EPSILON)
    for i in range(p.size):
        g = factor * grad[i] + decay * p[i]
        g = np.float32(0.0) if abs(g) < NO_GRADIENT else g
        m = keep1 * mean[i] + take1 * g
        m = np.float32(0.0) if abs(m) < NO_MOMENT else m
        v = keep2 * variance[i] + take2 * g * g
        v = np.float32(0.0) if v < NO_MOMENT else v
        q = p[i] - size * m / (np.sqrt(v) * root + epsilon)
        mean[i] = m
        variance[i] = v
        p[i] = np.float32(0.0) if abs(q) < NO_WEIGHT else q


@jit
def update(s, adam, schedule, sizes, batch, sums):
    """Updates seed s once per learning rate: the gradient is clipped to a norm, then given to Adam.

    Args:
        s: index of the seed.
        adam: `Adam`; row s is updated in place.
        schedule: `Schedule`.
        sizes: of the nets, see `kinds`.
        batch: `training.batch.Batch`.
        sums: [S, 5], row s written: sums over the updates of reward, value and policy loss and of the norm before
            clipping, and the number of updates whose gradient was not finite; those have gradient 0.
    """
    grad = np.empty(adam.theta.shape[1], np.float32)
    losses = np.empty(3)
    sums[s] = 0.0
    for u in range(schedule.rates.size):
        rows = Rows(
            batch.observations[u, s],
            batch.actions[u, s],
            batch.rewards[u, s],
            batch.values[u, s],
            batch.policies[u, s],
            batch.reward_weights[u, s],
            batch.value_weights[u, s],
            batch.policy_weights[u, s],
        )
        loss_and_gradient(adam.theta[s], sizes, rows, losses, grad)
        length = norm(grad)
        finite = np.isfinite(length)
        if not finite:
            grad[:] = np.float32(0.0)
        factor = min(schedule.gradient_norm / (length + 1e-6), 1.0) if finite else 0.0
        adam_step(adam, s, grad, schedule.step + u + 1, schedule.rates[u], schedule.decay, factor)
        sums[s, :3] += losses
        sums[s, 3] += length
        sums[s, 4] += not finite
