"""Batched MuZero search over any model: simulate, expand, back up (docs/protocol.md, Search).

The search sees rows: it knows neither seeds nor environments. Rows are cut into parts of a fixed size that
run on the thread pool; the cut depends on the number of rows only.
"""

import itertools
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch

from muzero_probe import door, threads
from muzero_probe.config import SearchConfig
from muzero_probe.exact.elementary import powers
from muzero_probe.models.contract import Model, ModelError, States, actions_of, checked
from muzero_probe.randomness import observation_keys
from muzero_probe.search import tree as trees
from muzero_probe.search.leaves import RolloutLeaf, ValueLeaf
from muzero_probe.search.rules import RULES
from muzero_probe.search.tree import Paths, Plan, Tree

PART_ROWS = 192  # rows of one part: its trees and latents stay near the core (measured; 128 to 256 do as well)

VALUE_LEAF = ValueLeaf()

Prior = Literal["policy", "uniform"]


class Record(NamedTuple):
    """The whole search: trees and every simulated trajectory."""

    tree: Tree
    trajectories: np.ndarray  # [B, simulations, T] int64: tree path, then rollout; -1 behind the end
    path_lengths: np.ndarray  # [B, simulations] int32, edges of the tree path


class Said(NamedTuple):
    """What the model itself says at the roots, before the search."""

    prior_logits: np.ndarray  # [B, A]
    values: np.ndarray  # [B]
    rewards: np.ndarray  # [B, A] float64, of every action; not a number where it was not tried


class SearchResult(NamedTuple):
    """Statistics of the roots."""

    visits: np.ndarray  # [B, A] int32
    values: np.ndarray  # [B] float64, mean return backed up to the root
    said: Said
    record: Record | None


def search(
    model: Model,
    observations: np.ndarray,
    config: SearchConfig,
    *,
    states: States | None = None,
    prior: Prior = "policy",
    leaf: ValueLeaf | RolloutLeaf = VALUE_LEAF,
    noise: np.ndarray | None = None,
    keys: np.ndarray | None = None,
    record: bool = False,
) -> SearchResult:
    """Searches from B roots.

    Args:
        model: the model to plan with; answers for B rows.
        observations: [B, *observation shape] at the roots.
        config: settings.
        states: [B, ...] the environment's states at the roots, for models that start from them.
        prior: the policy prior of the model, or the uniform one at every node.
        leaf: value of a new leaf.
        noise: [B, A] root noise, mixed into the prior with `config.dirichlet_fraction`; None for none.
        keys: [B] uint64 random streams of the rows, which break ties and draw rollouts. None, which `RolloutLeaf`
            refuses, takes them from the observations: the same observation is searched the same way.
        record: keep the trees and all trajectories.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if an argument's shape does not fit B rows, keys are missing, numbers are not finite or the noise
            no distribution, the trees would not fit into memory, or the model's answers are not what its contract says
            (`models.contract.ModelError`).
    """
    A = actions_of(model)
    door.instance("config", config, SearchConfig)
    B = _rows_of(model, observations, states)
    if not isinstance(leaf, ValueLeaf | RolloutLeaf):
        raise TypeError(f"leaf must be a ValueLeaf or a RolloutLeaf, not {leaf!r}")
    if noise is not None:
        door.distributions("noise", noise, (B, A))
    if keys is None:
        if isinstance(leaf, RolloutLeaf):
            raise ValueError("random rollouts need keys, one stream a row")
        keys = observation_keys(observations)
    door.keys(keys, B)
    if prior not in ("policy", "uniform"):
        raise ValueError(f"prior {prior!r} is unknown: policy or uniform")
    _check_room(B, A, config.simulations, leaf, record=record)
    steps = leaf.horizon if isinstance(leaf, RolloutLeaf) else 0
    plan = Plan(
        rule=RULES[config.rule],
        factors=trees.exploration_factors(config.simulations, config.c1, config.c2),
        uniform=prior == "uniform",
        discount=config.discount,
        depth=min(config.simulations, leaf.horizon),
        horizon=leaf.horizon,
        reward_factors=powers(config.discount, steps),
    )

    def search_part(part: slice) -> SearchResult:
        start, rows = model.rows(part), part.stop - part.start
        door.instance(f"what {type(model).__name__}.rows returns", start, Model)
        root = start.root(observations[part], None if states is None else states[part])
        checked(root, start, rows)
        _check_states(start, root.states, config.simulations)
        prior_logits, net_values = root.prior_logits.copy(), root.values.copy()  # a model may write over its own
        tree = trees.allocate(rows=rows, nodes=config.simulations + 1, actions=A)
        trees.set_priors(tree, 0, root.prior_logits, plan.uniform)
        if noise is not None:
            tree.priors[:, 0] += config.dirichlet_fraction * (noise[part] - tree.priors[:, 0])
        recorded = None
        if record or not start.simulate(tree, root.states, plan, keys[part]):
            recorded = _simulate(start, tree, root.states, plan, leaf, keys[part], record=record)
        else:
            _check_simulated(start, tree, config.simulations)
        values = tree.totals[:, 0].sum(-1) / config.simulations
        said = Said(prior_logits, net_values, trees.root_rewards(tree))
        # the visits leave the tree, which ends here
        return SearchResult(tree.visits[:, 0].copy(), values, said, recorded)

    results = threads.run([partial(search_part, part) for part in partition(B)])
    return results[0] if len(results) == 1 else _join(results)


