"""The loss of a residual agent and its gradient, in compiled code; the tests hold it against autograd.

CHUNK rows of the batch at a time; gradients are summed over rows in their order, chunk by chunk. Of the unrolled steps
h's and g's layers are kept, f's are computed on the way back, as in `mlp_gradient`.
"""

from typing import NamedTuple

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.heads import Work as HeadWork
from muzero_probe.cpu.heads import backward, forward, head_of, work_for
from muzero_probe.cpu.parameters import atoms, reward_support, value_support
from muzero_probe.cpu.planes import (
    add_convolution,
    add_weights,
    convolve,
    from_latents,
    normalise_backward,
    pool_backward,
    scatter,
    to_latents,
)
from muzero_probe.cpu.residual import (
    AT_BLOCK,
    AT_DOWN_1,
    AT_DOWN_2,
    AT_HALF_BLOCK,
    AT_POOLED_BLOCK,
    AT_SKIP,
    FIRST,
    POOLED,
    Kept,
    block,
    encode,
    encoder_for,
    head_planes,
    kept_for,
    move,
    scaled_latents,
)
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
    Convolutions,
    columns_of,
    places_of,
    put_back,
    turned,
    weights_of,
)
from muzero_probe.cpu.rows import inlined, min_max_backward, padded, policy_loss, two_hot_loss

CHUNK = 8  # rows

ZERO = np.float32(0.0)
HALF = np.float32(0.5)  # of the gradient passes a dynamics step


class Trained(NamedTuple):
    """Convolutions of a kind, their gradients, and the weights by which a gradient goes back through them."""

    forth: Convolutions
    gradient: Convolutions
    back: np.ndarray  # see `turned`; `columns_of` those that shrink


class Nets(NamedTuple):
    """All convolutions of one seed."""

    first: Trained
    half: Trained
    down: Trained
    same: Trained
    heads: Trained


class Room(NamedTuple):
    """Gradients by activations of all sizes: three of each, the first one that which is passed on."""

    half: np.ndarray  # [3, m, H + 2, W + 2, C]
    quarter: np.ndarray
    eighth: np.ndarray
    last: np.ndarray
    columns: np.ndarray  # [m, H, W, 9 * C], of `scatter`


class Heads(NamedTuple):
    """What a head leaves behind for its way back."""

    kept: Kept  # of all heads' planes
    dplanes: np.ndarray  # [m, H, W, padded planes]
    dlayer: np.ndarray  # [m, H + 2, W + 2, padded planes]
    work: HeadWork


@inlined
def _nets(w, g):
    return Nets(
        Trained(w.first, g.first, w.first.weights),  # behind it lie pixels
        Trained(w.half, g.half, turned(w.half.weights)),
        Trained(w.down, g.down, columns_of(w.down.weights)),
        Trained(w.same, g.same, turned(w.same.weights)),
        Trained(w.heads, g.heads, turned(w.heads.weights)),
    )


@jit
def _room(e):
    """Of h's gradients, for the rows of an `Encoder`."""
    _, m, H, W, _ = e.quarter.normal.shape
    C = e.half.normal.shape[4]
    return Room(
        np.zeros(e.half.out.shape, np.float32),
        np.zeros((3, *e.quarter.out.shape[1:]), np.float32),
        np.zeros(e.eighth.out.shape, np.float32),
        np.zeros(e.last.out.shape, np.float32),
        np.empty((m, H, W, 9 * C), np.float32),
    )


@jit
def layer_backward(x, m, stride, net, i, kept, at, dout, dlayer):
    """Takes the gradient by a layer's output, which is made 0 where that is 0, to that by its convolution's.

    Adds the gradients of the layer's parameters; x is what it convolved. See `planes.normalise_backward`.
    """
    y, g = kept.normal[at], net.gradient
    normalise_backward(
        y, kept.inverse[at], m, g.planes, net.forth.scale[i], kept.out[at], dout, dlayer, (g.scale[i], g.shift[i])
    )
    add_weights(x, m, stride, dlayer, g.weights[i], (y.shape[1], y.shape[2]))


@jit
def block_backward(x, m, net, i, kept, at, room):
    """Takes the gradient room[0] by a block's output to that by its input x."""
    _, _, H, W, _ = kept.normal.shape
    dout, dlayer, dinner = room[0], room[1], room[2]
    layer_backward(kept.out[at], m, 1, net, i + 1, kept, at + 1, dout, dlayer)
    convolve(dlayer, m, 1, net.back[i + 1], dinner, (H, W))
    layer_backward(x, m, 1, net, i, kept, at, dinner, dlayer)
    add_convolution(dlayer, m, net.back[i], dout, (H, W))


