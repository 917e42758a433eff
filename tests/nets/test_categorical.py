"""Do scaling and two-hot code equal their formulas, and does each inverse undo them?"""

import numpy as np
import pytest
import torch

from muzero_probe.nets.categorical import Support, expectation, scale, two_hot, unscale
from tests.reference import support as reference

SCALARS = [0.0, 1e-4, -1e-4, 0.5, -0.5, 1.0, -1.0, 2.5, 7.0, 33.3, -100.0, 259.0, 333.3, -2000.0, 1e5]


def test_scale_by_hand():
    # h(3) = sqrt(4) - 1 + 0.003, and h is odd
    found = scale(torch.tensor([0.0, 3.0, -3.0, 8.0, 99.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.0, 1.003, -1.003, 2.008, 9.099], abs=1e-12)


def test_scale_equals_formula():
    found = scale(torch.tensor(SCALARS, dtype=torch.float64))
    assert found.tolist() == pytest.approx([reference.scale(x) for x in SCALARS], rel=1e-12)


def test_unscale_equals_bisection():
    scaled = [-20.0, -3.3, -1.0, -1e-3, 0.0, 1e-3, 0.7, 1.0, 15.4, 20.0, 300.0]
    found = unscale(torch.tensor(scaled, dtype=torch.float64))
    assert found.tolist() == pytest.approx([reference.unscale(y) for y in scaled], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_unscale_inverts_scale(dtype: torch.dtype, relative: float):
    x = torch.tensor(SCALARS, dtype=dtype)
    found = unscale(scale(x))
    assert found.dtype == dtype
    torch.testing.assert_close(found, x, rtol=relative, atol=relative)


def test_study_value_is_inside_the_support():
    # at discount 0.997 a 500-step Cart Pole value reaches 259, i.e. 15.4 after h(x)
    value = sum(0.997**t for t in range(500))
    assert value == pytest.approx(259.1, abs=0.1)
    assert float(scale(torch.tensor(value))) == pytest.approx(15.4, abs=0.05)


@pytest.mark.parametrize("bounds", [(0, 20), (-3, 10), (-2, 2), (-300, 300)])
def test_two_hot_equals_formula(bounds: tuple[int, int]):
    found = two_hot(torch.tensor(SCALARS, dtype=torch.float64), Support(low=bounds[0], high=bounds[1]))
    expected = [reference.two_hot(x, *bounds) for x in SCALARS]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_two_hot_is_a_distribution_over_two_neighbours():
    x = torch.linspace(-9, 80, 400, dtype=torch.float64).reshape(20, 20)
    found = two_hot(x, Support(low=-3, high=12))
    assert found.shape == (20, 20, 16)
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(-1), torch.ones(20, 20, dtype=torch.float64), rtol=0, atol=1e-12)
    for row in found.reshape(-1, 16):
        used = row.nonzero().ravel()
        assert len(used) <= 2 and int(used.max() - used.min()) <= 1


def test_two_hot_saturates_at_the_ends():
    support = Support(low=-2, high=3)
    found = two_hot(torch.tensor([-1e6, 1e6, float(unscale(torch.tensor(3.0, dtype=torch.float64)))]), support)
    np.testing.assert_allclose(found, [[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1]], atol=1e-6)


def test_expectation_reads_two_hot_back():
    support = Support(low=-3, high=19)
    x = torch.linspace(-14, 300, 500, dtype=torch.float64)
    logits = two_hot(x, support).clamp(min=1e-300).log()
    torch.testing.assert_close(expectation(logits, support), x, rtol=1e-9, atol=1e-9)


def test_expectation_reads_the_ends_where_saturated():
    support = Support(low=-2, high=3)
    logits = two_hot(torch.tensor([-1e6, 1e6], dtype=torch.float64), support).clamp(min=1e-300).log()
    expected = [reference.unscale(-2), reference.unscale(3)]
    assert expectation(logits, support).tolist() == pytest.approx(expected, rel=1e-9)


def test_expectation_equals_formula():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (50, 24))
    found = expectation(torch.tensor(logits), Support(low=-3, high=20))
    expected = [reference.decode(list(row), -3) for row in logits]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_mean_is_taken_before_the_inverse():
    # half on atom 0, half on atom 2: h^-1(1), not the mean of h^-1(0) and h^-1(2)
    logits = torch.tensor([0.0, -1e9, 0.0], dtype=torch.float64)
    assert float(expectation(logits, Support(low=0, high=2))) == pytest.approx(reference.unscale(1.0), rel=1e-9)


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, -4)])
def test_empty_support_is_refused(low: int, high: int):
    with pytest.raises(ValueError, match=r"high .* must be above low"):
        Support(low=low, high=high)


def test_atoms():
    assert Support(low=-2, high=2).atoms == 5
    assert Support(low=-300, high=300).atoms == 601
