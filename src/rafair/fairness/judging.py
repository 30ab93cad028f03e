"""The judge (Definition 3.1); nothing else assigns an instance to a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.fairness.decisions import counterpart_scores, predict
from rafair.fairness.lipschitz import STRICT, Lipschitz
from rafair.fairness.verdict import Verdict
from rafair.problem import AUTO, BatchSize
from rafair.problem.dense import undisturbed
from rafair.problem.validation import check_rows

if TYPE_CHECKING:
    from rafair.fairness.lipschitz import (
        LabelDistance,
        LabelDistanceName,
        PersonDistance,
        PersonDistanceName,
    )
    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["counterexamples", "judge"]


def judge(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName | PersonDistance = "l1",
    *,
    batch_size: BatchSize = AUTO,
) -> Verdict:
    """Judge of each instance whether it is accurate and whether it is fair.

    An instance is accurately fair (TF) if and only if D(y, f(v')) ≤ K·d(v, v') for all v' in I(v),
    including v itself. For v' = v the distance is 0, so f(v) = y; for all other v' the condition
    is then individual fairness (Theorem 3.2). With K = 0, everyone in I(v) must get the prediction
    y.

    Parameters
    ----------
    model : Classifier
    x : Tensor of a floating type, shape (n, d), unit space
        The instances v. Not modified.
    y : Tensor of int64, shape (n,)
        Ground truth.
    counterparts : Counterparts
        I(v). v itself is judged even if its own combination is not in the grid.
    K : float, not negative
        Lipschitz constant.
    D : {"discrete", "absolute"} or callable
        Distance of two classes. "discrete": 0 if they are equal, else 1. "absolute": the difference
        of their indices, for ordered classes.
    d : {"l1", "l2", "linf"} or callable
        Distance of two people in unit space.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidInput
        If x holds NaN or infinity, y is not a class of the model for each row, K is negative or not
        finite, D or d is an unknown name, or a score is NaN or infinite.

    Source: Li et al., arXiv:2404.01356v1, Definition 3.1, Theorem 3.2 and Table 1.
    """
    check_rows(x, y, counterparts, model)
    condition = Lipschitz(K, D, d)

    def fair_to(people: Tensor, own: Tensor, everyone: Counterparts) -> Tensor:
        scores = counterpart_scores(model, people, everyone, batch_size)
        apart = condition.apart(own.unsqueeze(1), scores.argmax(dim=2))
        allowed = condition.allowed(people, everyone)
        return ((apart <= allowed) | ~everyone.valid(people)).all(dim=1)

    verdicts = []
    with undisturbed(model):
        for block in counterparts.blocks(len(x)):
            people, own = x[block], predict(model, x[block], batch_size)
            fair = torch.ones(len(people), dtype=torch.bool, device=x.device)
            for part in counterparts.parts:  # unfair instances skip the second part
                left = fair.nonzero()[:, 0]
                if len(left):
                    fair[left] = fair_to(people[left], own[left], part)
            verdicts.append(Verdict.of(own == y[block], fair))
    return Verdict.concat(verdicts)


def counterexamples(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    claim: str,
    condition: Lipschitz = STRICT,
    *,
    batch_size: BatchSize = AUTO,
) -> Tensor:
    """Tell which instances are counterexamples to a claim, as ``Verdict.breaks`` of the judge does.

    The model is asked about I(v) only where its answer to v itself does not settle the claim.

    Parameters
    ----------
    model, x, y, counterparts, batch_size : see ``judge``.
    claim : {"accurate_fair", "accurate", "fair"}
    condition : Lipschitz
        K, D and d of the judge.

    Returns
    -------
    Tensor of bool, shape (n,)

    Raises
    ------
    InvalidInput
        See ``judge``.
    """
    check_rows(x, y, counterparts, model)
    broken = torch.zeros_like(y, dtype=torch.bool)
    if claim != "fair":
        with undisturbed(model):
            broken = predict(model, x, batch_size) != y
    left = (~broken).nonzero()[:, 0]
    if claim != "accurate" and len(left):
        some = (model, x[left], y[left], counterparts, *condition.parameters)
        broken[left] = judge(*some, batch_size=batch_size).breaks(claim)
    return broken
