"""Vectors of rows, and the few operations on them.

A block holds one number of each of several rows per feature or neuron, shape (width, lanes): of 16
rows in single precision, ``LANES``, and of 8 in double precision. The sums over a layer's inputs
must stay in registers while the inputs pass by. numba's vectoriser leaves sums of arrays in memory,
so a vector is a type of its own here, and each operation on it one instruction of LLVM. Without a
compiler (``NUMBA_DISABLE_JIT=1``) the same operations are those of numpy at the end of the file.

A vector has 64 bytes: it fills one register with AVX-512, two with AVX2 and four with NEON or SSE,
so that the four sums of ``passes.sums`` fit in the registers of all of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic, models, register_model

__all__ = ["LANES", "load", "only", "plus_product", "positive", "spread", "store"]

BYTES = 64
LANES = BYTES // 4

WORD = ir.IntType(32)


class LanesType(types.Type):
    """The type of a vector of such numbers, for numba."""

    def __init__(self, number: types.Float, count: int) -> None:
        super().__init__(f"Lanes({number}, {count})")
        self.number, self.count = number, count


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _vector(kind))


VECTORS = {
    number: LanesType(number, BYTES * 8 // number.bitwidth)
    for number in (types.float32, types.float64)
}


def _vector(kind: LanesType) -> ir.VectorType:
    element = ir.FloatType() if kind.number == types.float32 else ir.DoubleType()
    return ir.VectorType(element, kind.count)


def _zeros(kind: LanesType) -> ir.Constant:
    return ir.Constant(_vector(kind), [0.0] * kind.count)


def _flags(kind: LanesType) -> tuple[ir.VectorType, ir.IntType]:
    """Return the type of a flag per lane, and of a word of such flags."""
    return ir.VectorType(ir.IntType(1), kind.count), ir.IntType(kind.count)


def _address(context: Any, builder: Any, kind: Any, block: Any, row: Any) -> Any:
    """Return the address of a row of a C-contiguous block."""
    lanes = VECTORS[kind.dtype]
    data = context.make_array(kind)(context, builder, block).data
    start = builder.mul(row, ir.Constant(row.type, lanes.count))
    return builder.bitcast(builder.gep(data, [start]), _vector(lanes).as_pointer())


def _spread(builder: Any, kind: LanesType, number: Any) -> Any:
    anything = ir.Constant(_vector(kind), ir.Undefined)
    first = builder.insert_element(anything, number, ir.Constant(WORD, 0))
    places = ir.Constant(ir.VectorType(WORD, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, anything, places)


@intrinsic
def load(_typing: Any, block: Any, row: Any) -> Any:
    """Return a row of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        address = _address(context, builder, kind, *arguments)
        return builder.load(address, align=kind.dtype.bitwidth // 8)

    return VECTORS[block.dtype](block, row), emit


@intrinsic
def store(_typing: Any, block: Any, row: Any, lanes: Any) -> Any:
    """Write a vector to a row of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *place, lanes = arguments
        kind = signature.args[0]
        address = _address(context, builder, kind, *place)
        builder.store(lanes, address, align=kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(block, row, lanes), emit


@intrinsic
def spread(_typing: Any, number: Any) -> Any:
    """Return a vector with the same number in all lanes."""

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, signature.return_type, arguments[0])

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
            weight = _spread(builder, kind, weight)
        product = builder.fmul(weight, lanes, flags=["contract"])
        return builder.fadd(total, product, flags=["contract"])

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
        return np.full(BYTES // kind.itemsize, number, kind)

    def plus_product(total: Any, weight: Any, lanes: Any) -> Any:  # noqa: D103
        return total + weight * lanes

    def positive(lanes: Any) -> Any:  # noqa: D103
        return np.bitwise_or.reduce((lanes > 0).astype(np.uint32) << PLACES[: len(lanes)])

    def only(lanes: Any, bits: Any) -> Any:  # noqa: D103
        return np.where(bits >> PLACES[: len(lanes)] & np.uint32(1), lanes, lanes.dtype.type(0))
