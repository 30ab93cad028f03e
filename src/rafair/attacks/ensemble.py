"""The strongest attack: one member after the other, on what is still unbroken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.attacks.linear_corner import LinearCorner
from rafair.attacks.multi_apgd import MultiAPGD
from rafair.attacks.rafair import RAFair
from rafair.errors import InvalidInput
from rafair.fairness import TF, judge
from rafair.models import require_gradient
from rafair.problem import check_problem
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.network import relu_network
from rafair.problem.walking import AttackResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from rafair.attacks.base import Attack
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Ensemble", "EnsembleResult", "Member"]

CLEAN = "clean"
# Steps of the members that need a number; more broke no further seed of the benchmarks.
APGD_STEPS, RAFAIR_STEPS, RESTARTS = 40, 20, 2


@dataclass(frozen=True)
class Member:
    """What one member of the ensemble did.

    Attributes
    ----------
    name : str
    tried, broken : int
        Seeds that were unbroken when its turn came, and how many of them it broke.
    n_gradients, n_forwards : int
        Rows differentiated, and rows only predicted, the judge's among them.
    skipped : str or None
        Why it did not run, if it did not.
    """

    name: str
    tried: int
    broken: int
    n_gradients: int
    n_forwards: int
    skipped: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class EnsembleResult(AttackResult):
    """What the ensemble found, and who found it.

    Attributes
    ----------
    members : tuple of Member
        In their order; the first is the seed itself.
    broken_by : Tensor of int64, shape (n,)
        Which member broke each seed; −1 where none did.
    """

    members: tuple[Member, ...]
    broken_by: Tensor


@dataclass(frozen=True)
class Ensemble:
    """Break each seed by whatever breaks it; there is nothing to tune.

    Members, each on the seeds that are still accurately fair: the corner of a linear bound with
    three sign steps (ReLU networks); APGD on the largest margin over I(v) from the seed, then on
    the largest cross-entropy from two random points, each with leaky gradients on every other step;
    RAFair's three modes, the biased ones with both rules for a zero gradient. Any iterate of
    theirs counts; the judge decides.

    Parameters
    ----------
    random_state : int
        Of the random starts.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "ensemble"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2026
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"ensemble": {}}

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> EnsembleResult:
        """Attack n seeds at once.

        Parameters
        ----------
        model : Classifier with gradients.
        x : Tensor, shape (n, d), unit space. Not modified.
        y : Tensor of int64, shape (n,). Ground truth.
        counterparts, space : see ``RAFair.run``.

        Returns
        -------
        EnsembleResult with ``x_adv`` (n, d), inside Δ around ``x``: the first point that the judge
        does not call accurately fair; the end of the first member for a seed that nothing broke.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain, or Δ is unbounded or lets a sensitive feature move.
        """
        require_gradient(model, type(self).__name__)
        check_problem(model, x, y, counterparts, space)
        hunt = _Hunt(model, x, y, counterparts, space, self.batch_size)
        hunt.look(CLEAN, hunt.x_adv.unsqueeze(0), torch.arange(len(x), device=x.device), 0, 0)
        for name, attack in self._members(space.reach(x)).items():
            rows = (hunt.broken_by < 0).nonzero()[:, 0]
            reason = _unfit(model) if isinstance(attack, LinearCorner) else None
            if reason or not len(rows):
                hunt.members.append(Member(name, 0, 0, 0, 0, reason))
                continue
            found = attack.run(model, x[rows], y[rows], counterparts, space)
            iterates = found.x_adv.unsqueeze(0)
            if isinstance(attack, RAFair) and found.trajectory is not None:
                iterates = found.trajectory.points[1:]
            hunt.look(name, iterates, rows, found.n_gradients, found.n_forwards)
        members = tuple(hunt.members)
        return EnsembleResult(
            hunt.x_adv,
            Trajectory(torch.stack([x, hunt.x_adv])),
            sum(member.n_gradients for member in members),
            sum(member.n_forwards for member in members),
            members=members,
            broken_by=hunt.broken_by,
        )

    def _members(self, reach: Tensor) -> dict[str, Attack | LinearCorner]:
        """Return the members in their order: the cheap and strong ones first."""
        apgd = MultiAPGD(APGD_STEPS, random_state=self.random_state, batch_size=self.batch_size)
        step = (reach / RAFAIR_STEPS).tolist()
        walk = RAFair(steps=RAFAIR_STEPS, step_size=step, batch_size=self.batch_size)
        biased, wrong = replace(walk, mode="true_biased"), replace(walk, mode="false_biased")
        return {
            "linear corner": LinearCorner(batch_size=self.batch_size),
            "multi-apgd, margin": apgd,
            "multi-apgd, cross-entropy": replace(
                apgd, loss="cross_entropy", random_start=True, restarts=RESTARTS
            ),
            "rafair-ff": replace(walk, mode="false_fair"),
            "rafair-tb": biased,
            "rafair-tb, counterpart": replace(biased, zero_gradient="counterpart"),
            "rafair-fb": wrong,
            "rafair-fb, counterpart": replace(wrong, zero_gradient="counterpart"),
        }


class _Hunt:
    """The seeds of one run, and what has become of them so far."""

    def __init__(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
        batch_size: BatchSize,
    ) -> None:
        self.model, self.y, self.counterparts = model, y, counterparts
        self.batch_size = batch_size
        self.x_adv = space.round(x, x).clone()
        self.broken_by = torch.full_like(y, -1)
        self.members: list[Member] = []
        self.has_ends = False

    def look(
        self, name: str, iterates: Tensor, rows: Tensor, n_gradients: int, n_forwards: int
    ) -> None:
        """Judge a member's iterates, (steps, rows, d), and note whom it broke.

        A seed is judged until it is broken, and not again where it stands still.
        """
        place, seen = len(self.members), torch.full_like(iterates[0], torch.nan)
        for points in iterates:
            new = (points != seen).any(dim=1) & (self.broken_by[rows] < 0)
            if bool(new.any()):
                chosen = rows[new]
                verdict = judge(
                    self.model,
                    points[new],
                    self.y[chosen],
                    self.counterparts,
                    batch_size=self.batch_size,
                )
                n_forwards += len(chosen) * (len(self.counterparts) + 1)
                wrong = verdict.cells != TF
                self.broken_by[chosen[wrong]] = place
                self.x_adv[chosen[wrong]] = points[new][wrong]
            seen = points
        whole = self.broken_by[rows] < 0
        if name != CLEAN and not self.has_ends:
            self.x_adv[rows[whole]], self.has_ends = iterates[-1][whole], True
        broken = int((~whole).sum())
        self.members.append(Member(name, len(rows), broken, n_gradients, n_forwards))


def _unfit(model: Classifier) -> str | None:
    """Say why a model has no linear bound, if it has none."""
    try:
        relu_network(model)
    except InvalidInput as error:
        return str(error)
    return None
