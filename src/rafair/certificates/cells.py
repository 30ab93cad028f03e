"""Which cells of Table 1 can a person be moved into by some δ in Δ? Witnesses and proofs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.attacks.cell_ascent import CellAscent, classes_of_cell
from rafair.certificates.boxes import hull
from rafair.certificates.branching import BROKEN, PROVED, branch_and_bound
from rafair.certificates.cell_questions import BiasedCell, FairCell
from rafair.certificates.claim import Claim
from rafair.certificates.demands import Demands
from rafair.checks import check_one_of, check_whole
from rafair.fairness import CELLS, Lipschitz, judge, rates
from rafair.fairness.decisions import own_scores
from rafair.problem import check_problem
from rafair.problem.network import relu_network
from rafair.problem.rounding import Rounding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.certificates.cell_questions import Question
    from rafair.fairness import Rates
    from rafair.fairness.lipschitz import LabelDistance, LabelDistanceName, PersonDistanceName
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.network import ReluNetwork

__all__ = ["CELL_NODES", "IMPOSSIBLE", "OPEN", "REACHABLE", "CellCertificate", "certify_cells"]

REACHABLE, OPEN, IMPOSSIBLE = 1, 0, -1
CELL_NODES = 200
# The attack on instances that stay open after some boxes: longer than the first, without leaks.
LATE_STEPS = 200


@dataclass(frozen=True, eq=False)
class CellCertificate:
    """Into which cells n instances can be moved.

    A person can be movable into several cells, so that the shares of reachable cells need not sum
    to 1.

    Attributes
    ----------
    status : Tensor of int64, shape (n, 4)
        For each cell, in the order TF, TB, FF, FB: 1 reachable, −1 proved impossible, 0 undecided.
    witness : Tensor, shape (n, 4, d), in x's type
        v + δ in the cell where it is reachable; NaN elsewhere.
    nodes : Tensor of int64, shape (n, 4)
        Number of boxes bounded.
    """

    status: Tensor
    witness: Tensor
    nodes: Tensor

    @classmethod
    def unknown(cls, x: Tensor) -> CellCertificate:
        """Return the certificate of instances about which nothing is known yet."""
        status = torch.full((len(x), len(CELLS)), OPEN, dtype=torch.int64, device=x.device)
        witness = x.new_full((len(x), len(CELLS), x.shape[1]), torch.nan)
        return cls(status, witness, torch.zeros_like(status))

    def rates(self, cell: str) -> Rates:
        """Return the shares ``reachable``, ``impossible`` and ``undecided`` of a cell, with CI."""
        status = self.status[:, CELLS.index(cell)]
        return rates(
            {
                "reachable": status == REACHABLE,
                "impossible": status == IMPOSSIBLE,
                "undecided": status == OPEN,
            }
        )


def certify_cells(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int = CELL_NODES,
    *,
    cells: Sequence[str] = CELLS,
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
) -> CellCertificate:
    """Decide for each instance and cell whether some δ in Δ moves it into the cell.

    ``CellAscent`` looks for a witness first; what it leaves open goes to branch and bound. A box of
    a biased cell is a range of δ times a range of I(v): it holds no witness if v is never decided
    as the cell asks, or nobody otherwise, or if a weighted sum of the two linear bounds says that
    not both happen at the same δ. A box of a fair cell is a range of δ: it holds no witness if one
    person of I(v) is never decided as the cell asks. The judge alone accepts a witness.

    Parameters
    ----------
    model : Classifier
        A wrapped torch network of linear layers with ReLU between them, with logits as output.
    x : Tensor of a floating type, shape (n, d), unit space
        The instances v. Not modified.
    y : Tensor of int64, shape (n,)
        Ground truth, assumed to hold for every v + δ.
    counterparts, space : see ``certify``.
    max_nodes : int
        Largest number of boxes to bound per instance, cell and class.
    cells : sequence of {"TF", "TB", "FF", "FB"}
        The cells to decide; the others are filled in only where a witness turns up.
    K, D, d, until : see ``certify``.

    Returns
    -------
    CellCertificate

    Raises
    ------
    InvalidInput
        If the model is no such network, the problem has no meaning (``check_problem``), a cell is
        unknown, ``max_nodes`` is no positive whole number, or K, D or d is refused (``certify``).

    Source: Table 1 of Li et al., arXiv:2404.01356v1; the bounds are those of ``linear_bound``.
    """
    check_problem(model, x, y, counterparts, space)
    check_whole("max_nodes", max_nodes, 1)
    for cell in cells:
        check_one_of("cell", cell, CELLS)
    network, condition = relu_network(model), Lipschitz(K, D, d)
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
    network: ReluNetwork
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
        around = hull(x, self.counterparts, self.space)
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
