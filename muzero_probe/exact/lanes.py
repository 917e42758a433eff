"""Sixteen float32 numbers side by side, as a type of compiled code.

LLVM cuts a vector of sixteen into what the processor has: one register of AVX-512, two of AVX2, four of SSE or NEON.
Every operation is that of IEEE 754, lane by lane, and what is summed across lanes is summed in one stated order. So the
bits depend neither on the processor nor on where an array lies. `fma` rounds once; a processor without such an
instruction (before Haswell, 2013) computes it in software, to the same bits and many times slower.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, register_model

WIDTH = 16  # lanes
HALF = 8  # rows of matrices are multiples of it
ROUNDER = 12582912.0  # 1.5 x 2^23: float32 numbers of this size are whole, see `power_of_two`

FLOAT = ir.FloatType()
WORD = ir.IntType(32)
SIZE = ir.IntType(64)

Builder = Any  # of llvmlite, whose stubs lack what is used here
Value = Any
intrinsic: Any = extending.intrinsic


def vector(lanes: int, element: Any = FLOAT) -> Any:
    """LLVM's type of so many numbers."""
    return ir.VectorType(element, lanes)


class LanesType(types.Type):
    """Numba's type of sixteen float32 numbers."""

    def __init__(self) -> None:
        """Has one instance, `lanes_type`."""
        super().__init__(name="lanes")


lanes_type = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, vector(WIDTH))


def load_vector(builder: Builder, pointer: Value, lanes: int) -> Value:
    """Reads numbers that need not be aligned."""
    return builder.load(builder.bitcast(pointer, vector(lanes).as_pointer()), align=4)


def store_vector(builder: Builder, value: Value, pointer: Value) -> None:
    """Writes numbers that need not be aligned."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=4)


def splat_vector(builder: Builder, number: Value, lanes: int) -> Value:
    """The same number in every lane."""
    nothing = ir.Constant(vector(lanes, number.type), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(WORD, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(vector(lanes, WORD), [0] * lanes))


def call(builder: Builder, operation: str, *operands: Value) -> Value:
    """A call of LLVM's own function of float32 vectors, such as "fma"."""
    kind = operands[0].type
    signature = ir.FunctionType(kind, [kind] * len(operands))
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{operation}.v{kind.count}f32")
    return builder.call(function, operands)


def larger_vector(builder: Builder, a: Value, b: Value) -> Value:
    """A where a > b, else b: b also where one of them is not a number."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def smaller_vector(builder: Builder, a: Value, b: Value) -> Value:
    """A where a < b, else b."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _each(emit: Callable[..., Value]) -> Any:
    """An operation of two vectors, lane by lane."""

    @intrinsic
    def operation(typing_context, a, b):
        return lanes_type(lanes_type, lanes_type), lambda context, builder, signature, given: emit(builder, *given)

    return operation


def _fold(join: Callable[[Builder, Value, Value], Value]) -> Any:
    """Joins lanes i and i + 8, then i and i + 4, i + 2, i + 1, to one number."""

    def folded(context, builder, signature, given):
        (found,) = given
        while found.type.count > 1:
            half = found.type.count // 2
            nothing = ir.Constant(found.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(found, nothing, ir.Constant(vector(half, WORD), list(places)))
                for places in (range(half), range(half, 2 * half))
            )
            found = join(builder, low, high)
        return builder.extract_element(found, ir.Constant(WORD, 0))

    @intrinsic
    def operation(typing_context, a):
        return types.float32(lanes_type), folded

    return operation


add = _each(lambda builder, a, b: builder.fadd(a, b))
subtract = _each(lambda builder, a, b: builder.fsub(a, b))
multiply = _each(lambda builder, a, b: builder.fmul(a, b))
larger = _each(larger_vector)
smaller = _each(smaller_vector)
sum_of = _fold(lambda builder, a, b: builder.fadd(a, b))
largest_of = _fold(larger_vector)
smallest_of = _fold(smaller_vector)


@intrinsic
def load(typing_context, array, index):
    """The sixteen numbers of a contiguous float32 array that start at a flat index."""

    def emit(context, builder, signature, given):
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        return load_vector(builder, builder.gep(data, [given[1]]), WIDTH)

    return lanes_type(array, types.intp), emit


