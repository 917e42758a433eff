"""Two dense layers as all nets end with, forwards and back: the heads of f and of g's reward."""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.parameters import Layer
from muzero_probe.cpu.rows import add_rows, inlined, mask_and_add, padded
from muzero_probe.exact.lanes import HALF, WIDTH, transpose_square
from muzero_probe.exact.products import NO_LIMIT, product

RELU = np.float32(0.0)  # of `product`


@jit
def dense(x, layer, out, least):
    """Writes out [m, n] = max(x weights + bias, least)."""
    product(x, layer.weights, layer.bias, out, least)


class Head(NamedTuple):
    """Two layers, their transposes and gradients."""

    first: Layer
    second: Layer
    first_back: np.ndarray  # [H, padded D]
    second_back: np.ndarray  # [out, padded H]
    first_gradient: Layer
    second_gradient: Layer


class Work(NamedTuple):
    """Scratch of the heads and of the way back, for m rows."""

    hidden: np.ndarray  # [m, padded H]
    hidden_gradient: np.ndarray  # [m, padded H]
    zeros: np.ndarray  # [the widest layer]
    totals: np.ndarray  # [m or more], see `rows.two_hot_loss`


@jit
def transposed(weights, n_out, scale):
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
def head_of(sizes, first, second, n_out, first_gradient, second_gradient):
    """A head whose second layer has n_out outputs without padding."""
    one = np.float32(1.0)
    return Head(
        first,
        second,
        transposed(first.weights, sizes.hidden, one),
        transposed(second.weights, n_out, one),
        first_gradient,
        second_gradient,
    )


@inlined
def work_for(sizes, m, widest):
    """Scratch for m rows."""
    return Work(
        np.empty((m, padded(sizes.hidden)), np.float32),
        np.empty((m, padded(sizes.hidden)), np.float32),
        np.zeros(widest, np.float32),
        np.empty((m + WIDTH - 1) // WIDTH * WIDTH, np.float32),
    )


@jit
def forward(head, z, m, hidden, logits):
    """Writes hidden activations [m, padded H] and logits [m, padded out] of inputs z [m, D or more]."""
    dense(z[:m], head.first, hidden[:m], RELU)
    dense(hidden[:m], head.second, logits[:m], NO_LIMIT)


@jit
def backward(head, z, m, work, dlogits, dz):
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
