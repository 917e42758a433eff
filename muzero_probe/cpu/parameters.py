"""One seed's parameters as the compiled code wants them: views of its flat vector, and padded copies.

The order of the vector is that of `nets.mlp`. Weights [in, padded out] are the vector's own memory where nothing is to
be padded. The hidden layer of an h that convolves is kept place by place, each with all filters, while the vector has
it filter by filter.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.rows import NEVER, inlined, padded
from muzero_probe.nets.mlp import WINDOW, Mlp


class Sizes(NamedTuple):
    """Of an MLP agent."""

    observation: int  # numbers of a flat observation
    latent: int  # D
    hidden: int  # H
    actions: int  # A
    value_low: int  # lowest and highest atom
    value_high: int
    reward_low: int
    reward_high: int
    height: int  # of an image that h convolves
    width: int
    planes: int
    filters: int  # of the convolution; 0: there is none


def sizes_of(nets: Mlp) -> Sizes:
    """Returns what the compiled code wants to know of nets."""
    value, reward = nets.value_support, nets.reward_support
    return Sizes(
        nets.observation, nets.latent, nets.hidden, nets.actions, value.low, value.high, reward.low, reward.high,
        *nets.image, nets.filters,
    )  # fmt: skip


class Layer(NamedTuple):
    """y = x weights + bias."""

    weights: np.ndarray  # [in, padded out]
    bias: np.ndarray  # [padded out]


class Weights(NamedTuple):
    """All layers of one seed, or their gradients; what is padded or moved is a copy, see `put_back`."""

    h1: Layer  # of every place, if h convolves
    h2: Layer
    g1: Layer
    actions: np.ndarray  # [A, padded H]: what an action adds in g1
    g2: Layer
    reward1: Layer
    reward2: Layer
    value1: Layer
    value2: Layer
    policy1: Layer
    policy2: Layer


# what the padding of a layer's outputs is: 0, minus infinity almost, or the first output again
ZERO, NEVER_CHOSEN, FIRST = 0, 1, 2


@inlined
def value_support(sizes):
    """Lowest and highest atom."""
    return sizes.value_low, sizes.value_high


@inlined
def reward_support(sizes):
    """Lowest and highest atom."""
    return sizes.reward_low, sizes.reward_high


@inlined
def atoms(support):
    """How many."""
    return support[1] - support[0] + 1


@inlined
def first_layer(sizes):
    """Inputs and outputs of h's first layer, and at how many places of an observation it is applied."""
    if sizes.filters == 0:
        return sizes.observation, sizes.hidden, 1
    places = (sizes.height - WINDOW + 1) * (sizes.width - WINDOW + 1)
    return WINDOW * WINDOW * sizes.planes, sizes.filters, places


@inlined
def _matrix(vector, at, rows, columns):
    return vector[at : at + rows * columns].reshape(rows, columns)


@jit
def read_layer(vector, at, n_in, n_out, padding):
    """The layer that starts at a place of the vector, and the place behind it."""
    weights = _matrix(vector, at, n_in, n_out)
    at += n_in * n_out
    bias = vector[at : at + n_out]
    width = padded(n_out)
    if width > n_out:
        wide, long = np.zeros((n_in, width), np.float32), np.zeros(width, np.float32)
        wide[:, :n_out] = weights
        long[:n_out] = bias
        if padding == NEVER_CHOSEN:
            long[n_out:] = NEVER
        elif padding == FIRST:
            for j in range(n_out, width):
                wide[:, j] = weights[:, 0]
                long[j] = bias[0]
        return Layer(wide, long), at + n_out
    return Layer(weights, bias), at + n_out


@jit
def by_place(weights, filters):
    """Turns rows [filters * places, n], filter by filter, into [places * padded filters, n], place by place."""
    places = weights.shape[0] // filters
    step = padded(filters)
    out = np.zeros((places * step, weights.shape[1]), np.float32)
    for f in range(filters):
        for place in range(places):
            out[place * step + f] = weights[f * places + place]
    return out


@jit
def by_filter(weights, filters, places):
    """The reverse of `by_place`."""
    step = padded(filters)
    out = np.empty((filters * places, weights.shape[1]), np.float32)
    for f in range(filters):
        for place in range(places):
            out[f * places + place] = weights[place * step + f]
    return out


@jit
def weights_of(vector, sizes):
    """The layers of a seed's vector [P]."""
    D, H, A = sizes.latent, sizes.hidden, sizes.actions
    n_in, n_out, places = first_layer(sizes)
    h1, at = read_layer(vector, 0, n_in, n_out, ZERO)
    h2, at = read_layer(vector, at, n_out * places, D, FIRST)
    if places > 1:
        h2 = Layer(by_place(h2.weights, n_out), h2.bias)
    actions = np.zeros((A, padded(H)), np.float32)
    actions[:, :H] = _matrix(vector, at + D * H, A, H)
    wide, behind = read_layer(vector, at, D + A, H, ZERO)
    g1 = Layer(wide.weights[:D], wide.bias)
    g2, at = read_layer(vector, behind, H, D, FIRST)
    reward1, at = read_layer(vector, at, D, H, ZERO)
    reward2, at = read_layer(vector, at, H, atoms(reward_support(sizes)), NEVER_CHOSEN)
    value1, at = read_layer(vector, at, D, H, ZERO)
    value2, at = read_layer(vector, at, H, atoms(value_support(sizes)), NEVER_CHOSEN)
    policy1, at = read_layer(vector, at, D, H, ZERO)
    policy2, at = read_layer(vector, at, H, A, NEVER_CHOSEN)
    return Weights(h1, h2, g1, actions, g2, reward1, reward2, value1, value2, policy1, policy2)


@jit
def write_layer(layer, vector, at, n_in, n_out):
    """Writes a layer's copy back, if it is one, and returns the place behind it."""
    behind = at + n_in * n_out + n_out
    if padded(n_out) > n_out:
        _matrix(vector, at, n_in, n_out)[:] = layer.weights[:n_in, :n_out]
        vector[behind - n_out : behind] = layer.bias[:n_out]
    return behind


@jit
def put_back(w, sizes, vector):
    """Writes what `weights_of` copied, and what was done to it since, to where it came from."""
    D, H, A = sizes.latent, sizes.hidden, sizes.actions
    n_in, n_out, places = first_layer(sizes)
    at = write_layer(w.h1, vector, 0, n_in, n_out)
    if places > 1:
        _matrix(vector, at, n_out * places, D)[:] = by_filter(w.h2.weights, n_out, places)[:, :D]
        vector[at + n_out * places * D : at + n_out * places * D + D] = w.h2.bias[:D]
        at += n_out * places * D + D
    else:
        at = write_layer(w.h2, vector, at, n_out, D)
    _matrix(vector, at + D * H, A, H)[:] = w.actions[:, :H]
    if padded(H) > H:
        _matrix(vector, at, D, H)[:] = w.g1.weights[:, :H]
        vector[at + (D + A) * H : at + (D + A) * H + H] = w.g1.bias[:H]
    at = write_layer(w.g2, vector, at + (D + A) * H + H, H, D)
    at = write_layer(w.reward1, vector, at, D, H)
    at = write_layer(w.reward2, vector, at, H, atoms(reward_support(sizes)))
    at = write_layer(w.value1, vector, at, D, H)
    at = write_layer(w.value2, vector, at, H, atoms(value_support(sizes)))
    at = write_layer(w.policy1, vector, at, D, H)
    write_layer(w.policy2, vector, at, H, A)
