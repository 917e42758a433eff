"""`python -m benchmarks.trees`: our trees against those of gumbel-mcts, on one core.

What is compared is the trees' own time, in one process and in turn. Nets cost nothing on either side: priors are
there before, values and rewards are 0, and a step copies the parent's latent. Where all Qs are 0, pUCT takes the
largest prior / (1 + visits) whatever its constants, so both grow the same trees, which is checked. Roots, simulations
and latents are those of Cart Pole's agents.

Both are called from the interpreter, twice a simulation: ours are `tree.descend` and `tree.grow`, in parts as `search`
makes them; theirs are the kernels of `gumbel_mcts.PUCT`, all roots in one storage as there. Ours take the softmax of
the priors' logits besides. The package (MIT, github.com/olivkoch/gumbel-mcts) has no rewards, no normalised Qs and no
draws among equal actions; values change sides.
"""

# pyright: reportMissingImports=false
import json
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from muzero_probe import agents, threads
from muzero_probe.search import tree as trees
from muzero_probe.search.mcts import partition
from muzero_probe.search.rules import RULES

ROUNDS = 3
SECONDS = 0.5  # of a round's turn
ROOTS = (30 * 8, 30 * 128)
LATENT, ACTIONS = 64, 2
SEARCH = agents.load("cartpole").config("paper").search


class Free(NamedTuple):
    """What a model that costs nothing answers for B roots."""

    prior_logits: np.ndarray  # [simulations + 1, B, A] float32, of the root and of every simulation's leaf
    latents: np.ndarray  # [B, D] float32, of the roots


def free(roots: int, simulations: int = SEARCH.simulations) -> Free:
    """Draws priors and latents."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((simulations + 1, roots, ACTIONS)).astype(np.float32)
    return Free(logits, rng.standard_normal((roots, LATENT)).astype(np.float32))


def ours(model: Free) -> Callable[[], np.ndarray]:
    """Returns our search, which returns the visits of the roots [B, A]."""
    simulations = len(model.prior_logits) - 1
    factors = trees.exploration_factors(simulations, SEARCH.c1, SEARCH.c2)
    plan = trees.Plan(RULES["muzero"], factors, False, SEARCH.discount, simulations, simulations, np.empty(0))
    nothing = np.zeros(len(model.latents), np.float32)
    keys = np.arange(len(model.latents), dtype=np.uint64)

    def search_part(part: slice) -> np.ndarray:
        B = part.stop - part.start
        tree = trees.allocate(rows=B, nodes=simulations + 1, actions=ACTIONS)
        trees.set_priors(tree, 0, model.prior_logits[0, part], plan.uniform)
        states = np.empty(((simulations + 1) * B, LATENT), np.float32)
        states[:B] = model.latents[part]
        paths, slots, taken = trees.empty_paths(B, plan.depth), np.empty(B, np.int64), np.empty(B, np.int64)
        for node in range(1, simulations + 1):
            trees.descend(tree, plan, keys[part], paths, slots, taken)
            states[node * B : (node + 1) * B] = states[slots]
            trees.grow(tree, plan, paths, node, model.prior_logits[node, part], nothing[part], nothing[part])
        return tree.visits[:, 0].copy()

    return lambda: np.concatenate([search_part(part) for part in partition(len(model.latents))])


def theirs(model: Free) -> Callable[[], np.ndarray]:
    """Returns the same search with the kernels of gumbel-mcts.

    Raises:
        ImportError: if it is not installed (`make .venv/peers`).
    """
    from kernels.puct_kernels import backpropagate_batch, select_leaves_batch

    B, simulations = len(model.latents), len(model.prior_logits) - 1
    weights = np.exp(model.prior_logits.astype(np.float64))
    priors = weights / weights.sum(-1, keepdims=True)
    N = (simulations + 1) * B  # nodes
    children, parents = np.empty((N, ACTIONS), np.int32), np.empty(N, np.int32)
    visits, values, prior_probs = np.empty(N, np.int32), np.empty(N), np.empty((N, ACTIONS))
    expanded, terminal, terminal_values = np.empty(N, np.bool_), np.empty(N, np.bool_), np.empty(N)
    boards, players = np.empty((N, LATENT), np.float32), np.empty(N, np.int8)
    edges, depths, free_node = np.empty(N, np.int16), np.empty(N, np.int32), np.empty(1, np.int32)
    roots, nothing = np.arange(B, dtype=np.int32), np.zeros(B)
    allowed = np.ones(ACTIONS, np.bool_)

    @numba.njit
    def step(board, action, player):
        return 0.0, 0, False, board

    @numba.njit
    def valid(board, player):
        return allowed

    def search() -> np.ndarray:
        # what `PUCT.initialize_roots` does, for all roots at once
        free_node[0] = B
        children[:B], parents[:B], visits[:B], values[:B], depths[:B] = -1, -1, 0, 0.0, 0
        expanded[:B], terminal[:B], players[:B] = True, False, 1
        boards[:B], prior_probs[:B] = model.latents, priors[0]
        backpropagate_batch(roots, nothing, parents, visits, values)
        for node in range(1, simulations + 1):
            leaves = select_leaves_batch(
                step, valid, ACTIONS, 1, -1, roots, roots, children, visits, values, prior_probs, expanded, terminal,
                terminal_values, boards, players, parents, edges, free_node, SEARCH.c2, SEARCH.c1, N, depths,
                simulations + 1,
            )  # fmt: skip
            expanded[leaves] = True
            prior_probs[leaves] = priors[node]
            backpropagate_batch(leaves, nothing, parents, visits, values)
        return np.where(children[:B] < 0, 0, visits[children[:B]])

    return search


def measured(roots: int) -> tuple[float, float, float]:
    """Returns medians of our simulations/s, theirs, and the ratio of a round.

    Raises:
        RuntimeError: if the trees differ.
    """
    model = free(roots)
    sides = ours(model), theirs(model)
    if not np.array_equal(sides[0](), sides[1]()):
        raise RuntimeError(f"the trees of {roots} roots differ")
    rates: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for search, found in zip(sides, rates, strict=True):
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS:
                search()
                count += 1
            found.append(count * roots * SEARCH.simulations / (time.perf_counter() - start))
    ratios = [a / b for a, b in zip(*rates, strict=True)]
    return statistics.median(rates[0]), statistics.median(rates[1]), statistics.median(ratios)


def main() -> None:
    """Measures on one core and prints the medians as one line of JSON."""
    threads.configure(1)
    found = {}
    for roots in ROOTS:
        mine, other, ratio = measured(roots)
        of = f"30 x {roots // 30}, one core"
        found[f"our trees {of}, k simulations/s"] = mine / 1e3
        found[f"gumbel-mcts' trees {of}, k simulations/s"] = other / 1e3
        found[f"our trees / gumbel-mcts', {of}"] = ratio
    print(json.dumps(found))


if __name__ == "__main__":
    main()
