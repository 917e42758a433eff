"""Is every entry of a product the same chain of fused multiply-adds, whatever stands around it?"""

from fractions import Fraction

import numpy as np
import pytest

from muzero_probe import agents
from muzero_probe.config import NetsConfig
from muzero_probe.exact.products import NO_LIMIT, ROWS, product


def nearest(x: Fraction) -> np.float32:
    """The float32 number that is nearest to a fraction; of two, the one whose last bit is 0."""
    guess = np.float32(float(x))
    around = (np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf)))
    return min(around, key=lambda y: (abs(Fraction(float(y)) - x), int(y.view(np.uint32)) & 1))


def chain(row: np.ndarray, column: np.ndarray, start: np.float32) -> np.float32:
    """Start + row[0] column[0] + row[1] column[1] + ..., rounded once per product."""
    total = start
    for a, b in zip(row, column, strict=True):
        total = nearest(Fraction(float(total)) + Fraction(float(a)) * Fraction(float(b)))
    return total


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 2, ROWS, ROWS + 1, 2 * ROWS + 5])
@pytest.mark.parametrize(("inner", "width"), [(1, 8), (5, 16), (3, 24), (9, 40), (2, 56), (4, 64)])
def test_entries_are_the_chains_of_the_formula_bit_for_bit(rows: int, inner: int, width: int):
    a, b, bias = normal(rows, inner), normal(inner, width, seed=1), normal(width, seed=2)
    expected = np.array([[chain(line, column, start) for column, start in zip(b.T, bias, strict=True)] for line in a])
    out = np.full((rows + 1, width), 7.0, np.float32)
    product(a, b, bias, out[:rows], NO_LIMIT)
    assert np.array_equal(out[:rows], expected)
    assert (out[rows] == 7.0).all()
    product(np.asfortranarray(a.T).T, b, bias, out[:rows], np.float32(0.0))  # transposed memory, and a limit
    assert np.array_equal(out[:rows], np.maximum(expected, 0))
    product(np.ascontiguousarray(a.T).T, b, out[:rows], out[:rows], NO_LIMIT)  # added to what is there
    again = [[chain(line, column, start) for column, start in zip(b.T, starts, strict=True)]
             for line, starts in zip(a, np.maximum(expected, 0), strict=True)]  # fmt: skip
    assert np.array_equal(out[:rows], np.array(again))


def shapes() -> list[tuple[int, int]]:
    """[in, padded out] of every product in the compiled agents' inference and updates."""
    found = set()
    for agent in map(agents.load, agents.names()):
        for profile in agent.profiles.values():
            if agent.lacks() or not isinstance(profile.nets, NetsConfig):  # those of screens, which torch computes
                continue
            nets = agent.build(profile.nets, agent.make(profile.environment))
            for name, shape in nets.layout.shapes.items():
                if len(shape) > 1:
                    n_in, n_out = int(np.prod(shape[:-1])), shape[-1]
                    n_in = profile.nets.latent if name == "g.w1" else n_in
                    found |= {(n_in, -(-n_out // 8) * 8), (n_out, -(-n_in // 8) * 8)}  # and on the way back
    return sorted(found)


@pytest.mark.parametrize(("inner", "width"), shapes())
def test_equal_rows_are_equal_wherever_they_stand(inner: int, width: int):
    row, b, bias = normal(1, inner), normal(inner, width, seed=1), normal(width, seed=2)
    expected = None
    for rows in range(1, 257):
        a, out = np.repeat(row, rows, 0), np.empty((rows, width), np.float32)
        product(a, b, bias, out, NO_LIMIT)
        expected = out[:1].tobytes() if expected is None else expected
        assert out.tobytes() == expected * rows, f"{rows} rows"


@pytest.mark.parametrize("offset", range(16))
def test_addresses_do_not_matter(offset: int):
    def moved(x: np.ndarray) -> np.ndarray:
        memory = np.empty(x.size + 32, np.float32)
        found = memory[offset : offset + x.size].reshape(x.shape)
        found[:] = x
        return found

    a, b, bias = normal(13, 21), normal(21, 24, seed=1), normal(24, seed=2)
    out, wanted = np.empty((2, 13, 24), np.float32)
    product(a, b, bias, wanted, NO_LIMIT)
    out = moved(out)
    product(moved(a), moved(b), moved(bias), out, NO_LIMIT)
    assert np.array_equal(out, wanted)


def test_what_is_not_a_number_stays():
    a, b = np.full((1, 2), np.nan, np.float32), normal(2, 8)
    out = np.empty((1, 8), np.float32)
    product(a, b, np.zeros(8, np.float32), out, np.float32(0.0))
    assert np.isnan(out).all()
