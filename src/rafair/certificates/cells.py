"""Cells of networks: which cells can a person be moved into? Witnesses and proofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.attacks.cell_ascent import CellAscent, classes_of_cell
from rafair.bounds.rounding import Rounding
from rafair.certificates.boxes import hull
from rafair.certificates.branching import BROKEN, PROVED, branch_and_bound
from rafair.certificates.cell_questions import BiasedCell, FairCell
from rafair.certificates.claim import Claim
from rafair.certificates.demands import Demands
from rafair.certificates.verdicts import IMPOSSIBLE, OPEN, REACHABLE, CellCertificate
from rafair.fairness import CELLS, judge
from rafair.fairness.decisions import own_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.bounds.network import LayeredNetwork
    from rafair.certificates.cell_questions import Question
    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["CELL_NODES", "certify_network_cells"]

CELL_NODES = 200
# The attack on instances that stay open after some boxes: longer than the first, without leaks.
LATE_STEPS = 200


def certify_network_cells(
    network: LayeredNetwork,
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
    """Decide into which cells n people can be moved; see ``certify_cells``.

    ``CellAscent`` looks for a witness first; what it leaves open goes to branch and bound. A box of
    a biased cell is a range of δ times a range of I(v): it holds no witness if v is never decided
    as the cell asks, or nobody otherwise, or if a weighted sum of the two linear bounds says that
    not both happen at the same δ. A box of a fair cell is a range of δ: it holds no witness if one
    person of I(v) is never decided as the cell asks. The judge alone accepts a witness.
    """
    search = _CellSearch(model, network, x, y, counterparts, space, condition, max_nodes, until)
    found = CellCertificate.unknown(x)
    search.note(found, space.round(x, x), torch.arange(len(x), device=x.device))
    for cell in cells:
        search.attack(found, cell)
    for cell in cells:
        search.branch(found, cell)
    return found


@dataclass(frozen=True, eq=False)
class _CellSearch:
    """The problem, and the steps that fill in a certificate."""

    model: Classifier
    network: LayeredNetwork
    x: Tensor
    y: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
    condition: Lipschitz
    max_nodes: int
    until: float

    def note(self, found: CellCertificate, points: Tensor, rows: Tensor) -> None:
        """Judge a point of each of some instances; it is a witness for the cell that it lies in."""
        if not len(rows):
            return
        problem = (self.model, points, self.y[rows], self.counterparts)
        cells = judge(*problem, *self.condition.parameters).cells
        new = found.status[rows, cells] != REACHABLE
        found.status[rows[new], cells[new]] = REACHABLE
        found.witness[rows[new], cells[new]] = points[new]

    def attack(self, found: CellCertificate, cell: str) -> None:
        """Search a witness for everyone whose cell is open."""
        rows = (found.status[:, CELLS.index(cell)] == OPEN).nonzero()[:, 0]
        if len(rows):
            self.note(found, self._ascent(CellAscent(cell), rows), rows)

    def _ascent(self, attack: CellAscent, rows: Tensor) -> Tensor:
        x, y = self.x[rows], self.y[rows]
        return attack.run(self.model, x, y, self.counterparts, self.space).x_adv

    def branch(self, found: CellCertificate, cell: str) -> None:
        """Decide by branch and bound what is open: impossible is what no class allows."""
        column = CELLS.index(cell)
        open_rows = (found.status[:, column] == OPEN).nonzero()[:, 0]
        if not len(open_rows):
            return
        ruled_out = torch.ones_like(self.y, dtype=torch.bool)
        scores = own_scores(self.model, self.x[open_rows])
        for target in classes_of_cell(cell, scores, self.y[open_rows]):
            goal = torch.zeros_like(self.y).index_copy(0, open_rows, target)
            rows = open_rows[found.status[open_rows, column] == OPEN]
            if not len(rows):
                break
            status, points, nodes = self._decide(cell, goal[rows], rows)
            found.nodes[rows, column] += nodes
            ruled_out[rows] &= status == PROVED
            reached = status == BROKEN
            self.note(found, points[reached], rows[reached])
        left = open_rows[(found.status[open_rows, column] == OPEN) & ruled_out[open_rows]]
        found.status[left, column] = IMPOSSIBLE

    def _decide(self, cell: str, target: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what branch and bound says of these instances, their points, and the boxes."""
        x = self.x[rows]
        n_classes = len(self.network.biases[-1])
        demands = Demands.of(self.condition, x, target, self.counterparts, n_classes)
        claim = Claim(self.model, x, target, self.counterparts, self.space, demands, alone=False)
        kind = FairCell if cell.endswith("F") else BiasedCell
        around = hull(x, self.counterparts, self.space, self.network)
        rounding = Rounding.around(self.network, *around, self.model.dtype, x.dtype)
        question: Question = kind(claim, self.network, self.space, rounding)
        boxes, values = question.boxes()
        late = CellAscent(cell, steps=LATE_STEPS, leaky=False)
        done = branch_and_bound(
            question.bound,
            boxes,
            values,
            target,
            slack=rounding.slack(*around, torch.arange(len(x), device=x.device)),
            max_nodes=self.max_nodes,
            is_wrong=question.holds,
            attack=lambda owner: question.person(self._ascent(late, rows[owner]), owner),
            is_nobody=claim.is_nobody,
            until=self.until,
        )
        points, _ = claim.possible(done.person.nan_to_num(), torch.arange(len(x)))
        return done.status, points, done.nodes
