"""Benign perturbations for models without gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.searching import BENIGN, Draw, Search, random_search

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.walking import AttackResult

__all__ = ["BenignSearch"]


@dataclass(frozen=True)
class BenignSearch:
    """Move each instance, within a Δ of its own, until everyone in I(v) is decided rightly.

    A random search that lowers the largest margin of v and the counterparts that fare worst; it
    asks for scores of single rows only. The true label is needed, as for ``Benign``.

    Parameters
    ----------
    queries : int
        Rows to ask about for each instance.
    random_state : int
    batch_size : int or "auto"

    Source: problem (7) of Li et al., arXiv:2404.01356v1, searched without gradients.
    """

    queries: int = 5_000
    random_state: int = 0
    batch_size: BatchSize = AUTO

    name: ClassVar[str] = "benign-search"

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Repair n instances at once.

        Parameters
        ----------
        model : Classifier of any access.
        x : Tensor, shape (n, d), unit space
            Adversarial instances; Δ is laid around them. Not modified.
        y : Tensor of int64, shape (n,). Ground truth.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain or ``space`` lets a sensitive feature move.
        """
        search = Search(BENIGN, _one_or_two, self.queries, self.random_state, self.batch_size)
        return random_search(search, model, x, y, counterparts, space)


def _one_or_two(draw: Draw) -> Tensor:
    """Propose points that differ in one or two features."""
    order, _, place = draw.numbers[:, 1:].chunk(3, dim=1)
    order = torch.where(draw.movable, order, 2.0)
    last = order.topk(min(2, int(draw.movable.sum())), dim=1, largest=False).values
    chosen = order <= torch.where(order[:, :1] < 0.5, last[:, :1], last[:, -1:])
    return torch.where(chosen, torch.lerp(draw.low, draw.high, place), draw.here)
