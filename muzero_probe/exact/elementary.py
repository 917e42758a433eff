"""Elementary functions of float64 that are the same on every processor.

The C library chooses among its versions of exp, log and pow by the processor, and numpy has further ones for AVX-512;
they differ in the last bit. These are made of additions, multiplications and divisions in a fixed order.
"""

import math

import numpy as np

from muzero_probe.compiled import jit

LN2_HIGH = 0.6931471803691238  # its last 21 bits are 0: exact in products with an exponent
LN2_LOW = 1.9082149292705877e-10
EXP_SERIES = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))  # of Taylor, for |x| <= ln(2) / 2
LOG_SERIES = tuple(1.0 / (2 * n + 1) for n in range(11, 0, -1))  # of artanh, for |x| <= 3 - 2 sqrt(2)


@jit
def _two_to(k):
    """2^k for -1022 <= k <= 1023."""
    return np.int64((np.int64(k) + np.int64(1023)) << np.int64(52)).view(np.float64)


@jit
def exp(x):
    """e^x to about 1 ulp; 0 below -745, infinite above 709.78."""
    if x != x:
        return x
    if x > 709.79:
        return np.inf
    if x < -745.2:
        return 0.0
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    series = 0.0
    for factor in EXP_SERIES:
        series = series * r + factor
    half = np.floor(0.5 * k)  # 2^k may lie outside the range of a factor
    return series * _two_to(half) * _two_to(k - half)


@jit
def log(x):
    """The natural logarithm of x > 0, to 2 ulp; minus infinity of 0, not a number below."""
    if not x > 0.0:
        return -np.inf if x == 0.0 else np.nan
    if x == np.inf:
        return x
    k = 0.0
    if x < 2.2250738585072014e-308:  # denormal
        x *= 18014398509481984.0
        k = -54.0
    bits = np.float64(x).view(np.int64)
    k += np.float64((bits >> np.int64(52)) - np.int64(1023))
    m = np.int64((bits & np.int64(0x000FFFFFFFFFFFFF)) | np.int64(0x3FF0000000000000)).view(np.float64)
    if m > 1.4142135623730951:
        m *= 0.5
        k += 1.0
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = 0.0
    for factor in LOG_SERIES:
        series = z * (series + factor)
    return k * LN2_HIGH + (2.0 * s + (2.0 * s * series + k * LN2_LOW))


@jit
def power(x, y):
    """x^y for x >= 0, y >= 0 or x > 0; exact for y = 1."""
    if y == 1.0:
        return x
    if y == 0.0:
        return 1.0
    if x == 0.0:
        return 0.0
    return exp(y * log(x))


@jit
def powers(x, count):
    """x^0, x^1, ..., x^(count - 1) [count], each from the one before."""
    found = np.empty(count)
    factor = 1.0
    for i in range(count):
        found[i] = factor
        factor *= x
    return found


@jit
def power_of_each(x, y):
    """`power` of every entry of an array [...], which is contiguous."""
    found = np.empty_like(x)
    flat, out = x.ravel(), found.ravel()
    for i in range(flat.size):
        out[i] = power(flat[i], y)
    return found
