"""In which order cells can be computed that need one another's results."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rafair.reproduce.cell import Cell

__all__ = ["stages", "with_needs"]


def with_needs(work: Iterable[tuple[str, Cell]]) -> list[tuple[str, Cell]]:
    """Put what each cell needs before it, on behalf of the same part, where nobody has asked yet.

    Parameters
    ----------
    work : iterable of (str, Cell)
        Names of parts and the cells they ask for.
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
    """Yield the cells, each once, in groups: none needs another of its own or a later group."""
    left = list(dict.fromkeys(cells))
    while left:
        waiting = set(left)
        ready = [cell for cell in left if waiting.isdisjoint(cell.needs)]
        yield ready
        left = [cell for cell in left if cell not in set(ready)]
