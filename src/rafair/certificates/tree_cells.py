"""Which cells of Table 1 people can be moved into, for tree ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rafair.certificates.tree_certificate import too_far
from rafair.certificates.tree_questions import TreeQuestion
from rafair.certificates.verdicts import IMPOSSIBLE, OPEN, REACHABLE, CellCertificate
from rafair.fairness import CELLS, judge
from rafair.trees.problem import PiecedProblem
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
    pieced.check()
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

        question = TreeQuestion(pieced, search, accept, until)
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
    k = question.pieced.ensemble.n_classes
    status, nodes = found.status[:, column], found.nodes[:, column]
    ruled_out, is_fair = status == OPEN, CELLS[column].endswith("F")
    for own in range(k):
        is_own = (y == own) if CELLS[column].startswith("T") else (y != own)
        done = torch.zeros_like(is_own) if is_fair else torch.ones_like(is_own)
        for rival in (label for label in range(k) if label != own):
            open_now = is_own & (status == OPEN) & (nodes < max_nodes)
            rows = (open_now & ~done if is_fair else open_now).nonzero()[:, 0]
            done[(is_own & (nodes >= max_nodes)) & ~torch.tensor(is_fair)] = False
            if not len(rows):
                continue
            others = too_far(question.pieced, condition, own, rival)
            if is_fair:
                others &= _always_there(question.pieced)
            answer = question.ask(rows, others[rows], (own, rival), max_nodes - nodes[rows])
            nodes[rows] += answer.nodes
            hits = rows[answer.is_found]
            status[hits], found.witness[hits, column] = REACHABLE, answer.point[answer.is_found]
            done[rows] = (
                (done[rows] | answer.is_impossible)
                if is_fair
                else (done[rows] & answer.is_impossible)
            )
        ruled_out &= done | ~is_own
    status[ruled_out & (status == OPEN)] = IMPOSSIBLE


def _always_there(pieced: PiecedProblem) -> Tensor:
    """Tell which combinations exist whatever δ is, (n, m) or (1, 1), bool."""
    if len(pieced.refined):
        return torch.zeros(1, 1, dtype=torch.bool)
    return torch.ones(1, 1, dtype=torch.bool)
