"""Compiled initial and recurrent inference, for all nets that `kinds` knows.

One seed at a time, so that its weights stay in the core's cache. All functions release the interpreter lock and run on
one thread. A row's result depends on the row and the weights alone, bit for bit: not on the other rows, their number,
an address or the processor (see `products`).
"""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.kinds import advance, predict, represent, scratch_for, weights_of
from muzero_probe.cpu.rows import inlined

TILE = 64  # most rows of one pass: their activations stay in the first-level cache between two products


@inlined
def segment_end(row_seeds, start):
    """Behind the last row of the seed that row `start` belongs to."""
    end = start
    while end < row_seeds.size and row_seeds[end] == row_seeds[start]:
        end += 1
    return end


@jit
def root(theta, sizes, row_seeds, observations, latents, values, logits):
    """Initial inference h then f.

    Args:
        theta: [S, P] parameters.
        sizes: of the nets, see `kinds`.
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
        sizes: of the nets, see `kinds`.
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
    taken = np.empty(m, np.int64)
    for t in range(T):
        taken[:] = plans[:, t]
        advance(w, sizes, scratch.latents[:m], taken, scratch, scratch.inverses[:m])
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
