"""Compiled CPU kernels of an MLP agent's update: unrolled loss, its gradient, clipping and Adam.

One seed at a time: what an update of a seed touches (about a megabyte for 64-wide nets and 10 steps of 128
rows) stays in the core's cache. Activations are feature-major, [features, rows], unlike in `nets.kernels`:
softmax and min-max scaling then work on whole vectors of rows, and products need no padding. That and doing
without calls of small torch operations made updates 1.6 times faster than row-major kernels around
`torch.optim.Adam`; the tests hold these kernels against autograd and Adam. `dims` as in `nets.kernels`.
"""

import numba
import numpy as np

from muzero_probe.nets.columns import (
    action_bias_relu,
    add,
    add_row_sums,
    bias_relu,
    mask_and_sum,
    min_max,
    min_max_backward,
    policy_loss,
    softmax,
    two_hot_loss,
    windows,
)
from muzero_probe.nets.common import jit, room, zeros
from muzero_probe.nets.kernels import first_layer, h_layers, offsets, two_layers

BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba 2015)

# Weight decay drives the weights of dead units towards 0 for ever. Denormal numbers, with which a processor
# computes a hundred times slower (after 4,000 updates a search took 12 times as long), must not come of it:
# what is smaller than these is 0, which no prediction and, for Adam's epsilon, no update can tell.
NO_WEIGHT = np.float32(1e-12)
NO_GRADIENT = np.float32(1e-18)
NO_MOMENT = np.float32(1e-36)

# infinite and not-a-number gradients must be seen
jit_any_number = numba.njit(
    nogil=True,
    cache=True,
    fastmath={"reassoc", "contract", "arcp", "nsz"},
    error_model="numpy",
    forceinline=True,  # see `common.jit`
)


@jit
def _head_forward(z, layers, hid, out):
    """Writes a head's chances [n, B]."""
    w1, b1, w2, b2 = layers
    np.dot(w1.T, z, hid)
    bias_relu(hid, b1)
    np.dot(w2.T, hid, out)
    softmax(out, b2)


@jit
def _head_backward(z, hid, dout, layers, gradients, tmp1, tmp2, dhid, tmpz, dz):
    """Adds a head's parameter gradients to `gradients` and its input gradient to dz."""
    w1, _, w2, _ = layers
    gw1, gb1, gw2, gb2 = gradients
    add_row_sums(gb2, dout)
    np.dot(hid, dout.T, tmp2)
    add(gw2, tmp2)
    np.dot(w2, dout, dhid)
    mask_and_sum(dhid, hid, gb1)
    np.dot(z, dhid.T, tmp1)
    add(gw1, tmp1)
    np.dot(w1, dhid, tmpz)
    add(dz, tmpz)


