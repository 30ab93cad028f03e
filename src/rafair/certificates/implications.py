"""What the verdicts on one claim say about another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.certificates.verdicts import Certificate
from rafair.fairness import STRICT, Lipschitz, judge
from rafair.fairness.decisions import predict
from rafair.fairness.dissent import find_dissent

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["accurate_fair_if_accurate", "fair_if_accurate_fair"]


def accurate_fair_if_accurate(accurate: Certificate) -> Certificate:
    """Return the verdicts on R-AF that follow from those on R-ACC: its witnesses."""
    return accurate.only(BROKEN)


def fair_if_accurate_fair(
    accurate_fair: Certificate,
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    condition: Lipschitz = STRICT,
) -> Certificate:
    """Return the verdicts on R-IF that follow from those on R-AF.

    A proof of R-AF is one of R-IF, and a witness may be biased itself. Else, where the model
    decides v rightly and somebody in I(v + δ) wrongly, a biased instance lies between v and v + δ
    unless everybody's class changes at the same point; see ``find_dissent``. That takes many calls
    of the model, so only models with gradients are asked: another one has a search of its own.

    Parameters
    ----------
    accurate_fair : Certificate
        Of the same n instances x, in the same space; see ``certify`` for the others.

    Returns
    -------
    Certificate
        Undecided where nothing follows.
    """
    implied = accurate_fair.only(PROVED)
    rows = (accurate_fair.status == BROKEN).nonzero()[:, 0]
    if not len(rows):
        return implied
    start, end = x[rows], accurate_fair.witness[rows]
    verdict = judge(model, end, y[rows], counterparts, *condition.parameters)
    start = torch.where(verdict.breaks("fair").unsqueeze(1), end, start)
    useful = verdict.breaks("fair")
    if model.access == "gradient":
        useful |= predict(model, start) == y[rows]
    rows, start, end = rows[useful], start[useful], end[useful]
    if not len(rows):
        return implied
    pair, other, found = find_dissent(model, start, end, counterparts, space, condition)
    # The judge alone accepts a witness.
    verdict = judge(model, pair, y[rows], counterparts, *condition.parameters)
    accepted = (found & verdict.breaks("fair")).unsqueeze(1)
    nobody = torch.full_like(pair, torch.nan)
    broken = Certificate(
        torch.where(accepted[:, 0], BROKEN, UNDECIDED),
        torch.where(accepted, pair, nobody),
        torch.where(accepted, other, nobody),
        torch.zeros_like(rows),
    )
    return implied.written(rows, broken)
