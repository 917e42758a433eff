"""Compiled CPU kernels on feature-major activations, [features, rows]: what lies between matrix products.

The inner loops run over rows, so that reductions over features (softmax, min-max scaling) work on whole
vectors of rows.
"""

import numpy as np

from muzero_probe.nets.common import SCALE_FLOOR, exp, full, jit, room, scale_scalar, zeros
from muzero_probe.nets.kernels import WINDOW

LEAST_CHANCE = np.float32(1e-30)  # whose logarithm is taken


@jit
def windows(observations, image):
    """What every 3 x 3 window of the images [B, O] sees: [9 * planes, places * B], a place's rows side by side."""
    height, width, planes, _ = image
    B = observations.shape[0]
    rows, columns = height - WINDOW + 1, width - WINDOW + 1
    out = room((WINDOW * WINDOW * planes, rows * columns * B))
    pixels = observations.T.copy()
    for r in range(WINDOW):
        for c in range(WINDOW):
            for k in range(planes):
                seen = out[(r * WINDOW + c) * planes + k]
                for top in range(rows):
                    for left in range(columns):
                        at = (top * columns + left) * B
                        seen[at : at + B] = pixels[((top + r) * width + left + c) * planes + k]
    return out


@jit
def add(total, part):
    """Adds one matrix to another."""
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += part[i, j]


@jit
def add_row_sums(total, x):
    """Adds every feature's sum over the rows to `total` [n]."""
    for j in range(x.shape[0]):
        row = np.float32(0.0)
        for i in range(x.shape[1]):
            row += x[j, i]
        total[j] += row


@jit
def bias_relu(x, bias):
    """Adds the bias [n] and cuts below 0."""
    for j in range(x.shape[0]):
        b = bias[j]
        for i in range(x.shape[1]):
            x[j, i] = max(x[j, i] + b, np.float32(0.0))


@jit
def action_bias_relu(x, bias, action_rows, one_hot):
    """Adds the bias and the row of every column's action; action_rows [A, H], one_hot [A, B]."""
    for j in range(x.shape[0]):
        b = bias[j]
        for i in range(x.shape[1]):
            x[j, i] += b
        for a in range(one_hot.shape[0]):
            w = action_rows[a, j]
            for i in range(x.shape[1]):
                x[j, i] += w * one_hot[a, i]
        for i in range(x.shape[1]):
            x[j, i] = max(x[j, i], np.float32(0.0))


@jit
def mask_and_sum(dx, x, total):
    """Zeroes gradient where the ReLU's output x is zero, and adds its row sums to `total`."""
    for j in range(dx.shape[0]):
        row = np.float32(0.0)
        for i in range(dx.shape[1]):
            d = dx[j, i] if x[j, i] > np.float32(0.0) else np.float32(0.0)
            dx[j, i] = d
            row += d
        total[j] += row


@jit
def min_max(x, bias, out, inverses):
    """Adds the bias and scales every column to [0, 1]; `inverses` gets 1 / (largest - smallest entry)."""
    n, m = x.shape
    low = full((m,), np.inf)
    high = full((m,), -np.inf)
    for j in range(n):
        b = bias[j]
        for i in range(m):
            v = x[j, i] + b
            low[i] = min(low[i], v)
            high[i] = max(high[i], v)
    for i in range(m):
        inverses[i] = np.float32(1.0) / max(high[i] - low[i], SCALE_FLOOR)
    for j in range(n):
        b = bias[j]
        for i in range(m):
            out[j, i] = (x[j, i] + b - low[i]) * inverses[i]


@jit
def min_max_backward(y, inverses, dy, dx):
    """Gradient of `min_max` into dx from its output y.

    The smallest and the largest entry also move the scale of all others; equal ones share that part.
    """
    n, m = y.shape
    top = zeros((m,))
    total = zeros((m,))
    weighted = zeros((m,))
    at_low = zeros((m,))
    at_high = zeros((m,))
    for j in range(n):
        for i in range(m):
            top[i] = max(top[i], y[j, i])
            total[i] += dy[j, i]
            weighted[i] += dy[j, i] * y[j, i]
            at_low[i] += np.float32(1.0) if y[j, i] == np.float32(0.0) else np.float32(0.0)
    for j in range(n):
        for i in range(m):
            at_high[i] += np.float32(1.0) if y[j, i] == top[i] else np.float32(0.0)
    for i in range(m):
        if inverses[i] * SCALE_FLOOR >= np.float32(1.0):  # the floor does not move with the entries
            weighted[i] = np.float32(0.0)
        at_low[i] = (total[i] - weighted[i]) / at_low[i]
        at_high[i] = weighted[i] / at_high[i]
    for j in range(n):
        for i in range(m):
            d = dy[j, i]
            d -= at_low[i] if y[j, i] == np.float32(0.0) else np.float32(0.0)
            d -= at_high[i] if y[j, i] == top[i] else np.float32(0.0)
            dx[j, i] = d * inverses[i]


@jit
def softmax(x, bias):
    """Replaces every column of x [n, B] by the softmax of x + bias."""
    n, m = x.shape
    top = full((m,), -np.inf)
    total = zeros((m,))
    for j in range(n):
        b = bias[j]
        for i in range(m):
            v = x[j, i] + b
            x[j, i] = v
            top[i] = max(top[i], v)
    for j in range(n):
        for i in range(m):
            e = exp(x[j, i] - top[i])
            x[j, i] = e
            total[i] += e
    for i in range(m):
        total[i] = np.float32(1.0) / total[i]
    for j in range(n):
        for i in range(m):
            x[j, i] *= total[i]


@jit
def two_hot_loss(p, low, targets, weights):
    """Cross-entropy of softmax columns p [n, B] with two-hot targets; p becomes the gradient by the logits."""
    n, m = p.shape
    positions = room((m,), np.float64)
    for i in range(m):
        positions[i] = min(max(scale_scalar(np.float64(targets[i])) - low, 0.0), n - 1.0)
    loss = 0.0
    for i in range(m):
        lower = max(min(int(positions[i]), n - 2), 0)  # a NaN target must stay within its column
        upper = np.float32(positions[i] - lower)
        loss -= weights[i] * (
            (1.0 - upper) * np.log(max(p[lower, i], LEAST_CHANCE)) + upper * np.log(max(p[lower + 1, i], LEAST_CHANCE))
        )
        p[lower, i] -= np.float32(1.0) - upper
        p[lower + 1, i] -= upper
    for j in range(n):
        for i in range(m):
            p[j, i] *= weights[i]
    return loss


@jit
def policy_loss(p, targets, weights):
    """Cross-entropy of softmax columns p [A, B] with targets [B, A]; p becomes the gradient by the logits."""
    n, m = p.shape
    loss = 0.0
    for j in range(n):
        for i in range(m):
            target = targets[i, j]
            if target > np.float32(0.0):
                loss -= weights[i] * target * np.log(max(p[j, i], LEAST_CHANCE))
            p[j, i] = weights[i] * (p[j, i] - target)
    return loss
