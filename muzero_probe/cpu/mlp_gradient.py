"""The loss of an MLP agent and its gradient, in compiled code; the tests hold it against autograd.

CHUNK rows of the batch at a time: what the unrolled rows leave behind for the way back stays in the core's cache.
Gradients are summed over rows in their order, chunk by chunk. Everything is row-major, as in `mlp`: the gradient of
weights, x^T dy, is then a product without a transposed copy.
"""

import numpy as np

from muzero_probe.compiled import jit
from muzero_probe.cpu.heads import RELU, backward, dense, forward, head_of, transposed, work_for
from muzero_probe.cpu.mlp import windows
from muzero_probe.cpu.parameters import (
    atoms,
    first_layer,
    put_back,
    reward_support,
    value_support,
    weights_of,
)
from muzero_probe.cpu.rows import (
    add_rows,
    add_rows_by_action,
    biases_of_actions,
    mask_and_add,
    min_max,
    min_max_backward,
    padded,
    policy_loss,
    two_hot_loss,
)
from muzero_probe.exact.products import NO_LIMIT, product

CHUNK = 32  # rows; measured: 16 and 64 do as well


@jit
def loss_and_gradient(p, sizes, batch, losses, grad):
    """Weighted MuZero loss of one seed and its gradient by all parameters.

    The heads wait for the way back, so that of the K steps only latents and hidden activations are kept.

    Args:
        p: [P] parameters.
        sizes: `parameters.Sizes`.
        batch: `Rows`.
        losses: [3] written: reward, value, policy.
        grad: [P] written.
    """
    K, B = batch.actions.shape
    D, H = sizes.latent, sizes.hidden
    w = weights_of(p, sizes)
    grad[:] = np.float32(0.0)
    g = weights_of(grad, sizes)
    half = np.float32(0.5)  # of the gradient passes a dynamics step
    rewards, values = reward_support(sizes), value_support(sizes)
    reward = head_of(sizes, w.reward1, w.reward2, atoms(rewards), g.reward1, g.reward2)
    value = head_of(sizes, w.value1, w.value2, atoms(values), g.value1, g.value2)
    policy = head_of(sizes, w.policy1, w.policy2, sizes.actions, g.policy1, g.policy2)
    g1_back = transposed(w.g1.weights, H, half)
    g2_back = transposed(w.g2.weights, D, np.float32(1.0))
    h2_back = transposed(w.h2.weights, D, np.float32(1.0))
    _, _, places = first_layer(sizes)
    features = places * w.h1.bias.size
    latents = np.empty((K + 1, CHUNK, padded(D)), np.float32)
    hiddens = np.empty((K, CHUNK, padded(H)), np.float32)
    inverses = np.empty((K + 1, CHUNK), np.float32)
    reward_logits = np.empty((CHUNK, reward.second.bias.size), np.float32)
    value_logits = np.empty((CHUNK, value.second.bias.size), np.float32)
    policy_logits = np.empty((CHUNK, policy.second.bias.size), np.float32)
    first = np.empty((CHUNK * places, w.h1.bias.size), np.float32)
    dfirst = np.empty((CHUNK * places, w.h1.bias.size), np.float32)
    work = work_for(sizes, CHUNK, max(padded(D), padded(H), features))
    dz, dx = np.empty((CHUNK, padded(D)), np.float32), np.empty((CHUNK, padded(D)), np.float32)
    losses[:] = 0.0
    for a in range(0, B, CHUNK):
        b = min(a + CHUNK, B)
        m = b - a
        seen = windows(batch.observations[a:b], sizes) if places > 1 else batch.observations[a:b]
        dense(seen, w.h1, first[: m * places], RELU)
        dense(first.reshape(CHUNK, features)[:m], w.h2, latents[0, :m], NO_LIMIT)
        min_max(latents[0], m, D, latents[0], inverses[0])
        for k in range(1, K + 1):
            hidden = hiddens[k - 1]
            biases_of_actions(w.g1.bias, w.actions, batch.actions[k - 1, a:b], hidden)
            product(latents[k - 1], w.g1.weights, hidden, hidden[:m], RELU)
            dense(hidden, w.g2, latents[k, :m], NO_LIMIT)
            min_max(latents[k], m, D, latents[k], inverses[k])

        dz[:] = np.float32(0.0)
        for k in range(K, -1, -1):
            z = latents[k]
            forward(value, z, m, work.hidden, value_logits)
            losses[1] += two_hot_loss(
                value_logits, m, values, batch.values[k, a:b], batch.value_weights[k, a:b], work.totals
            )
            backward(value, z, m, work, value_logits, dz)
            forward(policy, z, m, work.hidden, policy_logits)
            losses[2] += policy_loss(
                policy_logits, m, batch.policies[k, a:b], batch.policy_weights[k, a:b], work.totals
            )
            backward(policy, z, m, work, policy_logits, dz)
            if k == 0:
                break
            forward(reward, z, m, work.hidden, reward_logits)
            losses[0] += two_hot_loss(
                reward_logits, m, rewards, batch.rewards[k - 1, a:b], batch.reward_weights[k - 1, a:b], work.totals
            )
            backward(reward, z, m, work, reward_logits, dz)
            # through g into step k - 1
            hidden, dhidden = hiddens[k - 1], work.hidden_gradient
            min_max_backward(z, inverses[k], m, dz, dx)
            add_rows(g.g2.bias, dx, m)
            product(hidden[:m].T, dx[:m], g.g2.weights, g.g2.weights, NO_LIMIT)
            product(dx, g2_back, work.zeros, dhidden[:m], NO_LIMIT)
            mask_and_add(dhidden, hidden, m, g.g1.bias)
            add_rows_by_action(g.actions, dhidden, m, batch.actions[k - 1, a:b])
            product(latents[k - 1, :m].T, dhidden[:m], g.g1.weights, g.g1.weights, NO_LIMIT)
            product(dhidden, g1_back, work.zeros, dz[:m], NO_LIMIT)

        min_max_backward(latents[0], inverses[0], m, dz, dx)
        add_rows(g.h2.bias, dx, m)
        product(first.reshape(CHUNK, features)[:m].T, dx[:m], g.h2.weights, g.h2.weights, NO_LIMIT)
        product(dx, h2_back, work.zeros, dfirst.reshape(CHUNK, features)[:m], NO_LIMIT)
        mask_and_add(dfirst, first, m * places, g.h1.bias)
        product(seen.T, dfirst[: m * places], g.h1.weights, g.h1.weights, NO_LIMIT)
    put_back(g, sizes, grad)
