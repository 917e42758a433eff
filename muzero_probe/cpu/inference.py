"""Compiled initial and recurrent inference of MLP agents: what `nets.mlp` defines in torch operations.

One seed at a time, so that its weights stay in the core's cache. All functions release the interpreter lock and run on
one thread. A row's result depends on the row and the weights alone, bit for bit: not on the other rows, their number,
an address or the processor (see `products`).
"""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.parameters import atoms, first_layer, reward_support, value_support, weights_of
from muzero_probe.cpu.rows import biases_of_actions, decode, inlined, min_max, padded
from muzero_probe.exact.products import NO_LIMIT, product
from muzero_probe.nets.mlp import WINDOW

TILE = 64  # most rows of one pass: their activations stay in the first-level cache between two products

RELU = np.float32(0.0)  # of `product`


class Scratch(NamedTuple):
    """Activations of up to TILE rows."""

    hidden: np.ndarray  # [TILE, padded H]
    latents: np.ndarray  # [TILE, padded D]
    inverses: np.ndarray  # [TILE], see `rows.min_max`
    reward_logits: np.ndarray  # [TILE, padded atoms]
    value_logits: np.ndarray  # [TILE, padded atoms]
    policy_logits: np.ndarray  # [TILE, padded A]


@inlined
def scratch_for(sizes, rows):
    """Uninitialised scratch."""
    return Scratch(
        np.empty((rows, padded(sizes.hidden)), np.float32),
        np.empty((rows, padded(sizes.latent)), np.float32),
        np.empty(rows, np.float32),
        np.empty((rows, padded(atoms(reward_support(sizes)))), np.float32),
        np.empty((rows, padded(atoms(value_support(sizes)))), np.float32),
        np.empty((rows, padded(sizes.actions)), np.float32),
    )


@inlined
def segment_end(row_seeds, start):
    """Behind the last row of the seed that row `start` belongs to."""
    end = start
    while end < row_seeds.size and row_seeds[end] == row_seeds[start]:
        end += 1
    return end


@jit
def dense(x, layer, out, least):
    """Writes out [m, n] = max(x weights + bias, least)."""
    product(x, layer.weights, layer.bias, out, least)


@jit
def windows(observations, sizes):
    """What every 3 x 3 window of the images [m, O] sees, [m * places, 9 * planes]; a pixel's planes side by side."""
    width, planes = sizes.width, sizes.planes
    tops, lefts = sizes.height - WINDOW + 1, width - WINDOW + 1
    m = observations.shape[0]
    out = np.empty((m * tops * lefts, WINDOW * WINDOW * planes), np.float32)
    row = 0
    for i in range(m):
        for top in range(tops):
            for left in range(lefts):
                for r in range(WINDOW):
                    start = ((top + r) * width + left) * planes
                    for j in range(WINDOW * planes):
                        out[row, r * WINDOW * planes + j] = observations[i, start + j]
                row += 1
    return out


@jit
def predict(w, sizes, m, scratch, values, logits):
    """Evaluates f at the latents of the scratch: writes values [m] and policy logits [m, A]."""
    z, hidden = scratch.latents[:m], scratch.hidden[:m]
    dense(z, w.value1, hidden, RELU)
    dense(hidden, w.value2, scratch.value_logits[:m], NO_LIMIT)
    decode(scratch.value_logits, m, sizes.value_low, values)
    dense(z, w.policy1, hidden, RELU)
    dense(hidden, w.policy2, scratch.policy_logits[:m], NO_LIMIT)
    for i in range(m):
        for a in range(logits.shape[1]):
            logits[i, a] = scratch.policy_logits[i, a]


