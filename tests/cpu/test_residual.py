"""Do compiled residual nets predict, search and learn as defined in torch, each row and each seed for itself?"""

import numpy as np
import pytest
import torch

from muzero_probe.config import SearchConfig
from muzero_probe.cpu.learner import CompiledLearner
from muzero_probe.cpu.model import CompiledModel
from muzero_probe.engine import learned_model, learner
from muzero_probe.nets.categorical import expectation
from muzero_probe.nets.residual import Residual
from muzero_probe.search.leaves import RolloutLeaf, ValueLeaf
from muzero_probe.search.mcts import search
from muzero_probe.training.learner import Learner
from tests.doubles import RESIDUALS, of_all_screens, random_batch, random_theta, tiny_training, with_pixels

Answers = list[np.ndarray]


def pixels(nets: Residual, rows: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (rows, *nets.observation_shape), dtype=np.uint8)


def answers(nets: Residual, theta: torch.Tensor, row_seeds: np.ndarray, seen: np.ndarray, plans: np.ndarray) -> Answers:
    """Everything that root, step and rollout say of some rows."""
    model = learned_model(nets, theta, row_seeds, may_diverge=True)
    assert type(model) is CompiledModel
    root = model.root(seen)
    step = model.step(root.states, plans[:, 0])
    return [np.asarray(x) for x in (*root[:4], *step[:4], model.rollout(root.states, plans))]


@of_all_screens
def test_inference_equals_torch_in_float64(nets: Residual):
    counts = (3, 0, 11)
    theta = random_theta(nets, seeds=3)
    row_seeds = np.repeat(np.arange(3), counts)
    seen, plans = pixels(nets, 14), np.random.default_rng(6).integers(0, nets.actions, (14, 3))
    found = answers(nets, theta, row_seeds, seen, plans)
    latents, zeros, values, logits, following, rewards, next_values, next_logits, rolled = found
    assert not zeros.any()
    for s in (0, 2):
        rows = row_seeds == s
        p = nets.layout.views(theta[[s]].double())
        z = nets.representation(p, torch.tensor(seen[rows].reshape(1, counts[s], -1)).double())
        compare(nets, p, z, latents[rows], values[rows], logits[rows])
        for t in range(3):
            z, reward_logits = nets.dynamics(p, z, torch.tensor(plans[rows, t])[None])
            expected = expectation(reward_logits[0], nets.reward_support)
            np.testing.assert_allclose(rolled[rows, t], expected, rtol=1e-4, atol=1e-5)
            if t == 0:
                np.testing.assert_array_equal(rewards[rows], rolled[rows, t])
                compare(nets, p, z, following[rows], next_values[rows], next_logits[rows])


def compare(
    nets: Residual,
    p: dict[str, torch.Tensor],
    z: torch.Tensor,
    latents: np.ndarray,
    values: np.ndarray,
    logits: np.ndarray,
) -> None:
    value_logits, policy_logits = nets.prediction(p, z)
    np.testing.assert_allclose(latents, z[0], atol=1e-5)
    np.testing.assert_allclose(logits, policy_logits[0], atol=1e-5)
    np.testing.assert_allclose(values, expectation(value_logits[0], nets.value_support), rtol=1e-4, atol=1e-5)


@of_all_screens
def test_a_row_does_not_depend_on_the_others(nets: Residual):
    theta, rows = random_theta(nets), 21
    seen, plans = pixels(nets, rows).astype(np.float32), np.random.default_rng(6).integers(0, nets.actions, (rows, 2))
    before = answers(nets, theta, np.zeros(rows, int), seen, plans)
    kept = np.arange(rows) % 3 == 0
    rng = np.random.default_rng(6)
    seen[~kept] = rng.choice([0.0, 1e4, -1e30, np.inf, np.nan], seen[~kept].shape)
    plans[~kept] = rng.integers(0, nets.actions, plans[~kept].shape)
    after = answers(nets, theta, np.zeros(rows, int), seen, plans)
    assert all(np.array_equal(a[kept], b[kept]) for a, b in zip(after, before, strict=True))
    for part in (slice(0, 1), slice(3, 12), slice(0, rows, 3)):
        alone = answers(nets, theta, np.zeros(len(seen[part]), int), seen[part], plans[part])
        assert all(np.array_equal(a, b[part], equal_nan=True) for a, b in zip(alone, after, strict=True))


@pytest.mark.parametrize("leaf", [ValueLeaf(), RolloutLeaf(horizon=4)], ids=["value", "rollout"])
def test_a_compiled_search_is_that_of_any_model(leaf: ValueLeaf | RolloutLeaf):
    nets = RESIDUALS["odd"]
    model = learned_model(nets, random_theta(nets, seeds=2), np.repeat([0, 1], [3, 37]))
    seen, keys = pixels(nets, 40), np.arange(40, dtype=np.uint64)
    compiled = search(model, seen, SearchConfig(simulations=12), leaf=leaf, keys=keys)
    generic = search(model, seen, SearchConfig(simulations=12), leaf=leaf, keys=keys, record=True)
    assert compiled.record is None and generic.record is not None
    assert np.array_equal(compiled.visits, generic.visits) and np.array_equal(compiled.values, generic.values)
    assert len(np.unique(compiled.visits, axis=0)) > 1


@of_all_screens
def test_updates_equal_those_in_torch(nets: Residual):
    theta = random_theta(nets, seeds=2)
    batch = with_pixels(nets, random_batch(nets, np.random.default_rng(0), updates=2, seeds=2, rows=10))
    settings = tiny_training(weight_decay=1e-2, gradient_norm=0.1)
    compiled, other = learner(nets, theta.clone(), settings), Learner(nets, theta.clone(), settings)
    assert type(compiled) is CompiledLearner
    metrics, expected = compiled.update(batch), other.update(batch)
    for name, values in metrics.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, err_msg=name)
    for name, wanted in other.state_dict().items():
        found = compiled.state_dict()[name]
        # Adam divides by the gradient's size: where that is rounding noise, so is the update
        close = np.isclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
        assert close.mean() > 0.99, name


def test_a_seed_s_weights_do_not_depend_on_the_others():
    nets = RESIDUALS["odd"]
    theta = random_theta(nets, seeds=3)
    batch = with_pixels(nets, random_batch(nets, np.random.default_rng(0), updates=3, seeds=3, rows=10))
    together = learner(nets, theta.clone(), tiny_training())
    together.update(batch)
    for s in range(3):
        alone = learner(nets, theta[[s]].clone(), tiny_training())
        alone.update(type(batch)(*(np.ascontiguousarray(field[:, [s]]) for field in batch)))
        for name, found in alone.state_dict().items():
            if found.ndim:
                assert np.array_equal(found[0], together.state_dict()[name][s]), name


def test_a_seed_that_diverges_harms_nobody_else():
    nets = RESIDUALS["odd"]
    theta = random_theta(nets, seeds=2)
    batch = with_pixels(nets, random_batch(nets, np.random.default_rng(0), updates=2, seeds=2, rows=10))
    healthy = learner(nets, theta.clone(), tiny_training())
    healthy.update(batch)
    theta[0, 5] = np.nan
    sick = learner(nets, theta.clone(), tiny_training())
    assert sick.update(batch)["skipped"].tolist() == [2, 0]
    for name, found in sick.state_dict().items():
        if found.ndim:
            assert np.array_equal(found[1], healthy.state_dict()[name][1]), name
