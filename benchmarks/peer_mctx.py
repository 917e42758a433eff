"""Simulations/s of `mctx.muzero_policy` on the nets and shapes of our search; run as a process of its own.

Prints one JSON object: {"<roots per seed>": simulations per second}.
"""

# pyright: reportMissingImports=false, reportCallIssue=false, reportArgumentType=false
import json
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import mctx

SEEDS, SIMULATIONS, OBSERVATION, WIDTH, ACTIONS, VALUE_ATOMS, REWARD_ATOMS = 30, 50, 4, 64, 2, 21, 5


def init(key):
    """Random weights of the same nets as `nets.mlp`, one set per seed."""
    shapes = {
        "h": (OBSERVATION, WIDTH), "g": (WIDTH + ACTIONS, WIDTH), "reward": (WIDTH, REWARD_ATOMS),
        "value": (WIDTH, VALUE_ATOMS), "policy": (WIDTH, ACTIONS),
    }  # fmt: skip
    params = {}
    for name, (n_in, n_out) in shapes.items():
        for layer, (i, o) in enumerate([(n_in, WIDTH), (WIDTH, n_out)]):
            key, sub = jax.random.split(key)
            params[f"{name}{layer}"] = jax.random.uniform(sub, (SEEDS, i, o), minval=-1, maxval=1) / i**0.5
    return params


def net(params, name, x):
    """Two layers per seed: x [S * R, in] -> [S * R, out]."""
    folded = x.reshape(SEEDS, -1, x.shape[-1])
    hidden = jax.nn.relu(jnp.einsum("sri,sio->sro", folded, params[f"{name}0"]))
    return jnp.einsum("sri,sio->sro", hidden, params[f"{name}1"]).reshape(len(x), -1)


def min_max(x):
    """Latents scaled to [0, 1]."""
    low, high = x.min(-1, keepdims=True), x.max(-1, keepdims=True)
    return (x - low) / jnp.maximum(high - low, 1e-5)


def decode(logits, low):
    """Scalar of a categorical distribution under the inverse of h(x)."""
    mean = jax.nn.softmax(logits) @ (jnp.arange(logits.shape[-1]) + low)
    root = (jnp.sqrt(1 + 0.004 * (jnp.abs(mean) + 1.001)) - 1) / 0.002
    return jnp.sign(mean) * (root**2 - 1)


def recurrent(params, key, action, latent):
    """One step of g and f."""
    following = min_max(net(params, "g", jnp.concatenate([latent, jax.nn.one_hot(action, ACTIONS)], -1)))
    output = mctx.RecurrentFnOutput(
        reward=decode(net(params, "reward", following), -2),
        discount=jnp.full(len(latent), 0.997),
        prior_logits=net(params, "policy", following),
        value=decode(net(params, "value", following), 0),
    )
    return output, following


@partial(jax.jit, static_argnames="roots")
def run(params, key, observations, roots):
    """One search from SEEDS x roots roots."""
    latent = min_max(net(params, "h", observations))
    root = mctx.RootFnOutput(
        prior_logits=net(params, "policy", latent), value=decode(net(params, "value", latent), 0), embedding=latent
    )
    return mctx.muzero_policy(params, key, root, recurrent, num_simulations=SIMULATIONS).action_weights


def main() -> None:
    """Times the shapes given on the command line."""
    key = jax.random.PRNGKey(0)
    params = init(key)
    rates = {}
    for roots in map(int, sys.argv[1:]):
        observations = jax.random.normal(key, (SEEDS * roots, OBSERVATION))
        run(params, key, observations, roots).block_until_ready()
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < 4:
            run(params, key, observations, roots).block_until_ready()
            count += 1
        rates[roots] = count * SEEDS * roots * SIMULATIONS / (time.perf_counter() - start)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
