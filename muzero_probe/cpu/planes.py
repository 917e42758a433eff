"""Convolutions of small images, and what lies between them, on activations [rows, height, width, planes].

A pixel's planes lie side by side, their number is a multiple of 8. Padding planes are 0. Images that a 3 x 3 window
moves over have a border of one pixel, which is always 0 in the direction that is computed; a convolution is then a
product whose rows are the image's places and whose inner axes are the window's lines and their numbers. Nothing passes
from a row to another one, but for gradients of parameters, which are summed in the order of the rows.
"""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.rows import inlined, read, write
from muzero_probe.exact import lanes
from muzero_probe.exact.contractions import add_contraction, contraction

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
NORMAL_FLOOR = np.float32(1e-5)  # torch's, added to a variance


@inlined
def _seen(x, window, stride):
    """Windows over bordered images [m, h, w, C]: where they start, steps of their places, and of the numbers in one."""
    _, h, w, C = x.shape
    start = (w + 1) * C if window == 1 else 0
    return start, (h * w * C, stride * w * C, stride * C), (w * C, 1)


@inlined
def _inside(x, places):
    """Where the places of images [m, h, w, C], with or without a border, start, and their steps."""
    _, h, w, C = x.shape
    start = (w + 1) * C if h > places[0] else 0
    return start, (h * w * C, w * C, C)


@jit
def convolve(x, m, stride, weights, out, places):
    """Writes the convolution of m images into out.

    Args:
        x: [m, h, w, C], bordered. weights: [window, window * C, C'].
        out: [m, H, W, C'], bordered or not. places: H, W.
    """
    window, seen, N = weights.shape
    start, steps, inner = _seen(x, window, stride)
    to, to_steps = _inside(out, places)
    contraction(
        (x, start, steps, inner), (weights, 0, (seen * N, N)), (out, to, to_steps), (m, *places), (window, seen), N
    )


@jit
def add_convolution(x, m, weights, out, places):
    """Adds the convolution of m images, stride 1, to out; see `convolve`."""
    window, seen, N = weights.shape
    start, steps, inner = _seen(x, window, 1)
    to, to_steps = _inside(out, places)
    add_contraction(
        (x, start, steps, inner), (weights, 0, (seen * N, N)), (out, to, to_steps), (m, *places), (window, seen), N
    )


@jit
def add_weights(x, m, stride, dy, gradient, places):
    """Adds the gradient of a convolution's weights [window, window * C, C'] from that of its output, [m, h, w, C']."""
    window, seen, N = gradient.shape
    start, steps, inner = _seen(x, window, stride)
    at, at_steps = _inside(dy, places)
    add_contraction(
        (x, start, inner, steps), (dy, at, at_steps), (gradient, 0, (seen * N, N)), (window, seen), (m, *places), N
    )


