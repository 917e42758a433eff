"""Matrix products in which an entry depends on its row and its column alone.

    out[i, j] = max(start[i, j] + a[i, 0] b[0, j] + a[i, 1] b[1, j] + ..., least)

An entry is a chain of fused multiply-adds in the order of the inner index, whatever the tile that holds it: the result
depends neither on the row's place, its neighbours and their number, nor on addresses, nor on the processor. BLAS
promises none of this: the AVX2 kernels of OpenBLAS, for one, round a row in three ways according to its place. On the
small shapes of these nets the tiles are faster as well, since they neither pack nor dispatch: with 64 x 64 weights on
a Zen 3 core 81 to 94 GFLOP/s in products of 8 to 128 rows, where OpenBLAS has 17 to 72.
"""

import llvmlite.binding as llvm
import numpy as np
from numba import types

from muzero_probe.compiled import jit
from muzero_probe.exact.lanes import (
    HALF,
    SIZE,
    WIDTH,
    Builder,
    Value,
    call,
    intrinsic,
    larger_vector,
    load_vector,
    splat_vector,
    store_vector,
)

# A tile's sums fill the registers: 32 of 16 lanes hold 12 rows of two each, 16 of 8 lanes hold 6 rows of two. A number
# of `a` then serves two multiply-adds: with one a number, a core is bound by its loads, two a cycle.
ROWS, LANES = (12, 2 * WIDTH) if llvm.get_host_cpu_features().get("avx512f") else (6, WIDTH)

NO_LIMIT = np.float32(-np.inf)  # of `product`


class _Matrix:
    """Address and strides, in numbers, of a compiled function's array; a vector is a matrix of equal rows."""

    def __init__(self, context: object, builder: Builder, kind: types.Array, value: Value) -> None:
        array = context.make_array(kind)(context, builder, value)  # type: ignore[attr-defined]
        self.data = array.data
        self.sizes = [builder.extract_value(array.shape, axis) for axis in range(kind.ndim)]
        steps = [
            builder.sdiv(builder.extract_value(array.strides, axis), SIZE(4), flags=["exact"])
            for axis in range(kind.ndim)
        ]
        if kind.layout == "C":
            steps[-1] = SIZE(1)  # known when compiled
        elif kind.layout == "F":
            steps[0] = SIZE(1)
        self.row, self.column = steps if kind.ndim == 2 else (SIZE(0), steps[0])

    def at(self, builder: Builder, row: Value, column: Value) -> Value:
        offset = builder.add(builder.mul(self.row, row), builder.mul(self.column, column))
        return builder.gep(self.data, [offset])


