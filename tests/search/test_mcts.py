"""Does the batched search find, and record, what a recursive search of one tree finds?"""

from typing import Any

import numpy as np
import pytest

from muzero_probe.config import SearchConfig
from muzero_probe.engine import learned_model
from muzero_probe.models import LearnedModel
from muzero_probe.randomness import row_keys
from muzero_probe.search.leaves import RolloutLeaf, ValueLeaf, random_plans
from muzero_probe.search.mcts import SearchResult, search
from tests.doubles import OneAtATime, TableModel, random_nets, random_theta
from tests.reference import search as reference
from tests.search.searches import LEAVES, arguments, assert_same


def oracle(model: Any, start: Any, config: SearchConfig, *, prior: str, leaf, noise, key) -> reference.Found:
    rolls = isinstance(leaf, RolloutLeaf)
    return reference.search(
        OneAtATime(model),
        start,
        simulations=config.simulations,
        discount=config.discount,
        c1=config.c1,
        c2=config.c2,
        uniform=prior == "uniform",
        noise=None if noise is None else list(noise),
        fraction=config.dirichlet_fraction,
        horizon=leaf.horizon if rolls else None,
        plan=lambda i, steps: random_plans(np.array([key]), i, steps, model.num_actions)[0].tolist(),
        rule=config.rule,
        key=int(key),
    )


@pytest.mark.parametrize("rule", ["muzero", "efficientzero"])
@pytest.mark.parametrize("noise", [False, True], ids=("plain", "noise"))
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES.keys())
@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize(("actions", "simulations"), [(2, 1), (2, 60), (3, 2), (3, 25), (5, 40)])
def test_search_equals_one_recursive_tree(
    prior: Any, leaf: Any, noise: bool, actions: int, simulations: int, rule: Any
):
    model = TableModel.random(np.random.default_rng(actions), states=60, actions=actions)
    # a small c2 makes the logarithm of the exploration factor count
    config = SearchConfig(simulations=simulations, discount=0.9, rule=rule, c1=1.1, c2=15.0, dirichlet_fraction=0.3)
    starts = np.arange(7)
    given = arguments(model, 7, noise=noise)
    result = search(model, starts, config, prior=prior, leaf=leaf, record=True, **given)
    for b in range(7):
        found = oracle(
            model, starts[b], config, prior=prior, leaf=leaf,
            noise=given["noise"][b] if noise else None, key=given["keys"][b],
        )  # fmt: skip
        assert result.visits[b].tolist() == found.visits
        assert result.values[b] == pytest.approx(found.value, abs=1e-10)
        assert_record_equals(result, b, found)
        tried = result.visits[b] > 0
        assert np.array_equal(np.isnan(result.said.rewards[b]), ~tried)
        assert np.array_equal(result.said.rewards[b, tried], model.rewards[starts[b], tried])
    assert np.array_equal(result.said.prior_logits, model.logits[starts])
    assert np.array_equal(result.said.values, model.values[starts])


def assert_record_equals(result: SearchResult, b: int, found: reference.Found) -> None:
    assert result.record is not None
    built, trajectories, lengths = result.record
    for i, path in enumerate(found.paths):
        rollout = found.rollouts[i] if found.rollouts else []
        expected = [*path, *rollout]
        assert lengths[b, i] == len(path)
        assert trajectories[b, i].tolist() == [*expected, *[-1] * (trajectories.shape[2] - len(expected))]
    assert built.bounds[b].tolist() == pytest.approx([found.smallest, found.largest], abs=1e-10)

    def compare(node: reference.Node, at: int) -> None:
        np.testing.assert_allclose(built.priors[b, at], node.prior, atol=1e-6)  # logits are float32
        assert built.visits[b, at].tolist() == [len(returns) for returns in node.backed_up]
        assert built.counts[b, at] == built.visits[b, at].sum()
        np.testing.assert_allclose(built.totals[b, at], [sum(r) for r in node.backed_up], atol=1e-9)
        for action in range(len(node.prior)):
            child = node.children.get(action)
            if child is None:
                assert built.children[b, at, action] == -1
            else:
                assert built.rewards[b, built.children[b, at, action]] == child.reward
                compare(child, built.children[b, at, action])

    compare(found.root, 0)


@pytest.mark.parametrize("rule", ["muzero", "efficientzero"])
@pytest.mark.parametrize("leaf", [LEAVES["value"], LEAVES["rollout"]], ids=("value", "rollout"))
def test_search_with_nets_equals_one_recursive_tree(leaf: Any, rule: Any):
    nets = random_nets()
    model = learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], 3))
    observations = np.random.default_rng(0).normal(size=(6, nets.observation)).astype(np.float32)
    config = SearchConfig(simulations=30, discount=0.97, rule=rule)
    given = arguments(model, 6, noise=True)
    result = search(model, observations, config, leaf=leaf, record=True, **given)
    for b in range(6):
        found = oracle(
            model.rows(slice(b, b + 1)), observations[b], config, prior="policy", leaf=leaf,
            noise=given["noise"][b], key=given["keys"][b],
        )  # fmt: skip
        assert result.visits[b].tolist() == found.visits
        assert result.values[b] == pytest.approx(found.value, abs=1e-10)


