"""Compiled update of an MLP agent: unrolled loss, its gradient, clipping and Adam; the tests hold it against autograd.

One seed at a time and CHUNK rows of the batch at a time: what the unrolled rows leave behind for the way back stays in
the core's cache. Gradients are summed over rows in their order, chunk by chunk. Everything is row-major, as in
`inference`: the gradient of weights, x^T dy, is then a product without a transposed copy.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.inference import RELU, dense, windows
from muzero_probe.cpu.parameters import (
    Layer,
    atoms,
    first_layer,
    put_back,
    reward_support,
    value_support,
    weights_of,
)
from muzero_probe.cpu.rows import (
    add_rows,
    add_rows_by_action,
    biases_of_actions,
    inlined,
    mask_and_add,
    min_max,
    min_max_backward,
    norm,
    padded,
    policy_loss,
    two_hot_loss,
)
from muzero_probe.exact.elementary import power
from muzero_probe.exact.lanes import HALF, WIDTH, transpose_square
from muzero_probe.exact.products import NO_LIMIT, product
from muzero_probe.training.learner import ADAM_EPSILON, BETA1, BETA2

CHUNK = 32  # rows; measured: 16 and 64 do as well

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

    observations: np.ndarray  # [B, O] float32
    actions: np.ndarray  # [K, B] int64
    rewards: np.ndarray  # [K, B] in the task's units
    values: np.ndarray  # [K+1, B]
    policies: np.ndarray  # [K+1, B, A]
    reward_weights: np.ndarray  # [K, B]
    value_weights: np.ndarray  # [K+1, B]
    policy_weights: np.ndarray  # [K+1, B]


class Head(NamedTuple):
    """Two layers of f or of g's reward, their transposes and gradients."""

    first: Layer
    second: Layer
    first_back: np.ndarray  # [H, padded D]
    second_back: np.ndarray  # [out, padded H]
    first_gradient: Layer
    second_gradient: Layer


class Work(NamedTuple):
    """Scratch of the heads and of the way back, for CHUNK rows."""

    hidden: np.ndarray  # [CHUNK, padded H]
    hidden_gradient: np.ndarray  # [CHUNK, padded H]
    latent_gradient: np.ndarray  # [CHUNK, padded D]
    zeros: np.ndarray  # [the widest layer]
    totals: np.ndarray  # [CHUNK], see `rows.two_hot_loss`


@jit
def _transposed(weights, n_out, scale):
    """The transpose of a layer's weights [in, padded out], times a number: [out, padded in]."""
    n_in, width = weights.shape
    out = np.zeros((n_out, padded(n_in)), np.float32)
    rows, columns = n_in // HALF * HALF, n_out // HALF * HALF
    for i in range(0, rows, HALF):
        for j in range(0, columns, HALF):
            transpose_square(weights, i * width + j, width, out, j * padded(n_in) + i, padded(n_in), scale)
    for i in range(n_in):
        for j in range(columns if i < rows else 0, n_out):
            out[j, i] = scale * weights[i, j]
    return out


@inlined
def _head(sizes, first, second, n_out, first_gradient, second_gradient):
    one = np.float32(1.0)
    return Head(
        first,
        second,
        _transposed(first.weights, sizes.hidden, one),
        _transposed(second.weights, n_out, one),
        first_gradient,
        second_gradient,
    )


@jit
def _forward(head, z, m, hidden, logits):
    dense(z[:m], head.first, hidden[:m], RELU)
    dense(hidden[:m], head.second, logits[:m], NO_LIMIT)


@jit
def _backward(head, z, m, work, dlogits, dz):
    """Adds the gradients of a head's parameters, and of its input to dz [m, padded D]."""
    hidden, dhidden = work.hidden, work.hidden_gradient
    g = head.second_gradient
    add_rows(g.bias, dlogits, m)
    product(hidden[:m].T, dlogits[:m], g.weights, g.weights, NO_LIMIT)
    product(dlogits, head.second_back, work.zeros, dhidden[:m], NO_LIMIT)
    g = head.first_gradient
    mask_and_add(dhidden, hidden, m, g.bias)
    product(z[:m].T, dhidden[:m], g.weights, g.weights, NO_LIMIT)
    product(dhidden, head.first_back, dz, dz[:m], NO_LIMIT)


