"""Is an update Adam on the clipped gradient of the study's loss, for every seed on its own?"""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from muzero_probe.config import TrainingConfig
from muzero_probe.engine import learner
from muzero_probe.training.batch import Batch
from muzero_probe.training.learner import Captured, Learner, clipped_gradient
from tests.doubles import random_batch, random_nets, random_theta, tiny_training
from tests.reference import loss as reference

NETS = random_nets(latent=10, hidden=7, observation=4)
S = 5
EVERYONE = np.arange(S)


def config(**changes: Any) -> TrainingConfig:
    return tiny_training(**({"weight_decay": 1e-2, "gradient_norm": 1e9} | changes))


def batch(updates: int = 1, *, seeds: int = S, seed: int = 0) -> Batch:
    return random_batch(NETS, np.random.default_rng(seed), updates=updates, seeds=seeds, unroll=3, rows=6)


def gradient(vector: np.ndarray, drawn: Batch, u: int, s: int, **settings: Any) -> tuple[list[float], np.ndarray]:
    """Losses and gradient of one seed in one update, from the formulas."""
    return reference.gradient(
        NETS.layout.arrays(vector),
        actions=NETS.actions,
        value_support=(NETS.value_support.low, NETS.value_support.high),
        reward_support=(NETS.reward_support.low, NETS.reward_support.high),
        batch=tuple(field[u, s] for field in drawn),
        **settings,
    )


def learned(settings: TrainingConfig, drawn: Batch, theta: torch.Tensor) -> tuple[Learner, dict[str, np.ndarray]]:
    made = learner(NETS, theta.clone(), settings)
    return made, made.update(drawn)


@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_updates_equal_adam_on_independent_gradients(decay: float):
    """Three updates of one seed; the learning rate falls quickly."""
    settings = config(steps=4, checkpoints=(0,), learning_rate=1e-2, learning_rate_end=1e-4, weight_decay=decay)
    drawn = batch(3)
    theta = random_theta(NETS, seeds=S)
    made, metrics = learned(settings, drawn, theta)
    assert made.step == 3
    weights = torch.nn.Parameter(theta[3].double())
    adam = torch.optim.Adam([weights], weight_decay=decay, foreach=False, fused=False)
    losses, norms = [], []
    sure = np.ones(weights.numel(), bool)
    for u in range(3):
        terms, found = gradient(weights.detach().numpy(), drawn, u, 3)
        losses.append(terms)
        norms.append(np.linalg.norm(found))
        # Adam divides by the gradient's size: where that is rounding noise, so is the update
        sure &= np.abs(found + decay * weights.detach().numpy()) > 1e-5
        weights.grad = torch.tensor(found)
        adam.param_groups[0]["lr"] = 1e-2 * 0.01 ** (u / 4)
        adam.step()
    assert sure.mean() > (0.95 if decay else 0.5)
    moved = (made.theta[3] - theta[3]).numpy()[sure]
    np.testing.assert_allclose(moved, (weights.detach() - theta[3]).numpy()[sure], rtol=5e-3, atol=2e-6)
    names = ("reward_loss", "value_loss", "policy_loss")
    np.testing.assert_allclose([metrics[name][3] for name in names], np.mean(losses, 0), rtol=1e-4)
    assert metrics["gradient_norm"][3] == pytest.approx(np.mean(norms), rel=1e-4)
    assert not metrics["skipped"].any()


def first_moment(made: Learner) -> np.ndarray:
    """Adam's first moment after one update is a tenth of what it was given."""
    return made.state_dict()["exp_avg"] * 10


def test_the_gradient_given_to_adam_is_the_halved_one():
    drawn = batch()
    theta = random_theta(NETS, seeds=S)
    made, _ = learned(config(weight_decay=0.0), drawn, theta)
    for s in range(S):
        _, halved = gradient(theta[s].numpy(), drawn, 0, s)
        _, whole = gradient(theta[s].numpy(), drawn, 0, s, halve=False)
        assert not np.allclose(halved, whole, rtol=1e-2, atol=5e-3 * np.abs(halved).max())
        np.testing.assert_allclose(first_moment(made)[s], halved, rtol=1e-3, atol=1e-5 * np.abs(halved).max())