def loop(builder: Builder, count: Value, sums: list[Value], body) -> list[Value]:
    """Runs body(index, sums) -> sums `count` times and returns the last sums."""
    before = builder.block
    head, inside, behind = (builder.append_basic_block(name) for name in ("head", "inside", "behind"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(SIZE)
    index.add_incoming(SIZE(0), before)
    carried = [builder.phi(x.type) for x in sums]
    for phi, x in zip(carried, sums, strict=True):
        phi.add_incoming(x, before)
    builder.cbranch(builder.icmp_signed("<", index, count), inside, behind)
    builder.position_at_end(inside)
    found = body(index, carried)
    index.add_incoming(builder.add(index, SIZE(1)), builder.block)
    for phi, x in zip(carried, found, strict=True):
        phi.add_incoming(x, builder.block)
    builder.branch(head)
    builder.position_at_end(behind)
    return carried


def _tile(builder: Builder, matrices: list[_Matrix], least: Value, corner: tuple[Value, Value], rows: int, lanes: int):
    """Computes `rows` x `lanes` entries from a corner on."""
    a, b, start, out = matrices
    i, j = corner
    lines = [builder.add(i, SIZE(r)) for r in range(rows)]
    factors = [a.at(builder, line, SIZE(0)) for line in lines]
    columns = b.at(builder, SIZE(0), j)

    def step(k: Value, sums: list[Value]) -> list[Value]:
        weights = load_vector(builder, builder.gep(columns, [builder.mul(b.row, k)]), lanes)
        along = builder.mul(a.column, k)
        return [
            call(builder, "fma", splat_vector(builder, builder.load(builder.gep(factor, [along])), lanes), weights, x)
            for factor, x in zip(factors, sums, strict=True)
        ]

    sums = loop(builder, b.sizes[0], [load_vector(builder, start.at(builder, line, j), lanes) for line in lines], step)
    floor = splat_vector(builder, least, lanes)
    for line, x in zip(lines, sums, strict=True):
        # a sum that is not a number stays
        store_vector(builder, larger_vector(builder, floor, x), out.at(builder, line, j))


@intrinsic
def _product(typing_context, a, b, start, out, least):
    signature = types.void(a, b, start, out, types.float32)

    def emit(context, builder: Builder, signature, given):
        matrices = [_Matrix(context, builder, kind, x) for kind, x in zip(signature.args[:4], given[:4], strict=True)]
        least = given[4]
        M, N = matrices[3].sizes[0], matrices[1].sizes[1]
        tiles = builder.udiv(builder.add(M, SIZE(ROWS - 1)), SIZE(ROWS))

        def strip(j: Value, lanes: int) -> None:
            def one(t: Value, _: list[Value]) -> list[Value]:
                # tiles of nearly equal heights: short ones do not fill the pipelines
                top = builder.udiv(builder.mul(M, t), tiles)
                end = builder.udiv(builder.mul(M, builder.add(t, SIZE(1))), tiles)
                behind = builder.append_basic_block("tiled")
                choice = builder.switch(builder.sub(end, top), behind)
                for rows in range(1, ROWS + 1):
                    block = builder.append_basic_block(f"rows.{rows}")
                    choice.add_case(SIZE(rows), block)
                    builder.position_at_end(block)
                    _tile(builder, matrices, least, (top, j), rows, lanes)
                    builder.branch(behind)
                builder.position_at_end(behind)
                return []

            loop(builder, tiles, [], one)

        whole = builder.udiv(N, SIZE(LANES))

        def wide(index: Value, _: list[Value]) -> list[Value]:
            strip(builder.mul(index, SIZE(LANES)), LANES)
            return []

        loop(builder, whole, [], wide)
        done = builder.mul(whole, SIZE(LANES))
        for lanes in (WIDTH, HALF)[WIDTH == LANES :]:  # a power of two each: LLVM takes vectors of 24 apart
            with builder.if_then(builder.icmp_signed("<=", builder.add(done, SIZE(lanes)), N)):
                strip(done, lanes)
            done = builder.mul(builder.udiv(N, SIZE(lanes)), SIZE(lanes))
        return context.get_dummy_value()

    return signature, emit


@jit
def product(a, b, start, out, least):
    """Writes out [M, N] = max(start + a b, least).

    Args:
        a: [M, K] or wider, float32, of any strides.
        b: [K, N], N a multiple of 8; out: [M, N] or wider; neighbours in a row side by side.
        start: [M, N] or wider, which may be `out`, or [N] for every row.
        least: float32; minus infinity for none.
    """
    _product(a, b, start, out, least)


@jit
def dense(x, weights, bias):
    """Returns x weights + bias: x [M, K], weights [K, N], bias [N] of any N, all contiguous -> [M, N]."""
    K, N = weights.shape
    if x.shape[1] != K or bias.size != N:
        raise ValueError("x [M, K], weights [K, N] and bias [N] do not fit together")
    width = (N + 7) // 8 * 8
    out = np.empty((len(x), width), np.float32)
    if width == N:
        product(x, weights, bias, out, NO_LIMIT)
        return out
    wide, long = np.zeros((K, width), np.float32), np.zeros(width, np.float32)
    wide[:, :N] = weights
    long[:N] = bias
    product(x, wide, long, out, NO_LIMIT)
    return out[:, :N].copy()
