"""Vectors of processor width in numba: a kernel computes a few dimensions at once, in registers.

Loops over arrays would have to be proven free of overlaps before a compiler may do this, and with the ten arrays of a
filter it does not try. A vector holds 64 bytes: 16 float32 or 8 float64. `a * b + c` is one instruction; nothing else
is reordered, so NaN and infinity come out as anywhere.

numba's cache looks at the file of a kernel alone: after a change here, delete `__pycache__` beside it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

BYTES = 64


class Lanes(types.Type):
    """One vector of `width` numbers."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.width = 8 * BYTES // dtype.bitwidth
        super().__init__(name=f"lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes: Lanes) -> None:
        number = ir.FloatType() if lanes.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, lanes, ir.VectorType(number, lanes.width))


def kernel(function: Callable) -> Callable:
    """Compile for use from Python: once for a machine if a cache can be written, else once for a process."""
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the installation nor the user's cache folder can be written
        return numba.njit(**options)(function)


def inline(function: Callable) -> Callable:
    """Compile for use within a kernel."""
    return numba.njit(error_model="numpy", forceinline=True)(function)


def _instruction(function: Callable) -> Any:
    """`intrinsic`: the context is numba's to give, which a type checker cannot know."""
    return intrinsic(function)


def _arithmetic(function: Callable, instruction: str) -> None:
    @type_callable(function)
    def _type(context):
        return lambda a, b: a if isinstance(a, Lanes) and a == b else None

    @lower_builtin(function, Lanes, Lanes)
    def _lower(context, builder, signature, arguments):
        return getattr(builder, instruction)(*arguments, flags=("contract",))


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
_arithmetic(operator.truediv, "fdiv")


@_instruction
def load(context, array, at, count):
    """Entries at .. at + count of an array taken as flat; lanes beyond `count` are zero and not read."""
    lanes = Lanes(array.dtype)

    def emit(context, builder, signature, arguments):
        pointer, mask = _place(context, builder, signature, arguments, lanes)
        vector = context.get_value_type(lanes)
        kind = ir.FunctionType(vector, [pointer.type, ir.IntType(32), mask.type, vector])
        read = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{_suffix(lanes)}")
        return builder.call(read, [pointer, _alignment(lanes), mask, ir.Constant(vector, None)])

    return lanes(array, types.intp, types.intp), emit


@_instruction
def store(context, array, at, count, value):
    """Write the first `count` lanes to at .. at + count of an array taken as flat."""

    def emit(context, builder, signature, arguments):
        pointer, mask = _place(context, builder, signature, arguments, value)
        vector = context.get_value_type(value)
        kind = ir.FunctionType(ir.VoidType(), [vector, pointer.type, ir.IntType(32), mask.type])
        write = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{_suffix(value)}")
        builder.call(write, [arguments[3], pointer, _alignment(value), mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, value), emit


@_instruction
def broadcast(context, array, at):
    """Entry `at` of an array taken as flat, in every lane."""
    lanes = Lanes(array.dtype)

    def emit(context, builder, signature, arguments):
        number = builder.load(builder.gep(_data(context, builder, signature, arguments), [arguments[1]]))
        return _splat(builder, number, lanes.width)

    return lanes(array, types.intp), emit


@_instruction
def constant(context, array, number):
    """A number in every lane of a vector like those of the array."""
    lanes = Lanes(array.dtype)

    def emit(context, builder, signature, arguments):
        value = context.cast(builder, arguments[1], number, array.dtype)
        return _splat(builder, value, lanes.width)

    return lanes(array, number), emit


def _data(context, builder, signature, arguments):
    array = signature.args[0]
    return context.make_array(array)(context, builder, arguments[0]).data


def _place(context, builder, signature, arguments, lanes):
    """A pointer to a vector at entry `at`, and which of its lanes count."""
    first = builder.gep(_data(context, builder, signature, arguments), [arguments[1]])
    numbers = ir.Constant(ir.VectorType(arguments[2].type, lanes.width), list(range(lanes.width)))
    mask = builder.icmp_signed("<", numbers, _splat(builder, arguments[2], lanes.width))
    return builder.bitcast(first, context.get_value_type(lanes).as_pointer()), mask


def _splat(builder, number, width):
    vector = ir.VectorType(number.type, width)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, cgutils.int32_t(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), width), None))


def _alignment(lanes):
    return ir.Constant(ir.IntType(32), lanes.dtype.bitwidth // 8)


def _suffix(lanes):
    return f"v{lanes.width}f{lanes.dtype.bitwidth}.p0"
