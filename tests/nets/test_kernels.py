"""Do the compiled kernels equal the nets' definition in torch, and is a row computed alike in any company?"""

import numpy as np
import pytest
import torch

from muzero_probe.models import LearnedModel
from muzero_probe.nets import columns, common, loss, updates
from muzero_probe.nets.mlp import Mlp
from tests.doubles import needs_exact_rows, random_batch, random_nets, random_theta
from tests.reference import loss as reference
from tests.reference import support as reference_support

SIZES = {
    "square": random_nets(),
    "narrow latent": random_nets(latent=16, hidden=48, actions=2, observation=4),
    "wide latent": random_nets(latent=48, hidden=16, value=(0, 20)),
    "odd": random_nets(latent=10, hidden=7, observation=3, value=(-4, 13), reward=(-1, 4)),
    "image": random_nets(image=(5, 4, 3), filters=16),
    "odd image": random_nets(image=(3, 6, 2), filters=5, latent=10, hidden=7),
    "preset": random_nets(latent=64, hidden=64, actions=2, observation=4, value=(0, 20)),
    "preset of images": random_nets(image=(10, 10, 4), filters=16, latent=128, hidden=128, value=(0, 5)),
    "large": random_nets(latent=288, hidden=256),
}
# where every product is a multiple of 16 wide, as in the presets
EXACT = {name: nets for name, nets in SIZES.items() if nets.latent % 16 == nets.hidden % 16 == nets.filters % 16 == 0}
ROWS = 200


def as_parameter(nets: dict[str, Mlp]):
    return pytest.mark.parametrize("nets", nets.values(), ids=nets.keys())


