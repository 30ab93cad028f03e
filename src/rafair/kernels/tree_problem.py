"""What a search through trees reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import types

from rafair.kernels.compiling import INTEGERS, NUMBERS, allocating
from rafair.kernels.forests import PIECES
from rafair.kernels.parts import PARTS, Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FOUND",
    "GOAL",
    "PEOPLE",
    "Found",
    "Goal",
    "People",
    "Queue",
    "moved",
    "queue_for",
]

_TABLE, _FLAGS = types.int32[:, ::1], types.boolean[:, ::1]


class People(NamedTuple):
    """The boxes of n people.

    Attributes
    ----------
    low, high, own : array of int32, shape (n, features)
        The first and the last piece within reach, and v's own; see ``forests``.
    columns : array of int32, shape (s,)
        The sensitive features.
    is_sensitive : array of int32, shape (features,)
        The same as 0 and 1.
    grid : array of int32, shape (m, s)
        The pieces of each combination of sensitive values.
    exists : array of bool, shape (n, m + 1)
        Which combination counts as a counterpart; the last stands for v's own values.
    refined : array of int32
        Features that a result has one piece of; those that relations between columns speak of.
    reach : array of float64, shape (n, 2, ramps)
        What each ramp is at least, and at most, within Δ; infinite where it is not known.
    """

    low: NDArray[np.int32]
    high: NDArray[np.int32]
    own: NDArray[np.int32]
    columns: NDArray[np.int32]
    is_sensitive: NDArray[np.int32]
    grid: NDArray[np.int32]
    exists: NDArray[np.bool_]
    refined: NDArray[np.int32]
    reach: NDArray[np.float64]


class Goal(NamedTuple):
    """What is searched: a person whose margin is positive, or two with margins of both signs.

    Attributes
    ----------
    is_pair : bool
        Whether v + δ must have a positive margin and a counterpart a negative one; else somebody
        a positive one.
    parts : Parts
        How trees are added up to the margin.
    impossible, certain : array of float64, shape (2,)
        Of the margin, then of that of the counterpart with its sign changed: a number up to which
        nobody meets the goal, and one above which everybody does.
    """

    is_pair: bool
    parts: Parts
    impossible: NDArray[np.float64]
    certain: NDArray[np.float64]


class Found(NamedTuple):
    """The result.

    Attributes
    ----------
    is_exhausted : array of bool, shape (n,)
        Whether no other box than those listed here can meet the goal.
    nodes : array of int64, shape (n,)
        Number of boxes bounded; at first, how many there may be.
    n_boxes : array of int64, shape (n,)
        Number of boxes listed.
    low, high : array of int32, shape (n, boxes, features)
    is_certain : array of bool, shape (n, boxes)
        Whether everybody in the box meets the goal; else rounding decides.
    """

    is_exhausted: NDArray[np.bool_]
    nodes: NDArray[np.int64]
    n_boxes: NDArray[np.int64]
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    is_certain: NDArray[np.bool_]


_ENDS = types.float64[:, :, ::1]
PEOPLE = types.NamedTuple(
    [_TABLE, _TABLE, _TABLE, PIECES, PIECES, _TABLE, _FLAGS, PIECES, _ENDS], People
)
GOAL = types.NamedTuple([types.boolean, PARTS, NUMBERS, NUMBERS], Goal)
_BOXES = types.int32[:, :, ::1]
FOUND = types.NamedTuple([types.boolean[::1], INTEGERS, INTEGERS, _BOXES, _BOXES, _FLAGS], Found)


class Queue(NamedTuple):
    """The boxes of one search, by number, and where each is to be split."""

    low: NDArray[np.int32]
    high: NDArray[np.int32]
    feature: NDArray[np.int32]
    after: NDArray[np.int32]


@allocating
def queue_for(budget: int, n_features: int) -> Queue:
    """Allocate memory for so many boxes."""
    return Queue(
        np.empty((budget + 3, n_features), np.int32),
        np.empty((budget + 3, n_features), np.int32),
        np.empty(budget + 3, np.int32),
        np.empty(budget + 3, np.int32),
    )


@allocating
def moved(goal: Goal, base: NDArray[np.float64]) -> Goal:
    """Return a goal of which these numbers are added to the parts."""
    it = goal.parts
    parts = Parts(
        it.parent,
        it.base + base,
        it.slack,
        it.steepest,
        it.first,
        it.kind,
        it.one,
        it.two,
        it.xs,
        it.ys,
        it.sign,
    )
    return Goal(goal.is_pair, parts, goal.impossible, goal.certain)
