"""Does compiled inference equal the nets' definition in torch, and is a row computed alike in any company?"""

import numpy as np
import pytest
import torch

from muzero_probe.engine import learned_model
from muzero_probe.nets.mlp import Mlp
from tests.doubles import MLPS, of_all_sizes, random_theta
from tests.reference import support as reference_support

ROWS = 200


def inputs(nets: Mlp, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    observations = rng.normal(size=(rows, nets.observation)).astype(np.float32)
    return observations, rng.integers(0, nets.actions, rows), rng.integers(0, nets.actions, (rows, 6))


def answers(nets: Mlp, theta: torch.Tensor, row_seeds: np.ndarray, given: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Everything that root, step and rollout say of some rows."""
    observations, actions, plans = given
    model = learned_model(nets, theta, row_seeds, may_diverge=True)
    root = model.root(observations)
    step = model.step(root.states, actions)
    return [*root[:4], *step[:4], model.rollout(root.states, plans)]


def on_scale(x: np.ndarray) -> list[float]:
    return [reference_support.scale(float(v)) for v in x]


@of_all_sizes
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


@of_all_sizes
def test_a_row_does_not_depend_on_how_many_there_are(nets: Mlp):
    theta = random_theta(nets)
    given = inputs(nets)
    whole = answers(nets, theta, np.zeros(ROWS, int), given)
    for M in range(1, ROWS + 1):
        for rows in (slice(0, M), slice(ROWS - M, ROWS)):
            part = answers(nets, theta, np.zeros(M, int), tuple(x[rows] for x in given))
            assert all(np.array_equal(p, w[rows]) for p, w in zip(part, whole, strict=True)), f"{M} rows"


@of_all_sizes
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


@of_all_sizes
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


def test_rollout_is_repeated_step():
    nets = MLPS["cartpole"]
    model = learned_model(nets, random_theta(nets), np.zeros(70, int))
    observations, _, plans = inputs(nets, 70)
    states = model.root(observations).states
    rolled = model.rollout(states, plans)
    for t in range(plans.shape[1]):
        prediction = model.step(states, plans[:, t])
        states = prediction.states
        assert np.array_equal(prediction.rewards, rolled[:, t])
    assert model.rollout(states, plans[:, :0]).shape == (70, 0)
