"""What the compiled kernels share: how they are compiled, arrays that lie apart, elementary functions."""

import numba
import numpy as np

from muzero_probe.support import EPSILON

SCALE_FLOOR = np.float32(1e-5)  # smallest range that the min-max scaling divides by

# smallest exponent of a softmax: e^-40 is far below rounding, yet no product made from it is denormal
# (see `nets.updates`)
LEAST_EXPONENT = np.float32(-40.0)

# Kernels are inlined into the kernels that call them. Else each object file has copies of what it calls, which fast
# math may have rounded otherwise, under the same name: a process that compiles binds to other copies than one that
# loads its kernels from the cache, and trained another agent.
jit = numba.njit(nogil=True, cache=True, fastmath=True, error_model="numpy", forceinline=True)

APART = 64  # numbers between an array of these kernels and any other


@jit
def room(shape, dtype: type = np.float32):
    """Uninitialised array, with APART numbers of spare memory on both sides.

    A vectorised loop first asks whether what it writes starts within 256 bytes of what it reads; where it does, numbers
    are computed one by one, which fast math rounds otherwise. Whether small arrays lie so close together is up to the
    heap: without the spare memory runs with batches of 8 rows differed now and then.
    """
    size = 1
    for length in shape:
        size *= length
    return np.empty(size + 2 * APART, dtype)[APART : APART + size].reshape(shape)


@jit
def full(shape, value):
    """`room` filled with a value."""
    x = room(shape)
    x[:] = np.float32(value)
    return x


@jit
def zeros(shape):
    """`room` filled with 0."""
    return full(shape, 0.0)


@jit
def exp(x):
    """Exponential of LEAST_EXPONENT <= x <= 0 in float32, to 2 ulp; written so that loops over it vectorise."""
    x = max(x, LEAST_EXPONENT)
    k = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - k * np.float32(0.693359375)
    r = r + k * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1.0)
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


@jit
def scale_scalar(x):
    """h(x) of `support.scale`, in float64."""
    return np.sign(x) * (np.sqrt(abs(x) + 1.0) - 1.0) + EPSILON * x


@jit
def unscale_scalar(y):
    """Inverse of `scale_scalar`, in float64."""
    root = (np.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON)) - 1.0) / (2.0 * EPSILON)
    return np.sign(y) * (root * root - 1.0)
