"""Compiled CPU kernels of the MLP agents: inference, and the unrolled loss with its gradient.

They compute what `nets.mlp` defines in torch operations, one seed at a time, so that a seed's weights,
activations and gradients stay in the core's cache between matrix products; products go through BLAS
(`np.dot`). All functions release the interpreter lock and run on one thread.

A row's result does not depend on the other rows, nor on how many there are: products are at least two rows
high and a multiple of 16 columns wide, where BLAS computes every row alike. `dims` is always
(observation, latent, hidden, actions, value atoms, reward atoms).
"""

import numba
import numpy as np

from muzero_probe.support import EPSILON

TILE = 64  # rows of one inference pass: a 64 x 64 float32 block fits the first-level cache
SCALE_FLOOR = np.float32(1e-5)  # smallest range that the min-max scaling divides by

jit = numba.njit(nogil=True, cache=True, fastmath=True, error_model="numpy")


@jit
def _exp(x):
    """exp(x) for x <= 0 in float32, to 2 ulp; written so that loops over it vectorise."""
    x = max(x, np.float32(-87.0))
    k = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - k * np.float32(0.693359375)
    r = r + k * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1.0)
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


@jit
def scale_scalar(x):
    """h(x) of `support.scale`, in float64."""
    return np.sign(x) * (np.sqrt(abs(x) + 1.0) - 1.0) + EPSILON * x


@jit
def unscale_scalar(y):
    """Inverse of `scale_scalar`, in float64."""
    root = (np.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON)) - 1.0) / (2.0 * EPSILON)
    return np.sign(y) * (root * root - 1.0)


@jit
def _padded(n):
    return (n + 15) // 16 * 16


@jit
def _matrix(theta, offset, rows, columns):
    return theta[offset : offset + rows * columns].reshape(rows, columns)


@jit
def _bias_relu(x, bias, m):
    width = bias.size
    for i in range(m):
        for j in range(width):
            x[i, j] = max(x[i, j] + bias[j], np.float32(0.0))


@jit
def _action_bias_relu(x, bias, action_rows, actions, m):
    width = bias.size
    for i in range(m):
        a = actions[i]
        for j in range(width):
            x[i, j] = max(x[i, j] + bias[j] + action_rows[a, j], np.float32(0.0))


@jit
def _min_max(x, bias, m, out):
    """Adds the bias and scales every row to [0, 1]."""
    width = bias.size
    for i in range(m):
        low = np.float32(np.inf)
        high = np.float32(-np.inf)
        for j in range(width):
            v = x[i, j] + bias[j]
            x[i, j] = v
            low = min(low, v)
            high = max(high, v)
        inverse = np.float32(1.0) / max(high - low, SCALE_FLOOR)
        for j in range(width):
            out[i, j] = (x[i, j] - low) * inverse


@jit
def _min_max_backward(x, y, dy, m, dx):
    """Gradient of `_min_max` into dx; x holds the biased input, y the output."""
    width = x.shape[1]
    for i in range(m):
        low = np.float32(np.inf)
        high = np.float32(-np.inf)
        total = np.float32(0.0)
        weighted = np.float32(0.0)
        for j in range(width):
            v = x[i, j]
            low = min(low, v)
            high = max(high, v)
            total += dy[i, j]
            weighted += dy[i, j] * y[i, j]
        spread = high - low
        inverse = np.float32(1.0) / max(spread, SCALE_FLOOR)
        for j in range(width):
            dx[i, j] = dy[i, j] * inverse
        # the smallest and the largest entry also move the scale of all others
        floored = spread < SCALE_FLOOR
        at_low = 0
        at_high = 0
        for j in range(width):
            if x[i, j] == low:
                at_low = j
            if x[i, j] == high:
                at_high = j
        if floored:
            dx[i, at_low] -= total * inverse
        else:
            dx[i, at_low] -= (total - weighted) * inverse
            dx[i, at_high] -= weighted * inverse


@jit
def _pack(weights, bias, packed, packed_bias):
    """Copies a [H, n] layer into columns that are a multiple of 16; the padding is zero."""
    rows, columns = weights.shape
    for i in range(rows):
        for j in range(columns):
            packed[i, j] = weights[i, j]
        for j in range(columns, packed.shape[1]):
            packed[i, j] = np.float32(0.0)
    for j in range(columns):
        packed_bias[j] = bias[j]