@jit
def loss_and_gradient(p, dims, value_low, reward_low, observations, batch, losses, grad):
    """Weighted MuZero loss of one seed and its gradient by all parameters.

    The heads wait for the way back, so that of the K steps only latents and hidden activations are kept.

    Args:
        p: [P] parameters. dims: as in `nets.kernels`. value_low, reward_low: lowest atoms.
        observations: [B, O].
        batch: actions [K, B] int64; rewards [K, B] in the task's units, values [K+1, B], policies [K+1, B, A]; and
            reward_weights [K, B], value_weights, policy_weights [K+1, B]: factors of every loss term (mask,
            importance weight, 1/K, 1/B and loss coefficient multiplied).
        losses: [3] written: reward, value, policy. grad: [P] written.
    """
    actions_taken, rewards, values, policies, reward_weights, value_weights, policy_weights = batch
    _, latent, hidden, actions, value_atoms, reward_atoms, image = dims
    K, B = actions_taken.shape
    o_g, o_reward, o_value, o_policy = offsets(dims)
    _, n_out, places = first_layer(dims)
    h1, hb1, h2, hb2 = h_layers(p, dims)
    w1, b1, w2, b2 = two_layers(p, o_g, latent + actions, hidden, latent)
    reward_head = two_layers(p, o_reward, latent, hidden, reward_atoms)
    value_head = two_layers(p, o_value, latent, hidden, value_atoms)
    policy_head = two_layers(p, o_policy, latent, hidden, actions)
    grad[:] = np.float32(0.0)
    gh1, ghb1, gh2, ghb2 = h_layers(grad, dims)
    gw1, gb1, gw2, gb2 = two_layers(grad, o_g, latent + actions, hidden, latent)
    reward_grads = two_layers(grad, o_reward, latent, hidden, reward_atoms)
    value_grads = two_layers(grad, o_value, latent, hidden, value_atoms)
    policy_grads = two_layers(grad, o_policy, latent, hidden, actions)
    latents = room((K + 1, latent, B))
    # hids[k - 1] and inverses[k] belong to the net that makes latents[k]: g, and h for k = 0, whose hidden layer is
    # `first`, as [filters, places * B] and as [filters * places, B]
    hids = room((K, hidden, B))
    first = room((n_out, places * B))
    first_rows = first.reshape(n_out * places, B)
    inverses = room((K + 1, B))
    one_hot = zeros((K, actions, B))
    hid = room((hidden, B))
    dhid = room((hidden, B))
    tmpz = room((latent, B))
    dz = zeros((latent, B))
    out_r = room((reward_atoms, B))
    out_v = room((value_atoms, B))
    out_p = room((actions, B))
    tmp1 = room((latent, hidden))
    tmp2 = room((hidden, latent))
    tmp_r = room((hidden, reward_atoms))
    tmp_v = room((hidden, value_atoms))
    tmp_p = room((hidden, actions))
    losses[:] = 0.0

    if places > 1:
        seen = windows(observations, image)
        np.dot(h1.T, seen, first)
    else:
        seen = room((0, 0))
        np.dot(h1.T, observations.T, first)
    bias_relu(first, hb1)
    np.dot(h2.T, first_rows, tmpz)
    min_max(tmpz, hb2, latents[0], inverses[0])
    for k in range(1, K + 1):
        for i in range(B):
            one_hot[k - 1, actions_taken[k - 1, i], i] = np.float32(1.0)
        np.dot(w1[:latent].T, latents[k - 1], hids[k - 1])
        action_bias_relu(hids[k - 1], b1, w1[latent:], one_hot[k - 1])
        np.dot(w2.T, hids[k - 1], tmpz)
        min_max(tmpz, b2, latents[k], inverses[k])

    for k in range(K, -1, -1):
        z = latents[k]
        _head_forward(z, value_head, hid, out_v)
        losses[1] += two_hot_loss(out_v, value_low, values[k], value_weights[k])
        _head_backward(z, hid, out_v, value_head, value_grads, tmp1, tmp_v, dhid, tmpz, dz)
        _head_forward(z, policy_head, hid, out_p)
        losses[2] += policy_loss(out_p, policies[k], policy_weights[k])
        _head_backward(z, hid, out_p, policy_head, policy_grads, tmp1, tmp_p, dhid, tmpz, dz)
        if k == 0:
            break
        _head_forward(z, reward_head, hid, out_r)
        losses[0] += two_hot_loss(out_r, reward_low, rewards[k - 1], reward_weights[k - 1])
        _head_backward(z, hid, out_r, reward_head, reward_grads, tmp1, tmp_r, dhid, tmpz, dz)
        # through g into step k - 1
        min_max_backward(z, inverses[k], dz, tmpz)
        add_row_sums(gb2, tmpz)
        np.dot(hids[k - 1], tmpz.T, tmp2)
        add(gw2, tmp2)
        np.dot(w2, tmpz, dhid)
        mask_and_sum(dhid, hids[k - 1], gb1)
        for a in range(actions):
            for j in range(hidden):
                of_action = np.float32(0.0)
                for i in range(B):
                    of_action += one_hot[k - 1, a, i] * dhid[j, i]
                gw1[latent + a, j] += of_action
        np.dot(latents[k - 1], dhid.T, tmp1)
        add(gw1[:latent], tmp1)
        np.dot(w1[:latent], dhid, dz)
        for j in range(latent):
            for i in range(B):
                dz[j, i] *= np.float32(0.5)

    min_max_backward(latents[0], inverses[0], dz, tmpz)
    add_row_sums(ghb2, tmpz)
    np.dot(first_rows, tmpz.T, gh2)
    dfirst = room((n_out, places * B))
    np.dot(h2, tmpz, dfirst.reshape(n_out * places, B))
    mask_and_sum(dfirst, first, ghb1)
    if places > 1:
        np.dot(seen, dfirst.T, gh1)
    else:
        np.dot(observations.T, dfirst.T, gh1)


