"""The strongest attack: one member after the other, on the seeds that are not broken yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import torch

from rafair.attacks.apgd import APGD
from rafair.attacks.base import Aim
from rafair.attacks.cell_ascent import CellAscent
from rafair.attacks.changed_class import ChangedClass
from rafair.attacks.linear_corner import LinearCorner
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.attacks.rafair import RAFair
from rafair.bounds.network import why_not_layered
from rafair.checks import check_one_of
from rafair.fairness import judge
from rafair.models import require_gradient
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.goals import TARGETS
from rafair.problem.trajectories import AttackResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.attacks.base import Attack
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Ensemble", "EnsembleResult", "Member"]

CLEAN = "clean"
# What a member does: any attack, in the registry or not.
Searcher: TypeAlias = "Attack | ChangedClass | LinearCorner"
# Steps and starts of the members; more of them broke no further seed of the benchmarks.
APGD_STEPS, RAFAIR_STEPS, RESTARTS = 40, 20, 2


@dataclass(frozen=True)
class Member:
    """What one member of the ensemble did.

    Attributes
    ----------
    name : str
    tried, broken : int
        Seeds that were not broken when its turn came, and how many of them it broke.
    n_gradients, n_forwards : int
        Rows differentiated, and rows only predicted, those of the judge included.
    skipped : str or None
        Why the member did not run, if it did not.
    """

    name: str
    tried: int
    broken: int
    n_gradients: int
    n_forwards: int
    skipped: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class EnsembleResult(AttackResult):
    """What the ensemble found, and which member found it.

    Attributes
    ----------
    members : tuple of Member
        In the order in which they ran; the first stands for the seed itself.
    broken_by : Tensor of int64, shape (n,)
        Number of the member that broke each seed; −1 where none did.
    """

    members: tuple[Member, ...]
    broken_by: Tensor


@dataclass(frozen=True)
class Ensemble:
    """Try one member after the other on each seed until one breaks it; there is nothing to tune.

    A point breaks a seed if it contradicts the target, as the judge says. The members, in order:

    - *accurate_fair*: the corner of a linear bound with three sign steps, for ReLU networks only;
      APGD on the largest margin over I(v), from the seed; APGD on the largest cross-entropy over
      I(v), from two random points; RAFair's false fair mode.
    - *accurate*: APGD on the margin at v, from the seed; APGD on the cross-entropy at v, from two
      random points; the attacks on the cells FF and FB.
    - *fair*: the attacks on the cells TB and FB; a biased point between the seed and the end of an
      APGD that makes somebody in I(v) change class (``ChangedClass``).

    APGD over I(v) and the attacks on cells take every other gradient through leaky ReLUs. Each
    member attacks only the seeds that are not broken yet. The judge is asked about the seeds
    themselves, about every iterate of RAFair, and about the end points of the other members.
    ``x_adv`` is the first point that breaks a seed; for a seed that no member breaks, it is the end
    point of the first member. Δ must be bounded.

    Parameters
    ----------
    target : {"accurate_fair", "accurate", "fair"}
        What to break: R-AF, R-ACC or R-IF. The family's row counts what any of the three finds.
    random_state : int
        Of the random starts.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    target: str = "accurate_fair"
    random_state: int = field(default=0, kw_only=True)
    batch_size: BatchSize = field(default=AUTO, kw_only=True)

    family: ClassVar[str] = "ensemble"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "ensemble-af": {"target": "accurate_fair"},
        "ensemble-acc": {"target": "accurate"},
        "ensemble-if": {"target": "fair"},
    }

    def __post_init__(self) -> None:
        check_one_of("target", self.target, tuple(TARGETS))

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> EnsembleResult:
        """Attack n seeds at once; see ``Attack.run``. An unbounded Δ is refused."""
        require_gradient(model, type(self).__name__)
        check_problem(model, x, y, counterparts, space)
        problem = (model, x, y, counterparts, space)
        search = _EnsembleSearch(*problem, self.target, self.batch_size)
        search.judge(CLEAN, search.x_adv.unsqueeze(0), torch.arange(len(x), device=x.device))
        for name, attack in self._members(space.reach(x)).items():
            search.try_member(name, attack)
        return search.result()

    def _members(self, reach: Tensor) -> dict[str, Searcher]:
        """Return the members in their order: the cheap and strong ones first."""
        size, state = self.batch_size, self.random_state
        random: dict[str, Any] = {"random_start": True, "restarts": RESTARTS, "random_state": state}
        cells = {f"cell-{c.lower()}": CellAscent(c, batch_size=size) for c in ("TB", "FF", "FB")}
        if self.target == "accurate":
            own = APGD(APGD_STEPS, "margin", random_start=False, batch_size=size)
            return {
                "apgd, margin": own,
                "apgd, cross-entropy": replace(own, loss="cross_entropy", **random),
                "cell-ff": cells["cell-ff"],
                "cell-fb": cells["cell-fb"],
            }
        if self.target == "fair":
            return {
                "cell-tb": cells["cell-tb"],
                "cell-fb": cells["cell-fb"],
                "changed class": ChangedClass(APGD_STEPS, random_state=state, batch_size=size),
            }
        joint = MultiAPGD(APGD_STEPS, random_state=state, batch_size=size)
        step = (reach / RAFAIR_STEPS).tolist()
        return {
            "linear corner": LinearCorner(batch_size=size),
            "multi-apgd, margin": joint,
            "multi-apgd, cross-entropy": replace(joint, loss="cross_entropy", **random),
            "rafair-ff": RAFair("false_fair", step, RAFAIR_STEPS, batch_size=size),
        }


