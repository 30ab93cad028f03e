"""Claims about people whom a tree ensemble decides: R-AF, R-ACC and R-IF, exactly."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from rafair.fairness import STRICT, counterexamples
from rafair.fairness.decisions import decide, predict
from rafair.fairness.dissent import find_dissent
from rafair.trees.pieced_model import quick_model
from rafair.trees.problem import PiecedProblem
from rafair.trees.questions import TreeQuestion
from rafair.trees.searching import apart, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.trees.ensemble import TreeEnsemble
    from rafair.trees.searching import Boxes

__all__ = ["Searched", "search_claim", "too_far"]

Search: TypeAlias = "Callable[..., Boxes]"


@dataclass(frozen=True, eq=False)
class Searched:
    """What became of a claim about n people; whoever is neither broken nor proved is undecided.

    Attributes
    ----------
    is_broken, is_proved : Tensor of bool, shape (n,)
    point, counterpart : Tensor, shape (n, d)
        v + δ, and somebody in I(v + δ) who is decided wrongly, where the claim is broken; NaN
        elsewhere.
    nodes : Tensor of int64, shape (n,)
        Number of boxes bounded.
    """

    is_broken: Tensor
    is_proved: Tensor
    point: Tensor
    counterpart: Tensor
    nodes: Tensor

    def written(self, rows: Tensor, part: Searched) -> Searched:
        """Return this with some rows, (b,), replaced."""
        names = self.__dataclass_fields__
        return Searched(
            *(getattr(self, name).index_copy(0, rows, getattr(part, name)) for name in names)
        )


@dataclass(frozen=True, eq=False)
class _Claim:
    """A claim about n people whom a tree ensemble decides; see ``quick_model``."""

    model: Classifier
    quick: Classifier
    pieced: PiecedProblem
    y: Tensor
    kind: str
    condition: Lipschitz

    def take(self, rows: Tensor) -> _Claim:
        """Return the claim about some of the people."""
        return replace(self, pieced=replace(self.pieced, x=self.pieced.x[rows]), y=self.y[rows])

    def breaks(self, points: Tensor, rows: Tensor) -> Tensor:
        """Tell which points break the claim, as the judge says."""
        return self._breaks(self.model, points, rows)

    def seems_to_break(self, points: Tensor, rows: Tensor) -> Tensor:
        """Tell the same of the model as it is read."""
        return self._breaks(self.quick, points, rows)

    def _breaks(self, model: Classifier, points: Tensor, rows: Tensor) -> Tensor:
        if not len(points):
            return torch.zeros(0, dtype=torch.bool)
        people = self.pieced.counterparts
        return counterexamples(model, points, self.y[rows], people, self.kind, self.condition)

    def others(self, right: int, rival: int) -> Tensor:
        """Tell which combinations may not get ``rival`` where v gets ``right``, (n, m), bool."""
        if self.kind == "accurate":
            return torch.zeros_like(self.pieced.possible())
        return too_far(self.pieced, self.condition, right, rival)

    def counterparts_of(self, points: Tensor, rows: Tensor, combination: Tensor) -> Tensor:
        """Return, of each point that breaks the claim, somebody who does it, (b, d).

        It is the given combination, or somebody else if relations exclude that one.
        """
        if not len(points):
            return points
        people, model = self.pieced.counterparts, self.model
        found = people.take(points, combination)
        right = predict(model, points) if self.kind == "fair" else self.y[rows]
        allowed = self.condition.allowed(points, people).expand(len(points), len(people))
        limit = allowed.gather(1, combination.clamp_min(0)[:, None])[:, 0]
        limit = limit.masked_fill(combination < 0, 0.0)
        breaks = self.condition.apart(right, predict(model, found)) > limit
        other = (~(breaks & ((combination < 0) | people.exist(found, points)))).nonzero()[:, 0]
        if len(other):
            decided = decide(model, points[other], people)[1]
            breaks = self.condition.apart(right[other, None], decided) > allowed[other]
            breaks &= people.valid(points[other])
            row = torch.where(breaks.any(dim=1), breaks.to(torch.int8).argmax(dim=1), -1)
            found[other] = people.take(points[other], row)
        return found


def too_far(pieced: PiecedProblem, condition: Lipschitz, right: int, rival: int) -> Tensor:
    """Tell which combinations may not get ``rival`` where v gets ``right``, (n, m), bool."""
    x, counterparts = pieced.x, pieced.counterparts
    labels = torch.tensor([right, rival])
    apart_by = condition.apart(labels[0], labels[1])
    return pieced.possible() & (apart_by > condition.allowed(x, counterparts))


def search_claim(
    ensemble: TreeEnsemble,
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int,
    kind: str,
    condition: Lipschitz = STRICT,
    until: float = math.inf,
) -> Searched:
    """Decide a claim about n people.

    Each pair of classes is searched on its own: for R-AF and R-ACC the label and every other, for
    R-IF that of v + δ and that of a counterpart; see ``_fair``.

    Parameters
    ----------
    ensemble : TreeEnsemble
        The trees of ``model``.
    kind : {"accurate_fair", "accurate", "fair"}
    model, x, y, counterparts, space, max_nodes, until : see ``rafair.certify``.
    condition : Lipschitz
        K, D and d of the judge.
    """
    pieced = PiecedProblem(ensemble, x, counterparts, space)
    pieced.check(condition)
    claim = _Claim(model, quick_model(ensemble, model), pieced, y, kind, condition)
    if kind != "fair":
        return _searched(claim, wrong, max_nodes, until)
    return _fair(claim, max_nodes, until)


def _fair(claim: _Claim, max_nodes: int, until: float) -> Searched:
    """Decide R-IF: by whether anybody gets another class than v, then by pairs of people.

    A biased instance is first looked for on the way from v to where somebody gets another class,
    which takes less than the search of pairs.
    """
    pieced = claim.pieced
    same = replace(claim, y=predict(claim.model, pieced.x), kind="accurate_fair")
    first = _searched(same, wrong, max_nodes, until)
    nobody = torch.full_like(first.point, torch.nan)
    found = Searched(
        torch.zeros_like(first.is_broken), first.is_proved, nobody, nobody.clone(), first.nodes
    )
    rows = first.is_broken.nonzero()[:, 0]
    if len(rows) and time.time() < until:
        some = claim.take(rows)
        problem = (pieced.counterparts, pieced.space, claim.condition)
        point, _, is_pair = find_dissent(claim.quick, some.pieced.x, first.point[rows], *problem)
        is_pair[is_pair.clone()] = some.breaks(point[is_pair], is_pair.nonzero()[:, 0])
        hits, at = rows[is_pair], is_pair.nonzero()[:, 0]
        found.is_broken[hits], found.point[hits] = True, point[is_pair]
        anybody = torch.full_like(at, -1)
        found.counterpart[hits] = some.counterparts_of(point[is_pair], at, anybody)
    rows = (~found.is_proved & ~found.is_broken).nonzero()[:, 0]
    if not len(rows):
        return found
    return found.written(
        rows, _searched(claim.take(rows), apart, max_nodes, until, found.nodes[rows])
    )


def _searched(
    claim: _Claim, search: Search, max_nodes: int, until: float, spent: Tensor | None = None
) -> Searched:
    """Search every pair of classes of which a point can break a claim.

    ``spent``, (n,), is how many boxes have been bounded before.
    """
    y, x, is_pair = claim.y, claim.pieced.x, search is apart
    question = TreeQuestion(claim.pieced, search, claim.breaks, claim.seems_to_break, until)
    is_proved, is_broken = torch.ones_like(y, dtype=torch.bool), torch.zeros_like(y).bool()
    nodes = torch.zeros_like(y) if spent is None else spent.clone()
    point = torch.full_like(x, torch.nan)
    combination = torch.full_like(y, -1)
    for first, second in permutations(range(claim.pieced.ensemble.n_classes), 2):
        asked = ~is_broken & (is_pair | (y == second))
        is_proved[asked & (nodes >= max_nodes)] = False
        rows = (asked & (nodes < max_nodes)).nonzero()[:, 0]
        if not len(rows):
            continue
        others = claim.others(*((first, second) if is_pair else (second, first)))[rows]
        found = question.ask(rows, others, (first, second), max_nodes - nodes[rows])
        nodes[rows] += found.nodes
        point[rows], combination[rows] = found.point, found.combination
        is_proved[rows] &= found.is_impossible
        is_broken[rows] = found.is_found
    broken = is_broken.nonzero()[:, 0]
    refused = broken[~claim.breaks(point[broken], broken)]  # the judge alone accepts
    is_broken[refused], is_proved[refused], point[refused] = False, False, torch.nan
    counterpart, broken = torch.full_like(x, torch.nan), is_broken.nonzero()[:, 0]
    if len(broken):
        counterpart[broken] = claim.counterparts_of(point[broken], broken, combination[broken])
    return Searched(is_broken, is_proved & ~is_broken, point, counterpart, nodes)
