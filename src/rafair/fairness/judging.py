"""The judge: Definition 3.1, the only place where a cell is named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput
from rafair.fairness.decisions import counterpart_scores, predict
from rafair.fairness.verdict import Verdict
from rafair.problem import AUTO, BatchSize
from rafair.problem.validation import check_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rafair.models import Classifier
    from rafair.problem import Counterparts

__all__ = ["judge"]

# From two tensors of classes (broadcast against each other) to distances of their joint shape.
LabelDistance: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
# From v (n, 1, d) and v' (n, m, d) in unit space to distances (n, m).
PersonDistance: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"

LABEL_DISTANCES: Mapping[str, LabelDistance] = {
    "discrete": lambda a, b: (a != b).to(torch.float64),
    "absolute": lambda a, b: (a - b).abs().to(torch.float64),
}
PERSON_DISTANCES: Mapping[str, PersonDistance] = {
    "l1": lambda v, w: (v - w).abs().sum(dim=-1),
    "l2": lambda v, w: (v - w).square().sum(dim=-1).sqrt(),
    "linf": lambda v, w: (v - w).abs().amax(dim=-1),
}


def judge(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    K: float = 0.0,
    D: Literal["discrete", "absolute"] | LabelDistance = "discrete",
    d: Literal["l1", "l2", "linf"] | PersonDistance = "l1",
    *,
    batch_size: BatchSize = AUTO,
) -> Verdict:
    """Say of each instance whether it is accurate and fair.

    An instance is accurately fair (TF) exactly if D(y, f(v')) ≤ K·d(v, v') for all v' in I(v), v
    itself among them: at v the distance is 0, hence f(v) = y, and the rest is individual fairness
    (Theorem 3.2). With K = 0 everyone in I(v) must get the prediction y.

    Parameters
    ----------
    x : Tensor, shape (n, d), unit space. Not modified.
    y : Tensor of int64, shape (n,). Ground truth.
    counterparts : Counterparts
        I(v); v is judged also where its own values are not among the combinations.
    K : float, not negative
        Lipschitz constant.
    D : {"discrete", "absolute"} or callable
        Distance of two classes: 0 or 1, or the difference of their indices (ordered classes).
    d : {"l1", "l2", "linf"} or callable
        Distance of two people in unit space.

    Raises
    ------
    InvalidInput
        If x holds NaN or infinity, y no class, or K is negative.

    Source: Li et al., arXiv:2404.01356v1, Definition 3.1, Theorem 3.2 and Table 1.
    """
    check_rows(x, y, counterparts, model)
    if not (math.isfinite(K) and K >= 0):
        raise InvalidInput(f"K must be finite and not negative, not {K}")
    label_distance = _named(D, LABEL_DISTANCES, "D")
    person_distance = _named(d, PERSON_DISTANCES, "d")

    def fair_to(people: Tensor, own: Tensor, everyone: Counterparts) -> Tensor:
        scores = counterpart_scores(model, people, everyone, batch_size)
        apart = label_distance(own.unsqueeze(1), scores.argmax(dim=2))
        allowed = torch.zeros((), dtype=torch.float64, device=x.device)
        if K > 0:
            v = people.to(torch.float64)
            allowed = K * person_distance(v.unsqueeze(1), everyone.expand(v))
        return ((apart <= allowed) | ~everyone.valid(people)).all(dim=1)

    verdicts = []
    for block in counterparts.blocks(len(x)):
        people, own = x[block], predict(model, x[block], batch_size)
        fair = torch.ones(len(people), dtype=torch.bool, device=x.device)
        for part in counterparts.parts:  # whom one dissents from, the others cannot make fair
            left = fair.nonzero()[:, 0]
            if len(left):
                fair[left] = fair_to(people[left], own[left], part)
        verdicts.append(Verdict.of(own == y[block], fair))
    return Verdict.concat(verdicts)


def _named(
    chosen: str | Callable[[Tensor, Tensor], Tensor],
    known: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    parameter: str,
) -> Callable[[Tensor, Tensor], Tensor]:
    if not isinstance(chosen, str):
        return chosen
    if chosen not in known:
        raise InvalidInput(f"unknown {parameter} {chosen!r}; use one of {', '.join(known)}")
    return known[chosen]
