"""Results of searches that are kept, so that no question is searched twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from rafair.kernels.tree_problem import Found, People

__all__ = ["Remembered"]

# Whether nobody else is found, the number of boxes bounded, and the boxes listed.
Result: TypeAlias = (
    "tuple[bool, int, npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.bool_]]"
)
# Results that are kept; with one listed box of 20 features each they take about 30 MB.
MOST = 50_000
# What people have a row of.
OWN = ("low", "high", "own", "exists", "reach")


@dataclass(frozen=True, eq=False)
class Remembered:
    """The results of one model's searches.

    An audit's attack, its proofs, and its claims ask about the same boxes. A search that ends by
    itself ends alike in every larger budget, so that its result is that of a new search.

    Attributes
    ----------
    known : dict
        From a question to a result.
    """

    known: dict[bytes, Result]

    def run(
        self,
        asked: bytes,
        people: People,
        found: Found,
        search: Callable[[People, Found], npt.NDArray[np.bool_]],
    ) -> npt.NDArray[np.bool_]:
        """Fill in what is known, and search the rest.

        Parameters
        ----------
        asked : bytes
            What is searched.
        people : People
        found : Found
            With the budget of each person in ``nodes``.
        search : callable
            Fills in the results of some people, and tells which searches were begun.

        Returns
        -------
        array of bool, shape (b,)
            Whose result there is.
        """
        shared = asked + b"".join(
            part.tobytes() for part in (people.columns, people.grid, people.refined)
        )
        own = zip(*(getattr(people, name) for name in OWN), strict=True)
        keys = [shared + b"".join(part.tobytes() for part in row) for row in own]
        told = np.zeros(len(keys), np.bool_)
        for place, key in enumerate(keys):
            result = self.known.get(key)
            if result is not None and result[1] <= found.nodes[place]:
                _fill(found, place, result)
                told[place] = True
        left = np.flatnonzero(~told)
        if not len(left):
            return told
        names = found._fields
        part = found._replace(**{name: getattr(found, name)[left] for name in names})
        budget = part.nodes.copy()
        told[left] = search(_some(people, left), part)
        for place, at in enumerate(left.tolist()):
            result = _result(part, place)
            _fill(found, at, result)
            if told[at] and result[1] + 2 <= budget[place]:
                self._keep(keys[at], result)
        return told

    def _keep(self, key: bytes, result: Result) -> None:
        if len(self.known) >= MOST:
            self.known.clear()
        self.known[key] = result


def _some(people: People, rows: npt.NDArray[np.int64]) -> People:
    """Return some of the people."""
    return people._replace(**{name: getattr(people, name)[rows] for name in OWN})


def _result(found: Found, place: int) -> Result:
    n = int(found.n_boxes[place])
    low, high = found.low[place, :n].copy(), found.high[place, :n].copy()
    is_certain = found.is_certain[place, :n].copy()
    return bool(found.is_exhausted[place]), int(found.nodes[place]), low, high, is_certain


def _fill(found: Found, place: int, result: Result) -> None:
    found.is_exhausted[place], found.nodes[place], low, high, is_certain = result
    n = len(low)
    found.n_boxes[place] = n
    found.low[place, :n], found.high[place, :n] = low, high
    found.is_certain[place, :n] = is_certain
