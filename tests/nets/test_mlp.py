"""Do the nets, defined in torch, compute the loss of the study, one agent independent of the other?"""

import numpy as np
import pytest
import torch

from muzero_probe.config import NetsConfig
from muzero_probe.cpu import rows
from muzero_probe.cpu.parameters import sizes_of
from muzero_probe.envs.base import Environment
from muzero_probe.envs.cartpole import CartPole
from muzero_probe.envs.planted import tree
from muzero_probe.nets import layers, loss, mlp
from muzero_probe.nets.build import build
from muzero_probe.nets.layers import Layout, halve_gradient, initial_vector, min_max
from tests.doubles import random_batch, random_nets, random_theta
from tests.reference import loss as reference

S, K, B = 3, 4, 5


def supports(nets: mlp.Mlp) -> dict[str, tuple[int, int]]:
    return {
        "value_support": (nets.value_support.low, nets.value_support.high),
        "reward_support": (nets.reward_support.low, nets.reward_support.high),
    }


def double_losses(nets: mlp.Mlp, theta: torch.Tensor, batch: tuple) -> torch.Tensor:
    """`loss.losses` of one update in float64, [S, terms]."""
    tensors = [torch.tensor(field[0]) for field in batch]
    targets = loss.Targets(*(t.double() if t.is_floating_point() else t for t in tensors))
    return torch.stack(list(loss.losses(nets, theta, targets, {}).values()), -1)


@pytest.mark.parametrize(
    "nets",
    [
        random_nets(actions=2),
        random_nets(latent=10, hidden=7),
        random_nets(image=(5, 4, 3), filters=16),
        random_nets(image=(3, 6, 2), filters=5),
    ],
    ids=str,
)
def test_losses_and_gradient_equal_formula(nets: mlp.Mlp):
    batch = random_batch(nets, np.random.default_rng(0), seeds=S, unroll=K, rows=B)
    theta = random_theta(nets, seeds=S).double().requires_grad_()
    losses = double_losses(nets, theta, batch)
    (gradient,) = torch.autograd.grad(losses.sum(), theta)
    for s in range(S):
        terms, expected = reference.gradient(
            nets.layout.arrays(theta[s].detach().numpy()),
            actions=nets.actions,
            batch=tuple(field[0, s] for field in batch),
            image=nets.image if nets.filters else None,
            **supports(nets),
        )
        assert losses[s].tolist() == pytest.approx(terms, rel=1e-9)
        np.testing.assert_allclose(gradient[s], expected, rtol=1e-8, atol=1e-10)