@jit_any_number
def _norm(x):
    total = np.float32(0.0)
    for i in range(x.size):
        total += x[i] * x[i]
    return np.sqrt(total)


@jit_any_number
def _adam(p, grad, first, second, step, rate, decay, factor):
    """Step number `step` (from 1) of Adam on factor * grad + decay * p; everything is updated in place."""
    size = np.float32(rate / (1.0 - BETA1**step))
    root = np.float32(1.0 / np.sqrt(1.0 - BETA2**step))
    keep1, take1 = np.float32(BETA1), np.float32(1.0 - BETA1)
    keep2, take2 = np.float32(BETA2), np.float32(1.0 - BETA2)
    factor, decay, epsilon = np.float32(factor), np.float32(decay), np.float32(ADAM_EPSILON)
    for i in range(p.size):
        g = factor * grad[i] + decay * p[i]
        g = np.float32(0.0) if abs(g) < NO_GRADIENT else g
        m = keep1 * first[i] + take1 * g
        m = np.float32(0.0) if abs(m) < NO_MOMENT else m
        v = keep2 * second[i] + take2 * g * g
        v = np.float32(0.0) if v < NO_MOMENT else v
        q = p[i] - size * m / (np.sqrt(v) * root + epsilon)
        first[i] = m
        second[i] = v
        p[i] = np.float32(0.0) if abs(q) < NO_WEIGHT else q


@jit_any_number
def update(
    s,
    theta,
    first,
    second,
    step,
    rates,
    decay,
    gradient_norm,
    dims,
    value_low,
    reward_low,
    batch,
    metrics,
):
    """Updates seed s once per entry of `rates`: the gradient is clipped to a norm, then given to Adam.

    Args:
        theta, first, second: [S, P] parameters and Adam's moments; row s is updated in place.
        step: updates made before.
        rates: [U] learning rates. decay: weight decay. gradient_norm: largest norm.
        batch: `training.replay.Batch`, [U, S] before the shapes in `loss_and_gradient`.
        metrics: [S, 5], row s written: sums over the updates of reward, value and policy loss and of the norm before
            clipping, and the number of updates whose gradient was not finite; those have gradient 0.
    """
    p = theta[s]
    grad = room((p.size,))
    losses = np.empty(3)
    metrics[s] = 0.0
    for u in range(rates.size):
        rows = (
            batch.actions[u, s],
            batch.rewards[u, s],
            batch.values[u, s],
            batch.policies[u, s],
            batch.reward_weights[u, s],
            batch.value_weights[u, s],
            batch.policy_weights[u, s],
        )
        loss_and_gradient(p, dims, value_low, reward_low, batch.observations[u, s], rows, losses, grad)
        norm = _norm(grad)
        finite = np.isfinite(norm)
        if not finite:
            grad[:] = np.float32(0.0)
        factor = min(gradient_norm / (norm + 1e-6), 1.0) if finite else 0.0
        _adam(p, grad, first[s], second[s], step + u + 1, rates[u], decay, factor)
        metrics[s, :3] += losses
        metrics[s, 3] += norm
        metrics[s, 4] += not finite
