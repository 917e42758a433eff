"""Compiled h, g and f of residual agents, layer by layer: what `nets.residual` defines in torch operations.

What a layer computes is kept for the way back. Predictions use the same code, and let it be overwritten.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.heads import RELU, dense
from muzero_probe.cpu.parameters import atoms, reward_support, value_support
from muzero_probe.cpu.planes import add_convolution, convolve, from_latents, normalise, pool, to_latents
from muzero_probe.cpu.residual_parameters import (
    DOWN_1,
    DOWN_2,
    DOWN_SKIP,
    EIGHTH,
    F_BLOCK,
    G_BLOCK,
    G_FIRST,
    LAST,
    POLICY,
    QUARTER,
    REWARD,
    VALUE,
    halved,
    places_of,
)
from muzero_probe.cpu.rows import decode, inlined, min_max, padded
from muzero_probe.exact.products import NO_LIMIT
from muzero_probe.nets.residual import BRIGHTEST

IMAGES = 8  # rows of which h is computed side by side

# places in `Kept` of h's layers of a size
FIRST, AT_HALF_BLOCK = 0, 1  # of `Encoder.half`
AT_DOWN_1, AT_DOWN_2, AT_SKIP, AT_BLOCK = 0, 1, 2, 3  # of `Encoder.quarter`
POOLED, AT_POOLED_BLOCK = 0, 1  # of `Encoder.eighth` and `Encoder.last`


class Kept(NamedTuple):
    """Of layers of equal sizes, for some rows."""

    normal: np.ndarray  # [L, m, H, W, C] normalised, before scale and shift
    inverse: np.ndarray  # [L, m] of the deviation
    out: np.ndarray  # [L, m, H + 2, W + 2, C]; of heads [L, m, H, W, C]


class Encoder(NamedTuple):
    """What h leaves behind, by the side of its images."""

    pixels: np.ndarray  # [m, height + 2, width + 2, screens * planes]
    half: Kept
    quarter: Kept
    eighth: Kept
    last: Kept


class Scratch(NamedTuple):
    """Activations of g and f, of some rows."""

    latents: np.ndarray  # [m, padded D]
    inverses: np.ndarray  # [m], see `rows.min_max`
    image: np.ndarray  # [m, H + 2, W + 2, C], the latents with a border
    kept: Kept  # of g's three layers, of which f's block takes the last two
    planes: Kept  # of the heads
    hidden: np.ndarray  # [m, padded hidden]
    reward_logits: np.ndarray  # [m, padded atoms]
    value_logits: np.ndarray  # [m, padded atoms]
    policy_logits: np.ndarray  # [m, padded A]


@inlined
def kept_for(layers, m, places, C, border):
    """Room for layers; borders are 0."""
    H, W = places
    return Kept(
        np.empty((layers, m, H, W, C), np.float32),
        np.empty((layers, m), np.float32),
        np.zeros((layers, m, H + 2 * border, W + 2 * border, C), np.float32),
    )


@jit
def encoder_for(sizes, m):
    """Room for h of m rows."""
    n, few = padded(sizes.channels), padded(sizes.half)
    half = halved((sizes.height, sizes.width))
    quarter = halved(half)
    eighth = halved(quarter)
    return Encoder(
        np.zeros((m, sizes.height + 2, sizes.width + 2, sizes.screens * sizes.planes), np.float32),
        kept_for(3, m, half, few, 1),
        kept_for(5, m, quarter, n, 1),
        kept_for(3, m, eighth, n, 1),
        kept_for(3, m, places_of(sizes), n, 1),
    )


@jit
def scratch_for(sizes, m):
    """Room for g and f of m rows."""
    places, n = places_of(sizes), padded(sizes.channels)
    return Scratch(
        np.empty((m, padded(sizes.latent)), np.float32),
        np.empty(m, np.float32),
        np.zeros((m, places[0] + 2, places[1] + 2, n), np.float32),
        kept_for(3, m, places, n, 1),
        kept_for(3, m, places, padded(sizes.head_planes), 0),
        np.empty((m, padded(sizes.hidden)), np.float32),
        np.empty((m, padded(atoms(reward_support(sizes)))), np.float32),
        np.empty((m, padded(atoms(value_support(sizes)))), np.float32),
        np.empty((m, padded(sizes.actions)), np.float32),
    )


@jit
def layer(x, m, group, i, stride, kept, at, skip, least):
    """A convolution and the normalisation behind it, of m bordered images x.

    Args:
        x: [m, h, w, C]. group, i: which of `Convolutions`.
        kept, at: where it is kept. skip: image or None, and least: see `planes.normalise`.
    """
    y, inverse, out = kept.normal[at], kept.inverse[at], kept.out[at]
    convolve(x, m, stride, group.weights[i], y, (y.shape[1], y.shape[2]))
    normalise(y, inverse, m, group.planes, group.scale[i], group.shift[i], skip, least, out)


@jit
def block(x, m, group, i, kept, at):
    """A residual block: two convolutions, the first one at place i of its group, kept from `at` on."""
    layer(x, m, group, i, 1, kept, at, None, RELU)
    layer(kept.out[at], m, group, i + 1, 1, kept, at + 1, x, RELU)


@jit
def write_pixels(observations, sizes, out):
    """Writes observations [m, O], pixels 0 to 255, as images of all screens' planes, less the backdrop's, over 255."""
    h, w, planes = sizes.height, sizes.width, sizes.planes
    unit = np.float32(1.0 / BRIGHTEST)
    for i in range(len(observations)):
        for screen in range(sizes.screens):
            start = screen * h * w * planes
            for y in range(h):
                for x in range(w):
                    at = (y * w + x) * planes
                    for c in range(planes):
                        v = np.float32(observations[i, start + at + c]) - sizes.backdrop[at + c]
                        out[i, y + 1, x + 1, screen * planes + c] = v * unit


@jit
def encode(w, sizes, observations, e, latents, inverses):
    """Evaluates h at observations [m, O]: writes latents [m, padded D], and 1 / range [m]."""
    m = len(observations)
    write_pixels(observations, sizes, e.pixels)
    layer(e.pixels, m, w.first, 0, 2, e.half, FIRST, None, RELU)
    block(e.half.out[FIRST], m, w.half, 0, e.half, AT_HALF_BLOCK)
    x, quarter = e.half.out[AT_HALF_BLOCK + 1], e.quarter
    layer(x, m, w.down, DOWN_SKIP, 2, quarter, AT_SKIP, None, NO_LIMIT)
    layer(x, m, w.down, DOWN_1, 2, quarter, AT_DOWN_1, None, RELU)
    layer(quarter.out[AT_DOWN_1], m, w.same, DOWN_2, 1, quarter, AT_DOWN_2, quarter.out[AT_SKIP], RELU)
    block(quarter.out[AT_DOWN_2], m, w.same, QUARTER, quarter, AT_BLOCK)
    x = quarter.out[AT_BLOCK + 1]
    for kept, first in ((e.eighth, EIGHTH), (e.last, LAST)):
        pooled = kept.out[POOLED]
        if pooled.shape == x.shape:  # what shrinks by 8 is not pooled twice
            pooled[:m] = x[:m]
        else:
            pool(x, m, pooled, (pooled.shape[1] - 2, pooled.shape[2] - 2))
        block(kept.out[POOLED], m, w.same, first, kept, AT_POOLED_BLOCK)
        x = kept.out[AT_POOLED_BLOCK + 1]
    scaled_latents(x, m, sizes, latents, inverses)


@jit
def scaled_latents(x, m, sizes, latents, inverses):
    """Writes bordered images as latents [m, padded D], scaled to [0, 1], and 1 / range [m]."""
    to_latents(x, m, sizes.channels, places_of(sizes), latents)
    for i in range(m):
        for j in range(sizes.latent, latents.shape[1]):
            latents[i, j] = latents[i, 0]
    min_max(latents, m, sizes.latent, latents, inverses)


@jit
def move(w, sizes, m, image, taken, kept, at):
    """G's layers on bordered latents and actions [m]; the last one's output becomes the latent."""
    y = kept.normal[at]
    for i in range(m):
        y[i] = w.maps[taken[i], 0]
    add_convolution(image, m, w.same.weights[G_FIRST], y, places_of(sizes))
    scale, shift = w.same.scale[G_FIRST], w.same.shift[G_FIRST]
    normalise(y, kept.inverse[at], m, w.same.planes, scale, shift, image, RELU, kept.out[at])
    block(kept.out[at], m, w.same, G_BLOCK, kept, at + 1)


@jit
def head_planes(x, m, w, i, kept):
    """The convolution that head number i starts with: returns its planes, [m, places * padded planes]."""
    layer(x, m, w.heads, i, 1, kept, i, None, RELU)
    out = kept.out[i]
    return out.reshape(out.shape[0], out.shape[1] * out.shape[2] * out.shape[3])


@jit
def _logits(x, m, w, i, layers, scratch, logits):
    planes = head_planes(x, m, w, i, scratch.planes)
    dense(planes[:m], layers[0], scratch.hidden[:m], RELU)
    dense(scratch.hidden[:m], layers[1], logits[:m], NO_LIMIT)


@jit
def represent(w, sizes, observations, scratch):
    """Evaluates h: writes the latents of observations [m, O] into the scratch."""
    m = len(observations)
    e = encoder_for(sizes, min(m, IMAGES))
    for a in range(0, m, IMAGES):
        b = min(a + IMAGES, m)
        encode(w, sizes, observations[a:b], e, scratch.latents[a:b], scratch.inverses[a:b])


@jit
def predict(w, sizes, m, scratch, values, logits):
    """Evaluates f at the latents of the scratch: writes values [m] and policy logits [m, A]."""
    from_latents(scratch.latents, m, sizes.channels, places_of(sizes), scratch.image)
    block(scratch.image, m, w.same, F_BLOCK, scratch.kept, 1)
    x = scratch.kept.out[2]
    _logits(x, m, w, VALUE, (w.value1, w.value2), scratch, scratch.value_logits)
    decode(scratch.value_logits, m, sizes.value_low, values)
    _logits(x, m, w, POLICY, (w.policy1, w.policy2), scratch, scratch.policy_logits)
    for i in range(m):
        for a in range(logits.shape[1]):
            logits[i, a] = scratch.policy_logits[i, a]


@jit
def advance(w, sizes, states, taken, scratch, rewards):
    """Evaluates g at states [m, D or more] and actions [m]: writes latents into the scratch, and rewards [m]."""
    m = taken.size
    places = places_of(sizes)
    from_latents(states, m, sizes.channels, places, scratch.image)
    move(w, sizes, m, scratch.image, taken, scratch.kept, 0)
    scaled_latents(scratch.kept.out[2], m, sizes, scratch.latents, scratch.inverses)
    from_latents(scratch.latents, m, sizes.channels, places, scratch.image)
    _logits(scratch.image, m, w, REWARD, (w.reward1, w.reward2), scratch, scratch.reward_logits)
    decode(scratch.reward_logits, m, sizes.reward_low, rewards)