@jit
def _softmax_rows(x, bias, m):
    """In place softmax of the first `bias.size` columns of x + bias; returns nothing, x holds probabilities."""
    n = bias.size
    for i in range(m):
        top = np.float32(-np.inf)
        for j in range(n):
            v = x[i, j] + bias[j]
            x[i, j] = v
            top = max(top, v)
        total = np.float32(0.0)
        for j in range(n):
            e = _exp(x[i, j] - top)
            x[i, j] = e
            total += e
        inverse = np.float32(1.0) / total
        for j in range(n):
            x[i, j] *= inverse


@jit
def _decode(x, bias, low, m, out):
    """Writes the scalars that the categorical rows x (logits without bias) stand for."""
    n = bias.size
    _softmax_rows(x, bias, m)
    for i in range(m):
        mean = np.float32(0.0)
        for j in range(n):
            mean += x[i, j] * np.float32(j + low)
        out[i] = unscale_scalar(np.float64(mean))


@jit
def _segment_end(row_seeds, start):
    end = start
    while end < row_seeds.size and row_seeds[end] == row_seeds[start]:
        end += 1
    return end


@jit
def _offsets(dims):
    """Offsets of the parameter groups h, g, reward, value, policy in a seed's flat vector."""
    observation, latent, hidden, actions, value_atoms, reward_atoms = dims
    h = 0
    g = h + observation * hidden + hidden + hidden * latent + latent
    reward = g + (latent + actions) * hidden + hidden + hidden * latent + latent
    head = latent * hidden + hidden
    value = reward + head + hidden * reward_atoms + reward_atoms
    policy = value + head + hidden * value_atoms + value_atoms
    return h, g, reward, value, policy


@jit
def _two_layers(theta, offset, n_in, n_hidden, n_out):
    """Views of a group's two layers: w1 [in, hidden], b1, w2 [hidden, out], b2."""
    w1 = _matrix(theta, offset, n_in, n_hidden)
    offset += n_in * n_hidden
    b1 = theta[offset : offset + n_hidden]
    offset += n_hidden
    w2 = _matrix(theta, offset, n_hidden, n_out)
    offset += n_hidden * n_out
    b2 = theta[offset : offset + n_out]
    return w1, b1, w2, b2


@jit
def _padded_head(theta, offset, latent, hidden, n_out):
    w1, b1, w2, b2 = _two_layers(theta, offset, latent, hidden, n_out)
    packed = np.empty((hidden, _padded(n_out)), np.float32)
    packed_bias = np.empty(n_out, np.float32)
    _pack(w2, b2, packed, packed_bias)
    return w1, b1, packed, packed_bias


@jit
def _head(z, w1, b1, w2, hid, out, m, rows):
    np.dot(z[:rows], w1, hid[:rows])
    _bias_relu(hid, b1, m)
    np.dot(hid[:rows], w2, out[:rows])


@jit
def _predict(z, m, rows, value_head, policy_head, value_low, hid, out_v, out_p, values, logits):
    w1, b1, w2, b2 = value_head
    _head(z, w1, b1, w2, hid, out_v, m, rows)
    _decode(out_v, b2, value_low, m, values)
    w1, b1, w2, b2 = policy_head
    _head(z, w1, b1, w2, hid, out_p, m, rows)
    for i in range(m):
        for j in range(b2.size):
            logits[i, j] = out_p[i, j] + b2[j]


@jit
def root(theta, dims, value_low, row_seeds, observations, latents, values, logits):
    """Initial inference h then f.

    Args:
        theta: [S, P] parameters. dims: see the module. value_low: lowest value atom.
        row_seeds: [B] index into S of every row, ascending.
        observations: [B, O]. latents [B, D], values [B], logits [B, A]: written.
    """
    observation, latent, hidden, actions, value_atoms, _ = dims
    o_h, _, _, o_value, o_policy = _offsets(dims)
    x = np.zeros((TILE, observation), np.float32)
    hid = np.zeros((TILE, hidden), np.float32)
    z = np.zeros((TILE, latent), np.float32)
    out_v = np.zeros((TILE, _padded(value_atoms)), np.float32)
    out_p = np.zeros((TILE, _padded(actions)), np.float32)
    start = 0
    while start < row_seeds.size:
        end = _segment_end(row_seeds, start)
        p = theta[row_seeds[start]]
        w1, b1, w2, b2 = _two_layers(p, o_h, observation, hidden, latent)
        value_head = _padded_head(p, o_value, latent, hidden, value_atoms)
        policy_head = _padded_head(p, o_policy, latent, hidden, actions)
        for a in range(start, end, TILE):
            m = min(TILE, end - a)
            rows = max(m, 2)
            x[:m] = observations[a : a + m]
            np.dot(x[:rows], w1, hid[:rows])
            _bias_relu(hid, b1, m)
            np.dot(hid[:rows], w2, z[:rows])
            _min_max(z, b2, m, z)
            latents[a : a + m] = z[:m]
            _predict(
                z, m, rows, value_head, policy_head, value_low, hid, out_v, out_p, values[a : a + m], logits[a : a + m]
            )
        start = end