def inputs(nets: Mlp, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    observations = rng.normal(size=(rows, nets.observation)).astype(np.float32)
    return observations, rng.integers(0, nets.actions, rows), rng.integers(0, nets.actions, (rows, 6))


def answers(nets: Mlp, theta: torch.Tensor, row_seeds: np.ndarray, given: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Everything that root, step and rollout say of some rows."""
    observations, actions, plans = given
    model = LearnedModel(nets, theta, row_seeds)
    root = model.root(observations)
    step = model.step(root.states, actions)
    return [*root, *step, model.rollout(root.states, plans)]


def on_scale(x: np.ndarray) -> list[float]:
    return [reference_support.scale(float(v)) for v in x]


@as_parameter(SIZES)
@pytest.mark.parametrize("counts", [(1,), (65,), (3, 0, 130, 1, 64)], ids=str)
def test_inference_equals_torch_in_float64(nets: Mlp, counts: tuple[int, ...]):
    theta = random_theta(nets, seeds=len(counts))
    row_seeds = np.repeat(np.arange(len(counts)), counts)
    observations, actions, plans = given = inputs(nets, sum(counts))
    latents, zeros, values, logits, following, rewards, next_values, next_logits, rolled = answers(
        nets, theta, row_seeds, given
    )
    assert not zeros.any()
    for s, count in enumerate(counts):
        rows = row_seeds == s
        if count == 0:
            continue
        p = nets.layout.views(theta[[s]].double())
        z = nets.representation(p, torch.tensor(observations[rows]).double()[None])
        compare(latents[rows], z, values[rows], logits[rows], nets.prediction(p, z), nets)
        after, reward_logits = nets.dynamics(p, z, torch.tensor(actions[rows])[None])
        compare(following[rows], after, next_values[rows], next_logits[rows], nets.prediction(p, after), nets)
        compare_scalars(rewards[rows], reward_logits[0], nets.reward_support.low)
        for t in range(plans.shape[1]):
            z, reward_logits = nets.dynamics(p, z, torch.tensor(plans[rows, t])[None])
            compare_scalars(rolled[rows, t], reward_logits[0], nets.reward_support.low)


def compare(latents: np.ndarray, z: torch.Tensor, values: np.ndarray, logits: np.ndarray, predicted, nets: Mlp):
    value_logits, policy_logits = predicted
    np.testing.assert_allclose(latents, z[0], atol=1e-5)
    np.testing.assert_allclose(logits, policy_logits[0], atol=1e-5)
    compare_scalars(values, value_logits[0], nets.value_support.low)


def compare_scalars(found: np.ndarray, logits: torch.Tensor, low: int):
    """On the scale of the atoms: h^-1 stretches a rounding error there by up to sqrt(x)."""
    expected = [reference_support.decode(row.tolist(), low) for row in logits]
    np.testing.assert_allclose(on_scale(found), on_scale(np.array(expected)), atol=1e-5)


@pytest.mark.parametrize("batch_rows", [1, 2, 6, 65])
@as_parameter(SIZES)
def test_losses_and_gradient_equal_autograd(nets: Mlp, batch_rows: int):
    S = 2
    theta = random_theta(nets, seeds=S)
    batch = random_batch(nets, np.random.default_rng(batch_rows), seeds=S, rows=batch_rows, unroll=4)
    losses, gradient = compiled_gradient(nets, theta, batch)
    weights = theta.double().requires_grad_()
    tensors = [torch.tensor(field[0]) for field in batch]
    expected = loss.losses(nets, weights, *(t.double() if t.is_floating_point() else t for t in tensors))
    (by_torch,) = torch.autograd.grad(expected.sum(), weights)
    np.testing.assert_allclose(losses, expected.detach(), rtol=1e-5)
    for s in range(S):
        for name, part in nets.layout.arrays(gradient[s]).items():
            wanted = nets.layout.arrays(by_torch[s].numpy())[name]
            np.testing.assert_allclose(part, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max(), err_msg=name)


@pytest.mark.parametrize("depth", [1, 3])
def test_gradient_is_halved_at_every_dynamics_step(depth: int):
    nets = SIZES["odd"]
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


def compiled_gradient(nets: Mlp, theta: torch.Tensor, batch: tuple) -> tuple[np.ndarray, np.ndarray]:
    losses = np.full((len(theta), 3), np.nan)
    gradient = np.full(theta.shape, np.nan, np.float32)
    low = nets.value_support.low, nets.reward_support.low
    for s in range(len(theta)):
        observations, *rest = (field[0, s] for field in batch)
        updates.loss_and_gradient(theta[s].numpy(), nets.dims, *low, observations, tuple(rest), losses[s], gradient[s])
    return losses, gradient


@needs_exact_rows
@as_parameter(EXACT)
def test_a_row_does_not_depend_on_how_many_there_are(nets: Mlp):
    theta = random_theta(nets)
    given = inputs(nets)
    whole = answers(nets, theta, np.zeros(ROWS, int), given)
    for M in range(1, ROWS + 1):
        for rows in (slice(0, M), slice(ROWS - M, ROWS)):
            part = answers(nets, theta, np.zeros(M, int), tuple(x[rows] for x in given))
            assert all(np.array_equal(p, w[rows]) for p, w in zip(part, whole, strict=True)), f"{M} rows"


@as_parameter(EXACT)
def test_a_row_does_not_depend_on_the_others(nets: Mlp):
    theta = random_theta(nets)
    observations, actions, plans = inputs(nets, 130)
    seeds = np.zeros(130, int)
    before = answers(nets, theta, seeds, (observations, actions, plans))
    kept = np.arange(130) % 3 == 0
    rng = np.random.default_rng(6)
    observations[~kept] = rng.choice([0.0, 1e4, -1e30, np.inf, np.nan], (int((~kept).sum()), nets.observation))
    actions[~kept] = rng.integers(0, nets.actions, int((~kept).sum()))
    plans[~kept] = rng.integers(0, nets.actions, (int((~kept).sum()), plans.shape[1]))
    after = answers(nets, theta, seeds, (observations, actions, plans))
    assert all(np.array_equal(a[kept], b[kept]) for a, b in zip(after, before, strict=True))


@needs_exact_rows
@as_parameter(EXACT)
def test_a_row_does_not_depend_on_its_place_or_the_other_agents(nets: Mlp):
    counts = (1, 65, 2, 0, 7, 130)
    theta = random_theta(nets, seeds=len(counts))
    seeds = np.repeat(np.arange(len(counts)), counts)
    given = inputs(nets, len(seeds))
    together = answers(nets, theta, seeds, given)
    rng = np.random.default_rng(7)
    for s in np.unique(seeds):
        rows = rng.permutation(np.flatnonzero(seeds == s))
        alone = answers(nets, theta[[s]], np.zeros(len(rows), int), tuple(x[rows] for x in given))
        assert all(np.array_equal(a, t[rows]) for a, t in zip(alone, together, strict=True))


def test_other_widths_are_computed_alike_up_to_rounding():
    """BLAS treats the columns behind the last multiple of 16 by the number of rows: not bit for bit there."""
    nets = SIZES["odd"]
    theta = random_theta(nets)
    given = inputs(nets)
    whole = answers(nets, theta, np.zeros(ROWS, int), given)
    for M in (1, 2, 3, 63, 64, 65, 130):
        part = answers(nets, theta, np.zeros(M, int), tuple(x[:M] for x in given))
        for p, w in zip(part, whole, strict=True):
            np.testing.assert_allclose(p, w[:M], rtol=1e-4, atol=1e-5)


def test_an_agent_s_gradient_does_not_depend_on_the_others():
    nets = SIZES["odd"]
    theta = random_theta(nets, seeds=3)
    batch = random_batch(nets, np.random.default_rng(3), seeds=3)
    losses, gradient = compiled_gradient(nets, theta, batch)
    for s in range(3):
        alone = compiled_gradient(nets, theta[[s]], tuple(field[:, [s]] for field in batch))
        assert np.array_equal(alone[0][0], losses[s])
        assert np.array_equal(alone[1][0], gradient[s])


def test_rollout_is_repeated_step():
    nets = SIZES["preset"]
    model = LearnedModel(nets, random_theta(nets), np.zeros(70, int))
    observations, _, plans = inputs(nets, 70)
    states = model.root(observations).states
    rolled = model.rollout(states, plans)
    for t in range(plans.shape[1]):
        prediction = model.step(states, plans[:, t])
        states = prediction.states
        assert np.array_equal(prediction.rewards, rolled[:, t])
    assert model.rollout(states, plans[:, :0]).shape == (70, 0)


@pytest.mark.parametrize("row", range(4))
def test_a_nan_target_spoils_its_own_row_alone(row: int):
    """Its gradient must be NaN, so that the update is skipped, and memory around it untouched."""
    memory = np.full(16 + 21 * 4 + 16, 0.25, np.float32)
    chances = memory[16:-16].reshape(21, 4)
    targets = np.full(4, 7.0, np.float32)
    expected = chances.copy()
    columns.two_hot_loss(expected, 0, targets, np.ones(4, np.float32))
    targets[row] = np.nan
    loss = columns.two_hot_loss(chances, 0, targets, np.ones(4, np.float32))
    assert np.isnan(loss) and np.isnan(chances[:, row]).any()
    others = np.arange(4) != row
    assert np.array_equal(chances[:, others], expected[:, others])
    assert (memory[:16] == 0.25).all() and (memory[-16:] == 0.25).all()


@pytest.mark.parametrize("target", [-1e30, -2.0, 0.0, 1e-3, 2.99, 1e30])
def test_the_gradient_of_a_two_hot_target_is_the_difference(target: float):
    chances = np.random.default_rng(0).dirichlet(np.ones(6)).astype(np.float32)[:, None]
    target_chances = np.array(reference_support.two_hot(float(np.float32(target)), -2, 3))
    expected_loss = -(target_chances * np.log(chances[:, 0].astype(float))).sum()
    expected = 3.0 * (chances[:, 0] - target_chances)
    found = columns.two_hot_loss(chances, -2, np.array([target], np.float32), np.array([3.0], np.float32))
    assert found == pytest.approx(3.0 * expected_loss, rel=1e-5)
    np.testing.assert_allclose(chances[:, 0], expected, atol=1e-6)


def test_exponential_is_exact_to_single_precision():
    x = np.linspace(-40, 0, 4001, dtype=np.float32)
    found = np.array([common.exp(v) for v in x], np.float64)
    np.testing.assert_allclose(found, np.exp(x.astype(np.float64)), rtol=3e-7)
    assert 0 < common.exp(np.float32(-1e30)) < 1e-17


@pytest.mark.parametrize("x", [-2000.0, -3.0, -1e-4, 0.0, 1e-4, 0.5, 259.0, 1e5])
def test_scalar_scaling_equals_formula(x: float):
    assert common.scale_scalar(x) == pytest.approx(reference_support.scale(x), rel=1e-12)
    assert common.unscale_scalar(reference_support.scale(x)) == pytest.approx(x, rel=1e-9, abs=1e-9)
