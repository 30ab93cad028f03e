"""A wrapped model of trees, read and compared with the model's own answers."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
import weakref
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.errors import InvalidInput
from rafair.models.agreement import AGREEMENT, random_people, unit_rows
from rafair.models.queried import TIE, QueriedClassifier
from rafair.trees import readers
from rafair.trees.axes import pull_back
from rafair.trees.columns import split_steps, tree_columns
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt
    from torch import Tensor

    from rafair.kernels.forests import Forest
    from rafair.models import Classifier
    from rafair.trees.axes import Axis, Pulled
    from rafair.trees.columns import TreeColumns
    from rafair.trees.table import TreeTable

__all__ = ["TreeEnsemble", "has_trees", "tree_ensemble", "why_no_trees"]

# Rows at the ends of random pieces on which a table is compared with its model, beside random rows.
EDGE_ROWS = 1_000
# Numbers of this many binary places are added without rounding, for any number of trees.
BINARY_PLACES = 12
# Roundings of a probability computed from a score, and of the score read from it.
LINK_ROUNDINGS = 32


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """A sum of trees as a function of the pieces of each feature.

    Attributes
    ----------
    table : TreeTable
        With the classes in the order of the data.
    pulled : Pulled
    order : tuple of int
        Place of each class of the data among the model's: of equal scores the model's first wins.
    """

    table: TreeTable
    pulled: Pulled
    order: tuple[int, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The pieces of each feature."""
        return self.pulled.axes

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.table.n_classes

    def pieces(self, x: Tensor) -> npt.NDArray[np.int32]:
        """Return the pieces that rows lie in, shape (n, d)."""
        found = [axis.pieces(x[:, place]) for place, axis in enumerate(self.axes)]
        return np.stack(found, axis=1)

    def forest(self, winner: int, loser: int) -> tuple[Forest, float]:
        """Return the margin of one class over another: its trees, and what they are added to."""
        from rafair.kernels.forests import Forest

        value = self.table.value[:, winner] - self.table.value[:, loser]
        kids = (self.table.left, self.table.right)
        left, right = (
            np.where(self.pulled.is_turned, kids[1 - side], kids[side]) for side in (0, 1)
        )
        forest = Forest(self.pulled.test, left, right, value, self.table.roots)
        return forest, float(self.table.base[winner] - self.table.base[loser])

    def limits(self, winner: int, loser: int) -> tuple[float, float]:
        """Return the margin up to which a class surely loses, and that above which it surely wins.

        Where the leaves are added without rounding, ties are the model's: its first class wins.
        """
        if self._is_exact:
            half = 2.0 ** -(BINARY_PLACES + 1)
            tie = -half if self.order[winner] < self.order[loser] else half
            return tie, tie
        slack = self._slack(winner) + self._slack(loser)
        return -slack, slack

    def _slack(self, label: int) -> float:
        """Bound the error of a class's score as the model computes it."""
        sizes = np.abs(self.table.value[:, label])
        total = abs(float(self.table.base[label])) + float(
            np.maximum.reduceat(sizes, np.sort(self.table.roots)).sum()
        )
        n = len(self.table.roots) + 3
        share = n * self.table.unit / (1 - n * self.table.unit)
        if self.table.link == "share":
            return (2 * share + 2 * TIE) * max(total, 1.0)
        return share * total + LINK_ROUNDINGS * self.table.unit + 2 * TIE

    @property
    def _is_exact(self) -> bool:
        whole = self.table.value * 2.0**BINARY_PLACES
        return self.table.link == "share" and bool((whole == np.round(whole)).all())


# What is known of each wrapped model, for as long as it lives: its trees, or why there are none.
_KNOWN: weakref.WeakKeyDictionary[Any, TreeEnsemble | str] = weakref.WeakKeyDictionary()


