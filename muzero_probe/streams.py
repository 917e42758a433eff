"""Random streams: every seed owns one per purpose, so that no use of chance disturbs another."""

import zlib

import numpy as np


def stream(seed: int, purpose: str, *labels: int) -> np.random.Generator:
    """Returns the generator of a seed for a purpose ("weights", "resets", ...) and further labels, all >= 0.

    It depends on nothing else: a seed draws the same alone and in a population.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *labels]))


def row_keys(seed: int, purpose: str, rows: int, *labels: int) -> np.ndarray:
    """Returns `rows` keys [rows] uint64 of independent counter-based streams (see `search.leaves`)."""
    return stream(seed, purpose, *labels).integers(0, 2**63, rows, dtype=np.uint64)
