"""What does one search look like inside, and what is true of the places that it believes to be in?

The dynamics are deterministic: a node's latent, reached by some actions in the model, has a real state, reached by the
same actions from the real root. So every prediction of the search has a truth beside it:

    reward of the step into the node            u of g                 against    R(s, a)
    value of the node                           f at its latent        against    sum_{k<H} gamma^k r_{t+k}

The true value is that of the agent's greedy search: from the node's real state it goes on with the most visited action
of a search of the same kind in every real state, for H steps or to the end. Nothing bootstraps it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from muzero_probe import door
from muzero_probe.config import SearchConfig
from muzero_probe.envs.base import Environment, check_step, start_states
from muzero_probe.models.contract import Model, checked, same_actions
from muzero_probe.probes.policies import most_visited
from muzero_probe.randomness import observation_keys, uniforms
from muzero_probe.search.mcts import search
from muzero_probe.search.tree import UNVISITED, Tree


class SearchTrees(NamedTuple):
    """B trees of N nodes, a node more than simulations; every array is [B, N].

    Node 0 is the root, the others stand in the order in which they were added: parents come before their children.
    What is said of an edge is that of the edge into the node; for the root it is that of the whole search.
    """

    parent: np.ndarray  # int64, -1 for the root
    action: np.ndarray  # int64, of the edge, -1 for the root
    depth: np.ndarray  # int64, steps from the root
    visits: np.ndarray  # int64, N(z, a)
    prior: np.ndarray  # P(a | z); nan for the root
    q: np.ndarray  # Q(z, a), not normalised; nu for the root
    reward: np.ndarray  # of the edge, predicted by g; 0 for the root
    reward_real: np.ndarray  # ... of the real step
    value: np.ndarray  # predicted by f
    path_error: np.ndarray  # eq 5 of the actions that lead to the node
    ended: np.ndarray  # bool, whether the real episode is over in the node's state


def search_trees(env: Environment, model: Model, states: np.ndarray, config: SearchConfig) -> SearchTrees:
    """Searches once from every real state, and follows every node's actions in the environment.

    Leaves are worth the model's value, the prior is the model's, the root has no noise.

    Args:
        env: the ground truth.
        model: B rows.
        states: [B, ...], non-terminal.
        config: of the search.

    Raises:
        TypeError: as `search`.
        ValueError: as `search`, or if a state is terminal.
    """
    same_actions(model, door.instance("env", env, Environment))
    observations = env.observe(start_states(env, states))
    result = search(model, observations, config, states=states, record=True)
    assert result.record is not None
    trees = _edges(result.record.tree)
    trees.q[:, 0], trees.visits[:, 0] = result.values, config.simulations
    trees.reward[:] = result.record.tree.rewards
    root = checked(model.root(observations, states), model, len(states))
    trees.value[:, 0] = root.values
    latents, differences = root.states, np.zeros_like(trees.q)
    for rows, nodes, before in _levels(trees):
        parents, actions = trees.parent[rows, nodes], trees.action[rows, nodes]
        step = check_step(env, env.step(states[before], actions), len(rows))
        prediction = checked(model.rows(rows).step(latents[before], actions), model, len(rows))
        factor = np.float64(config.discount) ** (trees.depth[rows, nodes] - 1)
        trees.reward_real[rows, nodes] = step.rewards
        trees.value[rows, nodes] = prediction.values
        trees.ended[rows, nodes] = step.terminated
        differences[rows, nodes] = differences[rows, parents] + factor * (step.rewards - trees.reward[rows, nodes])
        states, latents = step.states, prediction.states
    trees.path_error[:] = np.abs(differences)
    return trees


def real_values(
    env: Environment, model: Model, states: np.ndarray, trees: SearchTrees, config: SearchConfig, *, horizon: int
) -> np.ndarray:
    """Returns the true values [B, N] of all nodes: `greedy_returns` from their real states.

    Args:
        env: the ground truth.
        model: B rows.
        states: [B, ...] at the roots.
        trees: what `search_trees` found there.
        config: of the searches on the way.
        horizon: H, steps.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are not as many trees as states; as `greedy_returns`.
    """
    door.instance("env", env, Environment)
    door.instance("trees", trees, SearchTrees)
    B, N = trees.parent.shape
    if len(states) != B:
        raise ValueError(f"there are {B} trees for {len(states)} states")
    of_nodes = np.empty((B, N, *states.shape[1:]), states.dtype)
    of_nodes[:, 0] = states
    for rows, nodes, before in _levels(trees):
        states = env.step(states[before], trees.action[rows, nodes]).states
        of_nodes[rows, nodes] = states
    flat = of_nodes.reshape(B * N, *states.shape[1:])
    return greedy_returns(env, model.rows(np.repeat(np.arange(B), N)), flat, config, horizon=horizon).reshape(B, N)


def greedy_returns(
    env: Environment, model: Model, states: np.ndarray, config: SearchConfig, *, horizon: int
) -> np.ndarray:
    """Returns sum_{k<H} gamma^k r_{t+k} [B] of the most visited action in every real state, the lowest of equal ones.

    Args:
        env: what is played.
        model: B rows; a search in every state on the way.
        states: [B, ...] where to begin; 0 where it is terminal.
        config: of the search.
        horizon: H, steps; the time limit of episodes is no part of the task, and cuts nothing.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the horizon lies out of range; as `search`.
    """
    same_actions(model, door.instance("env", env, Environment))
    door.instance("config", config, SearchConfig)
    door.whole("horizon", horizon, 1)
    returns = np.zeros(len(states))
    rows = np.flatnonzero(~env.is_terminal(states))
    states = states[rows]
    observations = env.observe(states)
    for k in range(horizon):
        if not rows.size:
            break
        keys = observation_keys(observations)
        visits = search(model.rows(rows), observations, config, states=states, keys=keys).visits
        step = check_step(env, env.step(states, most_visited(visits, uniforms(keys))), len(rows))
        returns[rows] += np.float64(config.discount) ** k * step.rewards
        going = ~step.terminated
        rows, states, observations = rows[going], step.states[going], step.observations[going]
    return returns


def most_divided(trees: SearchTrees, count: int) -> np.ndarray:
    """Returns which `count` of B trees are divided most evenly by real ends: indices, ascending.

    A tree is divided by the smaller of two numbers, of nodes where the real episode is over and of those where it goes
    on, the root left out. The first of equal trees, also where no tree is divided.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if none are asked for.
    """
    door.instance("trees", trees, SearchTrees)
    door.whole("count of trees", count, 1)
    over = trees.ended[:, 1:].sum(1)
    smaller = np.minimum(over, trees.ended.shape[1] - 1 - over)
    return np.sort(np.argsort(-smaller, kind="stable")[:count])


def _edges(tree: Tree) -> SearchTrees:
    """Returns what the trees say of their edges, and room for the rest."""
    B, N, _ = tree.children.shape

    def filled(value: float) -> np.ndarray:
        return np.full((B, N), value)

    trees = SearchTrees(
        parent=filled(-1), action=filled(-1), depth=filled(0), visits=filled(0), prior=filled(np.nan), q=filled(0.0),
        reward=filled(0.0), reward_real=filled(0.0), value=filled(0.0), path_error=filled(0.0), ended=filled(False),
    )  # fmt: skip
    edges = rows, parents, actions = np.nonzero(tree.children != UNVISITED)
    into = rows, tree.children[edges]
    trees.parent[into], trees.action[into] = parents, actions
    trees.visits[into], trees.prior[into] = tree.visits[edges], tree.priors[edges]
    trees.q[into] = tree.totals[edges] / tree.visits[edges]
    each = np.arange(B)
    for node in range(1, N):  # a simulation whose leaf is worth a value adds a node, so that none is missing
        trees.depth[:, node] = trees.depth[each, trees.parent[:, node]] + 1
    return trees


def _levels(trees: SearchTrees) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields the nodes of every depth from 1 on: rows ascending, nodes, and where in the level before the parent is."""
    place = np.zeros_like(trees.parent)
    place[:, 0] = np.arange(len(place))
    for depth in range(1, int(trees.depth.max()) + 1):
        rows, nodes = np.nonzero(trees.depth == depth)
        before = place[rows, trees.parent[rows, nodes]]
        place[rows, nodes] = np.arange(len(rows))
        yield rows, nodes, before
