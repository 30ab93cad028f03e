"""Which cells of Table 1 people can be moved into, for tree ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.certificates.verdicts import IMPOSSIBLE, OPEN, REACHABLE, CellCertificate
from rafair.fairness import CELLS, judge
from rafair.trees.claims import too_far
from rafair.trees.problem import PiecedProblem
from rafair.trees.questions import TreeQuestion
from rafair.trees.searching import alike, apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.trees import TreeEnsemble

__all__ = ["certify_tree_cells"]


def certify_tree_cells(
    ensemble: TreeEnsemble,
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int,
    cells: Sequence[str],
    condition: Lipschitz,
    until: float,
) -> CellCertificate:
    """Decide who can be moved into which cells; see ``certify_cells``."""
    pieced = PiecedProblem(ensemble, x, counterparts, space)
    pieced.check(condition)
    found = CellCertificate.unknown(x)

    def cells_of(points: Tensor, rows: Tensor) -> Tensor:
        return judge(model, points, y[rows], counterparts, *condition.parameters).cells

    start = space.round(x, x)
    here, everyone = cells_of(start, torch.arange(len(x))), torch.arange(len(x))
    found.status[everyone, here], found.witness[everyone, here] = REACHABLE, start
    for cell in cells:
        column = CELLS.index(cell)
        search = alike if cell.endswith("F") else apart

        def accept(points: Tensor, rows: Tensor, column: int = column) -> Tensor:
            return cells_of(points, rows) == column

        question = TreeQuestion(pieced, search, accept, accept, until)
        _decide(found, question, column, y, max_nodes, condition)
    return found


def _decide(
    found: CellCertificate,
    question: TreeQuestion,
    column: int,
    y: Tensor,
    max_nodes: int,
    condition: Lipschitz,
) -> None:
    """Decide one cell of everyone for whom it is open.

    The cell is impossible if no class of v allows it. A fair cell of one class is impossible if
    some other class always leads it at somebody; a biased one if no class of a counterpart allows
    it.
    """
    k, is_fair = question.pieced.ensemble.n_classes, CELLS[column].endswith("F")
    status, nodes = found.status[:, column], found.nodes[:, column]
    ruled_out = status == OPEN
    for own in range(k):
        is_own = (y == own) if CELLS[column].startswith("T") else (y != own)
        # Whether a rival is enough, or every one is needed.
        done = torch.full_like(is_own, not is_fair)
        for rival in (label for label in range(k) if label != own):
            open_now = is_own & (status == OPEN)
            rows = (open_now & (nodes < max_nodes) & ~(done & is_fair)).nonzero()[:, 0]
            impossible = torch.zeros_like(done)
            if len(rows):
                others = too_far(question.pieced, condition, own, rival)
                others = others & _always_there(question.pieced) if is_fair else others
                answer = question.ask(rows, others[rows], (own, rival), max_nodes - nodes[rows])
                nodes[rows] += answer.nodes
                hits = rows[answer.is_found]
                status[hits], found.witness[hits, column] = REACHABLE, answer.point[answer.is_found]
                impossible[rows] = answer.is_impossible
            done = (done | impossible) if is_fair else (done & impossible)
        ruled_out &= done | ~is_own
    status[ruled_out & (status == OPEN)] = IMPOSSIBLE


def _always_there(pieced: PiecedProblem) -> Tensor:
    """Tell which combinations exist whatever δ is, (n, m) or (1, 1), bool."""
    if len(pieced.refined):
        return torch.zeros(1, 1, dtype=torch.bool)
    return torch.ones(1, 1, dtype=torch.bool)
