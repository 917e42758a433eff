"""Are results free of where the heap puts the kernels' arrays?"""

import ctypes
import random

import numpy as np

from muzero_probe.cpu import updates
from muzero_probe.cpu.model import sizes_of
from muzero_probe.engine import learned_model
from tests.doubles import random_batch, random_nets, random_theta

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def holes(rng: random.Random) -> list[int]:
    """Leaves 400 holes of about the size of arrays of 8 rows; the walls between them are returned, to be freed."""
    free, walls = [], []
    for _ in range(400):
        free.append(libc.malloc(rng.randrange(40, 360, 16)))
        walls.append(libc.malloc(8))
    rng.shuffle(free)
    for hole in free:
        libc.free(hole)
    return walls


def test_updates_and_predictions_of_few_rows_do_not_depend_on_the_heap():
    nets = random_nets()
    theta = random_theta(nets).numpy()
    batch = random_batch(nets, np.random.default_rng(0), updates=3, rows=8)
    rates = np.full(3, 1e-3)
    inputs = np.random.default_rng(1).normal(size=(8, nets.observation)).astype(np.float32)
    actions = np.arange(8) % nets.actions
    model = learned_model(nets, random_theta(nets), np.zeros(8, np.int64))

    def results() -> list[np.ndarray]:
        adam = updates.Adam(theta.copy(), np.zeros_like(theta), np.zeros_like(theta))
        metrics = np.zeros((1, 5))
        updates.update(0, adam, updates.Schedule(0, rates, 1e-4, 5.0), sizes_of(nets), batch, metrics)
        step = model.step(model.root(inputs).states, actions)
        return [*adam, metrics, step.states, step.rewards, step.values, step.prior_logits]

    expected = results()
    rng = random.Random(0)
    for _ in range(200):
        walls = holes(rng)
        for found, wanted in zip(results(), expected, strict=True):
            assert np.array_equal(found, wanted)
        for wall in walls:
            libc.free(wall)
