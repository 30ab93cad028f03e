"""Repair at decision time: the consensus near v stands for the label that nobody knows yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.checks import check_share, check_whole
from rafair.errors import InvalidInput
from rafair.fairness import TF, judge
from rafair.guarding import GuardedClassifier, Neighbourhood
from rafair.repair.benign_search import BenignSearch
from rafair.repair.minimax import Minimax

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["LabelFree", "Mended"]


@dataclass(frozen=True, eq=False)
class Mended:
    """What became of n instances.

    Attributes
    ----------
    x_adv : Tensor, shape (n, d)
        The repaired instances; those that were not answered stay where they were.
    answer : Tensor of int64, shape (n,)
        The class of the consensus, also where there is no answer.
    abstained : Tensor of bool, shape (n,)
        Where there is no answer: a person must decide.
    """

    x_adv: Tensor
    answer: Tensor
    abstained: Tensor


@dataclass(frozen=True)
class LabelFree:
    """Move each instance, within a Δ of its own, to where all of I(v) get the consensus near it.

    The model is asked about I(v) at fixed points of Δ around v; each vote weighs as much as its
    margin. The class with most weight takes the place of the label in ``Minimax``, or without
    gradients in ``BenignSearch``. There is no answer where the class has less than ``least`` of the
    weight, or where no point is found at which all of I(v) get it. An answer is the same for all of
    I(v); it is wrong where the consensus is.

    Parameters
    ----------
    rows : int
        Rows to ask the model about for each instance, at least one for each member of I(v).
    least : float in [0.5, 1]
    steps : int
        Of ``Minimax``.
    random_state : int
        Of the points around v.
    """

    rows: int = 512
    least: float = 0.75
    steps: int = 30
    random_state: int = 0

    name: ClassVar[str] = "label-free"

    def __post_init__(self) -> None:
        check_whole("rows", self.rows, 1)
        check_share("least", self.least)
        if self.least < 0.5:
            raise InvalidInput(f"least must be at least 0.5, not {self.least}")

    def consensus(
        self, model: Classifier, counterparts: Counterparts, space: PerturbationSpace
    ) -> GuardedClassifier:
        """Return the consensus as a classifier, through which it can be attacked."""
        points = max(1, -(-self.rows // len(counterparts)))
        near = Neighbourhood(space, self.random_state, points)
        return GuardedClassifier(model, counterparts, "mean", near)

    def run(
        self, model: Classifier, x: Tensor, counterparts: Counterparts, space: PerturbationSpace
    ) -> Mended:
        """Repair n instances, (n, d), at once. Δ is laid around the instances."""
        shares = self.consensus(model, counterparts, space).margin_shares(x)
        share, answer = shares.max(dim=1)
        points, abstained = x.clone(), share < self.least
        rows = (~abstained).nonzero()[:, 0]
        if len(rows):
            labels = answer[rows]
            found = self._search(model).run(model, x[rows], labels, counterparts, space).x_adv
            reached = judge(model, found, labels, counterparts).cells == TF
            points[rows[reached]] = found[reached]
            abstained[rows[~reached]] = True
        return Mended(points, answer, abstained)

    def _search(self, model: Classifier) -> Minimax | BenignSearch:
        if model.access == "gradient":
            return Minimax(self.steps)
        return BenignSearch(random_state=self.random_state)
