"""Do compiled losses and gradients equal autograd's of the nets' definition in torch?"""

import numpy as np
import pytest
import torch

from muzero_probe.cpu import mlp_gradient, residual_gradient, updates
from muzero_probe.cpu.model import sizes_of
from muzero_probe.nets import loss
from muzero_probe.nets.mlp import Mlp
from muzero_probe.nets.residual import Residual
from muzero_probe.training.batch import Batch
from tests.doubles import MLPS, RESIDUALS, of_all_screens, of_all_sizes, random_batch, random_theta, with_pixels
from tests.reference import loss as reference


@pytest.mark.parametrize("batch_rows", [1, 2, 6, 32, 65])
@of_all_sizes
def test_losses_and_gradient_equal_autograd(nets: Mlp, batch_rows: int):
    compare(nets, random_batch(nets, np.random.default_rng(batch_rows), seeds=2, rows=batch_rows, unroll=4))


@pytest.mark.parametrize("batch_rows", [1, 3, residual_gradient.CHUNK + 3])
@of_all_screens
def test_losses_and_gradient_of_residual_nets_equal_autograd(nets: Residual, batch_rows: int):
    batch = random_batch(nets, np.random.default_rng(batch_rows), seeds=2, rows=batch_rows, unroll=3)
    compare(nets, with_pixels(nets, batch))


def compare(nets: Mlp | Residual, batch: Batch) -> None:
    """Holds losses and gradients against autograd's in float64."""
    S = 2
    theta = random_theta(nets, seeds=S)
    losses, gradient = compiled_gradient(nets, theta, batch)
    weights = theta.double().requires_grad_()
    tensors = [torch.tensor(field[0]) for field in batch]
    targets = loss.Targets(*(t if t.dtype == torch.int64 else t.double() for t in tensors))
    expected = torch.stack(list(loss.losses(nets, weights, targets, {}).values()), -1)
    (by_torch,) = torch.autograd.grad(expected.sum(), weights)
    np.testing.assert_allclose(losses, expected.detach(), rtol=1e-5)
    for s in range(S):
        for name, part in nets.layout.arrays(gradient[s]).items():
            wanted = nets.layout.arrays(by_torch[s].numpy())[name]
            np.testing.assert_allclose(part, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max(), err_msg=name)


@pytest.mark.parametrize("depth", [1, 3])
def test_gradient_is_halved_at_every_dynamics_step(depth: int):
    nets = MLPS["odd"]
    theta = random_theta(nets)
    batch = random_batch(nets, np.random.default_rng(2), unroll=depth, rows=4)
    for weights in batch[5:]:
        weights[:, :, :-1] = 0  # only the last unrolled state is trained
    _, gradient = compiled_gradient(nets, theta, batch)
    _, whole = reference.gradient(
        nets.layout.arrays(theta[0].numpy()),
        actions=nets.actions,
        value_support=(nets.value_support.low, nets.value_support.high),
        reward_support=(nets.reward_support.low, nets.reward_support.high),
        batch=tuple(field[0, 0] for field in batch),
        halve=False,
    )
    for name in ("h.w1", "h.b1", "h.w2", "h.b2"):
        wanted = nets.layout.arrays(whole)[name] * 0.5**depth
        assert np.abs(wanted).max() > 1e-5
        found = nets.layout.arrays(gradient[0])[name]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


def compiled_gradient(nets: Mlp | Residual, theta: torch.Tensor, batch: tuple) -> tuple[np.ndarray, np.ndarray]:
    losses = np.full((len(theta), 3), np.nan)
    gradient = np.full(theta.shape, np.nan, np.float32)
    of_kind = mlp_gradient if isinstance(nets, Mlp) else residual_gradient
    for s in range(len(theta)):
        rows = updates.Rows(*(np.ascontiguousarray(field[0, s]) for field in batch))
        of_kind.loss_and_gradient(theta[s].numpy(), sizes_of(nets), rows, losses[s], gradient[s])
    return losses, gradient


@pytest.mark.parametrize("nets", [MLPS["odd"], RESIDUALS["odd"]], ids=["mlp", "residual"])
def test_an_agent_s_gradient_does_not_depend_on_the_others(nets: Mlp | Residual):
    theta = random_theta(nets, seeds=3)
    batch = random_batch(nets, np.random.default_rng(3), seeds=3)
    batch = with_pixels(nets, batch) if isinstance(nets, Residual) else batch
    losses, gradient = compiled_gradient(nets, theta, batch)
    for s in range(3):
        alone = compiled_gradient(nets, theta[[s]], tuple(field[:, [s]] for field in batch))
        assert np.array_equal(alone[0][0], losses[s])
        assert np.array_equal(alone[1][0], gradient[s])
