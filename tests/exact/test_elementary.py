"""Are the elementary functions accurate, and made of operations that every processor rounds alike?"""

import math

import numpy as np
import pytest

from muzero_probe.exact import elementary


def ulps(found: float, wanted: float) -> float:
    return abs(found - wanted) / np.spacing(abs(wanted))


def test_exponential():
    rng = np.random.default_rng(0)
    for x in [*rng.uniform(-700, 700, 2000), *rng.uniform(-1, 1, 2000), 0.0, 1e-300, -1e-17]:
        assert ulps(elementary.exp(x), math.exp(x)) <= 1
    assert elementary.exp(0.0) == 1.0
    assert elementary.exp(-745.1) == math.exp(-745.1) > 0.0  # denormal
    assert elementary.exp(-746.0) == elementary.exp(-math.inf) == 0.0
    assert elementary.exp(710.0) == elementary.exp(math.inf) == math.inf
    assert math.isnan(elementary.exp(math.nan))


def test_logarithm():
    rng = np.random.default_rng(0)
    for x in [*np.exp(rng.uniform(-700, 700, 2000)), *rng.uniform(0.5, 2, 2000), 5e-324, 1e-310]:
        assert ulps(elementary.log(x), math.log(x)) <= 2
    assert elementary.log(1.0) == 0.0
    assert elementary.log(0.0) == -math.inf
    assert elementary.log(math.inf) == math.inf
    assert math.isnan(elementary.log(-1.0)) and math.isnan(elementary.log(math.nan))


@pytest.mark.parametrize("y", [-1.0, -0.4, 0.25, 0.5, 2.0, 4.0, 1000.0])
def test_power(y: float):
    for x in [*np.random.default_rng(0).uniform(0, 1, 1000), 1.0, 1e-3]:
        assert elementary.power(x, y) == pytest.approx(math.pow(x, y), rel=1e-12)
    assert elementary.power(0.0, 2.0) == 0.0
    assert elementary.power(0.0, 0.0) == elementary.power(3.0, 0.0) == 1.0
    assert elementary.power(0.1, 1.0) == 0.1
    x = np.random.default_rng(0).random((3, 4, 5))
    np.testing.assert_allclose(elementary.power_of_each(x, 0.5), np.sqrt(x), rtol=1e-14)
    np.testing.assert_allclose(elementary.powers(0.9, 5), [1, 0.9, 0.81, 0.729, 0.6561], rtol=1e-15)
    assert elementary.powers(0.9, 0).shape == (0,)
