"""Batched MuZero search: simulate, expand, back up (study, section 1, eqs 1 and 2).

The search sees rows: it knows neither seeds nor environments. Rows are cut into parts of a fixed size that
run on the thread pool; the cut depends on the number of rows only.
"""

import itertools
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from muzero_probe import threads
from muzero_probe.config import SearchConfig
from muzero_probe.cpu.search import Plan, simulate
from muzero_probe.exact.elementary import power_of_each, powers
from muzero_probe.models import Model
from muzero_probe.search import tree as trees
from muzero_probe.search.leaves import RolloutLeaf, ValueLeaf
from muzero_probe.search.tree import Paths, Tree

PART_ROWS = 192  # rows of one part: its trees and latents stay near the core (measured; 128 to 256 do as well)

VALUE_LEAF = ValueLeaf()

Prior = Literal["policy", "uniform"]


class Record(NamedTuple):
    """The whole search: trees and every simulated trajectory."""

    tree: Tree
    trajectories: np.ndarray  # [B, simulations, T] int64: tree path, then rollout; -1 behind the end
    path_lengths: np.ndarray  # [B, simulations] int32, edges of the tree path


class SearchResult(NamedTuple):
    """Statistics of the roots."""

    visits: np.ndarray  # [B, A] int32
    values: np.ndarray  # [B] float64, mean return backed up to the root
    record: Record | None


def search(
    model: Model,
    inputs: Any,
    config: SearchConfig,
    *,
    prior: Prior = "policy",
    leaf: ValueLeaf | RolloutLeaf = VALUE_LEAF,
    noise: np.ndarray | None = None,
    keys: np.ndarray | None = None,
    record: bool = False,
) -> SearchResult:
    """Searches from B roots.

    Args:
        model: the model to plan with; answers for B rows.
        inputs: [B, ...] what the model's `root` takes.
        config: settings.
        prior: the policy prior of the model, or the uniform one at every node.
        leaf: value of a new leaf.
        noise: [B, A] root noise, mixed into the prior with `config.dirichlet_fraction`; None for none.
        keys: [B] uint64 random streams of the rollouts; needed by `RolloutLeaf`.
        record: keep the trees and all trajectories.

    Raises:
        ValueError: if an argument's shape does not fit B rows, or keys are missing.
    """
    B = len(inputs)
    A = model.num_actions
    if noise is not None and noise.shape != (B, A):
        raise ValueError(f"noise has shape {noise.shape}, {(B, A)} is needed")
    if keys is None:
        if isinstance(leaf, RolloutLeaf):
            raise ValueError("random rollouts need keys, one stream a row")
        keys = np.zeros(B, np.uint64)
    if keys.shape != (B,) or keys.dtype != np.uint64:
        raise ValueError(f"keys have shape {keys.shape} and type {keys.dtype}, ({B},) and uint64 are needed")
    if prior not in ("policy", "uniform"):
        raise ValueError(f"prior {prior!r} is unknown: policy or uniform")
    parts = partition(B)

    def search_part(part: slice) -> SearchResult:
        part_noise = None if noise is None else noise[part]
        return _search_part(model.rows(part), inputs[part], config, prior, leaf, part_noise, keys[part], record)

    results = threads.run([partial(search_part, part) for part in parts])
    return results[0] if len(results) == 1 else _join(results)


