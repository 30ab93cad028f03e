"""Certificates at several ε; a verdict at one ε is reused at others where it also holds."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch

from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.certificates.provers import MAX_NODES, certify
from rafair.certificates.verdicts import Certificate, Property
from rafair.errors import InvalidInput
from rafair.problem import check_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.fairness.lipschitz import LabelDistance, LabelDistanceName, PersonDistanceName
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["certify_curve"]


def certify_curve(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    spaces: Sequence[PerturbationSpace],
    max_nodes: int = MAX_NODES,
    *,
    claim: Property = "accurate_fair",
    known: Sequence[Certificate] | None = None,
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
) -> list[Certificate]:
    """Certify the same instances in growing spaces.

    An instance that is proved in one space is proved in every smaller space. An instance that is
    broken in one space is broken in every larger space, by the same witness. Only instances that
    are still undecided are certified. The largest space comes first, then the others from the
    smallest on.

    Parameters
    ----------
    model, x, y, counterparts, max_nodes, claim, K, D, d, until : see ``certify``.
    spaces : sequence of PerturbationSpace
        Each one lies inside the next one.
    known : sequence of Certificate, optional
        Verdicts from earlier, one certificate per space.

    Returns
    -------
    list of Certificate
        One per space. ``nodes`` counts only boxes that were bounded in this space.

    Raises
    ------
    InvalidInput
        See ``certify``; also if there is no space, a space does not lie inside the next one, or
        the spaces have different lattices.
    """
    if not spaces:
        raise InvalidInput("a curve needs at least one space")
    check_problem(model, x, y, counterparts, spaces[0])
    if any(not torch.equal(space.spacing(x), spaces[0].spacing(x)) for space in spaces):
        raise InvalidInput("a curve needs spaces with the same possible values")
    bounds = [space.bounds(x) for space in spaces]
    for (low, high), (lower, higher) in itertools.pairwise(bounds):
        if bool((lower > low).any()) or bool((higher < high).any()):
            raise InvalidInput("a curve needs spaces of which each lies inside the next")
    found = [Certificate.unknown(x) for _ in spaces] if known is None else list(known)
    last = len(spaces) - 1
    for place in [last, *range(last)]:
        rows = (found[place].status == UNDECIDED).nonzero()[:, 0]
        if not len(rows):
            continue
        space = spaces[place]
        problem = (model, x[rows], y[rows], counterparts, space, max_nodes)
        here = certify(*problem, claim=claim, K=K, D=D, d=d, until=until)
        found[place] = found[place].written(rows, here)
        for other in range(len(spaces)):
            holds = (here.status == PROVED) if other < place else (here.status == BROKEN)
            new = holds & (found[other].status[rows] == UNDECIDED)
            if other != place and bool(new.any()):
                nodes = found[other].nodes[rows[new]]
                same = Certificate(
                    here.status[new], here.witness[new], here.witness_counterpart[new], nodes
                )
                found[other] = found[other].written(rows[new], same)
    return found