class _EnsembleSearch:
    """The seeds of one run, and what the members have found so far."""

    def __init__(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
        target: str,
        batch_size: BatchSize,
    ) -> None:
        self.model, self.x, self.y = model, x, y
        self.counterparts, self.space = counterparts, space
        self.target, self.batch_size = target, batch_size
        self.x_adv = space.round(x, x).clone()
        self.broken_by = torch.full_like(y, -1)
        self.members: list[Member] = []
        self.has_ends = False

    def try_member(self, name: str, attack: Searcher) -> None:
        """Run a member on the seeds that are not broken, and judge its iterates."""
        rows = (self.broken_by < 0).nonzero()[:, 0]
        reason = why_not_layered(self.model) if isinstance(attack, LinearCorner) else None
        if reason or not len(rows):
            self.members.append(Member(name, 0, 0, 0, 0, reason))
            return
        found = attack.run(self.model, self.x[rows], self.y[rows], self.counterparts, self.space)
        iterates = found.x_adv.unsqueeze(0)
        if isinstance(attack, RAFair) and found.trajectory is not None:
            iterates = found.trajectory.points[1:]
        self.judge(name, iterates, rows, found.n_gradients, found.n_forwards)
        if not self.has_ends:
            whole = self.broken_by[rows] < 0
            self.x_adv[rows[whole]], self.has_ends = iterates[-1][whole], True

    def judge(
        self, name: str, iterates: Tensor, rows: Tensor, n_gradients: int = 0, n_forwards: int = 0
    ) -> None:
        """Judge a member's iterates, (steps, rows, d), and note which seeds it broke.

        A seed is judged until it is broken, and not again at a point equal to the one before.
        """
        before = torch.full_like(iterates[0], torch.nan)
        for points in iterates:
            new = (points != before).any(dim=1) & (self.broken_by[rows] < 0)
            if bool(new.any()):
                self._judge_points(points[new], rows[new])
                n_forwards += int(new.sum()) * (len(self.counterparts) + 1)
            before = points
        broken = int((self.broken_by[rows] >= 0).sum())
        self.members.append(Member(name, len(rows), broken, n_gradients, n_forwards))

    def _judge_points(self, points: Tensor, rows: Tensor) -> None:
        verdict = judge(
            self.model, points, self.y[rows], self.counterparts, batch_size=self.batch_size
        )
        broken = verdict.breaks(self.target)
        self.broken_by[rows[broken]] = len(self.members)
        self.x_adv[rows[broken]] = points[broken]

    def result(self) -> EnsembleResult:
        """Return what was found so far."""
        return EnsembleResult(
            self.x_adv,
            Trajectory(torch.stack([self.x, self.x_adv])),
            sum(member.n_gradients for member in self.members),
            sum(member.n_forwards for member in self.members),
            members=tuple(self.members),
            broken_by=self.broken_by,
        )