@jit
def _pooled_backward(x, m, net, i, kept, room, dx):
    """Takes the gradient room[0] by the block behind a pooling to that by what was pooled."""
    pooled = kept.out[POOLED]
    block_backward(pooled, m, net, i, kept, AT_POOLED_BLOCK, room)
    if pooled.shape == x.shape:
        dx[:m] = room[0, :m]
        return
    dx[:m] = ZERO
    pool_backward(x, m, pooled, room[0], dx, (pooled.shape[1] - 2, pooled.shape[2] - 2))


@jit
def encode_backward(m, nets, e, room):
    """Adds the gradients of h's parameters; room.last[0] is that by its last layer's output."""
    _, _, H, W, _ = e.quarter.normal.shape
    same, quarter = nets.same, e.quarter
    _pooled_backward(e.eighth.out[AT_POOLED_BLOCK + 1], m, same, LAST, e.last, room.last, room.eighth[0])
    _pooled_backward(quarter.out[AT_BLOCK + 1], m, same, EIGHTH, e.eighth, room.eighth, room.quarter[0])
    block_backward(quarter.out[AT_DOWN_2], m, same, QUARTER, quarter, AT_BLOCK, room.quarter)
    # the block that shrinks
    dout, dlayer, dinner = room.quarter[0], room.quarter[1], room.quarter[2]
    layer_backward(quarter.out[AT_DOWN_1], m, 1, same, DOWN_2, quarter, AT_DOWN_2, dout, dlayer)
    convolve(dlayer, m, 1, same.back[DOWN_2], dinner, (H, W))
    x, down = e.half.out[AT_HALF_BLOCK + 1], nets.down
    layer_backward(x, m, 2, down, DOWN_1, quarter, AT_DOWN_1, dinner, dlayer)
    dskip, g = dinner, down.gradient
    normalise_backward(
        quarter.normal[AT_SKIP], quarter.inverse[AT_SKIP], m, g.planes, down.forth.scale[DOWN_SKIP], None, dout, dskip,
        (g.scale[DOWN_SKIP], g.shift[DOWN_SKIP]),
    )  # fmt: skip
    add_weights(x, m, 2, dskip, g.weights[DOWN_SKIP], (H, W))
    dx = room.half[0]
    dx[:m] = ZERO
    convolve(dlayer, m, 1, down.back[DOWN_1], room.columns, (H, W))
    add_convolution(dskip, m, down.back[DOWN_SKIP], room.columns, (H, W))
    scatter(room.columns, m, dx)
    block_backward(e.half.out[FIRST], m, nets.half, 0, e.half, AT_HALF_BLOCK, room.half)
    layer_backward(e.pixels, m, 2, nets.first, 0, e.half, FIRST, room.half[0], room.half[1])


@jit
def _move_backward(x, m, nets, kept, at, taken, dmaps, room):
    """Takes the gradient room[0] by g's last layer to that by its bordered latents x; adds those by its parameters."""
    _, _, H, W, _ = dmaps.shape
    block_backward(kept.out[at], m, nets.same, G_BLOCK, kept, at + 1, room)
    dout, dlayer = room[0], room[1]
    layer_backward(x, m, 1, nets.same, G_FIRST, kept, at, dout, dlayer)
    for i in range(m):
        dmaps[taken[i], 0] += dlayer[i, 1 : H + 1, 1 : W + 1]
    add_convolution(dlayer, m, nets.same.back[G_FIRST], dout, (H, W))


@jit
def _head_forward(x, m, w, i, head, heads, logits):
    planes = head_planes(x, m, w, i, heads.kept)
    forward(head, planes, m, heads.work.hidden, logits)


@jit
def _head_backward(x, m, nets, i, head, heads, dlogits, dx):
    """Adds the gradients of head i's parameters, and of its bordered input x to dx."""
    _, _, H, W, C = heads.kept.normal.shape
    M = heads.dplanes.shape[0]
    heads.dplanes[:m] = ZERO
    planes, dplanes = heads.kept.out[i].reshape(M, H * W * C), heads.dplanes.reshape(M, H * W * C)
    backward(head, planes, m, heads.work, dlogits, dplanes)
    layer_backward(x, m, 1, nets.heads, i, heads.kept, i, heads.dplanes, heads.dlayer)
    add_convolution(heads.dlayer, m, nets.heads.back[i], dx, (H, W))


