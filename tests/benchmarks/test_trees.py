"""Do both sides of the comparison grow the trees that pUCT grows where all values are 0?"""

import sys

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import page, trees
from benchmarks.trees import free


def visits(model: trees.Free) -> np.ndarray:
    """Of the roots, by the formula: every node takes the action of the largest prior / (1 + visits)."""
    logits = model.prior_logits.astype(np.float64)
    priors = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found = []
    for row in range(priors.shape[1]):
        nodes = [{"prior": priors[0, row], "visits": np.zeros(2), "children": {}}]
        for simulation in range(1, len(priors)):
            node = nodes[0]
            while True:
                action = int(np.argmax(node["prior"] / (1 + node["visits"])))
                node["visits"][action] += 1
                if action not in node["children"]:
                    node["children"][action] = {
                        "prior": priors[simulation, row], "visits": np.zeros(2), "children": {},
                    }  # fmt: skip
                    break
                node = node["children"][action]
        found.append(nodes[0]["visits"])
    return np.array(found)


@pytest.mark.parametrize("roots", [7, 200])  # one part, two parts
def test_ours(roots: int):
    model = free(roots, simulations=20)
    assert np.array_equal(trees.ours(model)(), visits(model))


@pytest.mark.skipif(not (page.ROOT / bench.PEERS).exists(), reason="gumbel-mcts is not installed: make .venv/peers")
def test_theirs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(page.ROOT / bench.PEERS))
    model = free(7, simulations=20)
    search = trees.theirs(model)
    assert np.array_equal(search(), visits(model))
    assert np.array_equal(search(), visits(model))  # nothing is left of the first
    sys.modules.pop("kernels", None)


def test_trees_that_differ_are_not_compared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trees, "theirs", lambda model: lambda: np.zeros((len(model.latents), 2)))
    with pytest.raises(RuntimeError, match="the trees of 4 roots differ"):
        trees.measured(4)
