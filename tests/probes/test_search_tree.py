"""Is every node of a search what a recursive search, the same actions in the environment and the formulas give?"""

from typing import Any

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import TabularEnvironment, bandit, chain
from muzero_probe.models import Model, TrueModel
from muzero_probe.probes.search_tree import SearchTrees, greedy_returns, most_divided, real_values, search_trees
from muzero_probe.randomness import observation_keys, uniforms
from tests.doubles import Observing, OneAtATime, OneState, random_nets, random_theta
from tests.reference import search as reference

DISCOUNT = 0.9
CONFIG = SearchConfig(simulations=12, discount=DISCOUNT, c1=1.1, c2=15.0)


def searched(planner: Any, observation: np.ndarray) -> reference.Found:
    return reference.search(planner, observation, simulations=12, discount=DISCOUNT, c1=1.1, c2=15.0)


def wandering() -> TabularEnvironment:
    """Nine states, three actions, rewards that tell ways apart; two states are terminal."""
    rng = np.random.default_rng(5)
    rewards = rng.integers(-80, 80, (9, 3)) / 16
    return TabularEnvironment(rng.integers(0, 9, (9, 3)), rewards, np.arange(9) >= 7, name="wandering")


def mistaken(env: TabularEnvironment) -> Observing:
    """A model of other transitions and rewards, without ends."""
    rng = np.random.default_rng(1)
    N, A = env.transitions.shape
    model = Observing(rng.integers(0, N, (N, A)), rng.integers(-16, 16, (N, A)) / 8)
    model.values = rng.normal(0, 3, N).astype(np.float32)
    return model


def setting(name: str) -> tuple[Environment, Model, np.ndarray]:
    """An environment, a model that errs, and states close to ends."""
    if name == "wandering":
        env = wandering()
        return env, mistaken(env), np.flatnonzero(~env.terminal)
    env, nets = CartPole(), random_nets(observation=4, actions=2)
    states = np.random.default_rng(0).uniform([-1, -1, 0.1, 0.0], [1, 1, 0.2, 2.0], (4, 4))
    return env, learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], 2)), states


def by_actions(trees: SearchTrees, row: int) -> dict[tuple[int, ...], int]:
    """The nodes of a tree by the actions that lead to them."""
    paths: dict[int, tuple[int, ...]] = {0: ()}
    for node in range(1, trees.parent.shape[1]):
        paths[node] = (*paths[trees.parent[row, node]], int(trees.action[row, node]))
    assert len(set(paths.values())) == len(paths)
    return {path: node for node, path in paths.items()}


def expected(env: Environment, planner: OneAtATime, state: Any) -> dict[tuple[int, ...], dict[str, float]]:
    """All nodes of one recursive search by their actions; a path is followed from the root, in model and world."""
    world, observation = OneState(env), env.observe(np.asarray(state)[None])[0]
    found = searched(planner, observation)
    nodes = {}

    def visit(node: reference.Node, path: tuple[int, ...], edge: dict[str, float]) -> None:
        latent, value, _ = planner.root(observation)
        at, real, total = state, 0.0, 0.0
        for k, action in enumerate(path):
            latent, learned, value, _ = planner.step(latent, action)
            at, real = world.step(at, action)
            total += DISCOUNT**k * (real - learned)
        nodes[path] = {
            **edge, "depth": len(path), "reward": node.reward, "reward_real": real, "value": value,
            "path_error": abs(total), "ended": world.terminal(at),
        }  # fmt: skip
        for action, child in node.children.items():
            visits = len(node.backed_up[action])
            visit(child, (*path, action), {"visits": visits, "prior": node.prior[action], "q": node.q(action)})

    visit(found.root, (), {"visits": 12, "prior": np.nan, "q": found.value})
    return nodes


@pytest.mark.parametrize("name", ["wandering", "cartpole"])
def test_every_node_is_that_of_a_recursive_search_and_of_the_real_episode(name: str):
    """All columns of all nodes, found by the actions that lead to them; ends are among them."""
    env, model, states = setting(name)
    trees = search_trees(env, model, states, CONFIG)
    assert all(array.shape == (len(states), 13) for array in trees)
    for b, state in enumerate(states):
        wanted = expected(env, OneAtATime(model.rows(np.array([b]))), state)
        places = by_actions(trees, b)
        assert places.keys() == wanted.keys()
        for path, values in wanted.items():
            for column, value in values.items():
                found = getattr(trees, column)[b, places[path]]
                np.testing.assert_allclose(found, value, atol=1e-5, err_msg=f"{column} of {path}")
    assert trees.ended.any() and not trees.ended[:, 0].any()


@pytest.mark.parametrize("name", ["wandering", "cartpole"])
def test_visits_add_up(name: str):
    """A node is visited when it is added and once for each visit of its children; the root only for those."""
    trees = search_trees(*setting(name), CONFIG)
    for b in range(len(trees.visits)):
        below = np.bincount(trees.parent[b, 1:], trees.visits[b, 1:], minlength=13)
        assert (trees.visits[b] == below + (np.arange(13) > 0)).all()
        assert (trees.parent[b, 1:] < np.arange(1, 13)).all()


