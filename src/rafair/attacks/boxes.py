"""Boxes: the search for counterexamples in the trees of a model, cut off early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.square import Square
from rafair.checks import check_whole
from rafair.errors import InvalidInput
from rafair.problem import check_problem
from rafair.problem.batching import all_finite
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.trees import has_trees, tree_ensemble
from rafair.trees.claims import search_claim
from rafair.trees.pieced_model import quick_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Boxes"]

# Boxes to bound per seed; nearly all seeds are decided after fewer.
MAX_NODES = 500


@dataclass(frozen=True)
class Boxes(Square):
    """Search the boxes that the thresholds of trees make; ask for scores where that is no answer.

    The search is that of the certificates, with fewer boxes. It ends with a counterexample, or
    with a proof that there is none; the seeds that it leaves open go to ``Square``, and so do all
    seeds of a model without trees that can be read.

    Parameters
    ----------
    queries, target, random_state, batch_size : see ``QueryAttack``.
    """

    family: ClassVar[str] = "boxes"
    year: ClassVar[int] = 2026
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "boxes-af": {"target": "accurate_fair"},
        "boxes-acc": {"target": "accurate"},
        "boxes-if": {"target": "fair"},
    }

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        if not has_trees(model):
            return super().run(model, x, y, counterparts, space)
        check_whole("queries", self.queries, 1)
        low, high = check_problem(model, x, y, counterparts, space)
        if not all_finite(high - low):
            raise InvalidInput("the attack boxes needs a bounded Δ; give it an ε or a domain")
        problem, ensemble = (model, x, y, counterparts, space), tree_ensemble(model)
        found = search_claim(ensemble, *problem, MAX_NODES, self.target)
        x_adv, forwards = space.round(x, x).clone(), 0
        x_adv[found.is_broken] = found.point[found.is_broken]
        rows = (~found.is_broken & ~found.is_proved).nonzero()[:, 0]
        if len(rows):
            quick = quick_model(ensemble, model)
            more = super().run(quick, x[rows], y[rows], counterparts, space)
            x_adv[rows], forwards = more.x_adv, more.n_forwards
        return AttackResult(x_adv, Trajectory(torch.stack([x, x_adv])), 0, forwards)
