"""One seed's parameters of residual nets as the compiled code wants them: padded copies, equal convolutions together.

The order of the vector is that of `nets.residual`.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.parameters import (
    NEVER_CHOSEN,
    ZERO,
    Layer,
    atoms,
    by_filter,
    by_place,
    read_layer,
    reward_support,
    value_support,
    write_layer,
)
from muzero_probe.cpu.planes import add_weights, convolve
from muzero_probe.cpu.rows import inlined, padded
from muzero_probe.nets.residual import Residual

# places of convolutions among those of their kind: a block has two in a row
DOWN_1, DOWN_SKIP = 0, 1  # of `Weights.down`
DOWN_2, QUARTER, EIGHTH, LAST, G_FIRST, G_BLOCK, F_BLOCK = 0, 1, 3, 5, 7, 8, 10  # of `Weights.same`
SAME = 12
REWARD, VALUE, POLICY = 0, 1, 2  # of `Weights.heads`


class Sizes(NamedTuple):
    """Of a residual agent."""

    screens: int  # of an observation
    height: int  # of a screen
    width: int
    planes: int
    channels: int  # planes of a latent
    half: int  # planes before the second convolution that shrinks
    latent: int  # D, numbers of a latent
    latent_height: int
    latent_width: int
    head_planes: int
    hidden: int  # of a head
    actions: int  # A
    value_low: int  # lowest and highest atom
    value_high: int
    reward_low: int
    reward_high: int
    backdrop: np.ndarray  # [height * width * planes], pixels


def sizes_of(nets: Residual) -> Sizes:
    """Returns what the compiled code wants to know of nets."""
    value, reward = nets.value_support, nets.reward_support
    backdrop = np.ascontiguousarray(nets.backdrop, np.float32).ravel()
    n, H, W = nets.latent
    return Sizes(
        nets.screens, *nets.image, n, n // 2, n * H * W, H, W, nets.head_planes, nets.head_hidden, nets.actions,
        value.low, value.high, reward.low, reward.high, backdrop,
    )  # fmt: skip


class Convolutions(NamedTuple):
    """Some of equal sizes, each with the normalisation behind it."""

    weights: np.ndarray  # [L, window, window * padded C, padded C']; of h's first C is not padded
    scale: np.ndarray  # [L, padded C'], less 1
    shift: np.ndarray  # [L, padded C']
    planes: int  # C'


class Weights(NamedTuple):
    """All layers of one seed, or their gradients: copies, see `put_back`."""

    first: Convolutions
    half: Convolutions  # a block
    down: Convolutions
    same: Convolutions
    heads: Convolutions
    actions: np.ndarray  # [A, 3, 3, padded n]: of g's first convolution, for an action's plane of ones
    maps: np.ndarray  # [A, 1, H, W, padded n]: what comes of these, or the gradient by it
    reward1: Layer  # a head's hidden layer, [places * padded head planes, padded hidden]
    reward2: Layer
    value1: Layer
    value2: Layer
    policy1: Layer
    policy2: Layer


@inlined
def places_of(sizes):
    """Height and width of a latent."""
    return sizes.latent_height, sizes.latent_width


@inlined
def halved(places):
    """Height and width behind a stride of 2."""
    return (places[0] + 1) // 2, (places[1] + 1) // 2


@inlined
def _empty(count, window, n_in, n_out):
    return Convolutions(
        np.zeros((count, window, window * n_in, padded(n_out)), np.float32),
        np.zeros((count, padded(n_out)), np.float32),
        np.zeros((count, padded(n_out)), np.float32),
        n_out,
    )


@jit
def _move(vector, at, back, group, i, n_in):
    """Copies one convolution out of the vector, or back, and returns the place behind it."""
    weights, n_out = group.weights[i], group.planes
    window, seen, _ = weights.shape
    step = seen // window
    for r in range(window):
        for c in range(window):
            for j in range(n_in):
                for o in range(n_out):
                    if back:
                        vector[at + o] = weights[r, c * step + j, o]
                    else:
                        weights[r, c * step + j, o] = vector[at + o]
                at += n_out
    return _move_normal(vector, at, back, group, i)


@jit
def _move_normal(vector, at, back, group, i):
    for of_planes in (group.scale[i], group.shift[i]):
        for o in range(group.planes):
            if back:
                vector[at + o] = of_planes[o]
            else:
                of_planes[o] = vector[at + o]
        at += group.planes
    return at


@jit
def _move_first_of_g(vector, at, back, group, actions):
    """As `_move`: behind the latent's planes a window sees those of the actions."""
    weights, n = group.weights[G_FIRST], group.planes
    step = weights.shape[1] // 3
    for r in range(3):
        for c in range(3):
            for j in range(n + actions.shape[0]):
                for o in range(n):
                    if j < n and back:
                        vector[at + o] = weights[r, c * step + j, o]
                    elif j < n:
                        weights[r, c * step + j, o] = vector[at + o]
                    elif back:
                        vector[at + o] = actions[j - n, r, c, o]
                    else:
                        actions[j - n, r, c, o] = vector[at + o]
                at += n
    return _move_normal(vector, at, back, group, G_FIRST)


