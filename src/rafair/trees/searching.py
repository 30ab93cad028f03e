"""Runs the searches of the kernels, and says what they found."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from rafair.problem.threads import shared, torch_asleep

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from torch import Tensor

    from rafair.kernels.forests import Forest, Tests
    from rafair.kernels.tree_problem import Found, Goal, People
    from rafair.trees.problem import PiecedProblem

__all__ = ["Boxes", "alike", "apart", "wrong"]

Kernel: TypeAlias = "Callable[[Forest, Tests, People, Goal, int, int, Found], None]"

# The largest number of boxes that a search lists per person: without relations between columns
# only those that rounding decides, and a last one; with them, people who may not exist.
BOXES, BOXES_WITH_RELATIONS = 32, 512
# People whose search begins before the clock is looked at again, per thread.
TURN = 8


@dataclass(frozen=True, eq=False)
class Boxes:
    """What a search found for b people.

    Attributes
    ----------
    is_exhausted : Tensor of bool, shape (b,)
        Whether nobody outside of the listed boxes is what was searched.
    nodes : Tensor of int64, shape (b,)
        Number of boxes bounded.
    person : Tensor of int64, shape (boxes,)
        Whose each listed box is, from 0 to b − 1.
    low, high : array of int32, shape (boxes, d)
    is_certain : Tensor of bool, shape (boxes,)
        Whether everybody in it is what was searched; else the model's rounding decides.
    """

    is_exhausted: Tensor
    nodes: Tensor
    person: Tensor
    low: np.ndarray[tuple[int, int], np.dtype[np.int32]]
    high: np.ndarray[tuple[int, int], np.dtype[np.int32]]
    is_certain: Tensor


def wrong(
    problem: PiecedProblem,
    rows: Tensor,
    others: Tensor,
    classes: tuple[int, int],
    budget: Tensor,
    until: float,
    *,
    refined: bool = False,
) -> Boxes:
    """Search, for some people, somebody who gets the first of two classes before the second.

    Parameters
    ----------
    rows : Tensor of int64, shape (b,)
    others : Tensor of bool, shape (b, m)
        The combinations that count beside v itself.
    classes : (int, int)
    budget : Tensor of int64, shape (b,)
        The largest number of boxes to bound, at least 1.
    until : float
        Time of day at which no further search begins.
    refined : bool
        Whether the search goes on, past boxes in which relations between columns may exclude
        everybody, to boxes of which they say it.
    """
    from rafair.kernels.tree_search import search

    people = problem.people(rows, others, themselves=True, refined=refined)
    return _one_by_one(search, problem, people, classes, budget, until)


def apart(
    problem: PiecedProblem,
    rows: Tensor,
    others: Tensor,
    classes: tuple[int, int],
    budget: Tensor,
    until: float,
    *,
    refined: bool = False,
) -> Boxes:
    """Search a v + δ of the first class that has a counterpart of the second; see ``wrong``."""
    from rafair.kernels.tree_problem import Goal
    from rafair.kernels.tree_search import search

    forest, parts = problem.forest(*classes)
    own, other = problem.ensemble.limits(*classes), problem.ensemble.limits(*classes[::-1])
    limits = (np.array(pair) for pair in zip(own, other, strict=True))
    people = problem.people(rows, others, themselves=False, refined=refined)
    return _run(search, problem, forest, people, Goal(True, parts, *limits), classes, budget, until)


def alike(
    problem: PiecedProblem,
    rows: Tensor,
    others: Tensor,
    classes: tuple[int, int],
    budget: Tensor,
    until: float,
    *,
    refined: bool = False,
) -> Boxes:
    """Search a δ at which everybody gets the first class before the second; see ``wrong``."""
    from rafair.kernels.tree_cells import search_alike

    people = problem.people(rows, others, themselves=True, refined=refined)
    return _one_by_one(search_alike, problem, people, classes, budget, until)


def _one_by_one(
    kernel: Kernel,
    problem: PiecedProblem,
    people: People,
    classes: tuple[int, int],
    budget: Tensor,
    until: float,
) -> Boxes:
    """Search with the same limits of the margin for everybody in I(v), v included."""
    from rafair.kernels.tree_problem import Goal

    forest, parts = problem.forest(*classes)
    limits = (np.full(2, limit) for limit in problem.ensemble.limits(*classes))
    return _run(
        kernel, problem, forest, people, Goal(False, parts, *limits), classes, budget, until
    )


def _run(
    kernel: Kernel,
    problem: PiecedProblem,
    forest: Forest,
    people: People,
    goal: Goal,
    classes: tuple[int, int],
    budget: Tensor,
    until: float,
) -> Boxes:
    """Search for all people, as many at once as torch has threads."""
    from rafair.kernels.tree_problem import Found

    b, d = people.low.shape
    room = BOXES_WITH_RELATIONS if len(people.refined) else BOXES
    found = Found(
        np.zeros(b, np.bool_),
        budget.numpy().copy(),
        np.zeros(b, np.int64),
        np.zeros((b, room, d), np.int32),
        np.zeros((b, room, d), np.int32),
        np.zeros((b, room), np.bool_),
    )
    tests = problem.ensemble.pulled.tests

    def search(some: People, part: Found) -> npt.NDArray[np.bool_]:
        started = np.zeros(len(some.low), np.bool_)

        def turns(first: int, last: int) -> None:
            for at in range(first, last, TURN):
                if time.time() >= until:
                    return
                end = min(at + TURN, last)
                started[at:end] = True
                kernel(forest, tests, some, goal, at, end, part)

        with torch_asleep():
            shared(turns, len(some.low), TURN)
        return started

    regular = problem.is_regular.tobytes() if len(forest.ramps.table) else b""
    asked = f"{kernel.__name__} {goal.is_pair} {classes} {room}".encode() + regular
    if time.time() >= until:
        started = np.zeros(b, np.bool_)
    else:
        started = problem.ensemble.remembered.run(asked, people, found, search)
    found.nodes[~started] = 0
    listed = np.arange(room) < found.n_boxes[:, None]
    person, at = np.nonzero(listed)
    return Boxes(
        torch.from_numpy(found.is_exhausted),
        torch.from_numpy(found.nodes),
        torch.from_numpy(person),
        found.low[person, at],
        found.high[person, at],
        torch.from_numpy(found.is_certain[person, at]),
    )
