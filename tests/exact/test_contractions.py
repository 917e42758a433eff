"""Is every entry of a convolution one chain of fused multiply-adds, on every processor to the same bits?"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from muzero_probe.cpu import planes
from tests.exact.planes_digest import digests
from tests.exact.test_products import chain, normal

ROOT = Path(__file__).parents[2]


def bordered(x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


@pytest.mark.parametrize(("stride", "side"), [(1, 3), (2, 5)])
@pytest.mark.parametrize("width", [8, 24])
@pytest.mark.parametrize("rows", [1, 3])
def test_entries_are_the_chains_of_the_formula_bit_for_bit(rows: int, width: int, stride: int, side: int):
    x, weights = bordered(normal(rows, side, side, 2)), normal(3, 6, width, seed=1)
    places = (3, 3)
    out = np.full((rows, 5, 5, width), 7.0, np.float32)
    planes.convolve(x, rows, stride, weights, out, places)
    edges = np.ones((5, 5), bool)
    edges[1:-1, 1:-1] = False
    assert (out[:, edges] == 7.0).all()
    filters = weights.reshape(18, width).T
    expected = np.empty((rows, 3, 3, width), np.float32)
    for i, y, across in np.ndindex(rows, 3, 3):
        seen = x[i, y * stride : y * stride + 3, across * stride : across * stride + 3].ravel()
        expected[i, y, across] = [chain(seen, column, np.float32(0)) for column in filters]
    assert np.array_equal(out[:, 1:-1, 1:-1], expected)
    gradient = normal(3, 6, width, seed=2)
    starts = gradient.reshape(18, width).copy()
    planes.add_weights(x, rows, stride, out, gradient, places)
    dy = expected.reshape(-1, width)
    for place, (r, k) in enumerate(np.ndindex(3, 6)):
        seen = [x[i, y * stride + r, across * stride + k // 2, k % 2] for i, y, across in np.ndindex(rows, 3, 3)]
        wanted = [chain(np.array(seen), dy[:, j], starts[place, j]) for j in range(width)]
        assert np.array_equal(gradient[r, k], np.array(wanted)), (r, k)


def test_images_of_one_pixel_windows_and_sums():
    x, weights, start = bordered(normal(2, 3, 4, 8)), normal(1, 8, 16, seed=1), normal(2, 3, 4, 16, seed=2)
    out = start.copy()
    planes.add_convolution(x, 2, weights, out, (3, 4))
    expected = [
        [chain(x[i, y + 1, c + 1], weights[0, :, j], start[i, y, c, j]) for j in range(16)]
        for i, y, c in np.ndindex(2, 3, 4)
    ]
    assert np.array_equal(out.reshape(-1, 16), np.array(expected))


@pytest.mark.parametrize(("name", "features"), [("haswell", "+avx2,+fma"), ("x86-64", "")])
def test_code_for_other_processors_computes_the_same(name: str, features: str, tmp_path: Path):
    """Vectors of half and of a quarter of the width; tiles of the other height."""
    variables = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.exact.planes_digest"],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == digests()