@jit
def loss_and_gradient(p, sizes, batch, losses, grad):
    """Weighted MuZero loss of one seed and its gradient by all parameters.

    Args:
        p: [P] parameters.
        sizes: `residual_parameters.Sizes`.
        batch: `updates.Rows`.
        losses: [3] written: reward, value, policy.
        grad: [P] written.
    """
    K, B = batch.actions.shape
    M = min(B, CHUNK)
    w = weights_of(p, sizes)
    grad[:] = ZERO
    g = weights_of(grad, sizes)
    nets = _nets(w, g)
    rewards, values = reward_support(sizes), value_support(sizes)
    reward = head_of(sizes, w.reward1, w.reward2, atoms(rewards), g.reward1, g.reward2)
    value = head_of(sizes, w.value1, w.value2, atoms(values), g.value1, g.value2)
    policy = head_of(sizes, w.policy1, w.policy2, sizes.actions, g.policy1, g.policy2)
    n, places, D = sizes.channels, places_of(sizes), padded(sizes.latent)
    H, W = places
    e = encoder_for(sizes, M)
    room = _room(e)
    images = np.zeros((K + 1, *e.last.out.shape[1:]), np.float32)  # latents with a border
    passed = np.zeros(e.last.out.shape[1:], np.float32)  # gradient by a latent that comes from the step behind it
    kept, of_f = kept_for(3 * K, M, places, padded(n), 1), kept_for(2, M, places, padded(n), 1)
    latents, inverses = np.empty((K + 1, M, D), np.float32), np.empty((K + 1, M), np.float32)
    dz, dx = np.zeros((M, D), np.float32), np.empty((M, D), np.float32)
    C = padded(sizes.head_planes)
    heads = Heads(
        kept_for(3, M, places, C, 0),
        np.empty((M, H, W, C), np.float32),
        np.zeros((M, H + 2, W + 2, C), np.float32),
        work_for(sizes, M, max(H * W * C, padded(sizes.hidden))),
    )
    totals = heads.work.totals
    reward_logits = np.empty((M, reward.second.bias.size), np.float32)
    value_logits = np.empty((M, value.second.bias.size), np.float32)
    policy_logits = np.empty((M, policy.second.bias.size), np.float32)
    losses[:] = 0.0
    for a in range(0, B, M):
        b = min(a + M, B)
        m = b - a
        encode(w, sizes, batch.observations[a:b], e, latents[0], inverses[0])
        from_latents(latents[0], m, n, places, images[0])
        for k in range(1, K + 1):
            at = 3 * (k - 1)
            move(w, sizes, m, images[k - 1], batch.actions[k - 1, a:b], kept, at)
            scaled_latents(kept.out[at + 2], m, sizes, latents[k], inverses[k])
            from_latents(latents[k], m, n, places, images[k])

        passed[:m] = ZERO
        for k in range(K, -1, -1):
            z, dout = images[k], room.last[0]
            dout[:m] = ZERO
            block(z, m, w.same, F_BLOCK, of_f, 0)
            _head_forward(of_f.out[1], m, w, VALUE, value, heads, value_logits)
            losses[1] += two_hot_loss(
                value_logits, m, values, batch.values[k, a:b], batch.value_weights[k, a:b], totals
            )
            _head_backward(of_f.out[1], m, nets, VALUE, value, heads, value_logits, dout)
            _head_forward(of_f.out[1], m, w, POLICY, policy, heads, policy_logits)
            losses[2] += policy_loss(policy_logits, m, batch.policies[k, a:b], batch.policy_weights[k, a:b], totals)
            _head_backward(of_f.out[1], m, nets, POLICY, policy, heads, policy_logits, dout)
            block_backward(z, m, nets.same, F_BLOCK, of_f, 0, room.last)
            if k > 0:
                _head_forward(z, m, w, REWARD, reward, heads, reward_logits)
                losses[0] += two_hot_loss(
                    reward_logits, m, rewards, batch.rewards[k - 1, a:b], batch.reward_weights[k - 1, a:b], totals
                )
                _head_backward(z, m, nets, REWARD, reward, heads, reward_logits, dout)
            dout[:m] += passed[:m]
            to_latents(dout, m, n, places, dz)
            min_max_backward(latents[k], inverses[k], m, dz, dx)
            from_latents(dx, m, n, places, dout)
            if k > 0:
                _move_backward(images[k - 1], m, nets, kept, 3 * (k - 1), batch.actions[k - 1, a:b], g.maps, room.last)
                passed[:m] = HALF * dout[:m]
        encode_backward(m, nets, e, room)
    put_back(g, sizes, grad)