def test_gradients_are_clipped_seed_by_seed():
    drawn = batch()
    for weights in drawn[5:]:
        weights[:, 1] *= 0.01  # seed 1 has a small gradient
    theta = random_theta(NETS, seeds=S)
    norms = [np.linalg.norm(gradient(theta[s].numpy(), drawn, 0, s)[1]) for s in range(S)]
    limit = min(norms[s] for s in range(S) if s != 1) / 3
    assert norms[1] < limit
    made, metrics = learned(config(weight_decay=0.0, gradient_norm=limit), drawn, theta)
    np.testing.assert_allclose(metrics["gradient_norm"], norms, rtol=1e-4)  # as they were before
    for s in range(S):
        _, found = gradient(theta[s].numpy(), drawn, 0, s)
        scaled = found * min(1, limit / norms[s])
        np.testing.assert_allclose(first_moment(made)[s], scaled, rtol=1e-3, atol=1e-5 * np.abs(scaled).max())
    assert np.linalg.norm(first_moment(made), axis=1) == pytest.approx(np.minimum(norms, limit), rel=1e-4)


def test_weight_decay_is_added_after_clipping():
    drawn = batch()
    theta = random_theta(NETS, seeds=S)
    given = [first_moment(learned(config(weight_decay=d, gradient_norm=0.1), drawn, theta)[0]) for d in (0.0, 0.5)]
    np.testing.assert_allclose(given[1] - given[0], 0.5 * theta.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_compiled_updates_equal_those_of_other_devices(decay: float):
    drawn = batch(3)
    theta = random_theta(NETS, seeds=S)
    settings = config(gradient_norm=0.1, weight_decay=decay)
    compiled, metrics = learned(settings, drawn, theta)
    other = Learner(NETS, theta.clone(), settings)
    found = other.update(drawn)
    assert other.step == 3
    for name, values in metrics.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, err_msg=name)
    for name, array in compiled.state_dict().items():
        # Adam divides by the gradient's size: where that is rounding noise, so is the update
        close = np.isclose(other.state_dict()[name], array, rtol=1e-3, atol=1e-6)
        assert close.mean() > 0.99, name


def test_the_gradient_needs_nothing_from_the_host():
    """A recorded graph could not ask for it. Tensors without values refuse to be read, or to meet others."""
    drawn = batch()
    theta = random_theta(NETS, seeds=S)
    arguments = [theta, *(torch.as_tensor(field[0]) for field in drawn)]
    found = clipped_gradient(NETS, 0.1, {}, *(argument.to("meta") for argument in arguments))
    for without, values in zip(found, clipped_gradient(NETS, 0.1, {}, *arguments), strict=True):
        assert (without.shape, without.dtype) == (values.shape, values.dtype)


if torch.cuda.is_available():

    def test_a_recorded_gradient_is_that_of_its_arguments():
        gradient = partial(clipped_gradient, NETS, 0.1, {})
        recorded = Captured(gradient)
        for seed in range(3):
            theta = random_theta(NETS, seeds=S, first=S * seed).cuda()
            arguments = [theta, *(torch.as_tensor(field[0], device="cuda") for field in batch(seed=seed))]
            for found, expected in zip(recorded(*arguments), gradient(*arguments), strict=True):
                torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_a_seed_learns_alike_alone(seed: int):
    drawn = batch(4)
    theta = random_theta(NETS, seeds=S)
    together, _ = learned(config(), drawn, theta)
    alone, _ = learned(config(), Batch(*(field[:, [seed]] for field in drawn)), theta[[seed]])
    for name, array in alone.state_dict().items():
        if name != "step":
            assert np.array_equal(array[0], together.state_dict()[name][seed])


def test_the_loss_does_not_depend_on_the_shape_of_observations():
    drawn = batch(2)
    theta = random_theta(NETS, seeds=S)
    images = drawn._replace(observations=drawn.observations.reshape(2, S, 6, 2, 2))
    assert torch.equal(learned(config(), images, theta)[0].theta, learned(config(), drawn, theta)[0].theta)


