"""What lies between matrix products: row by row, on activations [rows, features] whose width is a multiple of 8.

`padded` features are there for the vectors' sake. Those of logits are NEVER, so that a softmax gives them nothing;
those of a latent repeat its first entry before the scaling and are IN_BETWEEN behind it, so that they are no extremes.
"""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.exact import lanes
from muzero_probe.nets.categorical import EPSILON

inlined = jit(inline=True)

NEVER = np.float32(-1e30)
IN_BETWEEN = np.float32(0.5)
SCALE_FLOOR = np.float32(1e-5)  # smallest range that the min-max scaling divides by
LEAST_EXPONENT = np.float32(-40.0)  # of a softmax: e^-40 is far below rounding, yet no product of it is denormal

LOG2_E = np.float32(1.44269504)
LN2_HIGH = np.float32(0.693359375)
LN2_LOW = np.float32(-2.12194440e-4)
ROUNDER = np.float32(lanes.ROUNDER)
COUNTING = np.arange(lanes.WIDTH, dtype=np.float32)


@inlined
def padded(n):
    """The next multiple of 8."""
    return (n + 7) // 8 * 8


@inlined
def read(x, at, left, rest):
    """Sixteen numbers from a flat index on, of which `left`, 8 or at least 16, belong to the row."""
    return lanes.load(x, at) if left >= lanes.WIDTH else lanes.load_half(x, at, rest)


@inlined
def write(x, at, left, value):
    """The reverse of `read`."""
    if left >= lanes.WIDTH:
        lanes.store(x, at, value)
    else:
        lanes.store_half(x, at, value)


@inlined
def exp(x):
    """e^x, LEAST_EXPONENT <= x <= 0, to 2 ulp."""
    x = lanes.larger(lanes.splat(LEAST_EXPONENT), x)
    rounded = lanes.fma(x, lanes.splat(LOG2_E), lanes.splat(ROUNDER))
    k = lanes.subtract(rounded, lanes.splat(ROUNDER))
    r = lanes.fma(k, lanes.splat(-LN2_HIGH), x)
    r = lanes.fma(k, lanes.splat(-LN2_LOW), r)
    series = lanes.splat(np.float32(1.9875691500e-4))  # minimax polynomial (Cephes)
    series = lanes.fma(series, r, lanes.splat(np.float32(1.3981999507e-3)))
    series = lanes.fma(series, r, lanes.splat(np.float32(8.3334519073e-3)))
    series = lanes.fma(series, r, lanes.splat(np.float32(4.1665795894e-2)))
    series = lanes.fma(series, r, lanes.splat(np.float32(1.6666665459e-1)))
    series = lanes.fma(series, r, lanes.splat(np.float32(5.0000001201e-1)))
    series = lanes.fma(lanes.multiply(series, r), r, lanes.add(r, lanes.splat(np.float32(1.0))))
    return lanes.multiply(series, lanes.power_of_two(rounded))


