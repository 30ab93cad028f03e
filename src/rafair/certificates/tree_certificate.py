"""Certificates of tree ensembles: R-AF, R-ACC and R-IF, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.certificates.verdicts import Certificate
from rafair.trees.claims import search_claim

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.certificates.verdicts import Property
    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.trees import TreeEnsemble

__all__ = ["certify_trees"]


def certify_trees(
    ensemble: TreeEnsemble,
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int,
    claim: Property,
    condition: Lipschitz,
    until: float,
) -> Certificate:
    """Decide a claim about n people; see ``certify`` and ``search_claim``."""
    problem = (model, x, y, counterparts, space, max_nodes)
    found = search_claim(ensemble, *problem, claim, condition, until)
    status = torch.where(found.is_proved, PROVED, UNDECIDED)
    status = torch.where(found.is_broken, BROKEN, status)
    return Certificate(status, found.point, found.counterpart, found.nodes)