@pytest.mark.parametrize("horizon", [1, 3, 30])
@pytest.mark.parametrize("name", ["wandering", "cartpole"])
def test_a_true_value_is_the_return_of_greedy_search(name: str, horizon: int):
    """One episode a node, one recursive search a step; the observation's stream picks from equals."""
    env, model, states = setting(name)
    trees = search_trees(env, model, states, CONFIG)
    kept = np.array([0, 2])
    trees = SearchTrees(*(array[kept] for array in trees))
    found = real_values(env, model.rows(kept), states[kept], trees, CONFIG, horizon=horizon)
    world = OneState(env)
    for b, row in enumerate(kept):
        planner = OneAtATime(model.rows(kept[b : b + 1]))
        for path, node in by_actions(trees, b).items():
            state = states[row]
            for action in path:
                state, _ = world.step(state, action)
            total = 0.0
            for k in range(horizon):
                if world.terminal(state):
                    break
                observation = env.observe(np.asarray(state)[None])[0]
                visits = searched(planner, observation).visits
                best = [action for action, n in enumerate(visits) if n == max(visits)]
                draw = uniforms(observation_keys(observation[None]))[0]
                state, reward = world.step(state, best[int(draw * len(best))])
                total += DISCOUNT**k * reward
            np.testing.assert_allclose(found[b, node], total, atol=1e-5)
    assert not found[trees.ended].any()
    assert horizon < 30 or len(np.unique(found)) > 2


def test_what_lies_behind_an_end_is_imagined():
    """A bandit is over after its first step, whose real reward counts; its model expects 0.5 for ever."""
    env = bandit((1.0, 0.0, 2.0))
    model = Observing(np.zeros((2, 3), int), np.full((2, 3), 0.5))
    trees = search_trees(env, model, np.zeros(1, int), CONFIG)
    first, later = trees.depth[0] == 1, trees.depth[0] > 1
    assert first.any() and later.any()
    assert trees.ended[0].tolist() == [False] + [True] * 12
    np.testing.assert_array_equal(trees.reward_real[0, first], np.array([1.0, 0.0, 2.0])[trees.action[0, first]])
    assert not trees.reward_real[0, later].any() and (trees.reward[0, 1:] == 0.5).all()
    np.testing.assert_allclose(trees.path_error[0, first], np.abs(trees.reward_real[0, first] - 0.5))
    values = real_values(env, model, np.zeros(1, int), trees, CONFIG, horizon=9)
    best = np.argmax(search_visits(trees))
    assert values[0].tolist() == [env.rewards[0, best]] + [0.0] * 12


def search_visits(trees: SearchTrees) -> np.ndarray:
    """Visits of the root's actions in the only tree."""
    return np.bincount(trees.action[0, 1:], trees.visits[0, 1:] * (trees.depth[0, 1:] == 1), minlength=3)


def test_the_true_model_errs_nowhere():
    """It starts from the states that it is given; greedy search in it walks the chain: gamma^(2 - s) from state s."""
    env, states = chain(3), np.array([0, 1, 2])
    model = TrueModel(env)
    trees = search_trees(env, model, states, SearchConfig(simulations=40, discount=DISCOUNT))
    assert not trees.path_error.any() and (trees.reward == trees.reward_real).all()
    assert not trees.value.any() and trees.ended.any()
    found = greedy_returns(env, model, np.array([0, 2, 3]), SearchConfig(simulations=40, discount=DISCOUNT), horizon=5)
    np.testing.assert_allclose(found, [DISCOUNT**2, 1.0, 0.0])
    short = greedy_returns(env, model, np.array([0, 2, 3]), SearchConfig(simulations=40, discount=DISCOUNT), horizon=2)
    np.testing.assert_allclose(short, [0.0, 1.0, 0.0])


def test_a_row_does_not_depend_on_the_others():
    """Neither its tree nor its true values."""
    env, model, states = setting("cartpole")
    whole = search_trees(env, model, states, CONFIG)
    kept = np.array([1, 3])
    part = search_trees(env, model.rows(kept), states[kept], CONFIG)
    for name in SearchTrees._fields:
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[kept], atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("ended", "count", "chosen"),
    [
        ([0, 1, 3, 6], 1, [2]),  # of six nodes, half of them
        ([6, 6, 1, 5], 2, [2, 3]),  # as even, though of other sides
        ([0, 6, 0], 1, [0]),  # no tree is divided
        ([4, 2, 4], 2, [0, 1]),
        ([1, 0], 5, [0, 1]),  # there are no more
    ],
)
def test_the_most_divided_trees(ended: list[int], count: int, chosen: list[int]):
    """By the smaller side, the first of equal ones, in their order."""
    B = len(ended)
    over = np.arange(7) > 6 - np.array(ended)[:, None]
    trees = SearchTrees(**dict.fromkeys(SearchTrees._fields[:-1], np.zeros((B, 7))), ended=over)
    assert most_divided(trees, count).tolist() == chosen