@inlined
def log(x):
    """Natural logarithm of x >= 1, to 2 ulp."""
    k = lanes.exponent(x)
    f = lanes.subtract(lanes.mantissa(x), lanes.splat(np.float32(1.0)))
    # 1 <= m < 2 becomes sqrt(1/2) .. sqrt(2)
    half = lanes.multiply(lanes.subtract(f, lanes.splat(np.float32(1.0))), lanes.splat(np.float32(0.5)))
    above = lanes.subtract(f, lanes.splat(np.float32(0.41421356)))
    k = lanes.add(k, lanes.where_positive(above, lanes.splat(np.float32(1.0))))
    f = lanes.add(f, lanes.where_positive(above, lanes.subtract(half, f)))
    square = lanes.multiply(f, f)
    series = lanes.splat(np.float32(7.0376836292e-2))  # minimax polynomial (Cephes)
    series = lanes.fma(series, f, lanes.splat(np.float32(-1.1514610310e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(1.1676998740e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(-1.2420140846e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(1.4249322787e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(-1.6668057665e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(2.0000714765e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(-2.4999993993e-1)))
    series = lanes.fma(series, f, lanes.splat(np.float32(3.3333331174e-1)))
    small = lanes.multiply(lanes.multiply(series, f), square)
    small = lanes.fma(k, lanes.splat(LN2_LOW), small)
    small = lanes.fma(square, lanes.splat(np.float32(-0.5)), small)
    return lanes.fma(k, lanes.splat(LN2_HIGH), lanes.add(f, small))


@inlined
def scale(x):
    """h(x) of `support.scale`, in float64."""
    return np.sign(x) * (np.sqrt(abs(x) + 1.0) - 1.0) + EPSILON * x


@inlined
def unscale(y):
    """Inverse of `scale`, in float64."""
    root = (np.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON)) - 1.0) / (2.0 * EPSILON)
    return np.sign(y) * (root * root - 1.0)


@inlined
def largest(x, at, width):
    """Of a row that starts at a flat index."""
    top = read(x, at, width, NEVER)
    for j in range(lanes.WIDTH, width, lanes.WIDTH):
        top = lanes.larger(read(x, at + j, width - j, NEVER), top)
    return lanes.largest_of(top)


@jit
def min_max(x, m, latent, out, inverses):
    """Scales m rows of x to [0, 1] (Schrittwieser et al. 2020, appendix G).

    Args:
        x: [m, padded D]. latent: D. out: [m, padded D] written, may be x.
        inverses: [m] written, 1 / (largest - smallest entry).
    """
    width = x.shape[1]
    for i in range(m):
        at = i * width
        low = high = read(x, at, width, x[i, 0])
        for j in range(lanes.WIDTH, width, lanes.WIDTH):
            v = read(x, at + j, width - j, x[i, 0])
            low = lanes.smaller(v, low)
            high = lanes.larger(v, high)
        least = lanes.smallest_of(low)
        inverse = np.float32(1.0) / max(lanes.largest_of(high) - least, SCALE_FLOOR)
        inverses[i] = inverse
        for j in range(0, width, lanes.WIDTH):
            v = read(x, at + j, width - j, NEVER)
            v = lanes.multiply(lanes.subtract(v, lanes.splat(least)), lanes.splat(inverse))
            write(out, at + j, width - j, v)
        for j in range(latent, width):
            out[i, j] = IN_BETWEEN


@jit
def min_max_backward(y, inverses, m, dy, dx):
    """Gradient of `min_max` from its output y: dy and dx [m, padded D]; the padding of dy is 0.

    The smallest and the largest entry also move the scale of all others; equal ones share that part.
    """
    width = y.shape[1]
    one, zero = lanes.splat(np.float32(1.0)), lanes.splat(np.float32(0.0))
    for i in range(m):
        at = i * width
        top = lanes.splat(largest(y, at, width))
        total = weighted = at_low = at_high = zero
        for j in range(0, width, lanes.WIDTH):
            v = read(y, at + j, width - j, IN_BETWEEN)
            d = read(dy, at + j, width - j, np.float32(0.0))
            total = lanes.add(total, d)
            weighted = lanes.fma(d, v, weighted)
            at_low = lanes.add(at_low, lanes.where_equal(v, zero, one))
            at_high = lanes.add(at_high, lanes.where_equal(v, top, one))
        moving = lanes.sum_of(weighted)
        if inverses[i] * SCALE_FLOOR >= np.float32(1.0):  # the floor does not move with the entries
            moving = np.float32(0.0)
        # a row that is not a number has neither end
        low_part = lanes.splat((lanes.sum_of(total) - moving) / max(lanes.sum_of(at_low), np.float32(1.0)))
        high_part = lanes.splat(moving / max(lanes.sum_of(at_high), np.float32(1.0)))
        for j in range(0, width, lanes.WIDTH):
            v = read(y, at + j, width - j, IN_BETWEEN)
            d = read(dy, at + j, width - j, np.float32(0.0))
            d = lanes.subtract(d, lanes.where_equal(v, zero, low_part))
            d = lanes.subtract(d, lanes.where_equal(v, top, high_part))
            write(dx, at + j, width - j, lanes.multiply(d, lanes.splat(inverses[i])))


@jit
def decode(logits, m, low, out):
    """Writes the scalars [m] that categorical rows [m, padded atoms] stand for; `low` is the lowest atom."""
    width = logits.shape[1]
    for i in range(m):
        at = i * width
        top = lanes.splat(largest(logits, at, width))
        total = weighted = lanes.splat(np.float32(0.0))
        atoms = lanes.load(COUNTING, 0)
        for j in range(0, width, lanes.WIDTH):
            e = exp(lanes.subtract(read(logits, at + j, width - j, NEVER), top))
            total = lanes.add(total, e)
            weighted = lanes.fma(e, atoms, weighted)
            atoms = lanes.add(atoms, lanes.splat(np.float32(lanes.WIDTH)))
        out[i] = lanes.sum_of(weighted) / lanes.sum_of(total)
    for i in range(m):
        out[i] = unscale(np.float64(out[i]) + low)


@inlined
def _to_gradient(x, at, width, weight, totals, i):
    """Turns a row of logits into weight x softmax, and keeps the sum of the exponentials; returns the largest logit."""
    largest_logit = largest(x, at, width)
    top = lanes.splat(largest_logit)
    total = lanes.splat(np.float32(0.0))
    for j in range(0, width, lanes.WIDTH):
        e = exp(lanes.subtract(read(x, at + j, width - j, NEVER), top))
        total = lanes.add(total, e)
        write(x, at + j, width - j, e)
    totals[i] = lanes.sum_of(total)
    factor = lanes.splat(weight / totals[i])
    for j in range(0, width, lanes.WIDTH):
        write(x, at + j, width - j, lanes.multiply(read(x, at + j, width - j, NEVER), factor))
    return largest_logit


@inlined
def _weighted_logs(totals, weights, m):
    """Sum over m rows of weight x log(total); totals [a multiple of 16]."""
    found = 0.0
    for i in range(m, totals.size):
        totals[i] = np.float32(1.0)
    for i in range(0, m, lanes.WIDTH):
        lanes.store(totals, i, log(lanes.load(totals, i)))
    for i in range(m):
        found += np.float64(weights[i]) * totals[i]
    return found


@jit
def two_hot_loss(x, m, support, targets, weights, totals):
    """Cross-entropy of m rows of logits with two-hot targets; x becomes the gradient by the logits.

    Args:
        x: [m, padded atoms].
        support: lowest and highest atom.
        targets: [m] in the task's units.
        weights: [m].
        totals: scratch, [a multiple of 16, at least m].
    """
    low, high = support
    width = x.shape[1]
    loss = 0.0
    for i in range(m):
        position = scale(np.float64(targets[i])) - low
        if position < 0.0:
            position = 0.0
        if position > high - low:
            position = np.float64(high - low)
        lower = 0  # also of a target that is not a number
        if position > 0.0:
            lower = min(np.int64(position), high - low - 1)
        upper = np.float32(position - lower)
        first, second = x[i, lower], x[i, lower + 1]
        top = _to_gradient(x, i * width, width, weights[i], totals, i)
        loss -= np.float64(weights[i]) * ((1.0 - upper) * (first - top) + upper * (second - top))
        x[i, lower] -= weights[i] * (np.float32(1.0) - upper)
        x[i, lower + 1] -= weights[i] * upper
    return loss + _weighted_logs(totals, weights, m)


@jit
def policy_loss(x, m, targets, weights, totals):
    """Cross-entropy of m rows of logits [m, padded A] with targets [m, A]; x becomes the gradient by the logits."""
    width = x.shape[1]
    loss = 0.0
    for i in range(m):
        hit = mass = 0.0
        for a in range(targets.shape[1]):
            hit += np.float64(targets[i, a]) * x[i, a]
            mass += targets[i, a]
        top = _to_gradient(x, i * width, width, weights[i], totals, i)
        loss -= np.float64(weights[i]) * (hit - mass * top)
        for a in range(targets.shape[1]):
            x[i, a] -= weights[i] * targets[i, a]
    return loss + _weighted_logs(totals, weights, m)


@jit
def add_rows(total, x, m):
    """Adds m rows [m, n] to `total` [n], one after the other; n is a multiple of 8."""
    width = x.shape[1]
    for j in range(0, width, lanes.WIDTH):
        found = read(total, j, width - j, np.float32(0.0))
        for i in range(m):
            found = lanes.add(found, read(x, i * width + j, width - j, np.float32(0.0)))
        write(total, j, width - j, found)


@jit
def add_rows_by_action(totals, x, m, taken):
    """Adds every row of x [m, n] to the row of its action in `totals` [A, n]; n is a multiple of 8."""
    width = x.shape[1]
    for i in range(m):
        for j in range(0, width, lanes.WIDTH):
            to, left = taken[i] * width + j, width - j
            found = read(totals, to, left, np.float32(0.0))
            write(totals, to, left, lanes.add(found, read(x, i * width + j, left, np.float32(0.0))))


@jit
def biases_of_actions(bias, actions, taken, out):
    """Writes bias [n] + the action's row of `actions` [A, n] for every action taken: out [m, n]."""
    width = bias.size
    for i in range(taken.size):
        for j in range(0, width, lanes.WIDTH):
            left = width - j
            found = read(actions, taken[i] * width + j, left, np.float32(0.0))
            write(out, i * width + j, left, lanes.add(read(bias, j, left, np.float32(0.0)), found))


@inlined
def _masked(dx, x, at, left):
    """Makes gradient 0 where x is 0, and returns it."""
    d = lanes.where_positive(read(x, at, left, np.float32(0.0)), read(dx, at, left, np.float32(0.0)))
    write(dx, at, left, d)
    return d


@jit
def mask_and_add(dx, x, m, total):
    """Makes gradient 0 where the ReLU's output x is 0, and adds its m rows to `total` [n]."""
    width = dx.shape[1]
    whole = width // (4 * lanes.WIDTH) * (4 * lanes.WIDTH)
    for j in range(0, whole, 4 * lanes.WIDTH):
        sum0, sum1 = lanes.load(total, j), lanes.load(total, j + 16)
        sum2, sum3 = lanes.load(total, j + 32), lanes.load(total, j + 48)
        for i in range(m):
            at = i * width + j
            sum0 = lanes.add(sum0, _masked(dx, x, at, lanes.WIDTH))
            sum1 = lanes.add(sum1, _masked(dx, x, at + 16, lanes.WIDTH))
            sum2 = lanes.add(sum2, _masked(dx, x, at + 32, lanes.WIDTH))
            sum3 = lanes.add(sum3, _masked(dx, x, at + 48, lanes.WIDTH))
        lanes.store(total, j, sum0)
        lanes.store(total, j + 16, sum1)
        lanes.store(total, j + 32, sum2)
        lanes.store(total, j + 48, sum3)
    for j in range(whole, width, lanes.WIDTH):
        left = width - j
        found = read(total, j, left, np.float32(0.0))
        for i in range(m):
            found = lanes.add(found, _masked(dx, x, i * width + j, left))
        write(total, j, left, found)


@jit
def norm(x):
    """Euclidean norm of x [n]."""
    total = lanes.splat(np.float32(0.0))
    whole = x.size // lanes.WIDTH * lanes.WIDTH
    for i in range(0, whole, lanes.WIDTH):
        v = lanes.load(x, i)
        total = lanes.fma(v, v, total)
    found = lanes.sum_of(total)
    for i in range(whole, x.size):
        found += x[i] * x[i]
    return np.sqrt(found)