def test_gradient_equals_finite_differences(monkeypatch: pytest.MonkeyPatch):
    """Halving makes the gradient another than the loss's own: it is taken out here, and tested below."""
    monkeypatch.setattr(loss, "halve_gradient", lambda x: x)
    nets = random_nets(latent=6, hidden=5)
    batch = random_batch(nets, np.random.default_rng(1), unroll=K, rows=B)
    theta = random_theta(nets).double().requires_grad_()
    (gradient,) = torch.autograd.grad(double_losses(nets, theta, batch).sum(), theta)
    sizes = [int(np.prod(shape)) for shape in nets.layout.shapes.values()]
    starts = np.cumsum([0, *sizes[:-1]])
    # two parameters of every matrix and bias
    for i in {int(start + j) for start, size in zip(starts, sizes, strict=True) for j in (0, size // 2)}:
        sides = []
        for sign in (-1, 1):
            moved = theta.detach().clone()
            moved[0, i] += sign * 1e-6
            sides.append(double_losses(nets, moved, batch).sum())
        assert float(sides[1] - sides[0]) / 2e-6 == pytest.approx(float(gradient[0, i]), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gradient_is_halved_at_every_dynamics_step(depth: int, monkeypatch: pytest.MonkeyPatch):
    """Only the last unrolled state is trained: what h gets has passed `depth` dynamics steps."""
    nets = random_nets()
    batch = random_batch(nets, np.random.default_rng(2), unroll=depth, rows=B)
    for weights in batch[5:]:
        weights[:, :, :-1] = 0

    def gradient() -> dict[str, np.ndarray]:
        theta = random_theta(nets).double().requires_grad_()
        (found,) = torch.autograd.grad(double_losses(nets, theta, batch).sum(), theta)
        return nets.layout.arrays(found[0].numpy())

    halved = gradient()
    monkeypatch.setattr(loss, "halve_gradient", lambda x: x)
    whole = gradient()
    for name in ("h.w1", "h.b1", "h.w2", "h.b2"):
        assert np.abs(whole[name]).max() > 1e-6
        np.testing.assert_allclose(halved[name], whole[name] * 0.5**depth, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(halved["value.w2"], whole["value.w2"], rtol=1e-9, atol=1e-15)


def test_an_agent_learns_from_its_own_loss_alone():
    nets = random_nets()
    batch = random_batch(nets, np.random.default_rng(3), seeds=S, unroll=K, rows=B)
    theta = random_theta(nets, seeds=S).double().requires_grad_()
    (gradient,) = torch.autograd.grad(double_losses(nets, theta, batch)[1].sum(), theta)
    assert (gradient[1] != 0).any()
    assert (gradient[[0, 2]] == 0).all()


def test_halve_gradient_leaves_the_value():
    x = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y = halve_gradient(x)
    (3 * y).sum().backward()
    assert torch.equal(y, x)
    assert x.grad is not None and x.grad.tolist() == [1.5] * 5


def test_latents_are_scaled_to_the_unit_interval():
    nets = random_nets()
    p = nets.layout.views(random_theta(nets, seeds=S))
    observations = torch.randn(S, 9, nets.observation, generator=torch.Generator().manual_seed(0))
    latents = nets.representation(p, observations)
    following, _ = nets.dynamics(p, latents, torch.zeros(S, 9, dtype=torch.int64))
    for z in (latents, following):
        assert torch.equal(z.min(-1).values, torch.zeros(S, 9))
        torch.testing.assert_close(z.max(-1).values, torch.ones(S, 9))


def test_equal_entries_scale_to_zero():
    assert min_max(torch.full((2, 4), 3.0)).tolist() == [[0.0] * 4] * 2


def test_actions_lead_apart():
    nets = random_nets()
    p = nets.layout.views(random_theta(nets))
    latents = torch.rand(1, 1, nets.latent, generator=torch.Generator().manual_seed(0)).expand(1, 3, -1)
    following, _ = nets.dynamics(p, latents, torch.tensor([[0, 1, 2]]))
    assert len({tuple(z.tolist()) for z in following[0]}) == 3


def test_layout_is_one_order_everywhere():
    nets = random_nets(latent=6, hidden=5)
    layout = nets.layout
    theta = random_theta(nets, seeds=2)
    views = layout.views(theta)
    for s in range(2):
        arrays = layout.arrays(theta[s].numpy())
        assert arrays.keys() == views.keys() == layout.shapes.keys()
        for name, shape in layout.shapes.items():
            assert arrays[name].shape == shape
            assert np.array_equal(arrays[name], views[name][s])
        assert np.array_equal(layout.vector(arrays), theta[s])
    assert theta.shape[1] == layout.size == sum(a.size for a in layout.arrays(theta[0].numpy()).values())


def test_vector_refuses_what_does_not_fit():
    layout = Layout({"a.w": (2, 3), "a.b": (3,)})
    arrays = layout.arrays(np.arange(9.0))
    with pytest.raises(ValueError, match=r"\['a.b'\] do not fit"):
        layout.vector({"a.w": arrays["a.w"]})
    with pytest.raises(ValueError, match=r"\['c'\] do not fit"):
        layout.vector({**arrays, "c": arrays["a.b"]})
    with pytest.raises(ValueError, match=r"a.w has shape \(3, 2\), these nets have \(2, 3\)"):
        layout.vector({"a.w": arrays["a.w"].T, "a.b": arrays["a.b"]})


def test_initial_parameters_fill_the_range_of_their_fan_in():
    nets = random_nets(observation=4, latent=64, hidden=100)
    arrays = nets.layout.arrays(initial_vector(nets.layout, np.random.default_rng(0)))
    for net, fan_in in {"h": 4, "g": 64 + 3, "reward": 64, "value": 64, "policy": 64}.items():
        for layer, n in (("1", fan_in), ("2", 100)):
            bound = 1 / np.sqrt(n)
            both = np.concatenate([arrays[f"{net}.w{layer}"].ravel(), arrays[f"{net}.b{layer}"]])
            assert np.abs(both).max() <= bound * (1 + 1e-6)
            assert np.abs(both).max() > 0.95 * bound
            assert abs(both.mean()) < 0.15 * bound
            assert np.abs(arrays[f"{net}.b{layer}"]).max() > 0


def test_initial_parameters_are_the_stream_s():
    layout = random_nets().layout
    a, again, b = (initial_vector(layout, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert a.dtype == np.float32
    assert np.array_equal(a, again) and not np.array_equal(a, b)


def test_a_layout_starts_with_weights():
    with pytest.raises(ValueError, match="starts with b"):
        initial_vector(Layout({"b": (3,)}), np.random.default_rng(0))


def mlp_for(config: NetsConfig, env: Environment) -> mlp.Mlp:
    nets = build(config, env)
    assert type(nets) is mlp.Mlp
    return nets


def test_build_takes_sizes_from_config_and_environment():
    config = NetsConfig(latent=8, hidden=12, value_low=-1, value_high=3, reward_low=-4, reward_high=5)
    assert sizes_of(mlp_for(config, CartPole())) == (4, 8, 12, 2, -1, 3, -4, 5, 0, 0, 0, 0)
    assert sizes_of(mlp_for(config, tree(2, 3))) == (13, 8, 12, 3, -1, 3, -4, 5, 0, 0, 0, 0)


def test_one_floor_of_the_scaling():
    assert np.float32(layers.SCALE_FLOOR) == rows.SCALE_FLOOR
