"""Compiled CPU kernels of the MLP agents: inference, and what it shares with the updates (`nets.updates`).

They compute what `nets.mlp` defines in torch operations, one seed at a time, so that a seed's weights and
activations stay in the core's cache between matrix products; products go through BLAS (`np.dot`). All
functions release the interpreter lock and run on one thread.

A row's result does not depend on the other rows, nor on how many there are: products are at least two rows
high and a multiple of 16 columns wide, and with the same weights all are small or all are large (`least_rows`), where
BLAS computes every row alike. `dims` is always
(observation, latent, hidden, actions, value atoms, reward atoms, (height, width, planes, filters)), the last for
an h that starts with a convolution; it has 0 filters otherwise.
"""

import numpy as np

from muzero_probe.nets.common import SCALE_FLOOR, exp, jit, room, unscale_scalar, zeros

WINDOW = 3  # side of a convolution's window
TILE = 64  # most rows of one inference pass: a 64 x 64 float32 block fits the first-level cache
# multiplications of a product that OpenBLAS still gives to the kernels that it has for small ones (AVX-512)
SMALL = 1_000_000

NEVER = np.float32(-1e30)  # logit of a column of padding


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
def _pack(weights, bias, packed, packed_bias):
    """Copies a [H, n] layer into columns that are a multiple of 16; the padding has no weight and no chance."""
    rows, columns = weights.shape
    for i in range(rows):
        for j in range(columns):
            packed[i, j] = weights[i, j]
        for j in range(columns, packed.shape[1]):
            packed[i, j] = np.float32(0.0)
    for j in range(columns):
        packed_bias[j] = bias[j]
    for j in range(columns, packed.shape[1]):
        packed_bias[j] = NEVER


@jit
def _decode(x, bias, low, m, out):
    """Writes the scalars that the categorical rows of logits x + bias, padding included, stand for."""
    n = bias.size
    for i in range(m):
        top = np.float32(-np.inf)
        for j in range(n):
            v = x[i, j] + bias[j]
            x[i, j] = v
            top = max(top, v)
        total = np.float32(0.0)
        weighted = np.float32(0.0)
        for j in range(n):
            e = exp(x[i, j] - top)
            total += e
            weighted += e * np.float32(j)
        out[i] = weighted / total
    for i in range(m):
        out[i] = unscale_scalar(np.float64(out[i]) + low)


@jit
def _segment_end(row_seeds, start):
    end = start
    while end < row_seeds.size and row_seeds[end] == row_seeds[start]:
        end += 1
    return end


@jit
def first_layer(dims):
    """Inputs and outputs of h's first layer, and at how many places of an observation it is applied."""
    height, width, planes, filters = dims[6]
    if filters == 0:
        return dims[0], dims[2], 1
    return WINDOW * WINDOW * planes, filters, (height - WINDOW + 1) * (width - WINDOW + 1)


@jit
def h_layers(theta, dims):
    """Views of h's two layers: w1 [in, out], b1, w2 [out * places, latent], b2."""
    n_in, n_out, places = first_layer(dims)
    latent = dims[1]
    w1 = _matrix(theta, 0, n_in, n_out)
    at = n_in * n_out
    b1 = theta[at : at + n_out]
    at += n_out
    w2 = _matrix(theta, at, n_out * places, latent)
    at += n_out * places * latent
    return w1, b1, w2, theta[at : at + latent]


@jit
def offsets(dims):
    """Offsets of the parameter groups g, reward, value, policy behind h in a seed's flat vector."""
    _, latent, hidden, actions, value_atoms, reward_atoms, _ = dims
    n_in, n_out, places = first_layer(dims)
    g = n_in * n_out + n_out + n_out * places * latent + latent
    reward = g + (latent + actions) * hidden + hidden + hidden * latent + latent
    head = latent * hidden + hidden
    value = reward + head + hidden * reward_atoms + reward_atoms
    policy = value + head + hidden * value_atoms + value_atoms
    return g, reward, value, policy


@jit
def two_layers(theta, offset, n_in, n_hidden, n_out):
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
    w1, b1, w2, b2 = two_layers(theta, offset, latent, hidden, n_out)
    packed = room((hidden, _padded(n_out)))
    packed_bias = room((packed.shape[1],))
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
        for j in range(logits.shape[1]):
            logits[i, j] = out_p[i, j] + b2[j]


@jit
def _windows(x, image, m, out):
    """Writes what every window of m images sees, [m * places, 9 * planes]; the planes of a pixel stand side by side."""
    height, width, planes, _ = image
    row = 0
    for i in range(m):
        for top in range(height - WINDOW + 1):
            for left in range(width - WINDOW + 1):
                at = 0
                for r in range(top, top + WINDOW):
                    start = (r * width + left) * planes
                    for j in range(WINDOW * planes):
                        out[row, at] = x[i, start + j]
                        at += 1
                row += 1


@jit
def most_rows(entries):
    """Rows of a pass, such that a product with weights of that many entries is small; TILE where few rows would be."""
    rows = SMALL // entries // 8 * 8
    return min(TILE, rows) if rows >= 16 else TILE


