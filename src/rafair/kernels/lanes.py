"""Vectors of rows, and the few operations on them.

A block holds one number of each of several rows per feature or neuron, shape (width, lanes). The
sums over a layer's inputs must stay in registers while the inputs pass by. numba's vectoriser
leaves sums of arrays in memory, so a vector is a type of its own here, and each operation on it one
instruction of LLVM. Without a compiler (``NUMBA_DISABLE_JIT=1``) the same operations are those of
numpy at the end of the file.

Each number is loaded once for a tile, the vectors of ``TILE`` neurons, each weight once for a
vector, and a processor loads no faster than it multiplies. So a tile is as large as its registers
allow. With AVX-512, 8 · 32 sums in single precision fill 16 of 32 registers; with 8 · 16, loads
would take longer than products. Elsewhere vectors have 16 lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model
from numba.np.numpy_support import from_dtype

__all__ = [
    "COUNTS",
    "LANES",
    "VECTORS",
    "address",
    "load",
    "number_type",
    "only",
    "plus_product",
    "positive",
    "spread",
    "spread_over",
    "store",
    "sum_of",
    "vector_type",
]

# What numba compiles for; machine code in the cache belongs to the same features.
IS_WIDE = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]
COUNTS = {types.float32: 32 if IS_WIDE else 16, types.float64: 8}
LANES = COUNTS[types.float32]

WORD = ir.IntType(32)


class LanesType(types.Type):
    """The type of a vector of such numbers, for numba."""

    def __init__(self, number: types.Float, count: int) -> None:
        super().__init__(f"Lanes({number}, {count})")
        self.number, self.count = number, count


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, vector_type(kind))


VECTORS = {number: LanesType(number, count) for number, count in COUNTS.items()}


def number_type(kind: LanesType) -> ir.Type:
    """Return LLVM's type of one number of a vector."""
    return ir.FloatType() if kind.number == types.float32 else ir.DoubleType()


def vector_type(kind: LanesType) -> ir.VectorType:
    """Return LLVM's type of a vector."""
    return ir.VectorType(number_type(kind), kind.count)


def _zeros(kind: LanesType) -> ir.Constant:
    return ir.Constant(vector_type(kind), [0.0] * kind.count)


def _flags(kind: LanesType) -> tuple[ir.VectorType, ir.IntType]:
    """Return the type of a flag per lane, and of a word of such flags."""
    return ir.VectorType(ir.IntType(1), kind.count), ir.IntType(kind.count)


def address(context: Any, builder: Any, kind: Any, block: Any, row: Any) -> Any:
    """Return the address of a row of a C-contiguous block."""
    lanes = VECTORS[kind.dtype]
    data = context.make_array(kind)(context, builder, block).data
    start = builder.mul(row, ir.Constant(row.type, lanes.count))
    return builder.bitcast(builder.gep(data, [start]), vector_type(lanes).as_pointer())


def spread_over(builder: Any, kind: LanesType, number: Any) -> Any:
    """Return a vector with the same number in all lanes."""
    anything = ir.Constant(vector_type(kind), ir.Undefined)
    first = builder.insert_element(anything, number, ir.Constant(WORD, 0))
    places = ir.Constant(ir.VectorType(WORD, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, anything, places)


def sum_of(builder: Any, total: Any, weight: Any, lanes: Any) -> Any:
    """Return total + weight · lanes, all of them vectors."""
    product = builder.fmul(weight, lanes, flags=["contract"])
    return builder.fadd(total, product, flags=["contract"])


@intrinsic
def load(_typing: Any, block: Any, row: Any) -> Any:
    """Return a row of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        place = address(context, builder, kind, *arguments)
        return builder.load(place, align=kind.dtype.bitwidth // 8)

    return VECTORS[block.dtype](block, row), emit


@intrinsic
def store(_typing: Any, block: Any, row: Any, lanes: Any) -> Any:
    """Write a vector to a row of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *where, lanes = arguments
        kind = signature.args[0]
        place = address(context, builder, kind, *where)
        builder.store(lanes, place, align=kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(block, row, lanes), emit


@intrinsic
def spread(_typing: Any, number: Any) -> Any:
    """Return a vector with the same number in all lanes."""

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return spread_over(builder, signature.return_type, arguments[0])

    return VECTORS[number](number), emit


@intrinsic
def plus_product(_typing: Any, total: Any, weight: Any, lanes: Any) -> Any:
    """Return total + weight · lanes, rounded once where the processor can.

    The weight is a number for all lanes, or a vector.
    """

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, weight, lanes = arguments
        kind = signature.return_type
        if signature.args[1] != kind:
            weight = spread_over(builder, kind, weight)
        return sum_of(builder, total, weight, lanes)

    return total(total, weight if weight == total else total.number, lanes), emit


@intrinsic
def positive(_typing: Any, lanes: Any) -> Any:
    """Return a word whose bit r tells whether lane r is above 0."""

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        flags = builder.fcmp_ordered(">", arguments[0], _zeros(kind))
        return builder.zext(builder.bitcast(flags, _flags(kind)[1]), WORD)

    return types.uint32(lanes), emit


@intrinsic
def only(_typing: Any, lanes: Any, _bits: Any) -> Any:
    """Return a vector with 0 in the lanes whose bit is 0."""

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, bits = arguments
        kind = signature.return_type
        vector, word = _flags(kind)
        flags = builder.bitcast(builder.trunc(bits, word), vector)
        return builder.select(flags, lanes, _zeros(kind))

    return lanes(lanes, types.uint32), emit


if config.DISABLE_JIT:
    PLACES = np.arange(LANES, dtype=np.uint32)

    def load(block: Any, row: Any) -> Any:  # noqa: D103
        return block[row].copy()

    def store(block: Any, row: Any, lanes: Any) -> None:  # noqa: D103
        block[row] = lanes

    def spread(number: Any) -> Any:  # noqa: D103
        kind = np.asarray(number).dtype
        return np.full(COUNTS[from_dtype(kind)], number, kind)

    def plus_product(total: Any, weight: Any, lanes: Any) -> Any:  # noqa: D103
        return total + weight * lanes

    def positive(lanes: Any) -> Any:  # noqa: D103
        return np.bitwise_or.reduce((lanes > 0).astype(np.uint32) << PLACES[: len(lanes)])

    def only(lanes: Any, bits: Any) -> Any:  # noqa: D103
        return np.where(bits >> PLACES[: len(lanes)] & np.uint32(1), lanes, lanes.dtype.type(0))
