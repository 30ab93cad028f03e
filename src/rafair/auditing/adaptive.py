"""Attacks by one who knows the defence: through it, with restarts, and by transfer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from rafair.attacks.ensemble import Ensemble
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.attacks.square import Square

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.attacks import Attack
    from rafair.certificates import Property
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["RESTARTS", "doubled", "points_through", "transferred"]

# How often the strongest attack starts anew, each time with its own random starts.
RESTARTS = 2


def points_through(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    random_state: int = 0,
    *,
    target: Property = "accurate_fair",
) -> Tensor:
    """Return where the strongest attack through a model ends, (``RESTARTS``, n, d).

    With gradients it is ``Ensemble``, else ``Square``; both are run with several random states.

    Parameters
    ----------
    target : {"accurate_fair", "accurate"}
        What ``Ensemble`` is to break.
    """
    ends = [
        _strongest(model, target, random_state + start).run(model, x, y, counterparts, space).x_adv
        for start in range(RESTARTS)
    ]
    return torch.stack(ends)


def _strongest(model: Classifier, target: Property, random_state: int) -> Attack:
    if model.access == "gradient":
        return Ensemble(target=target, random_state=random_state)
    return Square(random_state=random_state)


def transferred(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    random_state: int = 0,
) -> Tensor:
    """Return points that break the bare model, to be tried on a defence of it, (t, n, d).

    They are the seeds, what the strongest attack finds, and with gradients the ends of APGD on the
    largest margin over I(v), which goes on where the model is broken already.
    """
    problem = (model, x, y, counterparts, space)
    found = [x.unsqueeze(0), points_through(*problem, random_state)]
    if model.access == "gradient":
        found.append(MultiAPGD(restarts=RESTARTS).run(*problem).x_adv.unsqueeze(0))
    return torch.cat(found)


def doubled(space: PerturbationSpace) -> PerturbationSpace:
    """Return Δ with twice its radius: whoever lies in a Δ around a point of Δ lies in it."""
    return replace(space, epsilon=2 * space.vectors[0])