def tree_ensemble(model: Classifier) -> TreeEnsemble:
    """Read the trees of a wrapped model.

    Raises
    ------
    InvalidInput
        If the model is no sum of trees that can be read, or the trees as they are read answer
        otherwise than the model does.
    """
    if model not in _KNOWN:
        try:
            with warnings.catch_warnings(action="ignore"):  # of a model that is asked very often
                _KNOWN[model] = _read(model)
        except (Unreadable, InvalidInput) as reason:
            _KNOWN[model] = str(reason)
        except Exception as error:  # noqa: BLE001 - the model and its steps are the user's
            _KNOWN[model] = f"the trees cannot be read: {type(error).__name__}: {error}"
    known = _KNOWN[model]
    if isinstance(known, str):
        raise InvalidInput(f"certificates of trees: {known}")
    return known


def why_no_trees(model: Classifier) -> str | None:
    """Return why ``tree_ensemble`` refuses a model; None if it does not."""
    try:
        tree_ensemble(model)
    except InvalidInput as error:
        return str(error)
    return None


def has_trees(model: Classifier) -> bool:
    """Tell whether a model is of trees that can be read."""
    return why_no_trees(model) is None


@cache
def _readers() -> tuple[ModuleType, ...]:
    names = sorted(info.name for info in pkgutil.iter_modules(readers.__path__))
    return tuple(importlib.import_module(f"{readers.__name__}.{name}") for name in names)


def _read(model: Classifier) -> TreeEnsemble:
    if not isinstance(model, QueriedClassifier):
        raise Unreadable("the model is no tree ensemble")
    schema = model.feed.schema
    if schema is not None and schema.gaps:
        raise Unreadable("cells of its features may be missing")
    steps, classifier = split_steps(model.source)
    reader = next((one for one in _readers() if one.accepts(classifier)), None)
    if reader is None:
        raise Unreadable(f"rafair reads no trees of a {type(classifier).__name__}")
    columns = tree_columns(model, steps, reader.read(classifier))
    ensemble = TreeEnsemble(
        columns.reading.table.ordered(model.order), pull_back(columns), model.order
    )
    _check_agreement(model, columns, ensemble)
    return ensemble


def _check_agreement(
    model: QueriedClassifier, columns: TreeColumns, ensemble: TreeEnsemble
) -> None:
    """Compare probabilities and classes on random rows, and on rows at the ends of pieces."""
    schema = columns.feed.schema
    people = unit_rows(model.width) if schema is None else random_people(schema)
    for x in (people, _edges(ensemble.axes)):
        theirs = model.scores(x).numpy()
        scores = ensemble.table.scores(columns.numbers(x.numpy()))
        ours = _pieced(ensemble, x)
        if np.abs(ours - scores).max() > AGREEMENT:
            raise Unreadable("the pieces of its features are not those of its trees")
        told = np.exp(theirs - theirs.max(axis=1, keepdims=True))
        shares = (
            scores
            if ensemble.table.link == "share"
            else np.exp(scores - scores.max(axis=1, keepdims=True))
        )
        apart = np.abs(_normal(told) - _normal(shares)).max()
        if model.answer == "labels":
            apart = float((theirs.argmax(axis=1) != scores.argmax(axis=1)).mean())
        if not apart <= AGREEMENT:
            raise Unreadable(f"its trees, as they are read, differ from it by {apart:.2g}")


def _normal(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    whole: npt.NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return whole


def _edges(axes: tuple[Axis, ...]) -> Tensor:
    """Return rows of which every number is an end of a random piece, (n, d), float64."""
    drawn = np.random.default_rng(0)
    columns = []
    for axis in axes:
        piece, side = drawn.integers(len(axis), size=EDGE_ROWS), drawn.integers(2, size=EDGE_ROWS)
        columns.append(np.clip(np.where(side, *(end[piece] for end in axis.ends())), 0.0, 1.0))
    return torch.from_numpy(np.stack(columns, axis=1))


def _pieced(ensemble: TreeEnsemble, x: Tensor) -> npt.NDArray[np.float64]:
    """Return the scores of rows by their pieces alone, shape (n, k)."""
    from rafair.kernels.tree_scores import leaves_of

    table, forest = ensemble.table, ensemble.forest(0, 0)[0]
    found = np.zeros((len(x), len(table.roots)), np.int32)
    leaves_of(forest, ensemble.pulled.tests, np.ascontiguousarray(ensemble.pieces(x)), found)
    scores: npt.NDArray[np.float64] = table.base + table.value[found].sum(axis=1)
    return scores