@jit
def _move_trunk(vector, back, sizes, first, half, down, same, actions):
    """Copies all but the heads."""
    n, few = sizes.channels, sizes.half
    at = _move(vector, 0, back, first, 0, sizes.screens * sizes.planes)
    for i in range(2):
        at = _move(vector, at, back, half, i, few)
    at = _move(vector, at, back, down, DOWN_1, few)
    at = _move(vector, at, back, same, DOWN_2, n)
    at = _move(vector, at, back, down, DOWN_SKIP, few)
    for i in range(QUARTER, SAME):
        if i != G_FIRST:
            at = _move(vector, at, back, same, i, n)
            continue
        at = _move_first_of_g(vector, at, back, same, actions)
    return at


@inlined
def _ones(places):
    """A bordered image of one plane of ones."""
    ones = np.zeros((1, places[0] + 2, places[1] + 2, 1), np.float32)
    ones[:, 1:-1, 1:-1] = np.float32(1.0)
    return ones


@jit
def _action_maps(actions, places):
    ones = _ones(places)
    A, _, _, n = actions.shape
    maps = np.empty((A, 1, places[0], places[1], n), np.float32)
    for a in range(A):
        convolve(ones, 1, 1, actions[a], maps[a], places)
    return maps


@jit
def _read_head(vector, at, sizes, heads, i, n_out):
    """A head's dense layers, and the place behind them."""
    H, W = places_of(sizes)
    at = _move(vector, at, False, heads, i, sizes.channels)
    hidden, at = read_layer(vector, at, sizes.head_planes * H * W, sizes.hidden, ZERO)
    out, at = read_layer(vector, at, sizes.hidden, n_out, NEVER_CHOSEN)
    return Layer(by_place(hidden.weights, sizes.head_planes), hidden.bias), out, at


@jit
def _write_head(vector, at, sizes, heads, i, n_out, layers):
    H, W = places_of(sizes)
    hidden, out = layers
    planes, places = sizes.head_planes, H * W
    at = _move(vector, at, True, heads, i, sizes.channels)
    vector[at : at + planes * places * sizes.hidden] = by_filter(hidden.weights, planes, places)[
        :, : sizes.hidden
    ].ravel()
    at += planes * places * sizes.hidden
    vector[at : at + sizes.hidden] = hidden.bias[: sizes.hidden]
    return write_layer(out, vector, at + sizes.hidden, sizes.hidden, n_out)


@jit
def weights_of(vector, sizes):
    """The layers of a seed's vector [P]."""
    n, few = sizes.channels, sizes.half
    first = _empty(1, 3, sizes.screens * sizes.planes, few)
    half, down = _empty(2, 3, padded(few), few), _empty(2, 3, padded(few), n)
    same, heads = _empty(SAME, 3, padded(n), n), _empty(3, 1, padded(n), sizes.head_planes)
    actions = np.zeros((sizes.actions, 3, 3, padded(n)), np.float32)
    at = _move_trunk(vector, False, sizes, first, half, down, same, actions)
    reward1, reward2, at = _read_head(vector, at, sizes, heads, REWARD, atoms(reward_support(sizes)))
    value1, value2, at = _read_head(vector, at, sizes, heads, VALUE, atoms(value_support(sizes)))
    policy1, policy2, at = _read_head(vector, at, sizes, heads, POLICY, sizes.actions)
    maps = _action_maps(actions, places_of(sizes))
    return Weights(first, half, down, same, heads, actions, maps, reward1, reward2, value1, value2, policy1, policy2)


@jit
def put_back(g, sizes, gradient):
    """Writes what has been added to the copies of a gradient [P], which `weights_of` made, to where it came from."""
    places = places_of(sizes)
    ones = _ones(places)
    for a in range(sizes.actions):
        add_weights(ones, 1, 1, g.maps[a], g.actions[a], places)
    at = _move_trunk(gradient, True, sizes, g.first, g.half, g.down, g.same, g.actions)
    at = _write_head(gradient, at, sizes, g.heads, REWARD, atoms(reward_support(sizes)), (g.reward1, g.reward2))
    at = _write_head(gradient, at, sizes, g.heads, VALUE, atoms(value_support(sizes)), (g.value1, g.value2))
    _write_head(gradient, at, sizes, g.heads, POLICY, sizes.actions, (g.policy1, g.policy2))


@jit
def turned(weights):
    """Weights [L, window, window * C, C'] as those of convolutions of gradients: [L, window, window * C', C]."""
    L, window, seen, n_out = weights.shape
    n_in = seen // window
    out = np.empty((L, window, window * n_out, n_in), np.float32)
    last = window - 1
    for i in range(L):
        for r in range(window):
            for c in range(window):
                for o in range(n_out):
                    for j in range(n_in):
                        out[i, r, c * n_out + o, j] = weights[i, last - r, (last - c) * n_in + j, o]
    return out


@jit
def columns_of(weights):
    """Weights [L, 3, 3 * C, C'] as what a pixel gives to all that its window saw: [L, 1, C', 9 * C]."""
    L, window, seen, n_out = weights.shape
    out = np.empty((L, 1, n_out, window * seen), np.float32)
    for i in range(L):
        for r in range(window):
            for j in range(seen):
                for o in range(n_out):
                    out[i, 0, o, r * seen + j] = weights[i, r, j, o]
    return out
