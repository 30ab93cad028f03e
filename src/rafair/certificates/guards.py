"""Certificates of guards: what is proved of a consensus over I(v)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from rafair.attacks.apgd import APGD
from rafair.attacks.cell_ascent import CellAscent
from rafair.bounds.network import layered_network, why_not_layered
from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.certificates.claim import ATTACK_STEPS, RESTARTS
from rafair.certificates.mean_claims import MeanSearch
from rafair.certificates.verdicts import IMPOSSIBLE, REACHABLE, CellCertificate, Certificate
from rafair.errors import InvalidInput
from rafair.fairness import CELLS, STRICT, judge
from rafair.fairness.decisions import predict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from rafair.bounds.network import LayeredNetwork
    from rafair.certificates.prover import Certainty, Prover, Question
    from rafair.certificates.verdicts import Property
    from rafair.fairness import Lipschitz
    from rafair.guarding import GuardedClassifier
    from rafair.problem import Counterparts

__all__ = ["GuardProver", "guard_prover"]

BIASED = ("TB", "FB")


@dataclass(frozen=True, eq=False)
class GuardProver:
    """R-IF by construction; R-ACC and R-AF by how the rule joins the answers of the members.

    Attributes
    ----------
    guard : GuardedClassifier
    answers : callable
        From a question and the time to stop to the certificate of the claim "accurate", where the
        same combinations are asked about everybody.
    unanimous : callable
        The same, wherever everybody in the grid gets the same class.
    never : callable, optional
        The same for the claim that the guard's answer is never y.
    """

    guard: GuardedClassifier
    answers: Callable[[Question, float], Certificate]
    unanimous: Callable[[Question, float], Certificate]
    never: Callable[[Question, float], Certificate] | None = None

    @property
    def certainty(self) -> Certainty:
        """A tie of means or votes may stay undecided."""
        return "sound"

    def claims(
        self,
        question: Question,
        claim: Property,
        condition: Lipschitz,  # noqa: ARG002 - everybody gets the same class, whatever K, D and d
        until: float,
    ) -> Certificate:
        """Decide a claim; see ``certify``."""
        _, x, _, counterparts, *_ = question
        alike = self._alike(x, counterparts)
        if claim == "fair":
            nothing = Certificate.unknown(x)
            return replace(nothing, status=torch.where(alike, PROVED, UNDECIDED))
        found = self._accurate(question, until)
        if claim == "accurate":
            return found
        unclear = (found.status == PROVED) & ~alike
        return replace(found, status=torch.where(unclear, UNDECIDED, found.status))

    def cells(
        self,
        question: Question,
        cells: Sequence[str],
        condition: Lipschitz,
        until: float,
    ) -> CellCertificate:
        """Decide cells; see ``certify_cells``. TB and FB are impossible by construction."""
        model, x, y, counterparts, space, _ = question
        found, everyone = CellCertificate.unknown(x), torch.arange(len(x), device=x.device)
        alike = self._alike(x, counterparts)
        for cell in BIASED:
            found.status[alike, CELLS.index(cell)] = IMPOSSIBLE
        self._note(found, question, space.round(x, x), everyone, condition)
        if "FF" in cells:
            accurate = self._accurate(question, until)
            self._rule_out(found, question, "FF", accurate, condition)
        lost = (found.status[:, CELLS.index("TF")] != REACHABLE).nonzero()[:, 0]
        if "TF" not in cells or not len(lost):
            return found
        if model.access == "gradient":
            reached = CellAscent("TF").run(model, x[lost], y[lost], counterparts, space).x_adv
            self._note(found, question, reached, lost, condition)
        if self.never is not None and _is_plain(self.guard.counterparts):
            self._rule_out(found, question, "TF", self.never(question, until), condition)
        return found

    def _rule_out(
        self,
        found: CellCertificate,
        question: Question,
        cell: str,
        opposite: Certificate,
        condition: Lipschitz,
    ) -> None:
        """Note what a claim that contradicts a fair cell says of it."""
        column = CELLS.index(cell)
        found.nodes[:, column] += opposite.nodes
        unseen = found.status[:, column] != REACHABLE
        broken = (unseen & (opposite.status == BROKEN)).nonzero()[:, 0]
        self._note(found, question, opposite.witness[broken], broken, condition)
        found.status[unseen & (opposite.status == PROVED), column] = IMPOSSIBLE

    def _note(
        self,
        found: CellCertificate,
        question: Question,
        points: Tensor,
        rows: Tensor,
        condition: Lipschitz,
    ) -> None:
        """Judge a point of each of some instances; it is a witness for the cell it lies in."""
        if not len(rows):
            return
        model, _, y, counterparts, *_ = question
        cells = judge(model, points, y[rows], counterparts, *condition.parameters).cells
        found.status[rows, cells] = REACHABLE
        found.witness[rows, cells] = points

    def _accurate(self, question: Question, until: float) -> Certificate:
        """Decide R-ACC: prove it where the rule allows, then attack whoever is undecided."""
        model, x, y, counterparts, space, _ = question
        found = Certificate.unknown(x)
        if _is_plain(self.guard.counterparts):
            found = self.answers(question, until)
        elif not self.guard.counterparts.kept:
            found = self.unanimous(question, until)
        rows = (found.status == UNDECIDED).nonzero()[:, 0]
        if not len(rows) or model.access != "gradient" or time.time() >= until:
            return found
        attack = APGD(ATTACK_STEPS, "margin", random_start=False, restarts=RESTARTS)
        points = attack.run(model, x[rows], y[rows], counterparts, space).x_adv
        return found.written(rows, self._witnessed(question, rows, points, found.nodes[rows]))

    def _witnessed(
        self, question: Question, rows: Tensor, points: Tensor, nodes: Tensor
    ) -> Certificate:
        """Return which of these points the guard itself decides wrongly."""
        _, x, y, _, space, _ = question
        wrong = (predict(self.guard, points) != y[rows]) & space.contains(points, x[rows])
        kept = torch.where(wrong.unsqueeze(1), points, torch.nan)
        return Certificate(torch.where(wrong, BROKEN, UNDECIDED), kept, kept, nodes)

    def _alike(self, x: Tensor, counterparts: Counterparts) -> Tensor:
        """Tell who gets one answer with all their counterparts, whatever δ is, (n,), bool."""
        return self.guard.members.covers(x, replace(counterparts, conditions=None))


def _is_plain(counterparts: Counterparts) -> bool:
    """Tell whether the same combinations are asked about everybody."""
    return not counterparts.varies and not counterparts.kept


def guard_prover(guard: GuardedClassifier, base: Prover) -> Prover:
    """Return the prover for a guard of a model that has one.

    *mean* of a network with piecewise linear activations: branch and bound with linear bounds of
    the mean. *majority*: the guard always answers y where for more than half of I(v) it is proved
    that each is always decided as y. *own-or-abstain*, *mean* of any other model, and every rule
    where relations or distances change who is asked: it does where that is proved of everybody in
    the grid. Where empty cells stay empty, only R-IF is proved.

    Raises
    ------
    InvalidInput
        If the guard asks at other points.
    """
    if guard.neighbourhood is not None:
        raise InvalidInput("a consensus over points near v has no certificates")

    def unanimous(question: Question, until: float) -> Certificate:
        return _all_of_them(guard, base, question, until)

    if guard.rule == "majority":
        return GuardProver(guard, lambda *asked: _most_of_them(guard, base, *asked), unanimous)
    why = why_not_layered(guard.model)
    network = None if why else layered_network(guard.model)
    if guard.rule != "mean" or network is None or not network.is_relu:
        return GuardProver(guard, unanimous, unanimous)
    return GuardProver(
        guard,
        lambda *asked: _by_mean(guard, network, *asked),
        unanimous,
        lambda *asked: _by_mean(guard, network, *asked, never=True),
    )


def _by_mean(
    guard: GuardedClassifier,
    network: LayeredNetwork,
    question: Question,
    until: float,
    *,
    never: bool = False,
) -> Certificate:
    _, x, y, _, space, max_nodes = question
    search = MeanSearch(guard, network, x, y, space, never)
    found = search.decide(max_nodes, until)
    witness = torch.full_like(x, torch.nan)
    broken = (found.status == BROKEN).nonzero()[:, 0]
    if len(broken):
        witness[broken] = search.points(found.person[broken], broken)
    return Certificate(found.status, witness, witness, found.nodes)


def _all_of_them(
    guard: GuardedClassifier, base: Prover, question: Question, until: float
) -> Certificate:
    """Prove that everybody in the grid always gets y: whoever of them is asked, y is the answer.

    Relations leave people out of those who are asked, and changes out of Δ, for each person
    otherwise; the proof is about all of them.
    """
    _, x, y, _, space, max_nodes = question
    members, free = guard.members, replace(space, conditions=None)
    everyone = replace(members.everyone, conditions=None)
    asked = (guard.model, members.representative(x), y, everyone, free, max_nodes)
    found = base.claims(asked, "accurate_fair", STRICT, until)
    decided = replace(found.only(PROVED), nodes=found.nodes)
    rows = (found.status == BROKEN).nonzero()[:, 0]
    if not len(rows):
        return decided
    columns, points = list(guard.counterparts.columns), found.witness[rows].clone()
    points[:, columns] = x[rows][:, columns]
    wrong = (predict(guard, points) != y[rows]) & space.contains(points, x[rows])
    return decided.written(rows[wrong], _broken(points[wrong], found.nodes[rows[wrong]]))


def _broken(points: Tensor, nodes: Tensor) -> Certificate:
    return Certificate(torch.full_like(nodes, BROKEN), points, points, nodes)


def _most_of_them(
    guard: GuardedClassifier, base: Prover, question: Question, until: float
) -> Certificate:
    """Prove that more than half of the members always get y, each by itself."""
    _, x, y, _, space, max_nodes = question
    members, found = guard.members, Certificate.unknown(x)
    people, m = members.everyone.rows(members.representative(x)), len(members.everyone)
    asked = (guard.model, people, y.repeat_interleave(m), members.everyone, space, max_nodes)
    each = base.claims(asked, "accurate", STRICT, until)
    certain = (each.status == PROVED).view(-1, m).sum(dim=1)
    # Of two classes with equal votes the first is the answer.
    two = guard.scores(x[:1]).shape[1] == 2
    needed = torch.where((y == 0) & two, (m + 1) // 2, m // 2 + 1)
    nodes = each.nodes.view(-1, m).sum(dim=1)
    status = torch.where(certain >= needed, PROVED, UNDECIDED)
    return replace(found, status=status, nodes=nodes)