@jit
def step(theta, dims, value_low, reward_low, row_seeds, states, actions_taken, latents, rewards, values, logits):
    """Recurrent inference: g, its reward, then f. Arguments as in `root`; states [B, D], actions_taken [B]."""
    _, latent, hidden, actions, value_atoms, reward_atoms = dims
    _, o_g, o_reward, o_value, o_policy = _offsets(dims)
    x = np.zeros((TILE, latent), np.float32)
    hid = np.zeros((TILE, hidden), np.float32)
    z = np.zeros((TILE, latent), np.float32)
    out_v = np.zeros((TILE, _padded(value_atoms)), np.float32)
    out_r = np.zeros((TILE, _padded(reward_atoms)), np.float32)
    out_p = np.zeros((TILE, _padded(actions)), np.float32)
    start = 0
    while start < row_seeds.size:
        end = _segment_end(row_seeds, start)
        p = theta[row_seeds[start]]
        w1, b1, w2, b2 = _two_layers(p, o_g, latent + actions, hidden, latent)
        r1, rb1, r2, rb2 = _padded_head(p, o_reward, latent, hidden, reward_atoms)
        value_head = _padded_head(p, o_value, latent, hidden, value_atoms)
        policy_head = _padded_head(p, o_policy, latent, hidden, actions)
        for a in range(start, end, TILE):
            m = min(TILE, end - a)
            rows = max(m, 2)
            x[:m] = states[a : a + m]
            np.dot(x[:rows], w1[:latent], hid[:rows])
            _action_bias_relu(hid, b1, w1[latent:], actions_taken[a : a + m], m)
            np.dot(hid[:rows], w2, z[:rows])
            _min_max(z, b2, m, z)
            latents[a : a + m] = z[:m]
            _head(z, r1, rb1, r2, hid, out_r, m, rows)
            _decode(out_r, rb2, reward_low, m, rewards[a : a + m])
            _predict(
                z, m, rows, value_head, policy_head, value_low, hid, out_v, out_p, values[a : a + m], logits[a : a + m]
            )
        start = end


@jit
def rollout(theta, dims, reward_low, row_seeds, states, plans, rewards):
    """Rewards [B, T] that g predicts along plans [B, T] from latents states [B, D]."""
    _, latent, hidden, actions, _, reward_atoms = dims
    _, o_g, o_reward, _, _ = _offsets(dims)
    hid = np.zeros((TILE, hidden), np.float32)
    z = np.zeros((TILE, latent), np.float32)
    out_r = np.zeros((TILE, _padded(reward_atoms)), np.float32)
    predicted = np.zeros(TILE, np.float32)
    taken = np.zeros(TILE, np.int64)
    start = 0
    while start < row_seeds.size:
        end = _segment_end(row_seeds, start)
        p = theta[row_seeds[start]]
        w1, b1, w2, b2 = _two_layers(p, o_g, latent + actions, hidden, latent)
        r1, rb1, r2, rb2 = _padded_head(p, o_reward, latent, hidden, reward_atoms)
        for a in range(start, end, TILE):
            m = min(TILE, end - a)
            rows = max(m, 2)
            z[:m] = states[a : a + m]
            for t in range(plans.shape[1]):
                for i in range(m):
                    taken[i] = plans[a + i, t]
                np.dot(z[:rows], w1[:latent], hid[:rows])
                _action_bias_relu(hid, b1, w1[latent:], taken, m)
                np.dot(hid[:rows], w2, z[:rows])
                _min_max(z, b2, m, z)
                _head(z, r1, rb1, r2, hid, out_r, m, rows)
                _decode(out_r, rb2, reward_low, m, predicted)
                for i in range(m):
                    rewards[a + i, t] = predicted[i]
        start = end


@jit
def _add(total, part):
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += part[i, j]


@jit
def _add_column_sums(total, x, m):
    for i in range(m):
        for j in range(total.size):
            total[j] += x[i, j]


@jit
def _mask(dx, x, m):
    """Zeroes gradient where the ReLU's output x is zero."""
    width = x.shape[1]
    for i in range(m):
        for j in range(width):
            dx[i, j] = dx[i, j] if x[i, j] > np.float32(0.0) else np.float32(0.0)


