"""Compiled h, g and f of MLP agents: what `nets.mlp` defines in torch operations."""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.heads import RELU, dense
from muzero_probe.cpu.parameters import atoms, first_layer, reward_support, value_support
from muzero_probe.cpu.rows import biases_of_actions, decode, inlined, min_max, padded
from muzero_probe.exact.products import NO_LIMIT, product
from muzero_probe.nets.mlp import WINDOW


class Scratch(NamedTuple):
    """Activations of some rows."""

    hidden: np.ndarray  # [m, padded H]
    latents: np.ndarray  # [m, padded D]
    inverses: np.ndarray  # [m], see `rows.min_max`
    reward_logits: np.ndarray  # [m, padded atoms]
    value_logits: np.ndarray  # [m, padded atoms]
    policy_logits: np.ndarray  # [m, padded A]


@inlined
def scratch_for(sizes, m):
    """Uninitialised scratch."""
    return Scratch(
        np.empty((m, padded(sizes.hidden)), np.float32),
        np.empty((m, padded(sizes.latent)), np.float32),
        np.empty(m, np.float32),
        np.empty((m, padded(atoms(reward_support(sizes)))), np.float32),
        np.empty((m, padded(atoms(value_support(sizes)))), np.float32),
        np.empty((m, padded(sizes.actions)), np.float32),
    )


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