@jit
def scatter(columns, m, dx):
    """Adds what every window of stride 2 gives to the pixels that it sees: columns [m, H, W, 9 * C] to bordered dx."""
    _, H, W, seen = columns.shape
    _, h, w, C = dx.shape
    for place in range(m * H * W):
        i, y, x = place // (H * W), place // W % H, place % W
        for r in range(3):
            at = (place * 3 + r) * (seen // 3)
            to = ((i * h + 2 * y + r) * w + 2 * x) * C
            for j in range(0, 3 * C, lanes.WIDTH):
                left = 3 * C - j
                v = lanes.add(read(dx, to + j, left, ZERO), read(columns, at + j, left, ZERO))
                write(dx, to + j, left, v)


@jit
def _along(values, W):
    """Numbers of planes [C] for each of W pixels: [W * C]."""
    C = values.size
    out = np.empty(W * C, np.float32)
    for x in range(W):
        for c in range(C):
            out[x * C + c] = values[c]
    return out


@jit
def _real(planes, C, W):
    """1 for real planes, 0 for padding, for each of W pixels: [W * C]."""
    ones = np.zeros(C, np.float32)
    ones[:planes] = ONE
    return _along(ones, W)


@inlined
def _first(x, i, border):
    """The flat index of image i's first pixel, and the step between its lines."""
    _, h, w, C = x.shape
    return ((i * h + border) * w + border) * C, w * C


@jit
def normalise(x, inverses, m, planes, scale, shift, skip, least, out):
    """Normalises m rows, each over all its planes: max((x - mean) / deviation * (1 + scale) + shift + skip, least).

    Args:
        x: [m, H, W, C], becomes (x - mean) / deviation.
        inverses: [m] written, 1 / deviation.
        planes: C without padding. scale, shift: [C].
        skip: [m, H + 2, W + 2, C] or None for 0.
        least: float32.
        out: [m, H, W, C] or bordered, written.
    """
    _, H, W, C = x.shape
    line = W * C
    ones = _real(planes, C, W)
    factors, shifts = _along(scale, W) + ones, _along(shift, W)
    count = np.float32(H * W * planes)
    border = (out.shape[1] - H) // 2
    floor = lanes.splat(least)
    for i in range(m):
        start = i * H * line
        total = squares = lanes.splat(ZERO)
        for j in range(0, H * line, lanes.WIDTH):
            total = lanes.add(total, read(x, start + j, H * line - j, ZERO))
        mean = lanes.splat(lanes.sum_of(total) / count)
        for y in range(H):
            for j in range(0, line, lanes.WIDTH):
                v = lanes.subtract(read(x, start + y * line + j, line - j, ZERO), mean)
                v = lanes.multiply(v, read(ones, j, line - j, ZERO))
                squares = lanes.fma(v, v, squares)
        inverses[i] = ONE / np.sqrt(lanes.sum_of(squares) / count + NORMAL_FLOOR)
        inverse = lanes.splat(inverses[i])
        to, step = _first(out, i, border)
        for y in range(H):
            for j in range(0, line, lanes.WIDTH):
                at, left = start + y * line + j, line - j
                v = lanes.multiply(lanes.subtract(read(x, at, left, ZERO), mean), inverse)
                write(x, at, left, v)
                v = lanes.fma(v, read(factors, j, left, ZERO), read(shifts, j, left, ZERO))
                if skip is not None:
                    v = lanes.add(v, read(skip, to + y * step + j, left, ZERO))
                write(out, to + y * step + j, left, lanes.larger(floor, v))


@jit
def _fold(along, C, total):
    """Adds numbers along a line [W * C] to those of planes [C]."""
    for x in range(along.size // C):
        for c in range(C):
            total[c] += along[x * C + c]


@jit
def normalise_backward(y, inverses, m, planes, scale, out, dout, dx, gradients):
    """Gradient of `normalise`.

    Args:
        y: [m, H, W, C] normalised. inverses: [m].
        planes: C without padding. scale: [C].
        out: what came of `normalise` with least 0; None where there was none.
        dout: gradient by it, in its place made 0 where out is 0: it is then that by `skip` as well.
        dx: [m, H + 2, W + 2, C] written inside; in padding planes anything.
        gradients: of scale and of shift, [C] each, added to.
    """
    _, H, W, C = y.shape
    line = W * C
    factors = _along(scale, W) + _real(planes, C, W)
    scales, shifts = np.zeros(line, np.float32), np.zeros(line, np.float32)
    count = np.float32(H * W * planes)
    border = (dout.shape[1] - H) // 2
    for i in range(m):
        start = i * H * line
        at_out, step = _first(dout, i, border)
        total = weighted = lanes.splat(ZERO)
        for row in range(H):
            for j in range(0, line, lanes.WIDTH):
                at, left = at_out + row * step + j, line - j
                d = read(dout, at, left, ZERO)
                if out is not None:
                    d = lanes.where_positive(read(out, at, left, ZERO), d)
                    write(dout, at, left, d)
                v = read(y, start + row * line + j, left, ZERO)
                write(scales, j, left, lanes.fma(d, v, read(scales, j, left, ZERO)))
                write(shifts, j, left, lanes.add(d, read(shifts, j, left, ZERO)))
                d = lanes.multiply(d, read(factors, j, left, ZERO))
                total = lanes.add(total, d)
                weighted = lanes.fma(d, v, weighted)
        inverse = lanes.splat(inverses[i])
        mean = lanes.splat(lanes.sum_of(total) / count)
        slope = lanes.splat(-(lanes.sum_of(weighted) / count))
        to, step_to = _first(dx, i, 1)
        for row in range(H):
            for j in range(0, line, lanes.WIDTH):
                left = line - j
                d = lanes.multiply(read(dout, at_out + row * step + j, left, ZERO), read(factors, j, left, ZERO))
                d = lanes.fma(read(y, start + row * line + j, left, ZERO), slope, lanes.subtract(d, mean))
                write(dx, to + row * step_to + j, left, lanes.multiply(d, inverse))
    _fold(scales, C, gradients[0])
    _fold(shifts, C, gradients[1])


@jit
def pool(x, m, out, places):
    """Writes the largest of 3 x 3 windows, every other one, of numbers of 0 and more: x and out are bordered."""
    _, h, w, C = x.shape
    H, W = places
    for i in range(m):
        to, step = _first(out, i, 1)
        for place in range(H * W):
            y, across = place // W, place % W
            for j in range(0, C, lanes.WIDTH):
                left = C - j
                top = lanes.splat(ZERO)
                for r in range(3):
                    at = ((i * h + 2 * y + r) * w + 2 * across) * C + j
                    for c in range(3):
                        top = lanes.larger(read(x, at + c * C, left, ZERO), top)
                write(out, to + y * step + across * C + j, left, top)


@jit
def pool_backward(x, m, out, dout, dx, places):
    """Adds the gradient of `pool` to dx: to the first of equal numbers, and none where the largest is 0."""
    _, h, w, C = x.shape
    H, W = places
    for i in range(m):
        to, step = _first(out, i, 1)
        for place in range(H * W):
            y, across = place // W, place % W
            for j in range(0, C, lanes.WIDTH):
                left = C - j
                top = read(out, to + y * step + across * C + j, left, ZERO)
                rest = lanes.where_positive(top, read(dout, to + y * step + across * C + j, left, ZERO))
                for r in range(3):
                    at = ((i * h + 2 * y + r) * w + 2 * across) * C + j
                    for c in range(3):
                        given = lanes.where_equal(read(x, at + c * C, left, ZERO), top, rest)
                        rest = lanes.subtract(rest, given)
                        write(dx, at + c * C, left, lanes.add(read(dx, at + c * C, left, ZERO), given))


@jit
def to_latents(x, m, planes, places, out):
    """Writes the real planes of m bordered images into the first numbers of out's rows, pixel by pixel."""
    H, W = places
    for i in range(m):
        for y in range(H):
            for across in range(W):
                for c in range(planes):
                    out[i, (y * W + across) * planes + c] = x[i, y + 1, across + 1, c]


@jit
def from_latents(latents, m, planes, places, out):
    """The reverse of `to_latents`."""
    H, W = places
    for i in range(m):
        for y in range(H):
            for across in range(W):
                for c in range(planes):
                    out[i, y + 1, across + 1, c] = latents[i, (y * W + across) * planes + c]