@pytest.mark.parametrize("rule", ["muzero", "efficientzero"])
@pytest.mark.parametrize("prior", ["policy", "uniform"])
@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES)
def test_the_compiled_search_equals_the_general_one(leaf: Any, prior: Any, rule: Any, monkeypatch: pytest.MonkeyPatch):
    nets = random_nets(actions=3)
    observations = np.random.default_rng(0).normal(size=(40, nets.observation)).astype(np.float32)
    model = learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], [25, 15]))
    config = SearchConfig(simulations=12, rule=rule)
    given = {"leaf": leaf, "prior": prior, **arguments(model, 40, noise=True)}
    found = search(model, observations, config, **given)
    monkeypatch.setattr(type(model), "simulate", lambda *arguments: False)
    assert_same(search(model, observations, config, **given), found)


def test_search_on_the_torch_path():
    nets = random_nets()
    theta, seeds = random_theta(nets, seeds=3), np.repeat([0, 1, 2], [1, 6, 3])
    observations = np.random.default_rng(0).normal(size=(10, nets.observation)).astype(np.float32)
    config = SearchConfig(simulations=12)
    for leaf in (LEAVES["value"], LEAVES["rollout"]):
        given = {"leaf": leaf, "keys": row_keys(0, "test", 10)}
        compiled = search(learned_model(nets, theta, seeds), observations, config, **given)
        by_torch = search(LearnedModel(nets, theta, seeds), observations, config, **given)
        assert np.array_equal(compiled.visits, by_torch.visits)
        np.testing.assert_allclose(by_torch.values, compiled.values, rtol=1e-4)


def test_noise_is_mixed_into_the_root_alone():
    model = TableModel.random(np.random.default_rng(0), states=30, actions=3)
    noise = np.random.default_rng(1).dirichlet(np.ones(3), 4)
    starts = np.arange(4)
    for fraction in (0.0, 0.25, 1.0):
        config = SearchConfig(simulations=9, dirichlet_fraction=fraction)
        plain = search(model, starts, config, record=True)
        noisy = search(model, starts, config, noise=noise, record=True)
        assert plain.record is not None and noisy.record is not None
        expected = (1 - fraction) * plain.record.tree.priors[:, 0] + fraction * noise
        np.testing.assert_allclose(noisy.record.tree.priors[:, 0], expected, atol=1e-12)
        leaf = noisy.record.tree.priors[:, 1]  # of the state behind the first action, whichever noise there is
        first = model.transitions[starts, noisy.record.trajectories[:, 0, 0]]
        np.testing.assert_allclose(leaf, [reference.softmax(list(row)) for row in model.logits[first]], atol=1e-6)


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES.keys())
def test_a_record_is_consistent_with_the_visits(leaf: Any):
    model = TableModel.random(np.random.default_rng(3), states=60, actions=3)
    n, B = 33, 9
    config = SearchConfig(simulations=n)
    result = search(model, np.arange(B), config, leaf=leaf, keys=row_keys(0, "test", B), record=True)
    assert result.record is not None
    built, trajectories, lengths = result.record
    T = n if isinstance(leaf, ValueLeaf) else leaf.horizon
    assert trajectories.shape == (B, n, T)
    assert (result.visits.sum(1) == n).all() and (built.counts[:, 0] == n).all()
    first = trajectories[:, :, 0]
    assert np.array_equal((first[..., None] == np.arange(3)).sum(1), result.visits)
    assert (lengths >= 1).all() and lengths.max() > 1 and lengths.max() <= T
    used = (trajectories >= 0).sum(2)
    if isinstance(leaf, ValueLeaf):
        assert np.array_equal(used, lengths)
    else:
        assert (used == T).all()
    for b in range(B):
        met = {()}
        for i in range(n):
            path = tuple(trajectories[b, i, : lengths[b, i]].tolist())
            assert path[:-1] in met
            assert path not in met or lengths[b, i] == T  # a new node, unless cut at the horizon
            met.add(path)


def test_a_short_search_is_the_beginning_of_a_longer_one():
    model = TableModel.random(np.random.default_rng(3), states=60, actions=3)
    found = {}
    for n in (8, 30):
        keys = row_keys(0, "test", 6)
        config = SearchConfig(simulations=n)
        record = search(model, np.arange(6), config, leaf=LEAVES["rollout"], keys=keys, record=True).record
        assert record is not None
        found[n] = record
    assert np.array_equal(found[8].trajectories, found[30].trajectories[:, :8])
    assert np.array_equal(found[8].path_lengths, found[30].path_lengths[:, :8])


def test_wrong_arguments_are_refused():
    model = TableModel.random(np.random.default_rng(0), states=5, actions=2)
    starts, config = np.arange(3), SearchConfig(simulations=2)
    with pytest.raises(ValueError, match=r"noise must have shape \[3, 2\], not \[3, 3\]"):
        search(model, starts, config, noise=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="random rollouts need keys"):
        search(model, starts, config, leaf=RolloutLeaf(horizon=3))
    with pytest.raises(ValueError, match=r"keys must have shape \[3\], not \[2\]"):
        search(model, starts, config, keys=row_keys(0, "test", 2))
    with pytest.raises(TypeError, match="keys must be uint64, not int64"):
        search(model, starts, config, keys=np.arange(3))
    with pytest.raises(ValueError, match="prior 'greedy' is unknown"):
        search(model, starts, config, prior="greedy")  # pyright: ignore
