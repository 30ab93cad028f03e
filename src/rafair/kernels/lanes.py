"""Vectors of rows, tiles of such vectors, and the few operations on them.

A block holds one number of each of several rows per feature or neuron, shape (width, lanes). The
sums over a layer's inputs must stay in registers while the inputs pass by. numba's vectoriser
leaves sums of arrays in memory, so a vector is a type of its own here, as is a tile, the vectors of
``TILE`` neurons; each operation is a few instructions of LLVM. Without a compiler
(``NUMBA_DISABLE_JIT=1``) the same operations are those of numpy at the end of the file.

Each number is loaded once for a tile, each weight once for a vector, and a processor loads no faster
than it multiplies. So a tile is as large as its registers allow. With AVX-512, 8 · 32 sums in
single precision fill 16 of 32 registers; with half of that many loads take longer than products.
Elsewhere vectors have 16 lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model
from numba.np.numpy_support import from_dtype

from rafair.kernels.network import TILE

__all__ = [
    "LANES",
    "each",
    "lines",
    "load",
    "only",
    "plus_product",
    "plus_products",
    "positive",
    "spread",
    "store",
    "store_each",
]

# What numba compiles for; machine code in the cache belongs to the same features.
IS_WIDE = "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]
COUNTS = {types.float32: 32 if IS_WIDE else 16, types.float64: 8}
LANES = COUNTS[types.float32]

WORD, PLACE = ir.IntType(32), ir.IntType(64)


class LanesType(types.Type):
    """The type of a vector of such numbers, for numba."""

    def __init__(self, number: types.Float, count: int) -> None:
        super().__init__(f"Lanes({number}, {count})")
        self.number, self.count = number, count


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _vector(kind))


VECTORS = {number: LanesType(number, count) for number, count in COUNTS.items()}


class TileType(types.Type):
    """The type of ``TILE`` vectors, or of ``TILE`` places in memory where weights begin."""

    def __init__(self, name: str, element: ir.Type) -> None:
        super().__init__(f"Tile({name})")
        self.value = ir.ArrayType(element, TILE)


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.value)


def _number(kind: LanesType) -> ir.Type:
    return ir.FloatType() if kind.number == types.float32 else ir.DoubleType()


def _vector(kind: LanesType) -> ir.VectorType:
    return ir.VectorType(_number(kind), kind.count)


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


TILES = {kind: TileType(kind.name, _vector(kind)) for kind in VECTORS.values()}
LINES = {
    number: TileType(f"lines of {number}", _number(kind).as_pointer())
    for number, kind in VECTORS.items()
}


def _plus_product(builder: Any, total: Any, weight: Any, lanes: Any) -> Any:
    product = builder.fmul(weight, lanes, flags=["contract"])
    return builder.fadd(total, product, flags=["contract"])


def _item(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    """Return the address of an entry of a C-contiguous vector, whatever its place's type."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [place])


def _rows(context: Any, builder: Any, kind: Any, rows: Any, first: Any) -> Any:
    """Return the ``TILE`` entries of a list of rows from its place ``first`` on."""
    places = [builder.add(first, ir.Constant(first.type, t)) for t in range(TILE)]
    return [builder.load(_item(context, builder, kind, rows, place)) for place in places]


def _tile(builder: Any, kind: TileType, elements: Any) -> Any:
    found = ir.Constant(kind.value, ir.Undefined)
    for place, element in enumerate(elements):
        found = builder.insert_value(found, element, place)
    return found


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
        return _plus_product(builder, total, weight, lanes)

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


@intrinsic
def lines(_typing: Any, weights: Any, _start: Any, _width: Any, rows: Any, _first: Any) -> Any:
    """Return where the rows of a tile begin in a matrix: ``rows[first]``, ``rows[first + 1]``, …

    The matrix has this width and begins at ``start`` in the vector ``weights``.
    """
    kind = LINES[weights.dtype]

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, start, width, rows, first = arguments
        of_weights, _, _, of_rows, _ = signature.args
        begin = _item(context, builder, of_weights, weights, start)
        chosen = _rows(context, builder, of_rows, rows, first)
        return _tile(
            builder, kind, [builder.gep(begin, [builder.mul(row, width)]) for row in chosen]
        )

    return kind(weights, types.int64, types.int64, rows, types.int64), emit


@intrinsic
def each(_typing: Any, starts: Any, rows: Any, _first: Any) -> Any:
    """Return the tile of the numbers ``starts[row]``, each in all lanes of its vector."""
    lanes = VECTORS[starts.dtype]

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        starts, rows, first = arguments
        of_starts, of_rows, _ = signature.args
        chosen = _rows(context, builder, of_rows, rows, first)
        items = [builder.load(_item(context, builder, of_starts, starts, row)) for row in chosen]
        return _tile(builder, signature.return_type, [_spread(builder, lanes, i) for i in items])

    return TILES[lanes](starts, rows, types.int64), emit


@intrinsic
def plus_products(_typing: Any, total: Any, weights: Any, place: Any, lanes: Any) -> Any:
    """Return total + weight · lanes, for the weight at this place of each of a tile's rows."""

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, weights, place, lanes = arguments
        kind, found = signature.args[3], []
        for t in range(TILE):
            weight = builder.load(builder.gep(builder.extract_value(weights, t), [place]))
            weight = _spread(builder, kind, weight)
            found.append(_plus_product(builder, builder.extract_value(total, t), weight, lanes))
        return _tile(builder, signature.return_type, found)

    return total(total, weights, place, lanes), emit


@intrinsic
def store_each(_typing: Any, block: Any, rows: Any, _first: Any, tile: Any) -> Any:
    """Write the vectors of a tile to rows of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block, rows, first, tile = arguments
        of_block, of_rows, _, _ = signature.args
        for t, row in enumerate(_rows(context, builder, of_rows, rows, first)):
            address = _address(context, builder, of_block, block, row)
            align = of_block.dtype.bitwidth // 8
            builder.store(builder.extract_value(tile, t), address, align=align)
        return context.get_dummy_value()

    return types.void(block, rows, types.int64, tile), emit


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

    def lines(weights: Any, start: Any, width: Any, rows: Any, first: Any) -> Any:  # noqa: D103
        return [weights[start + int(row) * width :] for row in rows[first : first + TILE]]

    def each(starts: Any, rows: Any, first: Any) -> Any:  # noqa: D103
        return [spread(starts[row]) for row in rows[first : first + TILE]]

    def plus_products(total: Any, weights: Any, place: Any, lanes: Any) -> Any:  # noqa: D103
        return [sums + row[place] * lanes for sums, row in zip(total, weights, strict=True)]

    def store_each(block: Any, rows: Any, first: Any, tile: Any) -> None:  # noqa: D103
        for row, lanes in zip(rows[first : first + TILE], tile, strict=True):
            block[row] = lanes