@jit
def loss_and_gradient(p, sizes, batch, losses, grad):
    """Weighted MuZero loss of one seed and its gradient by all parameters.

    The heads wait for the way back, so that of the K steps only latents and hidden activations are kept.

    Args:
        p: [P] parameters.
        sizes: `parameters.Sizes`.
        batch: `Rows`.
        losses: [3] written: reward, value, policy.
        grad: [P] written.
    """
    K, B = batch.actions.shape
    D, H = sizes.latent, sizes.hidden
    w = weights_of(p, sizes)
    grad[:] = np.float32(0.0)
    g = weights_of(grad, sizes)
    half = np.float32(0.5)  # of the gradient passes a dynamics step
    rewards, values = reward_support(sizes), value_support(sizes)
    reward = _head(sizes, w.reward1, w.reward2, atoms(rewards), g.reward1, g.reward2)
    value = _head(sizes, w.value1, w.value2, atoms(values), g.value1, g.value2)
    policy = _head(sizes, w.policy1, w.policy2, sizes.actions, g.policy1, g.policy2)
    g1_back = _transposed(w.g1.weights, H, half)
    g2_back = _transposed(w.g2.weights, D, np.float32(1.0))
    h2_back = _transposed(w.h2.weights, D, np.float32(1.0))
    _, _, places = first_layer(sizes)
    features = places * w.h1.bias.size
    latents = np.empty((K + 1, CHUNK, padded(D)), np.float32)
    hiddens = np.empty((K, CHUNK, padded(H)), np.float32)
    inverses = np.empty((K + 1, CHUNK), np.float32)
    reward_logits = np.empty((CHUNK, reward.second.bias.size), np.float32)
    value_logits = np.empty((CHUNK, value.second.bias.size), np.float32)
    policy_logits = np.empty((CHUNK, policy.second.bias.size), np.float32)
    first = np.empty((CHUNK * places, w.h1.bias.size), np.float32)
    dfirst = np.empty((CHUNK * places, w.h1.bias.size), np.float32)
    work = Work(
        np.empty((CHUNK, padded(H)), np.float32),
        np.empty((CHUNK, padded(H)), np.float32),
        np.empty((CHUNK, padded(D)), np.float32),
        np.zeros(max(padded(D), padded(H), features), np.float32),
        np.empty((CHUNK + WIDTH - 1) // WIDTH * WIDTH, np.float32),
    )
    dz, dx = np.empty((CHUNK, padded(D)), np.float32), work.latent_gradient
    losses[:] = 0.0
    for a in range(0, B, CHUNK):
        b = min(a + CHUNK, B)
        m = b - a
        seen = windows(batch.observations[a:b], sizes) if places > 1 else batch.observations[a:b]
        dense(seen, w.h1, first[: m * places], RELU)
        dense(first.reshape(CHUNK, features)[:m], w.h2, latents[0, :m], NO_LIMIT)
        min_max(latents[0], m, D, latents[0], inverses[0])
        for k in range(1, K + 1):
            hidden = hiddens[k - 1]
            biases_of_actions(w.g1.bias, w.actions, batch.actions[k - 1, a:b], hidden)
            product(latents[k - 1], w.g1.weights, hidden, hidden[:m], RELU)
            dense(hidden, w.g2, latents[k, :m], NO_LIMIT)
            min_max(latents[k], m, D, latents[k], inverses[k])

        dz[:] = np.float32(0.0)
        for k in range(K, -1, -1):
            z = latents[k]
            _forward(value, z, m, work.hidden, value_logits)
            losses[1] += two_hot_loss(
                value_logits, m, values, batch.values[k, a:b], batch.value_weights[k, a:b], work.totals
            )
            _backward(value, z, m, work, value_logits, dz)
            _forward(policy, z, m, work.hidden, policy_logits)
            losses[2] += policy_loss(
                policy_logits, m, batch.policies[k, a:b], batch.policy_weights[k, a:b], work.totals
            )
            _backward(policy, z, m, work, policy_logits, dz)
            if k == 0:
                break
            _forward(reward, z, m, work.hidden, reward_logits)
            losses[0] += two_hot_loss(
                reward_logits, m, rewards, batch.rewards[k - 1, a:b], batch.reward_weights[k - 1, a:b], work.totals
            )
            _backward(reward, z, m, work, reward_logits, dz)
            # through g into step k - 1
            hidden, dhidden = hiddens[k - 1], work.hidden_gradient
            min_max_backward(z, inverses[k], m, dz, dx)
            add_rows(g.g2.bias, dx, m)
            product(hidden[:m].T, dx[:m], g.g2.weights, g.g2.weights, NO_LIMIT)
            product(dx, g2_back, work.zeros, dhidden[:m], NO_LIMIT)
            mask_and_add(dhidden, hidden, m, g.g1.bias)
            add_rows_by_action(g.actions, dhidden, m, batch.actions[k - 1, a:b])
            product(latents[k - 1, :m].T, dhidden[:m], g.g1.weights, g.g1.weights, NO_LIMIT)
            product(dhidden, g1_back, work.zeros, dz[:m], NO_LIMIT)

        min_max_backward(latents[0], inverses[0], m, dz, dx)
        add_rows(g.h2.bias, dx, m)
        product(first.reshape(CHUNK, features)[:m].T, dx[:m], g.h2.weights, g.h2.weights, NO_LIMIT)
        product(dx, h2_back, work.zeros, dfirst.reshape(CHUNK, features)[:m], NO_LIMIT)
        mask_and_add(dfirst, first, m * places, g.h1.bias)
        product(seen.T, dfirst[: m * places], g.h1.weights, g.h1.weights, NO_LIMIT)
    put_back(g, sizes, grad)


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
        sizes: `parameters.Sizes`.
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