@jit
def represent(w, sizes, observations, scratch):
    """Evaluates h: writes the latents of observations [m, O] into the scratch."""
    m = observations.shape[0]
    _, _, places = first_layer(sizes)
    if places > 1:
        convolved = np.empty((m * places, w.h1.bias.size), np.float32)
        dense(windows(observations, sizes), w.h1, convolved, RELU)
        first = convolved.reshape(m, places * w.h1.bias.size)
        dense(first, w.h2, scratch.latents[:m], NO_LIMIT)
    else:
        dense(observations, w.h1, scratch.hidden[:m], RELU)
        dense(scratch.hidden[:m], w.h2, scratch.latents[:m], NO_LIMIT)
    min_max(scratch.latents, m, sizes.latent, scratch.latents, scratch.inverses)


@jit
def advance(w, sizes, states, taken, scratch, rewards):
    """Evaluates g at states [m, D or more] and actions [m]: writes latents into the scratch, and rewards [m]."""
    m = taken.size
    z, hidden = scratch.latents[:m], scratch.hidden[:m]
    biases_of_actions(w.g1.bias, w.actions, taken, hidden)
    product(states, w.g1.weights, hidden, hidden, RELU)
    dense(hidden, w.g2, z, NO_LIMIT)
    min_max(scratch.latents, m, sizes.latent, scratch.latents, scratch.inverses)
    dense(z, w.reward1, hidden, RELU)
    dense(hidden, w.reward2, scratch.reward_logits[:m], NO_LIMIT)
    decode(scratch.reward_logits, m, sizes.reward_low, rewards)


@jit
def root(theta, sizes, row_seeds, observations, latents, values, logits):
    """Initial inference h then f.

    Args:
        theta: [S, P] parameters.
        sizes: `Sizes`.
        row_seeds: [B] index into S of every row, ascending.
        observations: [B, O].
        latents: [B, D], values [B], logits [B, A]: written.
    """
    scratch = scratch_for(sizes, TILE)
    start = 0
    while start < row_seeds.size:
        end = segment_end(row_seeds, start)
        w = weights_of(theta[row_seeds[start]], sizes)
        for a in range(start, end, TILE):
            b = min(a + TILE, end)
            represent(w, sizes, observations[a:b], scratch)
            latents[a:b] = scratch.latents[: b - a, : sizes.latent]
            predict(w, sizes, b - a, scratch, values[a:b], logits[a:b])
        start = end


@jit
def step(theta, sizes, row_seeds, states, taken, latents, rewards, values, logits):
    """Recurrent inference: g, its reward, then f.

    Args:
        theta: [S, P] parameters.
        sizes: `Sizes`.
        row_seeds: [B] index into S of every row, ascending.
        states: [B, D].
        taken: [B] actions.
        latents: [B, D], rewards [B], values [B], logits [B, A]: written.
    """
    scratch = scratch_for(sizes, TILE)
    start = 0
    while start < row_seeds.size:
        end = segment_end(row_seeds, start)
        w = weights_of(theta[row_seeds[start]], sizes)
        for a in range(start, end, TILE):
            b = min(a + TILE, end)
            advance(w, sizes, states[a:b], taken[a:b], scratch, rewards[a:b])
            latents[a:b] = scratch.latents[: b - a, : sizes.latent]
            predict(w, sizes, b - a, scratch, values[a:b], logits[a:b])
        start = end


@jit
def unroll(w, sizes, plans, scratch, rewards):
    """Rewards [m, T] along plans [m, T] from the latents of the scratch, which move."""
    m, T = plans.shape
    for t in range(T):
        advance(w, sizes, scratch.latents[:m], plans[:, t], scratch, scratch.inverses[:m])
        for i in range(m):
            rewards[i, t] = scratch.inverses[i]


@jit
def rollout(theta, sizes, row_seeds, states, plans, rewards):
    """Rewards [B, T] that g predicts along plans [B, T] from latents states [B, D]."""
    scratch = scratch_for(sizes, TILE)
    start = 0
    while start < row_seeds.size:
        end = segment_end(row_seeds, start)
        w = weights_of(theta[row_seeds[start]], sizes)
        for a in range(start, end, TILE):
            b = min(a + TILE, end)
            scratch.latents[: b - a, : sizes.latent] = states[a:b]
            unroll(w, sizes, plans[a:b], scratch, rewards[a:b])
        start = end