def _rows_of(model: Model, observations: np.ndarray, states: States | None) -> int:
    """Returns B, if the observations are numbers, and states as many."""
    if not isinstance(observations, np.ndarray) or not observations.ndim:
        raise TypeError(f"observations must be a numpy array [B, ...], not {type(observations).__name__}")
    if observations.dtype.kind not in "fiub":
        raise TypeError(f"observations must be numbers, not {observations.dtype}")
    if model.count not in (None, len(observations)):
        raise ValueError(f"there are {len(observations)} observations for {model.count} rows of the model")
    if observations.dtype.kind == "f" and not model.may_diverge:
        door.all_finite("observations", observations)
    if states is not None:
        if not getattr(states, "shape", ()):
            raise TypeError(f"states must be an array or tensor [B, ...], not {type(states).__name__}")
        if len(states) != len(observations):
            raise ValueError(f"there are {len(states)} states for {len(observations)} observations")
    return len(observations)


def _check_room(rows: int, actions: int, simulations: int, leaf: ValueLeaf | RolloutLeaf, *, record: bool) -> None:
    """Refuses trees and trajectories that memory does not hold; parts that are not recorded are dropped one by one."""
    steps = leaf.horizon if isinstance(leaf, RolloutLeaf) else simulations
    held = rows if record else min(rows, PART_ROWS)
    size = held * ((simulations + 1) * (24 * actions + 12) + 8 * steps * (simulations if record else 1))
    door.room(f"{held} trees of {simulations:,} simulations", size)


def _check_states(model: Model, states: States, simulations: int) -> None:
    """Refuses a model's states at the roots that are not finite, or of which memory does not hold all."""
    if isinstance(states, np.ndarray) and states.dtype.kind == "f" and not model.may_diverge:
        try:
            door.all_finite("states", states)
        except ValueError as error:
            raise ModelError(f"{type(model).__name__}: {error}") from None
    door.room(f"states of {simulations:,} simulations", getattr(states, "nbytes", 0) * (simulations + 1))


def _check_simulated(model: Model, tree: Tree, simulations: int) -> None:
    """Refuses what a model simulated in its own way, if it did not."""
    made = int(tree.counts[:, 0].min(initial=simulations))
    if made != simulations:
        raise ModelError(f"{type(model).__name__}: simulate made {made} simulations of {simulations}")


def partition(rows: int, *, part_rows: int = PART_ROWS) -> list[slice]:
    """Cuts rows into equal slices of at most `part_rows`, an even number of them where there are enough rows."""
    parts = -(-rows // part_rows)
    parts = max(1, min(rows // 2, parts + parts % 2))
    edges = [rows * i // parts for i in range(parts + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _simulate(
    model: Model,
    tree: Tree,
    roots: States,
    plan: Plan,
    leaf: ValueLeaf | RolloutLeaf,
    keys: np.ndarray,
    *,
    record: bool,
) -> Record | None:
    """Runs all simulations of any model; see `Model.simulate`."""
    B = len(keys)
    simulations = len(plan.factors) - 1
    states = _empty((simulations + 1) * B, roots)
    states[:B] = roots
    paths = trees.empty_paths(B, plan.depth)
    slots = np.empty(B, np.int64)
    taken = np.empty(B, np.int64)
    longest = leaf.horizon if isinstance(leaf, RolloutLeaf) else simulations
    trajectories = np.full((B, simulations, longest), -1) if record else None
    lengths = np.empty((B, simulations), np.int32)
    for simulation in range(simulations):
        node = simulation + 1
        trees.descend(tree, plan, keys, paths, slots, taken)
        leaves = checked(model.step(states[slots], taken), model, B)
        if leaves.states.shape != roots.shape:
            shapes = f"{list(roots.shape)} at the root and {list(leaves.states.shape)} behind a step"
            raise ModelError(f"{type(model).__name__}: states must keep their shape, they have {shapes}")
        values, plans = leaf.evaluate(model, leaves, paths.lengths, keys, simulation, plan.discount)
        states[node * B : (node + 1) * B] = leaves.states
        trees.grow(tree, plan, paths, node, leaves.prior_logits, leaves.rewards, values)
        if trajectories is not None:
            lengths[:, simulation] = paths.lengths
            _write_trajectories(trajectories[:, simulation], paths, plans)
    return Record(tree, trajectories, lengths) if trajectories is not None else None


def _empty(count: int, states: States) -> States:
    """Returns an uninitialised batch [count, ...] of states like the given ones [B, ...]."""
    if isinstance(states, torch.Tensor):
        return states.new_empty((count, *states.shape[1:]))
    return np.empty((count, *states.shape[1:]), states.dtype)


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
        Said(*(np.concatenate(field) for field in zip(*(result.said for result in results), strict=True))),
        record,
    )
