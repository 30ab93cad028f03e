"""Tiles, the vectors of ``TILE`` neurons, and the few operations on them.

See ``rafair.kernels.lanes`` for vectors and for the reasons.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic, models, register_model

from rafair.kernels.lanes import (
    VECTORS,
    address,
    number_type,
    spread,
    spread_over,
    sum_of,
    vector_type,
)
from rafair.kernels.network import TILE

__all__ = ["each", "lines", "plus_products", "store_each"]


class TileType(types.Type):
    """The type of ``TILE`` vectors, or of ``TILE`` places in memory where weights begin."""

    def __init__(self, name: str, element: ir.Type) -> None:
        super().__init__(f"Tile({name})")
        self.value = ir.ArrayType(element, TILE)


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.value)


TILES = {kind: TileType(kind.name, vector_type(kind)) for kind in VECTORS.values()}
LINES = {
    number: TileType(f"lines of {number}", number_type(kind).as_pointer())
    for number, kind in VECTORS.items()
}


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
        return _tile(
            builder, signature.return_type, [spread_over(builder, lanes, i) for i in items]
        )

    return TILES[lanes](starts, rows, types.int64), emit


@intrinsic
def plus_products(_typing: Any, total: Any, weights: Any, place: Any, lanes: Any) -> Any:
    """Return total + weight · lanes, for the weight at this place of each of a tile's rows."""

    def emit(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, weights, place, lanes = arguments
        kind, found = signature.args[3], []
        for t in range(TILE):
            weight = builder.load(builder.gep(builder.extract_value(weights, t), [place]))
            weight = spread_over(builder, kind, weight)
            found.append(sum_of(builder, builder.extract_value(total, t), weight, lanes))
        return _tile(builder, signature.return_type, found)

    return total(total, weights, place, lanes), emit


@intrinsic
def store_each(_typing: Any, block: Any, rows: Any, _first: Any, tile: Any) -> Any:
    """Write the vectors of a tile to rows of a block."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block, rows, first, tile = arguments
        of_block, of_rows, _, _ = signature.args
        for t, row in enumerate(_rows(context, builder, of_rows, rows, first)):
            place = address(context, builder, of_block, block, row)
            align = of_block.dtype.bitwidth // 8
            builder.store(builder.extract_value(tile, t), place, align=align)
        return context.get_dummy_value()

    return types.void(block, rows, types.int64, tile), emit


if config.DISABLE_JIT:

    def lines(weights: Any, start: Any, width: Any, rows: Any, first: Any) -> Any:  # noqa: D103
        return [weights[start + int(row) * width :] for row in rows[first : first + TILE]]

    def each(starts: Any, rows: Any, first: Any) -> Any:  # noqa: D103
        return [spread(starts[row]) for row in rows[first : first + TILE]]

    def plus_products(total: Any, weights: Any, place: Any, lanes: Any) -> Any:  # noqa: D103
        return [sums + row[place] * lanes for sums, row in zip(total, weights, strict=True)]

    def store_each(block: Any, rows: Any, first: Any, tile: Any) -> None:  # noqa: D103
        for row, lanes in zip(rows[first : first + TILE], tile, strict=True):
            block[row] = lanes
