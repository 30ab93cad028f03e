"""The order of computation for cells that need the results of other cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rafair.reproduce.cell import Cell

__all__ = ["stages", "with_needs"]


def with_needs(work: Iterable[tuple[str, Cell]]) -> list[tuple[str, Cell]]:
    """Insert the cells that a cell needs before it, if they do not occur earlier.

    Parameters
    ----------
    work : iterable of (str, Cell)
        Names of parts and the cells that they need.

    Returns
    -------
    list of (str, Cell)
        An inserted cell gets the name of the part of the cell that needs it.
    """
    whole: list[tuple[str, Cell]] = []
    known: set[Cell] = set()

    def add(part: str, cell: Cell) -> None:
        for needed in cell.needs:
            if needed not in known:
                add(part, needed)
        known.add(cell)
        whole.append((part, cell))

    for part, cell in work:
        add(part, cell)
    return whole


def stages(cells: Iterable[Cell]) -> Iterator[Sequence[Cell]]:
    """Yield each cell once, in groups; no cell needs another one of its own or a later group."""
    left = list(dict.fromkeys(cells))
    while left:
        waiting = set(left)
        ready = [cell for cell in left if waiting.isdisjoint(cell.needs)]
        yield ready
        left = [cell for cell in left if cell not in set(ready)]