def partition(rows: int, *, part_rows: int = PART_ROWS) -> list[slice]:
    """Cuts rows into equal slices of at most `part_rows`, an even number of them where there are enough rows."""
    parts = -(-rows // part_rows)
    parts = max(1, min(rows // 2, parts + parts % 2))
    edges = [rows * i // parts for i in range(parts + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def visit_policy(visits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns pi_MuZero [..., A]: N^(1/T) normalised (eq 2), computed so that small T cannot overflow."""
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, it must be positive")
    share = visits / visits.max(-1, keepdims=True)
    weights = power_of_each(share, 1 / temperature)
    return weights / weights.sum(-1, keepdims=True)


def sample_actions(policies: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Returns actions [B] drawn from policies [B, A] with uniform draws [B] in [0, 1)."""
    cumulative = np.cumsum(policies, -1)
    return (draws[:, None] * cumulative[:, -1:] >= cumulative).sum(-1)


def _search_part(
    model: Model,
    inputs: Any,
    config: SearchConfig,
    prior: Prior,
    leaf: ValueLeaf | RolloutLeaf,
    noise: np.ndarray | None,
    keys: np.ndarray,
    record: bool,
) -> SearchResult:
    uniform = prior == "uniform"
    root = model.root(inputs)
    B, A = root.logits.shape
    nodes = config.simulations + 1
    tree = trees.allocate(rows=B, nodes=nodes, actions=A)
    trees.set_priors(tree, 0, root.logits, uniform)
    if noise is not None:
        tree.priors[:, 0] += config.dirichlet_fraction * (noise - tree.priors[:, 0])
    factors = trees.exploration_factors(config.simulations, config.c1, config.c2)
    depth = min(config.simulations, leaf.horizon)
    nets = getattr(model, "kernel_arguments", None)
    if nets is not None and not record:
        steps = leaf.horizon if isinstance(leaf, RolloutLeaf) else 0
        plan = Plan(factors, uniform, config.discount, depth, leaf.horizon, powers(config.discount, steps))
        theta, sizes, row_seeds = nets
        simulate(theta, sizes, row_seeds, tree, root.states, plan, keys)
        return SearchResult(*_root_statistics(tree, config), None)
    states = model.storage(nodes * B, root.states)
    states[:B] = root.states
    paths = Paths(
        nodes=np.zeros((B, depth), np.int32),
        actions=np.zeros((B, depth), np.int64),
        lengths=np.zeros(B, np.int32),
        fresh=np.zeros(B, np.bool_),
    )
    slots = np.empty(B, np.int64)
    taken = np.empty(B, np.int64)
    trajectories = np.full((B, config.simulations, _trajectory_length(config, leaf)), -1) if record else None
    lengths = np.empty((B, config.simulations), np.int32)
    for simulation in range(config.simulations):
        node = simulation + 1
        trees.descend(tree, factors, leaf.horizon, paths, slots, taken)
        leaves = model.step(states[slots], taken)
        values, plans = leaf.evaluate(model, leaves, paths.lengths, keys, simulation, config.discount)
        states[node * B : (node + 1) * B] = leaves.states
        trees.grow(tree, paths, node, leaves.logits, uniform, leaves.rewards, config.discount, values)
        if trajectories is not None:
            lengths[:, simulation] = paths.lengths
            _write_trajectories(trajectories[:, simulation], paths, plans)
    kept = Record(tree, trajectories, lengths) if trajectories is not None else None
    return SearchResult(*_root_statistics(tree, config), kept)


def _root_statistics(tree: Tree, config: SearchConfig) -> tuple[np.ndarray, np.ndarray]:
    """Visits and values of the roots."""
    return tree.visits[:, 0].copy(), tree.totals[:, 0].sum(-1) / config.simulations


def _trajectory_length(config: SearchConfig, leaf: ValueLeaf | RolloutLeaf) -> int:
    return leaf.horizon if isinstance(leaf, RolloutLeaf) else config.simulations


def _write_trajectories(out: np.ndarray, paths: Paths, plans: np.ndarray) -> None:
    """Writes tree path and rollout of every row into out [B, T]."""
    _, T = out.shape
    width = paths.actions.shape[1]
    steps = np.arange(T)
    in_path = steps < paths.lengths[:, None]
    out[:, :width] = np.where(in_path[:, :width], paths.actions, -1)
    if plans.shape[1]:
        behind = steps - paths.lengths[:, None]
        valid = (behind >= 0) & (behind < plans.shape[1])
        rolled = np.take_along_axis(plans, behind.clip(0, plans.shape[1] - 1), 1)
        out[valid] = rolled[valid]


def _join(results: list[SearchResult]) -> SearchResult:
    record = None
    if results[0].record is not None:
        records = [result.record for result in results if result.record is not None]
        record = Record(
            Tree(*(np.concatenate(field) for field in zip(*(r.tree for r in records), strict=True))),
            np.concatenate([r.trajectories for r in records]),
            np.concatenate([r.path_lengths for r in records]),
        )
    return SearchResult(
        np.concatenate([result.visits for result in results]),
        np.concatenate([result.values for result in results]),
        record,
    )