@jit
def _two_hot_loss(p, n, low, targets, weights):
    """Cross-entropy of softmax rows p with two-hot targets; p becomes the gradient by the logits."""
    loss = 0.0
    for i in range(p.shape[0]):
        w = weights[i]
        position = scale_scalar(np.float64(targets[i])) - low
        position = min(max(position, 0.0), n - 1.0)
        lower = max(min(int(position), n - 2), 0)  # a NaN target must stay within its row
        upper = np.float32(position - lower)
        loss -= w * (
            (1.0 - upper) * np.log(max(p[i, lower], np.float32(1e-30)))
            + upper * np.log(max(p[i, lower + 1], np.float32(1e-30)))
        )
        for j in range(n):
            p[i, j] *= w
        p[i, lower] -= w * (np.float32(1.0) - upper)
        p[i, lower + 1] -= w * upper
        for j in range(n, p.shape[1]):
            p[i, j] = np.float32(0.0)
    return loss


@jit
def _policy_loss(p, n, targets, weights):
    """Cross-entropy of softmax rows p with target distributions; p becomes the gradient by the logits."""
    loss = 0.0
    for i in range(p.shape[0]):
        w = weights[i]
        for j in range(n):
            if targets[i, j] > np.float32(0.0):
                loss -= w * targets[i, j] * np.log(max(p[i, j], np.float32(1e-30)))
        for j in range(n):
            p[i, j] = w * (p[i, j] - targets[i, j])
        for j in range(n, p.shape[1]):
            p[i, j] = np.float32(0.0)
    return loss


@jit
def _head_backward(z, hid, dout, w1, w2_packed, n, grad, offset, tmp1, tmp2, dhid, tmpz, dz):
    """Adds a head's parameter gradients to `grad` and its input gradient to dz."""
    m, latent = z.shape
    hidden = hid.shape[1]
    gw1, gb1, gw2, gb2 = _two_layers(grad, offset, latent, hidden, n)
    np.dot(hid.T, dout, tmp2)
    for i in range(hidden):
        for j in range(n):
            gw2[i, j] += tmp2[i, j]
    _add_column_sums(gb2, dout, m)
    np.dot(dout, w2_packed.T, dhid)
    _mask(dhid, hid, m)
    _add_column_sums(gb1, dhid, m)
    np.dot(z.T, dhid, tmp1)
    _add(gw1, tmp1)
    np.dot(dhid, w1.T, tmpz)
    _add(dz, tmpz)


@jit
def _unroll(p, grad, dims, value_low, reward_low, batch, latents, dlatents, losses):
    """Unrolls g from latents[0], adds the loss terms to `losses` and all gradients; dlatents[0] is left for h.

    `batch` is one seed's slice of `loss_and_gradient`'s arguments.
    """
    actions_taken, rewards, values, policies, reward_weights, value_weights, policy_weights = batch
    _, latent, hidden, actions, value_atoms, reward_atoms = dims
    _, o_g, o_reward, o_value, o_policy = _offsets(dims)
    K = actions_taken.shape[0]
    B = latents.shape[1]
    w1, b1, w2, b2 = _two_layers(p, o_g, latent + actions, hidden, latent)
    gw1, gb1, gw2, gb2 = _two_layers(grad, o_g, latent + actions, hidden, latent)
    r1, rb1, r2, rb2 = _padded_head(p, o_reward, latent, hidden, reward_atoms)
    v1, vb1, v2, vb2 = _padded_head(p, o_value, latent, hidden, value_atoms)
    p1, pb1, p2, pb2 = _padded_head(p, o_policy, latent, hidden, actions)
    hids = np.empty((K, B, hidden), np.float32)
    raws = np.empty((K, B, latent), np.float32)
    hid = np.empty((B, hidden), np.float32)
    dhid = np.empty((B, hidden), np.float32)
    dz = np.empty((B, latent), np.float32)
    out_r = np.empty((B, r2.shape[1]), np.float32)
    out_v = np.empty((B, v2.shape[1]), np.float32)
    out_p = np.empty((B, p2.shape[1]), np.float32)
    tmp1 = np.empty((latent, hidden), np.float32)
    tmp2 = np.empty((hidden, latent), np.float32)
    tmp_r = np.empty((hidden, r2.shape[1]), np.float32)
    tmp_v = np.empty((hidden, v2.shape[1]), np.float32)
    tmp_p = np.empty((hidden, p2.shape[1]), np.float32)
    for k in range(K + 1):
        z = latents[k]
        dlatents[k, :, :] = np.float32(0.0)
        if k > 0:
            _head(z, r1, rb1, r2, hid, out_r, B, B)
            _softmax_rows(out_r, rb2, B)
            losses[0] += _two_hot_loss(out_r, reward_atoms, reward_low, rewards[k - 1], reward_weights[k - 1])
            _head_backward(z, hid, out_r, r1, r2, reward_atoms, grad, o_reward, tmp1, tmp_r, dhid, dz, dlatents[k])
        _head(z, v1, vb1, v2, hid, out_v, B, B)
        _softmax_rows(out_v, vb2, B)
        losses[1] += _two_hot_loss(out_v, value_atoms, value_low, values[k], value_weights[k])
        _head_backward(z, hid, out_v, v1, v2, value_atoms, grad, o_value, tmp1, tmp_v, dhid, dz, dlatents[k])
        _head(z, p1, pb1, p2, hid, out_p, B, B)
        _softmax_rows(out_p, pb2, B)
        losses[2] += _policy_loss(out_p, actions, policies[k], policy_weights[k])
        _head_backward(z, hid, out_p, p1, p2, actions, grad, o_policy, tmp1, tmp_p, dhid, dz, dlatents[k])
        if k < K:
            np.dot(z, w1[:latent], hids[k])
            _action_bias_relu(hids[k], b1, w1[latent:], actions_taken[k], B)
            np.dot(hids[k], w2, raws[k])
            _min_max(raws[k], b2, B, latents[k + 1])
    for k in range(K - 1, -1, -1):
        _min_max_backward(raws[k], latents[k + 1], dlatents[k + 1], B, dz)
        _add_column_sums(gb2, dz, B)
        np.dot(hids[k].T, dz, tmp2)
        _add(gw2, tmp2)
        np.dot(dz, w2.T, dhid)
        _mask(dhid, hids[k], B)
        _add_column_sums(gb1, dhid, B)
        for i in range(B):
            a = actions_taken[k, i]
            for j in range(hidden):
                gw1[latent + a, j] += dhid[i, j]
        np.dot(latents[k].T, dhid, tmp1)
        _add(gw1[:latent], tmp1)
        np.dot(dhid, w1[:latent].T, dz)
        for i in range(B):
            for j in range(latent):
                dlatents[k, i, j] += np.float32(0.5) * dz[i, j]


