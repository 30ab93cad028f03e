"""One table for the trees of every library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

__all__ = ["Link", "Reading", "TreeTable", "Unreadable"]

# How sums become probabilities: by softmax, or as shares of their total. A margin is the score of
# the second of two classes over the first: a difference of probabilities, or its sign alone counts.
Link: TypeAlias = Literal["softmax", "share", "margin", "sign"]


class Unreadable(Exception):  # noqa: N818 - no user error: the model is used for its scores
    """The trees of a model cannot be read."""


@dataclass(frozen=True, eq=False)
class TreeTable:
    """The nodes of all trees, each as its library compares and adds.

    An inner node sends a row to the left if the number in its column is at most the threshold
    (below it, if ``is_strict``), or if it is one of the node's categories. An empty cell goes where
    ``missing_left`` says.

    Attributes
    ----------
    column : array of int32, shape (nodes,)
        The column that an inner node reads; −1 at a leaf.
    threshold : array of float64, shape (nodes,)
        A number of the library's own float type.
    is_strict, missing_left : array of bool, shape (nodes,)
    categories : array of int32, shape (nodes,)
        The row of ``sets`` that lists the categories going left; −1 for a threshold.
    sets : tuple of arrays of float64
    left, right : array of int32, shape (nodes,)
    value : array of float64, shape (nodes, k)
        What a leaf adds to the score of each class.
    roots : array of int32, shape (trees,)
    base : array of float64, shape (k,)
    link : {"softmax", "share", "margin", "sign"}
    unit : float
        Unit roundoff of the type in which the library adds.
    """

    column: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    is_strict: npt.NDArray[np.bool_]
    missing_left: npt.NDArray[np.bool_]
    categories: npt.NDArray[np.int32]
    sets: tuple[npt.NDArray[np.float64], ...]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    roots: npt.NDArray[np.int32]
    base: npt.NDArray[np.float64]
    link: Link
    unit: float

    @classmethod
    def of(
        cls,
        trees: Sequence[TreeTable],
        base: npt.NDArray[np.float64],
        link: Link,
        unit: float,
    ) -> TreeTable:
        """Put trees into one table, with the base score, link and precision of their sum."""
        starts = np.cumsum([0, *(len(tree.column) for tree in trees)])[:-1]
        firsts = np.cumsum([0, *(len(tree.sets) for tree in trees)])[:-1]
        shifts: dict[str, Any] = {"left": starts, "right": starts, "roots": starts}
        shifts["categories"] = firsts

        def joined(name: str) -> Any:
            parts = [getattr(tree, name) for tree in trees]
            kind = parts[0].dtype
            if name in shifts:
                moved = zip(parts, shifts[name], strict=True)
                parts = [np.where(part < 0, part, part + by) for part, by in moved]
            return np.concatenate(parts).astype(kind)

        kept = {name: joined(name) for name in cls.__dataclass_fields__ if name not in OF_ALL}
        sets = tuple(one for tree in trees for one in tree.sets)
        return cls(**kept, sets=sets, base=np.asarray(base, np.float64), link=link, unit=unit)

    @classmethod
    def tree(cls, left: Any, right: Any, column: Any, threshold: Any, value: Any) -> TreeTable:
        """Return one tree whose root is its first node: ``<=``, no categories, −1 for no kid."""
        left = np.asarray(left, np.int32)
        nothing, leaf = np.zeros(len(left), np.bool_), left < 0
        value = np.asarray(value, np.float64)
        return cls(
            np.where(leaf, -1, np.asarray(column)).astype(np.int32),
            np.asarray(threshold, np.float64),
            nothing,
            nothing,
            np.full(len(left), -1, np.int32),
            (),
            left,
            np.asarray(right, np.int32),
            value if value.ndim == 2 else np.stack([np.zeros_like(value), value], axis=1),
            np.zeros(1, np.int32),
            np.zeros(2),
            "softmax",
            0.0,
        )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.value.shape[1])

    def ordered(self, order: Sequence[int]) -> TreeTable:
        """Return the table with the scores in another order of the classes."""
        chosen = list(order)
        return replace(self, value=self.value[:, chosen], base=self.base[chosen])

    def met(self, node: int, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which numbers, of any shape, an inner node sends to the left."""
        if self.categories[node] >= 0:
            found = np.isin(numbers, self.sets[self.categories[node]])
        elif self.is_strict[node]:
            found = numbers < self.threshold[node]
        else:
            found = numbers <= self.threshold[node]
        return np.where(np.isnan(numbers), self.missing_left[node], found)

    def leaves(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
        """Return the leaf of each tree for rows of columns, shape (n, trees)."""
        found = np.tile(self.roots, len(rows))
        row = np.repeat(np.arange(len(rows)), len(self.roots))
        place = np.flatnonzero(self.left[found] >= 0)
        while len(place):
            at = found[place]
            is_left = self._goes_left(at, rows[row[place], self.column[at]])
            found[place] = np.where(is_left, self.left[at], self.right[at])
            place = place[self.left[found[place]] >= 0]
        return found.reshape(len(rows), -1)

    def _goes_left(
        self, at: npt.NDArray[np.int32], numbers: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Tell which numbers go left at their nodes; both of one shape."""
        cut = self.threshold[at]
        left = np.where(self.is_strict[at], numbers < cut, numbers <= cut)
        if self.sets:
            code = np.nan_to_num(numbers, nan=-1.0)
            listed = (code >= 0) & (code < self._members.shape[1]) & (code == np.floor(code))
            place = np.where(listed, code, 0).astype(np.int64)
            inside = listed & self._members[self.categories[at], place]
            left = np.where(self.categories[at] >= 0, inside, left)
        return np.where(np.isnan(numbers), self.missing_left[at], left)

    @cached_property
    def _members(self) -> npt.NDArray[np.bool_]:
        """Which category, a whole number, each set holds, shape (sets, categories)."""
        width = int(max((one.max(initial=0) for one in self.sets), default=0)) + 1
        table = np.zeros((len(self.sets), width), np.bool_)
        for row, one in enumerate(self.sets):
            table[row, one.astype(np.int64)] = True
        return table


OF_ALL = ("sets", "base", "link", "unit")


@dataclass(frozen=True, eq=False)
class Reading:
    """The trees of a model, and how its rows become the numbers that they compare.

    Attributes
    ----------
    table : TreeTable
        With the classes in the model's own order.
    numbers : callable
        From the rows that the model reads, a frame or a matrix, to an array of float64 of shape
        (n, columns), each number already rounded to the type in which the library compares.
    sources : tuple of int
        The column of the model's rows that each of these columns is computed from.
    weights : array of float64, shape (columns,), optional
        What the margin of the second of two classes has of each column, beside the trees.
    """

    table: TreeTable
    numbers: Callable[[Any], npt.NDArray[np.float64]]
    sources: tuple[int, ...]
    weights: npt.NDArray[np.float64] | None = None
