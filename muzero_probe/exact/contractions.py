"""Products of arrays with several row and inner axes, such as convolutions, as exact as `products`.

    out[rows, j] = a[rows, inner] b[inner, j], summed over inner         (added to out, by `add_contraction`)

An entry is one chain of fused multiply-adds in the order of the inner axes, the last one fastest, whatever the tile
that holds it. A convolution's rows are the places of images, its inner axes the lines of a window and the numbers in
one; the gradient of its weights has rows and inner axes exchanged.
"""

from typing import Any

from llvmlite import ir
from numba import types

from muzero_probe.exact.lanes import (
    HALF,
    SIZE,
    WIDTH,
    Builder,
    Value,
    call,
    intrinsic,
    load_vector,
    splat_vector,
    store_vector,
    vector,
)
from muzero_probe.exact.products import ROWS, loop


def _offset(builder: Builder, steps: list[Value], places: list[Value], at: Value) -> Value:
    """Of an entry, in numbers."""
    for step, place in zip(steps, places, strict=True):
        at = builder.add(at, builder.mul(step, place))
    return at


def _row_offsets(builder: Builder, sizes: list[Value], arrays: list[tuple], top: Value, rest: Value) -> list[list]:
    """Where ROWS rows begin in arrays (start, steps) from row number `top` on; there are `rest`, the last is repeated.

    Only the first row's place is divided for; the next ones carry over, axis by axis.
    """
    places = []
    for size in reversed(sizes[1:]):
        places.insert(0, builder.urem(top, size))
        top = builder.udiv(top, size)
    places.insert(0, top)
    found = [[_offset(builder, steps, places, at)] for at, steps in arrays]
    for row in range(1, ROWS):
        moves = [steps[-1] for _, steps in arrays]
        places[-1] = builder.add(places[-1], SIZE(1))
        for axis in range(len(sizes) - 1, 0, -1):
            over = builder.icmp_signed("==", places[axis], sizes[axis])
            for i, (_, steps) in enumerate(arrays):
                back = builder.sub(steps[axis - 1], builder.mul(sizes[axis], steps[axis]))
                moves[i] = builder.add(moves[i], builder.select(over, back, SIZE(0)))
            places[axis] = builder.select(over, SIZE(0), places[axis])
            places[axis - 1] = builder.add(places[axis - 1], builder.zext(over, SIZE))
        there = builder.icmp_signed("<", SIZE(row), rest)
        for offsets, move in zip(found, moves, strict=True):
            offsets.append(builder.add(offsets[-1], builder.select(there, move, SIZE(0))))
    return found


class _Strided:
    """An array from a start on, in steps of numbers."""

    def __init__(self, context: Any, builder: Builder, kind: Any, value: Value) -> None:
        array = builder.extract_value(value, 0)
        self.data = context.make_array(kind.types[0])(context, builder, array).data
        self.start = builder.extract_value(value, 1)
        self.steps = [
            [builder.extract_value(builder.extract_value(value, i), axis) for axis in range(kind.types[i].count)]
            for i in range(2, len(kind.types))
        ]


def _tile(builder: Builder, arrays: list[_Strided], sizes: list[list[Value]], corner: tuple, lanes: int, adds: bool):
    """Computes ROWS x `lanes` entries from a corner (row, rows left, column) on."""
    a, b, out = arrays
    top, rest, j = corner
    of_rows = [(a.start, a.steps[0]), (out.start, out.steps[0])]
    lines, ends = _row_offsets(builder, sizes[0], of_rows, top, rest)
    factors = [builder.gep(a.data, [line]) for line in lines]
    columns = builder.gep(b.data, [builder.add(b.start, j)])
    targets = [builder.gep(out.data, [builder.add(end, j)]) for end in ends]
    axes = list(zip(sizes[1], a.steps[1], b.steps[0], strict=True))

    def along(axis: int, in_a: Value, in_b: Value, sums: list[Value]) -> list[Value]:
        """Adds the products along an axis and those behind it."""
        size, step_a, step_b = axes[axis]

        def step(k: Value, sums: list[Value]) -> list[Value]:
            to_a = builder.add(in_a, builder.mul(step_a, k))
            to_b = builder.add(in_b, builder.mul(step_b, k))
            if axis + 1 < len(axes):
                return along(axis + 1, to_a, to_b, sums)
            weights = load_vector(builder, builder.gep(columns, [to_b]), lanes)
            return [
                call(builder, "fma", splat_vector(builder, builder.load(builder.gep(f, [to_a])), lanes), weights, x)
                for f, x in zip(factors, sums, strict=True)
            ]

        return loop(builder, size, sums, step)

    zero = ir.Constant(vector(lanes), [0.0] * lanes)
    sums = [load_vector(builder, target, lanes) if adds else zero for target in targets]
    for target, x in zip(targets, along(0, SIZE(0), SIZE(0), sums), strict=True):
        store_vector(builder, x, target)


def _contraction(adds: bool) -> Any:
    @intrinsic
    def operation(typing_context, a, b, out, row_sizes, inner_sizes, columns):
        signature = types.void(a, b, out, row_sizes, inner_sizes, types.intp)

        def emit(context, builder: Builder, signature, given):
            kinds = signature.args[:3]
            arrays = [_Strided(context, builder, kind, x) for kind, x in zip(kinds, given[:3], strict=True)]
            sizes = [[builder.extract_value(given[i], axis) for axis in range(signature.args[i].count)] for i in (3, 4)]
            N = given[5]
            M = sizes[0][0]
            for size in sizes[0][1:]:
                M = builder.mul(M, size)
            tiles = builder.udiv(builder.add(M, SIZE(ROWS - 1)), SIZE(ROWS))

            def strip(j: Value, lanes: int) -> None:
                def one(t: Value, _: list[Value]) -> list[Value]:
                    top = builder.mul(t, SIZE(ROWS))
                    _tile(builder, arrays, sizes, (top, builder.sub(M, top), j), lanes, adds)
                    return []

                loop(builder, tiles, [], one)

            def wide(index: Value, _: list[Value]) -> list[Value]:
                strip(builder.mul(index, SIZE(WIDTH)), WIDTH)
                return []

            whole = builder.udiv(N, SIZE(WIDTH))
            loop(builder, whole, [], wide)
            done = builder.mul(whole, SIZE(WIDTH))
            with builder.if_then(builder.icmp_signed("<", done, N)):
                strip(done, HALF)
            return context.get_dummy_value()

        return signature, emit

    return operation


# Of compiled code: (a, b, out, row sizes, inner sizes, N). a is (array, start, steps of the row axes, of the inner
# axes), b (array, start, steps of the inner axes), out (array, start, steps of the row axes). All arrays are
# contiguous float32, starts and steps count numbers; N, a multiple of 8, is how many columns lie side by side.
contraction = _contraction(False)
add_contraction = _contraction(True)
