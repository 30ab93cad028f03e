"""Attacks by one who knows the defence: through it, with restarts, and by transfer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.attacks.boxes import Boxes
from rafair.attacks.ensemble import Ensemble
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.attacks.square import Square
from rafair.fairness import judge_candidates
from rafair.guarding import guarded
from rafair.models import require_wrapped
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.trees import has_trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.attacks.base import Attack
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["RESTARTS", "Adaptive"]

# How often the strongest attack starts anew, each time with its own random starts.
RESTARTS = 2


@dataclass(frozen=True)
class Adaptive:
    """Attack as one who knows the model and, if it is a guard, the model behind it.

    The strongest attack goes through the model, with restarts: ``Ensemble`` where there are
    gradients, ``Boxes`` for trees, else ``Square``. A guard is also shown what breaks the model
    behind it (transfer): the ends of the same attack on that model, and with gradients those of
    ``MultiAPGD``, which goes on where that model is broken already. The judge is asked about every
    end point and the seed; ``x_adv`` is the first in the worst cell. Δ must be bounded.

    Parameters
    ----------
    queries : int
        For each seed and restart of ``Boxes`` and ``Square``.
    target : {"accurate_fair", "accurate"}
        What ``Ensemble`` is to break.
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    queries: int = 5_000
    target: str = field(default="accurate_fair", kw_only=True)
    random_state: int = field(default=0, kw_only=True)
    batch_size: BatchSize = field(default=AUTO, kw_only=True)

    family: ClassVar[str] = "adaptive"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"adaptive": {}}

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        require_wrapped(model, type(self).__name__)
        check_problem(model, x, y, counterparts, space)
        problem, guard = (x, y, counterparts, space), guarded(model)
        found = self._through(model, *problem)
        found += [] if guard is None else self._on_bare(guard.model, *problem)
        points = torch.stack([*(result.x_adv for result in found), space.round(x, x)])
        judged = judge_candidates(model, points, y, counterparts, self.batch_size)
        return AttackResult(
            judged.x,
            Trajectory(torch.cat([x.unsqueeze(0), points])),
            sum(result.n_gradients for result in found),
            sum(result.n_forwards for result in found)
            + len(points) * len(x) * (len(counterparts) + 1),
        )

    def through(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> Tensor:
        """Return where the strongest attack through a model ends, (``RESTARTS``, n, d)."""
        found = self._through(model, x, y, counterparts, space)
        return torch.stack([result.x_adv for result in found])

    def transferred(
        self,
        bare: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> Tensor:
        """Return points that break a bare model, to be tried on a defence of it, (t, n, d).

        The seeds are the first of them.
        """
        found = self._on_bare(bare, x, y, counterparts, space)
        return torch.stack([x, *(result.x_adv for result in found)])

    def _through(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> list[AttackResult]:
        problem = (model, x, y, counterparts, space)
        states = range(self.random_state, self.random_state + RESTARTS)
        return [self._strongest(model, state).run(*problem) for state in states]

    def _on_bare(
        self,
        bare: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> list[AttackResult]:
        problem = (bare, x, y, counterparts, space)
        found = self._through(*problem)
        if bare.access == "gradient":
            found.append(MultiAPGD(restarts=RESTARTS, batch_size=self.batch_size).run(*problem))
        return found

    def _strongest(self, model: Classifier, random_state: int) -> Attack:
        if model.access == "gradient":
            size = self.batch_size
            return Ensemble(target=self.target, random_state=random_state, batch_size=size)
        kind = Boxes if has_trees(model) else Square
        return kind(self.queries, random_state=random_state, batch_size=self.batch_size)