@jit
def least_rows(entries, most):
    """Rows, padding included, with which such a product is as small or large as it is with `most` rows."""
    return 2 if most * entries <= SMALL else min(most, SMALL // entries + 1)


@jit
def _side_by_side(convolved, places, m, out):
    """Turns [m * places, filters] into [m, filters * places], a filter's places side by side."""
    for i in range(m):
        for k in range(convolved.shape[1]):
            for place in range(places):
                out[i, k * places + place] = convolved[i * places + place, k]


@jit
def root(theta, dims, value_low, row_seeds, observations, latents, values, logits):
    """Initial inference h then f.

    Args:
        theta: [S, P] parameters. dims: see the module. value_low: lowest value atom.
        row_seeds: [B] index into S of every row, ascending.
        observations: [B, O]. latents [B, D], values [B], logits [B, A]: written.
    """
    observation, latent, hidden, actions, value_atoms, _, image = dims
    _, _, o_value, o_policy = offsets(dims)
    n_in, n_out, places = first_layer(dims)
    most = most_rows(latent * hidden)
    least = max(
        least_rows(n_in * n_out * places, most),
        least_rows(n_out * places * latent, most),
        least_rows(latent * hidden, most),
    )
    x = zeros((TILE, observation))
    windows = zeros((TILE * places if places > 1 else 0, n_in))
    convolved = zeros((windows.shape[0], n_out))
    first = zeros((TILE, n_out * places))
    hid = zeros((TILE, hidden))
    z = zeros((TILE, latent))
    out_v = zeros((TILE, _padded(value_atoms)))
    out_p = zeros((TILE, _padded(actions)))
    start = 0
    while start < row_seeds.size:
        end = _segment_end(row_seeds, start)
        p = theta[row_seeds[start]]
        w1, b1, w2, b2 = h_layers(p, dims)
        value_head = _padded_head(p, o_value, latent, hidden, value_atoms)
        policy_head = _padded_head(p, o_policy, latent, hidden, actions)
        for a in range(start, end, most):
            m = min(most, end - a)
            rows = max(m, least)
            x[:m] = observations[a : a + m]
            if places > 1:
                _windows(x, image, m, windows)
                np.dot(windows[: rows * places], w1, convolved[: rows * places])
                _bias_relu(convolved, b1, m * places)
                _side_by_side(convolved, places, m, first)
            else:
                np.dot(x[:rows], w1, first[:rows])
                _bias_relu(first, b1, m)
            np.dot(first[:rows], w2, z[:rows])
            _min_max(z, b2, m, z)
            latents[a : a + m] = z[:m]
            _predict(
                z, m, rows, value_head, policy_head, value_low, hid, out_v, out_p, values[a : a + m], logits[a : a + m]
            )
        start = end


@jit
def step(theta, dims, value_low, reward_low, row_seeds, states, actions_taken, latents, rewards, values, logits):
    """Recurrent inference: g, its reward, then f. Arguments as in `root`; states [B, D], actions_taken [B]."""
    _, latent, hidden, actions, value_atoms, reward_atoms, _ = dims
    o_g, o_reward, o_value, o_policy = offsets(dims)
    most = most_rows(latent * hidden)
    least = least_rows(latent * hidden, most)
    x = zeros((TILE, latent))
    hid = zeros((TILE, hidden))
    z = zeros((TILE, latent))
    out_v = zeros((TILE, _padded(value_atoms)))
    out_r = zeros((TILE, _padded(reward_atoms)))
    out_p = zeros((TILE, _padded(actions)))
    start = 0
    while start < row_seeds.size:
        end = _segment_end(row_seeds, start)
        p = theta[row_seeds[start]]
        w1, b1, w2, b2 = two_layers(p, o_g, latent + actions, hidden, latent)
        r1, rb1, r2, rb2 = _padded_head(p, o_reward, latent, hidden, reward_atoms)
        value_head = _padded_head(p, o_value, latent, hidden, value_atoms)
        policy_head = _padded_head(p, o_policy, latent, hidden, actions)
        for a in range(start, end, most):
            m = min(most, end - a)
            rows = max(m, least)
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
    _, latent, hidden, actions, _, reward_atoms, _ = dims
    o_g, o_reward, _, _ = offsets(dims)
    most = most_rows(latent * hidden)
    least = least_rows(latent * hidden, most)
    hid = zeros((TILE, hidden))
    z = zeros((TILE, latent))
    out_r = zeros((TILE, _padded(reward_atoms)))
    predicted = zeros((TILE,))
    taken = np.zeros(TILE, np.int64)
    start = 0
    while start < row_seeds.size:
        end = _segment_end(row_seeds, start)
        p = theta[row_seeds[start]]
        w1, b1, w2, b2 = two_layers(p, o_g, latent + actions, hidden, latent)
        r1, rb1, r2, rb2 = _padded_head(p, o_reward, latent, hidden, reward_atoms)
        for a in range(start, end, most):
            m = min(most, end - a)
            rows = max(m, least)
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
