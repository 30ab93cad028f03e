"""A wrapped model of trees, read and compared with the model's own answers."""

from __future__ import annotations

import warnings
import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.errors import InvalidInput
from rafair.models.agreement import AGREEMENT, random_people, unit_rows
from rafair.models.memory import Memory
from rafair.models.queried import TIE, QueriedClassifier
from rafair.trees.axes import pull_back
from rafair.trees.columns import tree_columns
from rafair.trees.composing import compose
from rafair.trees.composition import LINK_ROUNDINGS
from rafair.trees.lines import gathered
from rafair.trees.parts import BINARY_PLACES, kernel_parts
from rafair.trees.ramps import RampTable
from rafair.trees.remembered import Remembered
from rafair.trees.table import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from rafair.kernels.forests import Forest
    from rafair.kernels.parts import Parts
    from rafair.models import Classifier
    from rafair.trees.axes import Axis, Pulled
    from rafair.trees.columns import TreeColumns
    from rafair.trees.composition import Composition
    from rafair.trees.table import Link

__all__ = ["TreeEnsemble", "has_trees", "tree_ensemble", "why_no_trees"]

# Rows at the ends of random pieces on which a table is compared with its model, beside random rows.
EDGE_ROWS = 1_000


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """A model of trees as a function of the pieces of each feature.

    Attributes
    ----------
    composition : Composition
        With the classes in the model's own order.
    pulled : Pulled
    ramps : RampTable
    order : tuple of int
        Place of each class of the data among the model's: of equal scores the model's first wins.
    """

    composition: Composition
    pulled: Pulled
    ramps: RampTable
    order: tuple[int, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The pieces of each feature."""
        return self.pulled.axes

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.composition.n_classes

    def pieces(self, x: Tensor) -> npt.NDArray[np.int32]:
        """Return the pieces that rows lie in, shape (n, d)."""
        found = [axis.pieces(x[:, place]) for place, axis in enumerate(self.axes)]
        return np.stack(found, axis=1)

    @cached_property
    def is_pieced(self) -> bool:
        """Whether the score is the same in all of each piece."""
        return not bool(self.ramps.is_spread.any())

    def leaves(self, pieces: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return the leaf of each tree that rows of pieces fall into, shape (n, trees)."""
        from rafair.kernels.tree_scores import leaves_of

        forest = self.forest(0, 1)[0]
        found = np.zeros((len(pieces), len(forest.roots)), np.int32)
        leaves_of(forest, self.pulled.tests, np.ascontiguousarray(pieces), found)
        return found

    def scores(self, pieces: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Return the scores of rows of pieces, (n, k), in the model's order.

        What changes within a piece counts as in the middle of its bounds.
        """
        least, most = self.ramps.at(pieces)
        model, middle = self.composition, (least + most) / 2
        lines = gathered(middle, self.ramps.owner, len(model.parts))
        return model.scores(model.table.value[self.leaves(pieces)], lines)

    @cached_property
    def memory(self) -> Memory:
        """The scores of rows of pieces that were asked for."""
        return Memory()

    def forest(self, winner: int, loser: int) -> tuple[Forest, Parts]:
        """Return the margin of one class over another: its trees, and how they are added."""
        known = self._forests
        if (winner, loser) not in known:
            known[winner, loser] = self._forest(winner, loser)
        return known[winner, loser]

    @cached_property
    def _forests(self) -> dict[tuple[int, int], tuple[Forest, Parts]]:
        """The margins that were asked for."""
        return {}

    def _forest(self, winner: int, loser: int) -> tuple[Forest, Parts]:
        from rafair.kernels.forests import Forest

        table, first, second = self.composition.table, self.order[winner], self.order[loser]
        value = table.value[:, first] - table.value[:, second]
        left = np.where(self.pulled.is_turned, table.right, table.left)
        right = np.where(self.pulled.is_turned, table.left, table.right)
        owner = self.composition.owner
        links = np.stack([self.pulled.test, left, right, np.zeros_like(left)], axis=1)
        forest = Forest(links, value, table.roots, owner, self.ramps.kernel)
        base = float(table.base[first] - table.base[second])
        return forest, kernel_parts(self.composition.parts, base, 1.0 if first == 1 else -1.0)

    @cached_property
    def remembered(self) -> Remembered:
        """The results of searches."""
        return Remembered({})

    def limits(self, winner: int, loser: int) -> tuple[float, float]:
        """Return the margin up to which a class surely loses, and that above which it surely wins.

        Where the leaves are added without rounding, ties are the model's: its first class wins.
        """
        if self.is_exact:
            half = 2.0 ** -(BINARY_PLACES + 1)
            tie = -half if self.order[winner] < self.order[loser] else half
            return tie, tie
        slack = self.slacks[self.order[winner]] + self.slacks[self.order[loser]]
        return -slack, slack

    @cached_property
    def slacks(self) -> tuple[float, ...]:
        """A bound of the error of each class's score, in the model's order, as it computes it."""
        return tuple(map(self._slack, range(self.n_classes)))

    def _slack(self, label: int) -> float:
        model = self.composition
        rounding = model.slack(label)
        if model.table.link == "softmax":
            return rounding + LINK_ROUNDINGS * model.table.unit + 2 * TIE
        return 2 * rounding + 2 * TIE * max(model.size(label) + self.ramps.size, 1.0)

    @cached_property
    def is_exact(self) -> bool:
        """Whether the model adds without rounding."""
        return self.composition.table.link in ("share", "margin") and self.composition.is_whole


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


def _read(model: Classifier) -> TreeEnsemble:
    if not isinstance(model, QueriedClassifier):
        raise Unreadable("the model is no tree ensemble")
    schema = model.feed.schema
    if schema is not None and schema.gaps:
        raise Unreadable("cells of its features may be missing")
    composition = compose(model.source)
    columns = tree_columns(model, composition)
    pulled = pull_back(columns)
    ensemble = TreeEnsemble(composition, pulled, RampTable.of(columns, pulled.axes), model.order)
    _check_agreement(model, columns, ensemble)
    return ensemble


def _check_agreement(
    model: QueriedClassifier, columns: TreeColumns, ensemble: TreeEnsemble
) -> None:
    """Compare probabilities and classes on random rows, and on rows at the ends of pieces."""
    schema, order = columns.feed.schema, list(model.order)
    composition, table = ensemble.composition, ensemble.composition.table
    people = unit_rows(model.width) if schema is None else random_people(schema)
    for x in (people, _edges(ensemble.axes)):
        theirs = model.scores(x).numpy()
        numbers, pieces = columns.numbers(x.numpy()), ensemble.pieces(x)
        leaves = table.leaves(numbers)
        if bool((ensemble.leaves(pieces) != leaves).any()) or not ensemble.ramps.hold(
            numbers, pieces
        ):
            raise Unreadable("the pieces of its features are not those of its trees")
        terms = composition.lines.terms(numbers)
        lines = gathered(terms, composition.lines.owner, len(composition.parts))
        scores = composition.scores(table.value[leaves], lines)[:, order]
        if model.answer == "labels" or table.link == "sign":
            clear = np.abs(scores[:, 0] - scores[:, -1]) > sum(ensemble.limits(1, 0)) + 1e-9
            apart = float(((theirs.argmax(axis=1) != scores.argmax(axis=1)) & clear).mean())
        else:
            told = np.exp(theirs - theirs.max(axis=1, keepdims=True))
            apart = np.abs(_normal(told) - _shares(scores, table.link, order)).max()
        if not apart <= AGREEMENT:
            raise Unreadable(f"its trees, as they are read, differ from it by {apart:.2g}")


def _shares(
    scores: npt.NDArray[np.float64], link: Link, order: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Return the probabilities that scores stand for, in the order of the data's classes."""
    if link == "margin":
        margin = scores[:, order.index(1)]
        return np.stack([(1 - margin) / 2, (1 + margin) / 2], axis=1)[:, list(order)]
    if link == "softmax":
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return _normal(scores)


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
