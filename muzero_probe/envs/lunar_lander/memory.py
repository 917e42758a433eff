"""Reading and writing memory by address from compiled code, for simulators that offer no copy of their state."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import extending, types

from muzero_probe.compiled import jit

intrinsic: Any = extending.intrinsic
carray: Any = numba.carray  # pyright: ignore[reportPrivateImportUsage]


@intrinsic
def _pointer(typing_context, address):
    """An address (int64) as a pointer that `carray` takes."""

    def build(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), build


@intrinsic
def call_step(typing_context, function, world, seconds, velocity_iterations, position_iterations):
    """Calls `void b2World::Step(float, int, int)` at an address."""

    def build(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64), ir.FloatType(), ir.IntType(32), ir.IntType(32)])
        callee = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(callee, arguments[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32, types.int32, types.int32), build


@jit
def floats(address, count):
    """The float32 numbers at an address, as an array over that memory."""
    return carray(_pointer(address), (count,), np.float32)  # pyright: ignore[reportCallIssue]


@jit
def doubles(address, count):
    """The float64 numbers at an address, as an array over that memory."""
    return carray(_pointer(address), (count,), np.float64)  # pyright: ignore[reportCallIssue]


@jit
def words(address, count):
    """The 8-byte words at an address, as an array over that memory."""
    return carray(_pointer(address), (count,), np.int64)  # pyright: ignore[reportCallIssue]


@jit
def integers(address, count):
    """The int32 numbers at an address, as an array over that memory."""
    return carray(_pointer(address), (count,), np.int32)  # pyright: ignore[reportCallIssue]
