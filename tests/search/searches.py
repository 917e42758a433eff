"""With which leaves and arguments do tests search, and when are two searches the same?"""

from typing import Any

import numpy as np

from muzero_probe.randomness import row_keys
from muzero_probe.search.leaves import RolloutLeaf, ValueLeaf
from muzero_probe.search.mcts import SearchResult

LEAVES = {"value": ValueLeaf(), "rollout": RolloutLeaf(horizon=6), "long rollout": RolloutLeaf(horizon=40)}


def arguments(model: Any, B: int, *, noise: bool, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "noise": rng.dirichlet(np.full(model.num_actions, 0.3), B) if noise else None,
        "keys": row_keys(seed, "test", B),
    }


def assert_same(a: SearchResult, b: SearchResult) -> None:
    """Bit for bit, the trees and trajectories included."""
    assert np.array_equal(a.visits, b.visits) and np.array_equal(a.values, b.values)
    assert all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a.said, b.said, strict=True))
    if a.record is None or b.record is None:
        assert a.record is b.record
        return
    # unused entries of a tree are initialised, so that whole arrays compare
    for x, y in zip((*a.record.tree, *a.record[1:]), (*b.record.tree, *b.record[1:]), strict=True):
        assert np.array_equal(x, y)
