"""I(v): everyone who differs from v only in sensitive attributes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.problem.combinations import combinations
from rafair.schema.gaps import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rafair.kernels.counterparts import Grid
    from rafair.schema import Conditions, Schema

__all__ = ["SAME", "Counterparts"]

CONTIGUOUS = torch.contiguous_format
# Two values are equal if they differ by at most this, in unit space.
SAME = 1e-6
# Number of combinations in the first of ``Counterparts.parts``.
FEW = 48


@dataclass(frozen=True, eq=False)
class Counterparts:
    """I(v) of every v: the sensitive columns, and the combinations of values that they take.

    Parameters
    ----------
    columns : sequence of int, length s
        Sensitive columns of unit space.
    grid : Tensor, shape (m, s), unit space
        One combination per row. In a grid from ``product`` the last column changes fastest.
    total : int, optional
        Size of the full product that ``grid`` was sampled from; m by default.
    conditions : Conditions, optional
        Relations between features. A combination, together with v's other values, is a possible
        person only if it meets them.
    within : sequence of float, length s, optional
        Largest distance of v' from v in each column, in unit space, with a tolerance for rounding;
        by default infinite. I(v) then has other combinations of the grid for each v; see ``valid``.
    missing : tuple of int
        Columns, sensitive or not, in which ``MISSING`` stands for a missing cell.
    kept : tuple of int
        Sensitive columns in which v's counterparts miss what v misses.

    Raises
    ------
    InvalidInput
        If the grid is not a finite (m, s) table with at least one row, a column is negative or
        occurs twice, or ``within`` has another length or a negative number.
    """

    columns: tuple[int, ...]
    grid: Tensor
    total: int = 0
    conditions: Conditions | None = None
    within: tuple[float, ...] = ()
    missing: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        columns = tuple(int(column) for column in self.columns)
        grid = torch.as_tensor(self.grid, dtype=torch.float64)
        if grid.ndim != 2 or grid.shape[0] < 1 or grid.shape[1] != len(columns):
            raise InvalidInput(
                f"counterparts: the grid has shape {tuple(grid.shape)}; it must be "
                f"(combinations, {len(columns)}), one column per sensitive column"
            )
        if len(set(columns)) != len(columns) or any(column < 0 for column in columns):
            raise InvalidInput(
                f"counterparts: columns {columns} must be different and not negative"
            )
        if not torch.isfinite(grid).all():
            raise InvalidInput("counterparts: the grid holds NaN or infinity")
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "total", self.total or len(grid))
        about = None if self.conditions is None else self.conditions.about(columns)
        object.__setattr__(self, "conditions", about or None)
        within = tuple(map(float, self.within)) or (math.inf,) * len(columns)
        if len(within) != len(columns) or not all(width >= 0 for width in within):
            raise InvalidInput(
                f"counterparts: within must have {len(columns)} distances, none of them negative, "
                f"not {within}"
            )
        object.__setattr__(self, "within", within)

    @classmethod
    def product(
        cls,
        columns: Sequence[int],
        values: Sequence[Sequence[float]],
        *,
        sample: int | None = None,
        random_state: int = 0,
        within: Sequence[float | None] | None = None,
    ) -> Counterparts:
        """Return all combinations of the values of some columns, or a sample of them.

        Parameters
        ----------
        columns : sequence of int
        values : sequence of sequences of float, unit space
            The values of each column.
        sample : int, optional
            Draw this many combinations without replacement, the same for every v. v itself is
            judged even if the sample does not contain its own combination.
        random_state : int
            Seed of the sample.
        within : sequence of float or None, unit space, optional
            Largest distance of v' from v in each column; None for any.

        Returns
        -------
        Counterparts
            ``total`` is the number of all combinations.

        Raises
        ------
        InvalidInput
            If there is not one list per column, a list is empty, ``sample`` is below 1, there are
            more than a million combinations and no sample, or ``within`` has another length or a
            negative number.
        """
        if len(columns) != len(values) or not columns:
            raise InvalidInput("counterparts: give one list of values per sensitive column")
        grid, total = combinations(values, sample, random_state)
        widths = tuple(math.inf if width is None else width + SAME for width in within or ())
        return cls(tuple(columns), grid, total, within=widths)

    @classmethod
    def of(
        cls,
        schema: Schema,
        *,
        only: str | None = None,
        sample: int | None = None,
        random_state: int = 0,
    ) -> Counterparts:
        """Return all combinations of the observed values of a schema's sensitive features.

        Parameters
        ----------
        schema : Schema
        only : str, optional
            Vary only this feature; the other sensitive features keep v's values.
        sample, random_state : see ``product``.

        Returns
        -------
        Counterparts
            With the schema's relations as ``conditions``, and each feature's ``within``.

        Raises
        ------
        InvalidInput
            If the schema has no sensitive feature; see also ``product``.
        """
        names = schema.sensitive if only is None else (only,)
        if not names:
            raise InvalidInput("the schema has no sensitive feature; name at least one")
        columns = [schema.index(name) for name in names]
        axes = [schema.features[column].axis.tolist() for column in columns]
        everyone = cls.product(columns, axes, sample=sample, random_state=random_state)
        return replace(
            everyone,
            conditions=schema.conditions,
            within=tuple(schema.features[column].nearness for column in columns),
            missing=schema.gaps,
            kept=tuple(c for c in columns if schema.features[c].missing == "keep"),
        )

    def __len__(self) -> int:
        return len(self.grid)

    @cached_property
    def _grids(self) -> dict[tuple[torch.device, torch.dtype], Tensor]:
        return {}

    def _grid_like(self, x: Tensor) -> Tensor:
        key = (x.device, x.dtype)
        if key not in self._grids:
            self._grids[key] = self.grid.to(x.device, x.dtype)
        return self._grids[key]

    @cached_property
    def snake(self) -> Grid:
        """The combinations in float32, in the order in which the kernels compute them."""
        from rafair.kernels.counterparts import ordered

        return ordered(self.grid.to(torch.float32).numpy(), self.columns)

    def expand(self, x: Tensor) -> Tensor:
        """Return every counterpart of every row, shape (n, m, d), in x's type.

        If they are too many for memory, ``tiles`` and ``rows`` give the same people in pieces.
        """
        return self.rows(x).view(len(x), len(self), x.shape[1])

    def rows(self, x: Tensor, combinations: slice = slice(None)) -> Tensor:
        """Return the counterparts of every row for some of the combinations.

        Returns
        -------
        Tensor, shape (n · c, d), in x's type
            First the c counterparts of the first row, then those of the next; c is the number of
            combinations in the slice.
        """
        grid = self._grid_like(x)[combinations]
        people = x.unsqueeze(1).expand(-1, len(grid), -1).clone(memory_format=CONTIGUOUS)
        for place, column in enumerate(self.columns):
            people[:, :, column] = self._values(x, column, grid[:, place])
        return people.flatten(0, 1)

    def _values(self, x: Tensor, column: int, values: Tensor) -> Tensor:
        """Return a sensitive column's values, (c,); (n, c) if a missing cell of v stays so."""
        own = x[:, column, None]
        return torch.where(is_missing(own), own, values) if column in self.kept else values

    def tiles(self, n: int, rows: int) -> Iterator[tuple[slice, slice]]:
        """Cut n seeds × m combinations into tiles of at most ``rows`` rows.

        A tile holds all combinations of one or more seeds if they fit, otherwise some combinations
        of one seed. Joined in order, the rows of the tiles are the rows of ``rows``.

        Yields
        ------
        seeds, combinations : slice
        """
        m = len(self)
        if rows >= m:
            step = rows // m
            yield from ((slice(at, min(at + step, n)), slice(0, m)) for at in range(0, n, step))
            return
        for seed in range(n):
            for at in range(0, m, rows):
                yield slice(seed, seed + 1), slice(at, min(at + rows, m))

    def take(self, x: Tensor, index: Tensor) -> Tensor:
        """Return one counterpart of each row.

        Parameters
        ----------
        x : Tensor, shape (n, d).
        index : Tensor of int64, shape (n,)
            Row of the grid; −1 stands for v itself.

        Returns
        -------
        Tensor, shape (n, d), in x's type.
        """
        people, is_self = x.clone(), index < 0
        chosen = self._grid_like(x)[index.clamp_min(0)]
        for place, column in enumerate(self.columns):
            own = x[:, column]
            stays = is_self | is_missing(own) if column in self.kept else is_self
            people[:, column] = torch.where(stays, own, chosen[:, place])
        return people

    def is_self(self, x: Tensor) -> Tensor:
        """Tell which combinations equal v's own sensitive values, shape (n, m), bool."""
        return self._close(x, (SAME,) * len(self.columns))

    def _close(self, x: Tensor, within: Sequence[float]) -> Tensor:
        """Tell which combinations are at most this far from v's own values, shape (n, m), bool."""
        wide = x.to(torch.float64)
        close = torch.ones(len(x), len(self), dtype=torch.bool, device=x.device)
        grid = self._grid_like(wide).T
        for column, values, width in zip(self.columns, grid, within, strict=True):
            if width < math.inf:
                others = self._values(wide, column, values)
                close &= (wide[:, column, None] - others).abs() <= width
        return close

    @property
    def varies(self) -> bool:
        """Whether some v may have other combinations than others, by ``within`` or a relation."""
        return self.conditions is not None or min(self.within) < math.inf

    def hull(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return bounds of the sensitive values in every I(v), each (n, s), float64."""
        own = x[:, list(self.columns)].to(torch.float64)
        grid = self.grid.to(x.device, x.dtype).to(torch.float64)
        width = torch.tensor(self.within, dtype=torch.float64, device=x.device)
        least, greatest = grid.aminmax(dim=0)
        return torch.maximum(least, own - width), torch.minimum(greatest, own + width)

    def valid(self, x: Tensor, movable: Tensor | None = None) -> Tensor:
        """Tell which combinations are possible people within reach of v, shape (n, m), bool.

        Parameters
        ----------
        x : Tensor, shape (n, d), unit space.
        movable : Tensor of bool, shape (d,), optional
            Ignore every relation that involves one of these columns, since a change of the column
            may satisfy the relation.
        """
        conditions = self.conditions
        if conditions is not None and movable is not None:
            conditions = conditions.apart_from(movable.nonzero()[:, 0].tolist())
        near = self._close(x, self.within)
        if not conditions:
            return near
        return near & conditions.met_by(x, self.columns, self.grid.to(x.device))

    def exist(self, people: Tensor, x: Tensor) -> Tensor:
        """Tell which people, (n, d), are possible and within reach of v = x, (n, d); (n,), bool.

        Unlike ``valid``, it tests the rows with the sensitive values that they have.
        """
        columns = list(self.columns)
        apart = (people[:, columns].to(torch.float64) - x[:, columns].to(torch.float64)).abs()
        near = (apart <= torch.tensor(self.within, dtype=torch.float64, device=x.device)).all(dim=1)
        return near if self.conditions is None else near & self.conditions.met(people)

    @cached_property
    def parts(self) -> tuple[Counterparts, ...]:
        """I(v) in two parts: the first, the last and some random combinations, and all others.

        A search for a counterpart with another prediction can skip the second part if the first
        part has one. The few are drawn at random, because evenly spaced combinations could all have
        the same race. A small I(v) stays in one part.
        """
        m = len(self)
        if m < 4 * FEW:
            return (self,)
        few = torch.zeros(m, dtype=torch.bool)
        few[[0, m - 1, *random.Random(0).sample(range(m), FEW - 2)]] = True  # noqa: S311
        return replace(self, grid=self.grid[few]), replace(self, grid=self.grid[~few])

    def blocks(self, n: int, rows: int = 1 << 17) -> Iterator[slice]:
        """Cut n seeds into slices of which each has at most ``rows`` counterparts or one seed."""
        step = max(1, rows // len(self))
        return (slice(start, min(start + step, n)) for start in range(0, n, step))
