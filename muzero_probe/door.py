"""The door to compiled code: what a caller gives is looked at once, at a public border, never inside of a loop.

Compiled code believes what it is told: an action out of range reads other memory, a short array is read past its end,
and a number that is not finite spreads. So every public function asks here first. What is wrong is said in one line:
what came and what is allowed.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing

from muzero_probe.compiled import jit

MOST = 100_000  # of whatever an array has an axis of: horizons, samples, simulations, actions
MOST_SEQUENCES = 2**22  # prefixes of action sequences that are followed side by side; about 2 GiB
ROOM = 4 * 2**30  # bytes that one call may ask for
UNEVEN = 1e-4  # how far the sum of probabilities may lie from 1: they may be of float32

INTEGERS, REALS, NUMBERS, BOOLEANS = "iu", "f", "fiu", "b"  # kinds of dtypes
_KINDS = {INTEGERS: "integers", REALS: "floating-point numbers", BOOLEANS: "booleans"}

T = TypeVar("T")
Lengths = Sequence[int | str]  # of an array's axes; a letter where any will do


def instance(what: str, given: Any, kind: type[T]) -> T:
    """Returns what was given, if it is of a kind.

    Raises:
        TypeError: if it is not.
    """
    if not isinstance(given, kind):
        raise TypeError(f"{what} must be of kind {kind.__name__}, not {_named(given)}")
    return given


def function(what: str, given: Any) -> None:
    """Refuses what cannot be called.

    Raises:
        TypeError: in one line.
    """
    if not callable(given):
        raise TypeError(f"{what} must be a function, not {_named(given)}")


def whole(what: str, given: Any, least: int, most: int = MOST) -> int:
    """Returns a whole number within [least, most].

    Raises:
        TypeError: if it is none; a boolean is none.
        ValueError: if it lies elsewhere.
    """
    try:
        if isinstance(given, bool | np.bool_):
            raise TypeError
        found = operator.index(given)
    except TypeError:
        raise TypeError(f"{what} must be a whole number from {least} to {most:,}, not {_shown(given)}") from None
    if found < least:
        raise ValueError(f"{what} is {_shown(given)}, at least {least} is needed")
    if found > most:
        raise ValueError(f"{what} is {_shown(given)}, at most {most:,} are possible")
    return found


def number(what: str, given: Any, low: float, high: float, *, above: bool = False) -> float:
    """Returns a number within [low, high], or (low, high] where it must lie `above`.

    Raises:
        TypeError: if it is none.
        ValueError: if it lies elsewhere, or is not finite.
    """
    within = f"{'(' if above else '['}{low:g}, {high:g}]"
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | float | np.integer | np.floating):
        raise TypeError(f"{what} must be a number in {within}, not {_shown(given)}")
    if not low <= given <= high or (above and given == low):
        raise ValueError(f"{what} is {_shown(given)}, it must lie in {within}")
    return float(given)


def discount(given: Any) -> float:
    """Returns a discount per step, in (0, 1].

    Raises:
        TypeError: if it is no number.
        ValueError: if it lies elsewhere.
    """
    return number("discount", given, 0, 1, above=True)


def array(
    what: str,
    given: Any,
    shape: Lengths,
    kinds: str = NUMBERS,
    *,
    low: int | None = None,
    high: int | None = None,
    finite: bool = True,
) -> np.ndarray:
    """Returns an array, if it is one of numpy of this shape and kind, with values within [low, high] and finite.

    Args:
        what: its name.
        given: the array.
        shape: lengths of its axes; a letter where any will do, equal ones nowhere compared.
        kinds: of dtypes, such as `INTEGERS`.
        low: the smallest value allowed.
        high: the largest, of those that have a smallest.
        finite: whether numbers must be.

    Raises:
        TypeError: if it is no numpy array, or of another kind.
        ValueError: if its shape differs, or a value lies elsewhere.
    """
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{what} must be a numpy array {_axes(shape)}, not {_named(given)}")
    lengths = given.shape
    if lengths != tuple(shape) and not (
        len(lengths) == len(shape)
        and all(isinstance(n, str) or n == length for n, length in zip(shape, lengths, strict=True))
    ):
        raise ValueError(f"{what} must have shape {_axes(shape)}, not {list(lengths)}")
    if given.dtype.kind not in kinds:
        raise TypeError(f"{what} must be {_KINDS.get(kinds, 'numbers')}, not {given.dtype}")
    if given.size:
        if finite and given.dtype.kind == "f":
            all_finite(what, given)
        least, most = (np.minimum.reduce(given, None), np.maximum.reduce(given, None)) if low is not None else (0, 0)
        if low is not None and (least < low or (high is not None and most > high)):
            allowed = f"be {low} or more" if high is None else f"lie in {low}..{high}"
            raise ValueError(f"{what} must {allowed}, {least if least < low else most} is among them")
    return given


def same(
    what: str,
    given: Any,
    dtype: numpy.typing.DTypeLike,
    shape: Lengths,
    *,
    low: int | None = None,
    high: int | None = None,
    finite: bool = True,
) -> np.ndarray:
    """Returns an array as `array` does, if it is of exactly this dtype: what was stored comes back so.

    Raises:
        TypeError: if it is of another one.
        ValueError: as `array`.
    """
    found = array(what, given, shape, "biuf", low=low, high=high, finite=finite)
    if found.dtype != dtype:
        raise TypeError(f"{what} must be {np.dtype(dtype)}, not {found.dtype}")
    return found


def scalar(what: str, given: Any, least: int, most: int) -> int:
    """Returns the whole number of an array without axes.

    Raises:
        TypeError: if it is none.
        ValueError: if it lies outside [least, most].
    """
    return whole(what, array(what, given, (), INTEGERS).item(), least, most)


def all_finite(what: str, given: np.ndarray) -> None:
    """Refuses an array of floating-point numbers where one is not finite.

    Raises:
        ValueError: in one line.
    """
    # a sum is finite where all numbers are, but for huge ones
    if not math.isfinite(np.add.reduce(given, None)) and not np.isfinite(given).all():
        raise ValueError(f"{what} must be finite, {given[~np.isfinite(given)][0]} is among them")


def actions(what: str, given: Any, shape: Lengths, count: int) -> np.ndarray:
    """Returns actions, if they are integers [B] or [B, T] within 0..count - 1.

    Raises:
        TypeError: as `array`.
        ValueError: as `array`.
    """
    return given if are_actions(given, shape, count) else array(what, given, shape, INTEGERS, low=0, high=count - 1)


def are_actions(given: Any, shape: Sequence[Any], count: int) -> bool:
    """Whether something is int64 actions [B] or [B, T] within 0..count - 1; soon told, as models are asked often."""
    return (
        type(given) is np.ndarray and given.dtype == np.int64 and given.ndim == len(shape) and len(given) == shape[0]
        and bool(_within(given if given.ndim == 1 else given.reshape(-1), count))
    )  # fmt: skip


@jit
def _within(given, count):
    within = True
    for action in given:
        within &= 0 <= action < count
    return within


def distributions(what: str, given: Any, shape: Lengths) -> np.ndarray:
    """Returns probabilities [..., A], if they are 0 or more and sum to 1.

    Raises:
        TypeError: if they are no numpy array of numbers.
        ValueError: if they are of another shape, negative, not finite, or of another sum.
    """
    found = array(what, given, shape)
    if found.size:
        if found.min() < 0:
            raise ValueError(f"{what} must be 0 or more and sum to 1, {found.min():g} is among them")
        off = np.abs(found.sum(-1) - 1)
        if off.max() > UNEVEN:
            raise ValueError(f"{what} must be 0 or more and sum to 1, not {found.sum(-1).flat[off.argmax()]:g}")
    return found


def keys(given: Any, rows: int) -> np.ndarray:
    """Returns keys of random streams, if they are [B] uint64.

    Raises:
        TypeError: if they are no numpy array of uint64.
        ValueError: if they are of another shape.
    """
    found = array("keys", given, (rows,), INTEGERS)
    if found.dtype != np.uint64:
        raise TypeError(f"keys must be uint64, not {found.dtype}: see muzero_probe.randomness.row_keys")
    return found


def streams(what: str, given: Any, count: int | None = None) -> Sequence[np.random.Generator]:
    """Returns random streams, if there are as many as said.

    Raises:
        TypeError: if they are no generators of numpy.
        ValueError: if there are more or fewer.
    """
    if not isinstance(given, list | tuple) or not all(isinstance(rng, np.random.Generator) for rng in given):
        raise TypeError(f"{what} must be a list of numpy.random.Generator, not {_shown(given)}")
    if count is not None and len(given) != count:
        raise ValueError(f"{what} must be {count} random streams, not {len(given)}")
    return given


def room(what: str, size: int, most: int = ROOM) -> None:
    """Refuses work that would ask for too much memory, before it does.

    Raises:
        ValueError: in one line, with the number and the limit.
    """
    if size > most:
        raise ValueError(f"{what} would take {size / 2**30:,.1f} GiB, at most {most / 2**30:g} GiB are allowed")


def sequences(count: int, why: str) -> None:
    """Refuses more action sequences than can be followed side by side.

    Raises:
        ValueError: in one line, with the number and the limit.
    """
    if count > MOST_SEQUENCES:
        shown = f"{count:,}" if count < 10**15 else f"about 10^{math.log10(count):.0f}"
        raise ValueError(f"{why} are {shown} action sequences, at most {MOST_SEQUENCES:,} can be followed")


def _axes(shape: Lengths) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _named(given: Any) -> str:
    return given.__name__ if isinstance(given, type) else f"a {type(given).__name__}"


def _shown(given: Any) -> str:
    """The thing in few words."""
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) >= 10**15:
        return f"about {'-' if given < 0 else ''}10^{math.log10(abs(given)):.0f}"
    if given is None or isinstance(given, str | int | float | np.generic):
        text = str(given) if isinstance(given, np.generic) else repr(given)
        return text if len(text) <= 40 else f"{text[:40]}..."
    return _named(given)
