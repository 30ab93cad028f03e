"""Claims about people whom a tree ensemble decides: R-AF, R-ACC and R-IF, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.fairness import STRICT, judge
from rafair.fairness.decisions import decide, predict
from rafair.trees.problem import PiecedProblem
from rafair.trees.questions import TreeQuestion
from rafair.trees.searching import apart, wrong

if TYPE_CHECKING:
    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.trees import TreeEnsemble

__all__ = ["Searched", "search_claim", "too_far"]


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


@dataclass(frozen=True, eq=False)
class _Claim:
    """A claim about n people whom a tree ensemble decides."""

    model: Classifier
    pieced: PiecedProblem
    y: Tensor
    prove: str
    condition: Lipschitz

    def breaks(self, points: Tensor, rows: Tensor) -> Tensor:
        """Tell which points break the claim, as the judge says."""
        problem = (self.model, points, self.y[rows], self.pieced.counterparts)
        return judge(*problem, *self.condition.parameters).breaks(self.prove)

    def others(self, right: int, rival: int) -> Tensor:
        """Tell which combinations may not get ``rival`` where v gets ``right``, (n, m), bool."""
        if self.prove == "accurate":
            return torch.zeros_like(self.pieced.possible())
        return too_far(self.pieced, self.condition, right, rival)

    def counterparts_of(self, points: Tensor, rows: Tensor, combination: Tensor) -> Tensor:
        """Return, of each point that breaks the claim, somebody who does it, (b, d).

        It is the given combination, or somebody else if relations exclude that one.
        """
        people, model = self.pieced.counterparts, self.model
        found = people.take(points, combination)
        right = predict(model, points) if self.prove == "fair" else self.y[rows]
        allowed = self.condition.allowed(points, people).expand(len(points), len(people))
        limit = allowed.gather(1, combination.clamp_min(0)[:, None])[:, 0]
        limit = limit.masked_fill(combination < 0, 0.0)
        breaks = self.condition.apart(right, predict(model, found)) > limit
        other = (~(breaks & ((combination < 0) | people.exist(found)))).nonzero()[:, 0]
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
    prove: str,
    condition: Lipschitz = STRICT,
    until: float = math.inf,
) -> Searched:
    """Decide a claim about n people.

    Each pair of classes is searched on its own: for R-AF and R-ACC the label and every other, for
    R-IF that of v + δ and that of a counterpart.

    Parameters
    ----------
    ensemble : TreeEnsemble
        The trees of ``model``.
    prove : {"accurate_fair", "accurate", "fair"}
    model, x, y, counterparts, space, max_nodes, until : see ``rafair.certify``.
    condition : Lipschitz
        K, D and d of the judge.
    """
    pieced = PiecedProblem(ensemble, x, counterparts, space)
    pieced.check()
    claim = _Claim(model, pieced, y, prove, condition)
    is_pair = prove == "fair"
    question = TreeQuestion(pieced, apart if is_pair else wrong, claim.breaks, until)
    is_proved, is_broken = torch.ones_like(y, dtype=torch.bool), torch.zeros_like(y).bool()
    nodes, point = torch.zeros_like(y), torch.full_like(x, torch.nan)
    combination = torch.full_like(y, -1)
    for first, second in permutations(range(ensemble.n_classes), 2):
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
    counterpart, broken = torch.full_like(x, torch.nan), is_broken.nonzero()[:, 0]
    if len(broken):
        counterpart[broken] = claim.counterparts_of(point[broken], broken, combination[broken])
    return Searched(is_broken, is_proved & ~is_broken, point, counterpart, nodes)
