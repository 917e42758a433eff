"""Do the compiled and the torch path of a learned model agree, and is what does not fit refused?"""

import numpy as np
import pytest
import torch

from muzero_probe.engine import learned_model
from muzero_probe.models import LearnedModel
from tests.doubles import random_nets, random_theta

RAGGED = np.repeat([0, 2, 3, 4], [1, 70, 3, 2])  # agent 1 has no row


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("row_seeds", [RAGGED, np.zeros(1, int), np.arange(5).repeat(4)], ids=("ragged", "one", "even"))
@pytest.mark.parametrize(("latent", "hidden"), [(16, 16), (10, 7)])
def test_torch_path_equals_compiled_path(row_seeds: np.ndarray, latent: int, hidden: int):
    nets = random_nets(latent=latent, hidden=hidden)
    theta = random_theta(nets, seeds=5)
    B = len(row_seeds)
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(B, nets.observation)).astype(np.float32)
    actions = rng.integers(0, nets.actions, B)
    plans = rng.integers(0, nets.actions, (B, 7))
    compiled, on_device = learned_model(nets, theta, row_seeds), LearnedModel(nets, theta, row_seeds)
    root, root_torch = compiled.root(observations), on_device.root(observations)
    assert isinstance(root_torch.states, torch.Tensor)
    step, step_torch = compiled.step(root.states, actions), on_device.step(root_torch.states, actions)
    for plain, by_torch in ((root, root_torch), (step, step_torch)):
        for found, wanted in zip(by_torch[:4], plain[:4], strict=True):
            assert found.shape == wanted.shape
            close(np.asarray(found), wanted)
    assert not root.rewards.any() and not root_torch.rewards.any()
    assert np.abs(step.rewards).max() > 0.1
    close(on_device.rollout(root_torch.states, plans), compiled.rollout(root.states, plans))
    assert on_device.rollout(root_torch.states, plans[:, :0]).shape == (B, 0)


def test_rows_of_a_model_answer_as_before():
    nets = random_nets()
    theta = random_theta(nets, seeds=5)
    observations = np.random.default_rng(0).normal(size=(len(RAGGED), nets.observation)).astype(np.float32)
    model = learned_model(nets, theta, RAGGED)
    whole = model.root(observations)
    for selection in (slice(60, 74), np.array([0, 5, 70, 75]), np.array([3, 3, 3])):
        part = model.rows(selection).root(observations[selection])
        assert all(np.array_equal(p, w[selection]) for p, w in zip(part[:4], whole[:4], strict=True))


def test_observations_of_any_shape_are_flattened():
    nets = random_nets(observation=12)
    model = learned_model(nets, random_theta(nets), np.zeros(4, int))
    images = np.random.default_rng(0).normal(size=(4, 3, 2, 2))
    flat = model.root(images.reshape(4, 12).astype(np.float32))
    assert all(np.array_equal(a, b) for a, b in zip(model.root(images)[:4], flat[:4], strict=True))


def test_a_model_follows_its_parameters():
    """Training updates theta in place, and the model must see it."""
    nets = random_nets()
    theta = random_theta(nets)
    model = learned_model(nets, theta, np.zeros(2, int))
    observations = np.ones((2, nets.observation), np.float32)
    before = model.root(observations)
    theta.mul_(0.5)
    after = model.root(observations)
    assert not np.array_equal(before.prior_logits, after.prior_logits)
    assert np.array_equal(
        after.prior_logits, learned_model(nets, theta.clone(), np.zeros(2, int)).root(observations).prior_logits
    )


@pytest.mark.parametrize("row_seeds", [[1, 0], [0, 3], [-1, 0]])
def test_row_seeds_outside_the_population_are_refused(row_seeds: list[int]):
    nets = random_nets()
    with pytest.raises(ValueError, match=r"row_seeds must ascend within 0\.\.2"):
        learned_model(nets, random_theta(nets, seeds=3), np.array(row_seeds))


def test_observations_of_another_size_are_refused():
    nets = random_nets(observation=5)
    model = learned_model(nets, random_theta(nets), np.zeros(2, int))
    with pytest.raises(ValueError, match=r"observations have shape \[4\], the nets take \[5\]"):
        model.root(np.zeros((2, 4), np.float32))


def test_images_of_another_shape_are_refused_though_they_have_as_many_entries():
    nets = random_nets(image=(6, 4, 2), filters=3)
    model = learned_model(nets, random_theta(nets), np.zeros(2, int))
    images = np.random.default_rng(0).random((2, 6, 4, 2), np.float32)
    for other in (images.transpose(0, 3, 1, 2), images[:, :, :, :1]):
        with pytest.raises(ValueError, match=r"observations have shape \[.*\], the nets take \[6, 4, 2\]"):
            model.root(other)
    flat = model.root(images.reshape(2, -1))
    assert np.array_equal(model.root(images).values, flat.values)
