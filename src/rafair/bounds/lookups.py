"""Numbers that a network looks up: a row of a table, by the code of one column.

Such a number is no continuous function of the column. It is an input of the layers behind instead,
beside the columns: over a range of the column it lies between the least and the greatest number of
the rows that codes in this range choose. Where the range has one code, it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from rafair.bounds.bound import ERROR_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.bounds.bound import Bound

__all__ = ["Lookup", "Lookups"]


@dataclass(frozen=True, eq=False)
class Lookup:
    """What one column chooses of one table.

    Attributes
    ----------
    column : int
    starts : Tensor, shape (m + 1,), float64
        The least number of the column that has each of m codes, from 0 on, and the least above 1.
    least, most : Tensor, shape (l, m + 2, w), float64
        The least and the greatest of each of w numbers in the rows of 2^l neighbouring codes, from
        each code on. Before the first and behind the last code stands what any row may hold.
    """

    column: int
    starts: Tensor
    least: Tensor
    most: Tensor

    @classmethod
    def of(cls, column: int, starts: Tensor, rows: Tensor, table: Tensor) -> Lookup:
        """Prepare for the ranges of codes whose rows are ``rows``, (m, w), of a whole table."""
        ends = table.amin(dim=0, keepdim=True), table.amax(dim=0, keepdim=True)
        spread = []
        for end, extreme in zip(ends, (torch.minimum, torch.maximum), strict=True):
            levels = [torch.cat([end, rows, end])]
            while 2 ** len(levels) <= len(levels[0]):
                half, before = 2 ** (len(levels) - 1), levels[-1]
                both = extreme(before[:-half], before[half:])
                levels.append(torch.cat([both, before[len(both) :]]))
            spread.append(torch.stack(levels))
        return cls(column, starts, *spread)

    @property
    def width(self) -> int:
        """Number of numbers that are looked up."""
        return self.least.shape[2]

    def places(self, numbers: Tensor) -> Tensor:
        """Return where in ``least`` and ``most`` the codes of these numbers, (n,), stand."""
        return torch.searchsorted(self.starts, numbers.contiguous(), right=True)

    def range(self, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and greatest numbers from one place to another, (n, w) each."""
        level = torch.frexp((last - first + 1).to(torch.float64)).exponent.long() - 1
        end = last + 1 - 2**level
        least = torch.minimum(self.least[level, first], self.least[level, end])
        return least, torch.maximum(self.most[level, first], self.most[level, end])


@dataclass(frozen=True, eq=False)
class Lookups:
    """All that a network looks up. Its layers read the columns, then these numbers: its inputs.

    Attributes
    ----------
    n_columns : int
    dtype : torch.dtype
        Type in which the model reads columns.
    parts : tuple of Lookup
    """

    n_columns: int
    dtype: torch.dtype
    parts: tuple[Lookup, ...]

    @cached_property
    def cuts(self) -> tuple[tuple[int, Tensor, Tensor], ...]:
        """Columns, and the pairs of neighbouring numbers between which a code of them changes."""
        found = []
        for column in sorted({part.column for part in self.parts}):
            starts = [part.starts[1:-1] for part in self.parts if part.column == column]
            first = torch.unique(torch.cat(starts)).to(self.dtype)
            last = torch.nextafter(first, torch.full_like(first, -torch.inf))
            found.append((column, last.to(torch.float64), first.to(torch.float64)))
        return tuple(found)

    def inputs(self, columns: Sequence[int]) -> list[int]:
        """Return which inputs of the layers depend on any of these columns."""
        found, at = list(columns), self.n_columns
        for part in self.parts:
            found += range(at, at + part.width) if part.column in columns else ()
            at += part.width
        return found

    def inside(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return boxes of the layers' inputs around boxes of the columns, (n, d)."""
        ends = [
            part.range(*places)
            for part, places in zip(self.parts, self._places(low, high), strict=True)
        ]
        least, most = zip(*ends, strict=True)
        return torch.cat([low, *least], dim=1), torch.cat([high, *most], dim=1)

    def _places(self, low: Tensor, high: Tensor) -> list[tuple[Tensor, Tensor]]:
        low, high = (end.to(self.dtype).to(torch.float64) for end in (low, high))
        return [
            (part.places(low[:, part.column]), part.places(high[:, part.column]))
            for part in self.parts
        ]

    def outside(self, bound: Bound, low: Tensor, high: Tensor) -> Bound:
        """Return bounds over boxes of inputs as bounds over the boxes of columns they come from.

        The least that looked-up numbers contribute is part of ``lower`` already. Their ranges are
        an error of the relaxation, which ends where a box has one code.
        """
        slope, plain, felt = (
            numbers[:, : self.n_columns].clone()
            for numbers in (bound.slope, bound.plain_slope, bound.sensitivity)
        )
        at = self.n_columns
        for part, places in zip(self.parts, self._places(low, high), strict=True):
            own, at = slice(at, at + part.width), at + part.width
            first, last = (part.least[0, place] for place in places)
            least, most = part.range(*places)
            width = high[:, part.column] - low[:, part.column]
            width = torch.where(width > 0, width, torch.inf)
            plain[:, part.column] += (bound.plain_slope[:, own] * (last - first)).sum(1) / width
            loss = bound.slope[:, own].abs() / ERROR_WEIGHT + bound.sensitivity[:, own]
            felt[:, part.column] += (loss * (most - least)).sum(1) / width
        return replace(bound, slope=slope, plain_slope=plain, sensitivity=felt)