@jit
def loss_and_gradient(
    theta,
    dims,
    value_low,
    reward_low,
    observations,
    actions,
    rewards,
    values,
    policies,
    reward_weights,
    value_weights,
    policy_weights,
    losses,
    gradient,
):
    """Weighted MuZero loss of every seed and its gradient by all parameters.

    Args:
        theta: [S, P] parameters. observations: [S, B, O]. actions: [S, K, B] int64.
        rewards: [S, K, B] targets in the task's units. values: [S, K+1, B]. policies: [S, K+1, B, A].
        reward_weights [S, K, B], value_weights, policy_weights [S, K+1, B]: factors of every loss term
            (mask, importance weight, 1/K, 1/B and loss coefficient multiplied).
        losses: [S, 3] written: reward, value, policy. gradient: [S, P] written.
    """
    observation, latent, hidden, _, _, _ = dims
    S, K, B = actions.shape
    o_h, _, _, _, _ = _offsets(dims)
    latents = np.empty((K + 1, B, latent), np.float32)
    dlatents = np.empty((K + 1, B, latent), np.float32)
    hid = np.empty((B, hidden), np.float32)
    raw = np.empty((B, latent), np.float32)
    draw = np.empty((B, latent), np.float32)
    dhid = np.empty((B, hidden), np.float32)
    for s in range(S):
        p = theta[s]
        grad = gradient[s]
        grad[:] = np.float32(0.0)
        losses[s, :] = 0.0
        w1, b1, w2, b2 = _two_layers(p, o_h, observation, hidden, latent)
        gw1, gb1, gw2, gb2 = _two_layers(grad, o_h, observation, hidden, latent)
        np.dot(observations[s], w1, hid)
        _bias_relu(hid, b1, B)
        np.dot(hid, w2, raw)
        _min_max(raw, b2, B, latents[0])
        batch = (actions[s], rewards[s], values[s], policies[s], reward_weights[s], value_weights[s], policy_weights[s])
        _unroll(p, grad, dims, value_low, reward_low, batch, latents, dlatents, losses[s])
        _min_max_backward(raw, latents[0], dlatents[0], B, draw)
        _add_column_sums(gb2, draw, B)
        _add(gw2, np.dot(hid.T, draw))
        np.dot(draw, w2.T, dhid)
        _mask(dhid, hid, B)
        _add_column_sums(gb1, dhid, B)
        _add(gw1, np.dot(observations[s].T, dhid))
