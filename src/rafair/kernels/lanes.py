"""Vectors of 16 rows, and the few operations on them.

A block holds one number of each of ``LANES`` rows per feature or neuron, shape (width, LANES). The
sums over a layer's inputs must stay in registers while the inputs pass by. numba's vectoriser
leaves sums of arrays in memory, so a vector is a type of its own here, and each operation on it
one instruction of LLVM. Without a compiler (``NUMBA_DISABLE_JIT=1``) the same operations are those
of numpy at the end of the file.

16 rows fill one register with AVX-512, two with AVX2 and four with NEON or SSE, so that the four
sums of ``passes.sums`` fit in the registers of all of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic, models, register_model

__all__ = ["LANES", "load", "only", "plus_product", "positive", "spread", "store"]

LANES = 16

VECTOR = ir.VectorType(ir.FloatType(), LANES)
FLAGS = ir.VectorType(ir.IntType(1), LANES)
FLAG_WORD, WORD = ir.IntType(LANES), ir.IntType(32)
ZEROS = ir.Constant(VECTOR, [0.0] * LANES)


class LanesType(types.Type):
    """The type of a vector, for numba."""

    def __init__(self) -> None:
        super().__init__("Lanes")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


LANES_TYPE = LanesType()


def _address(context: Any, builder: Any, kind: Any, block: Any, row: Any) -> Any:
    """Return the address of a row of a C-contiguous block."""
    data = context.make_array(kind)(context, builder, block).data
    start = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(data, [start]), VECTOR.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    anything = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(anything, number, ir.Constant(WORD, 0))
    places = ir.Constant(ir.VectorType(WORD, LANES), [0] * LANES)
    return builder.shuffle_vector(first, anything, places)


@intrinsic
def load(_typing: Any, block: Any, row: Any) -> Any:
    """Return a row of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], *arguments)
        return builder.load(address, align=4)

    return LANES_TYPE(block, row), emit


@intrinsic
def store(_typing: Any, block: Any, row: Any, lanes: Any) -> Any:
    """Write a vector to a row of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *place, lanes = arguments
        address = _address(context, builder, signature.args[0], *place)
        builder.store(lanes, address, align=4)
        return context.get_dummy_value()

    return types.void(block, row, lanes), emit


@intrinsic
def spread(_typing: Any, _number: Any) -> Any:
    """Return a vector with the same number in all lanes."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0])

    return LANES_TYPE(types.float32), emit


@intrinsic
def plus_product(_typing: Any, _total: Any, _weight: Any, _lanes: Any) -> Any:
    """Return total + weight · lanes, rounded once where the processor can."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        total, weight, lanes = arguments
        product = builder.fmul(_spread(builder, weight), lanes, flags=["contract"])
        return builder.fadd(total, product, flags=["contract"])

    return LANES_TYPE(LANES_TYPE, types.float32, LANES_TYPE), emit


@intrinsic
def positive(_typing: Any, _lanes: Any) -> Any:
    """Return a word whose bit r tells whether lane r is above 0."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        flags = builder.fcmp_ordered(">", arguments[0], ZEROS)
        return builder.zext(builder.bitcast(flags, FLAG_WORD), WORD)

    return types.uint32(LANES_TYPE), emit


@intrinsic
def only(_typing: Any, _lanes: Any, _bits: Any) -> Any:
    """Return a vector with 0 in the lanes whose bit is 0."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes, bits = arguments
        flags = builder.bitcast(builder.trunc(bits, FLAG_WORD), FLAGS)
        return builder.select(flags, lanes, ZEROS)

    return LANES_TYPE(LANES_TYPE, types.uint32), emit


if config.DISABLE_JIT:
    PLACES = np.arange(LANES, dtype=np.uint32)

    def load(block: Any, row: Any) -> Any:  # noqa: D103
        return block[row].copy()

    def store(block: Any, row: Any, lanes: Any) -> None:  # noqa: D103
        block[row] = lanes

    def spread(number: Any) -> Any:  # noqa: D103
        return np.full(LANES, number, np.float32)

    def plus_product(total: Any, weight: Any, lanes: Any) -> Any:  # noqa: D103
        return total + weight * lanes

    def positive(lanes: Any) -> Any:  # noqa: D103
        return np.bitwise_or.reduce((lanes > 0).astype(np.uint32) << PLACES)

    def only(lanes: Any, bits: Any) -> Any:  # noqa: D103
        return np.where(bits >> PLACES & np.uint32(1), lanes, np.float32(0))
