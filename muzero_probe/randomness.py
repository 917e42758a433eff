"""Random streams: every seed owns one per purpose, so that no use of chance disturbs another."""

import math
import zlib
from typing import Any

import numpy as np

from muzero_probe import door
from muzero_probe.compiled import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # odd, 2^64 / golden ratio: steps of a Weyl sequence


def stream(seed: int, purpose: str, *labels: int) -> np.random.Generator:
    """Returns the generator of a seed for a purpose ("weights", "resets", ...) and further labels, all >= 0.

    It depends on nothing else: a seed draws the same alone and in a population.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *labels]))


def restore(rng: np.random.Generator, state: Any) -> None:
    """Puts a stream into a state that `rng.bit_generator.state` gave.

    Raises:
        TypeError: if it is no state.
        ValueError: if it is another generator's, or numbers lie out of range.
    """
    name = type(rng.bit_generator).__name__
    wanted = {"bit_generator", "state", "has_uint32", "uinteger"}
    if not isinstance(state, dict) or state.keys() != wanted or state["bit_generator"] != name:
        raise ValueError(f"the state of a random stream must be one of {name}, with {', '.join(sorted(wanted))}")
    inner = state["state"]
    if not isinstance(inner, dict) or inner.keys() != {"state", "inc"}:
        raise ValueError("the state of a random stream must have state and inc")
    for what, value, most in (
        ("state", inner["state"], 2**128 - 1),
        ("inc", inner["inc"], 2**128 - 1),
        ("has_uint32", state["has_uint32"], 1),
        ("uinteger", state["uinteger"], 2**32 - 1),
    ):
        door.whole(f"{what} of a random stream", value, 0, most)
    if inner["inc"] % 2 == 0:
        raise ValueError("inc of a random stream must be odd")
    rng.bit_generator.state = state


def row_keys(seed: int, purpose: str, rows: int, *labels: int) -> np.ndarray:
    """Returns `rows` keys [rows] uint64 of independent counter-based streams (see `search.leaves`)."""
    return stream(seed, purpose, *labels).integers(0, 2**63, rows, dtype=np.uint64)


@jit
def mix(x):
    """The finaliser of SplitMix64 (Steele et al. 2014): a bijection of uint64 that scatters neighbours."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@jit
def branches(keys, labels):
    """Returns the keys [B] uint64 of a stream of their own for every label [B] >= 0 of the rows' streams."""
    out = np.empty_like(keys)
    for b in range(keys.size):
        out[b] = mix(keys[b] + GOLDEN * np.uint64(labels[b] + 1))
    return out


@jit
def advance(keys, index):
    """Returns the keys [B] uint64 of the rows' streams at a time index >= 0."""
    return branches(keys, np.full(keys.size, index))


@jit
def uniforms(keys):
    """Returns one uniform draw [B] float64 in [0, 1) per key."""
    out = np.empty(keys.size)
    for b in range(keys.size):
        out[b] = (mix(keys[b] ^ GOLDEN) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
    return out


@jit
def _hashed(words):
    """Keys [B] uint64 of rows of words [B, W] uint64."""
    out = np.empty(len(words), np.uint64)
    for b in range(len(words)):
        found = GOLDEN
        for w in range(words.shape[1]):
            found = mix((found ^ words[b, w]) + GOLDEN)
        out[b] = found
    return out


def observation_keys(observations: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Returns keys [B] uint64 that depend on the bytes of a row's observation and, where given, its label [B] >= 0."""
    observations = np.ascontiguousarray(observations)
    if observations.dtype.hasobject:
        raise TypeError(f"observations must be numbers, not {observations.dtype}")
    flat = observations.reshape(len(observations), math.prod(observations.shape[1:]))
    size = flat.dtype.itemsize * flat.shape[1]
    padded = np.zeros((len(flat), -(-size // 8) * 8), np.uint8)
    padded[:, :size] = flat.view(np.uint8)
    words = padded.view(np.uint64)
    if labels is not None:
        door.array("seeds of the rows", labels, (len(observations),), door.INTEGERS, low=0)
        words = np.column_stack([labels.astype(np.uint64), words])
    return _hashed(words)


@jit
def random_plans(keys, simulation, steps, num_actions):
    """Uniform actions [B, steps] int64 that depend on (key of the row, simulation, step) alone."""
    B = keys.size
    plans = np.empty((B, steps), np.int64)
    for b in range(B):
        stream = mix(keys[b] + GOLDEN * np.uint64(simulation + 1))
        for t in range(steps):
            draw = mix(stream + GOLDEN * np.uint64(t + 1)) >> np.uint64(32)
            plans[b, t] = np.int64((draw * np.uint64(num_actions)) >> np.uint64(32))
    return plans
