"""Do the row-wise kernels equal their formulas?"""

import numba
import numpy as np
import pytest

from muzero_probe.cpu import rows
from muzero_probe.exact import lanes
from tests.reference import support as reference


@numba.njit
def exp(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(0, x.size, 16):
        lanes.store(out, i, rows.exp(lanes.load(x, i)))


@numba.njit
def log(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(0, x.size, 16):
        lanes.store(out, i, rows.log(lanes.load(x, i)))


def applied(function, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    function(x, out)
    return out.astype(np.float64)


def test_exponential_is_exact_to_single_precision():
    x = np.linspace(-40, 0, 4000, dtype=np.float32)
    np.testing.assert_allclose(applied(exp, x), np.exp(x.astype(np.float64)), rtol=3e-7)
    x[:16] = -1e30
    assert 0 < applied(exp, x)[0] < 1e-17
    x[:16] = np.nan
    assert np.isnan(applied(exp, x)[:16]).all()


def test_logarithm_is_exact_to_single_precision():
    x = np.concatenate([np.linspace(1, 3, 2000), np.geomspace(1, 1e6, 2000)]).astype(np.float32)
    np.testing.assert_allclose(applied(log, x), np.log(x.astype(np.float64)), rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("x", [-2000.0, -3.0, -1e-4, 0.0, 1e-4, 0.5, 259.0, 1e5])
def test_scalar_scaling_equals_formula(x: float):
    scaled, unscaled = (numba.njit(lambda y, f=f: f(y)) for f in (rows.scale, rows.unscale))
    assert scaled(x) == pytest.approx(reference.scale(x), rel=1e-12)
    assert unscaled(reference.scale(x)) == pytest.approx(x, rel=1e-9, abs=1e-9)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return weights / weights.sum()


def logits_of(n: int, count: int, seed: int = 0) -> np.ndarray:
    """[count, n padded to a multiple of 8], of which the padding is never chosen."""
    found = np.full((count, -(-n // 8) * 8), rows.NEVER, np.float32)
    found[:, :n] = np.random.default_rng(seed).normal(0, 3, (count, n))
    return found


def two_hot_loss(logits: np.ndarray, support: tuple[int, int], targets: np.ndarray, weights: np.ndarray) -> float:
    totals = np.empty(16, np.float32)
    return rows.two_hot_loss(
        logits, len(logits), support, targets.astype(np.float32), weights.astype(np.float32), totals
    )


@pytest.mark.parametrize("target", [-1e30, -2.0, 0.0, 1e-3, 2.99, 1e30])
@pytest.mark.parametrize("high", [3, 21])
def test_the_gradient_of_a_two_hot_target_is_the_difference(target: float, high: int):
    n = high + 3
    logits = logits_of(n, 1)
    chances = softmax(logits[0, :n])
    wanted = np.array(reference.two_hot(float(np.float32(target)), -2, high))
    found = two_hot_loss(logits, (-2, high), np.array([target]), np.array([3.0]))
    assert found == pytest.approx(-3.0 * (wanted * np.log(chances)).sum(), rel=1e-5)
    np.testing.assert_allclose(logits[0, :n], 3.0 * (chances - wanted), atol=2e-6)


@pytest.mark.parametrize("actions", [2, 4, 18])
def test_the_gradient_of_a_policy_target_is_the_difference(actions: int):
    rng = np.random.default_rng(1)
    logits, targets = logits_of(actions, 5), rng.dirichlet(np.ones(actions), 5).astype(np.float32)
    targets[0] = np.eye(actions, dtype=np.float32)[1]
    weights = np.array([1.0, 0.0, 2.0, 0.5, 3.0], np.float32)
    chances = np.array([softmax(row[:actions]) for row in logits])
    expected = -(weights[:, None] * targets * np.log(chances)).sum()
    found = rows.policy_loss(logits, 5, targets, weights, np.empty(16, np.float32))
    assert found == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(logits[:, :actions], weights[:, None] * (chances - targets), atol=2e-6)


@pytest.mark.parametrize("row", range(4))
def test_a_nan_target_spoils_its_own_row_alone(row: int):
    """Its gradient must be NaN, so that the update is skipped, and memory around it untouched."""
    memory = np.full(16 + 24 * 4 + 16, 0.25, np.float32)
    logits = memory[16:-16].reshape(4, 24)
    logits[:] = logits_of(21, 4)
    targets = np.full(4, 7.0)
    expected = logits.copy()
    two_hot_loss(expected, (0, 20), targets, np.ones(4))
    targets[row] = np.nan
    assert np.isnan(two_hot_loss(logits, (0, 20), targets, np.ones(4)))
    assert np.isnan(logits[row]).any()
    others = np.arange(4) != row
    assert np.array_equal(logits[others], expected[others])
    assert (memory[:16] == 0.25).all() and (memory[-16:] == 0.25).all()


@pytest.mark.parametrize("latent", [1, 7, 8, 10, 16, 24, 64])
@pytest.mark.parametrize("spread", [1.0, 1e-7])
def test_scaling_to_the_unit_interval_and_its_gradient(latent: int, spread: float):
    """Against central differences in float64; with the smaller spread the floor under the range decides."""
    rng = np.random.default_rng(latent)
    width = -(-latent // 8) * 8
    x, dy = rng.normal(0, spread, (3, width)).astype(np.float32), rng.normal(size=(3, width)).astype(np.float32)
    x[:, latent:], dy[:, latent:] = x[:, :1], 0.0
    y, dx, inverses = np.empty_like(x), np.empty_like(x), np.empty(3, np.float32)
    rows.min_max(x, 3, latent, y, inverses)
    rows.min_max_backward(y, inverses, 3, dy, dx)

    def formula(v: np.ndarray) -> np.ndarray:
        return (v - v.min()) / max(v.max() - v.min(), 1e-5)

    for i in range(3):
        v = x[i, :latent].astype(np.float64)
        np.testing.assert_allclose(y[i, :latent], formula(v), atol=1e-6)
        step = 1e-5 * spread * np.eye(latent)
        if latent == 1:
            continue  # lowest and highest in one: no derivative
        expected = [
            (formula(v + e) - formula(v - e)) @ dy[i, :latent].astype(np.float64) / (2e-5 * spread) for e in step
        ]
        np.testing.assert_allclose(dx[i, :latent], expected, rtol=2e-4, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("size", [1, 15, 16, 33, 1000])
def test_norm(size: int):
    x = np.random.default_rng(size).normal(size=size).astype(np.float32)
    assert rows.norm(x) == pytest.approx(np.linalg.norm(x.astype(np.float64)), rel=1e-6)
    x[-1] = np.nan
    assert np.isnan(rows.norm(x))


def test_rows_are_added_to_the_totals_of_their_actions():
    rng = np.random.default_rng(0)
    x, dx = rng.normal(size=(2, 6, 24)).astype(np.float32)
    taken = np.array([2, 0, 2, 2, 1, 0])
    totals, total, masked = np.ones((3, 24), np.float32), np.ones(24, np.float32), np.ones(24, np.float32)
    rows.add_rows_by_action(totals, x, 6, taken)
    rows.add_rows(total, x, 6)
    expected = dx * (x > 0)
    rows.mask_and_add(dx, x, 6, masked)
    for a in range(3):
        np.testing.assert_allclose(totals[a], 1 + x[taken == a].sum(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(total, 1 + x.sum(0), rtol=1e-5, atol=1e-6)
    assert np.array_equal(dx, expected)
    np.testing.assert_allclose(masked, 1 + expected.sum(0), rtol=1e-5, atol=1e-6)