def spoil(what: str, drawn: Batch, theta: torch.Tensor) -> None:
    """Seed 2 diverges, in the second of three updates if it is a target."""
    if what == "parameters":
        theta[2, ::7] = np.nan
    else:
        array = getattr(drawn, what)
        if what == "observations":
            array[1, 2, -1] = np.nan
        else:  # in the last row: nothing behind it may be touched, either
            array[1, 2, -1, -1] = np.nan


@pytest.mark.parametrize(
    "what", ["parameters", "observations", "values", "rewards", "policies", "value_weights", "reward_weights"]
)
def test_a_seed_that_diverges_harms_no_other(what: str):
    drawn, theta = batch(3), random_theta(NETS, seeds=S)
    for weights in drawn[5:]:
        weights[:] = np.abs(weights) + 0.01  # every target counts
    healthy, expected = learned(config(), drawn, theta)
    spoil(what, drawn, theta)
    spoiled, metrics = learned(config(), drawn, theta)
    others = EVERYONE != 2
    assert metrics["skipped"].tolist() == [0, 0, 3 if what == "parameters" else 1, 0, 0]
    for name in metrics:
        assert np.array_equal(metrics[name][others], expected[name][others])
    for name, array in spoiled.state_dict().items():
        if name != "step":
            assert np.array_equal(array[others], healthy.state_dict()[name][others])
    assert np.isfinite(spoiled.theta[2].numpy()).all() == (what != "parameters")


def test_state_dict_round_trip_gives_the_same_future():
    settings = config()
    first, second = batch(5), batch(5, seed=1)
    straight, _ = learned(settings, first, random_theta(NETS, seeds=S))
    saved = {name: array.copy() for name, array in straight.state_dict().items()}
    straight.update(second)
    resumed = learner(NETS, random_theta(NETS, seeds=S, first=50), settings)
    resumed.load_state_dict(saved)
    assert resumed.step == 5
    resumed.update(second)
    for name, array in straight.state_dict().items():
        assert np.array_equal(resumed.state_dict()[name], array)


def test_state_dict_before_the_first_update():
    drawn, theta = batch(), random_theta(NETS, seeds=S)
    fresh = learner(NETS, theta.clone(), config())
    state = fresh.state_dict()
    assert not state["exp_avg"].any() and state["step"] == 0
    other = learner(NETS, random_theta(NETS, seeds=S, first=50), config())
    other.load_state_dict({name: array.copy() for name, array in state.items()})
    fresh.update(drawn)
    other.update(drawn)
    assert torch.equal(fresh.theta, other.theta)


def test_one_block_of_updates_is_many_single_ones():
    drawn, theta = batch(4), random_theta(NETS, seeds=S)
    block, _ = learned(config(), drawn, theta)
    single = learner(NETS, theta.clone(), config())
    for u in range(4):
        single.update(Batch(*(field[u : u + 1] for field in drawn)))
    assert single.step == 4
    assert torch.equal(block.theta, single.theta)


def test_decaying_weights_end_at_zero():
    """Nothing but decay moves them; denormal numbers on the way down would slow every product a hundredfold.

    4,000 steps of `torch.optim.Adam` leave 63 % of these weights denormal.
    """
    drawn = random_batch(NETS, np.random.default_rng(0), updates=4000, seeds=1, unroll=1, rows=2)
    for weights in drawn[5:]:
        weights[:] = 0.0
    settings = config(steps=4000, checkpoints=(0,), learning_rate=1e-3, weight_decay=1e-4)
    made, _ = learned(settings, drawn, random_theta(NETS, seeds=1))
    state = made.state_dict()
    for name in ("theta", "exp_avg", "exp_avg_sq"):
        sizes = np.abs(state[name])
        assert not ((sizes > 0) & (sizes < np.finfo(np.float32).tiny)).any(), name
    assert (state["theta"] == 0).mean() > 0.3