@intrinsic
def store(typing_context, array, index, value):
    """Writes sixteen numbers into a contiguous float32 array from a flat index on."""

    def emit(context, builder, signature, given):
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        store_vector(builder, given[2], builder.gep(data, [given[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes_type), emit


@intrinsic
def load_half(typing_context, array, index, rest):
    """Eight numbers of a contiguous float32 array from a flat index on; the other lanes are `rest`."""

    def emit(context, builder, signature, given):
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        low = load_vector(builder, builder.gep(data, [given[1]]), HALF)
        rest = splat_vector(builder, given[2], HALF)
        return builder.shuffle_vector(low, rest, ir.Constant(vector(WIDTH, WORD), list(range(WIDTH))))

    return lanes_type(array, types.intp, types.float32), emit


@intrinsic
def store_half(typing_context, array, index, value):
    """Writes the first eight numbers into a contiguous float32 array from a flat index on."""

    def emit(context, builder, signature, given):
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        places = ir.Constant(vector(HALF, WORD), list(range(HALF)))
        low = builder.shuffle_vector(given[2], ir.Constant(vector(WIDTH), ir.Undefined), places)
        store_vector(builder, low, builder.gep(data, [given[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes_type), emit


@intrinsic
def splat(typing_context, number):
    """The same float32 number in every lane."""
    return (
        lanes_type(types.float32),
        lambda context, builder, signature, given: splat_vector(builder, given[0], WIDTH),
    )


@intrinsic
def fma(typing_context, a, b, c):
    """A times b plus c, lane by lane, rounded once."""
    return (
        lanes_type(lanes_type, lanes_type, lanes_type),
        lambda context, builder, signature, given: call(builder, "fma", *given),
    )


@intrinsic
def power_of_two(typing_context, a):
    """2^k of the whole numbers -126 <= k <= 127 that `a` holds as ROUNDER + k, lane by lane.

    A sum with ROUNDER is rounded to a whole number, which its lowest bits then hold; so nothing is undefined where a
    lane is not a number.
    """

    def emit(context, builder, signature, given):
        words = vector(WIDTH, WORD)
        biased = builder.add(builder.bitcast(given[0], words), ir.Constant(words, [127] * WIDTH))
        return builder.bitcast(builder.shl(biased, ir.Constant(words, [23] * WIDTH)), vector(WIDTH))

    return lanes_type(lanes_type), emit


@intrinsic
def exponent(typing_context, a):
    """The k of a = 2^k m, 1 <= m < 2, for positive a that are not denormal, lane by lane."""

    def emit(context, builder, signature, given):
        words = vector(WIDTH, WORD)
        biased = builder.lshr(builder.bitcast(given[0], words), ir.Constant(words, [23] * WIDTH))
        return builder.sitofp(builder.sub(biased, ir.Constant(words, [127] * WIDTH)), vector(WIDTH))

    return lanes_type(lanes_type), emit


@intrinsic
def mantissa(typing_context, a):
    """The m of a = 2^k m, 1 <= m < 2, for positive a that are not denormal, lane by lane."""

    def emit(context, builder, signature, given):
        words = vector(WIDTH, WORD)
        bits = builder.and_(builder.bitcast(given[0], words), ir.Constant(words, [0x007FFFFF] * WIDTH))
        return builder.bitcast(builder.or_(bits, ir.Constant(words, [0x3F800000] * WIDTH)), vector(WIDTH))

    return lanes_type(lanes_type), emit


@intrinsic
def where_equal(typing_context, a, b, c):
    """C where a = b, else 0, lane by lane."""

    def emit(context, builder, signature, given):
        a, b, c = given
        return builder.select(builder.fcmp_ordered("==", a, b), c, ir.Constant(vector(WIDTH), [0.0] * WIDTH))

    return lanes_type(lanes_type, lanes_type, lanes_type), emit


@intrinsic
def where_positive(typing_context, a, c):
    """C where a > 0, else 0, lane by lane."""

    def emit(context, builder, signature, given):
        a, c = given
        zero = ir.Constant(vector(WIDTH), [0.0] * WIDTH)
        return builder.select(builder.fcmp_ordered(">", a, zero), c, zero)

    return lanes_type(lanes_type, lanes_type), emit


@intrinsic
def transpose_square(typing_context, array, index, step, out, place, out_step, scale):
    """Writes the transpose of eight numbers in each of eight rows of a contiguous float32 array, times a number.

    Rows start at a flat index and are `step` numbers apart; in `out`, at a place and `out_step` apart.
    """

    def emit(context, builder, signature, given):
        _, index, step, _, place, out_step, scale = given
        source, target = (context.make_array(signature.args[i])(context, builder, given[i]).data for i in (0, 3))
        factor = splat_vector(builder, scale, HALF)

        def line(data: Value, start: Value, apart: Value, i: int) -> Value:
            return builder.gep(data, [builder.add(start, builder.mul(apart, SIZE(i)))])

        rows = [builder.fmul(load_vector(builder, line(source, index, step, i), HALF), factor) for i in range(HALF)]
        for distance in (4, 2, 1):  # rows and columns that far apart change places
            for i in range(HALF):
                if i & distance == 0:
                    upper, lower = rows[i], rows[i + distance]
                    kept, moved = [], []
                    for lane in range(HALF):
                        kept.append(lane if lane & distance == 0 else HALF + lane - distance)
                        moved.append(lane + distance if lane & distance == 0 else HALF + lane)
                    rows[i], rows[i + distance] = (
                        builder.shuffle_vector(upper, lower, ir.Constant(vector(HALF, WORD), lanes))
                        for lanes in (kept, moved)
                    )
        for i, row in enumerate(rows):
            store_vector(builder, row, line(target, place, out_step, i))
        return context.get_dummy_value()

    size = types.intp
    return types.void(array, size, size, out, size, size, types.float32), emit
