"""``rafair.certify``: is an instance proved, broken with a witness, or undecided?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from rafair.certificates.boxes import hull, own_boxes, root_boxes
from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED, branch_and_bound
from rafair.certificates.cells import CELL_NODES, IMPOSSIBLE, REACHABLE, certify_cells
from rafair.certificates.claim import Claim
from rafair.certificates.demands import Contest, Demands
from rafair.errors import InvalidInput
from rafair.fairness import CELLS, Lipschitz, judge, rates
from rafair.fairness.decisions import predict
from rafair.fairness.dissent import find_dissent
from rafair.problem import check_problem
from rafair.problem.bounds import linear_bound
from rafair.problem.network import relu_network
from rafair.problem.rounding import Rounding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.certificates.boxes import Boxes
    from rafair.certificates.branching import Decisions
    from rafair.fairness import Rates
    from rafair.fairness.lipschitz import LabelDistance, LabelDistanceName, PersonDistanceName
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.problem.bound import Bound
    from rafair.problem.network import ReluNetwork

__all__ = ["Certificate", "Property", "certify"]

Property: TypeAlias = Literal["accurate_fair", "accurate", "fair"]
MAX_NODES = 5_000
BIASED = ("TB", "FB")


@dataclass(frozen=True, eq=False)
class Certificate:
    """The verdicts on a claim about n instances, for every δ in Δ.

    Attributes
    ----------
    status : Tensor of int64, shape (n,)
        1 proved, −1 broken, 0 undecided within the budget.
    witness : Tensor, shape (n, d), in x's type
        v + δ where the instance is broken; NaN elsewhere.
    witness_counterpart : Tensor, shape (n, d), in x's type
        The member of I(v + δ) that is decided wrongly (for fairness: otherwise than v + δ) where
        the instance is broken; NaN elsewhere.
    nodes : Tensor of int64, shape (n,)
        Number of boxes bounded, which ``max_nodes`` limits.
    """

    status: Tensor
    witness: Tensor
    witness_counterpart: Tensor
    nodes: Tensor

    @classmethod
    def unknown(cls, x: Tensor) -> Certificate:
        """Return a certificate in which every instance of x, (n, d), is undecided."""
        status = torch.full((len(x),), UNDECIDED, dtype=torch.int64, device=x.device)
        nobody = torch.full_like(x, torch.nan)
        return cls(status, nobody, nobody, torch.zeros_like(status))

    def only(self, status: int) -> Certificate:
        """Keep the verdicts with this status; the others become undecided, all nodes become 0."""
        nothing, keep = Certificate.unknown(self.witness), self.status == status
        wide = keep.unsqueeze(1)
        return Certificate(
            torch.where(keep, self.status, nothing.status),
            torch.where(wide, self.witness, nothing.witness),
            torch.where(wide, self.witness_counterpart, nothing.witness_counterpart),
            nothing.nodes,
        )

    def or_else(self, other: Certificate) -> Certificate:
        """Take the verdicts of another certificate where this one is undecided."""
        decided = self.status != UNDECIDED
        wide = decided.unsqueeze(1)
        return Certificate(
            torch.where(decided, self.status, other.status),
            torch.where(wide, self.witness, other.witness),
            torch.where(wide, self.witness_counterpart, other.witness_counterpart),
            torch.where(decided, self.nodes, other.nodes),
        )

    def written(self, rows: Tensor, part: Certificate) -> Certificate:
        """Return this certificate with some rows, (b,), replaced."""
        names = self.__dataclass_fields__
        pairs = ((getattr(self, name), getattr(part, name)) for name in names)
        return Certificate(*(old.index_copy(0, rows, new) for old, new in pairs))

    @classmethod
    def join(cls, parts: Sequence[Certificate]) -> Certificate:
        """Concatenate the certificates of consecutive instances."""
        names = cls.__dataclass_fields__
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def rates(self) -> Rates:
        """Return the shares ``proved``, ``broken`` and ``undecided``, with 95 % intervals.

        The true share of instances for which the claim holds lies between ``proved`` and
        1 − ``broken``.
        """
        return rates(
            {
                "proved": self.status == PROVED,
                "broken": self.status == BROKEN,
                "undecided": self.status == UNDECIDED,
            }
        )


def certify(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int = MAX_NODES,
    *,
    claim: Property = "accurate_fair",
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
) -> Certificate:
    """Prove that the judge calls v + δ accurate and fair for every δ in Δ, or find a δ otherwise.

    With K = 0 this means f(v') = y for every v' in I(v + δ). With K > 0, v' may get a class c with
    D(y, c) ≤ K·d(v, v'): the bounds leave out everybody who may get any class.

    Complete branch and bound with CROWN bounds in float64; see ``branch_and_bound``.

    Parameters
    ----------
    model : Classifier
        A wrapped torch network of linear layers with ReLU between them, with logits as output.
    x : Tensor of a floating type, shape (n, d), unit space
        The instances v. Not modified.
    y : Tensor of int64, shape (n,)
        Ground truth, assumed to hold for every v + δ. Ignored if ``claim`` is "fair".
    counterparts : Counterparts
        I(v).
    space : PerturbationSpace
        Δ. If it has a lattice, a proof may also cover points between the lattice points; a witness
        is always a possible person.
    max_nodes : int
        Largest number of boxes to bound per instance. Unless ``until`` is given there is no time
        limit, so the verdict does not depend on the speed or load of the machine.
    claim : {"accurate_fair", "accurate", "fair"}
        The claim: R-AF, R-ACC (for v + δ only, without counterparts) or R-IF. R-IF is proved if
        v + δ gets the same class for every δ and nobody's class is too far from it, broken if a
        biased instance v + δ is found; of the others ``certify_cells`` asks whether some δ moves
        them into TB or FB. It is proved of everybody where the network reads no sensitive column.
    K : float, not negative
    D : {"discrete", "absolute"} or callable
    d : {"l1", "l2", "linf"}
        See ``judge``, whose question with the same K, D and d is answered.
    until : float
        Time of day, as ``time.time`` gives it, at which what is still open becomes undecided.

    Returns
    -------
    Certificate

    Raises
    ------
    InvalidInput
        If the model is no such network, the problem has no meaning (``check_problem``), the claim
        is unknown, ``max_nodes`` is no positive whole number, K is negative or not finite, D or d
        is unknown, D of two equal classes is not 0, or d is a function.

    Source: Zhang et al., NeurIPS 2018 (CROWN); see ``linear_bound``.
    """
    check_problem(model, x, y, counterparts, space)
    if claim not in get_args(Property):
        raise InvalidInput(f"unknown claim {claim!r}; use one of {', '.join(get_args(Property))}")
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or max_nodes < 1:
        raise InvalidInput(f"max_nodes must be a positive whole number, not {max_nodes!r}")
    network, condition = relu_network(model), Lipschitz(K, D, d)
    if claim == "fair" and not network.reads(counterparts.columns):
        nothing = Certificate.unknown(x)
        return replace(nothing, status=torch.full_like(nothing.status, PROVED))
    claimed = predict(model, x) if claim == "fair" else y
    demands = Demands.of(condition, x, claimed, counterparts, len(network.biases[-1]))
    question = Claim(model, x, claimed, counterparts, space, demands, alone=claim == "accurate")
    found = _searched(question, network, max_nodes, until, skip_alone=claim == "fair")
    status = found.status.clone()
    witness, counterpart = torch.full_like(x, torch.nan), torch.full_like(x, torch.nan)
    broken = (status == BROKEN).nonzero()[:, 0]
    if len(broken):
        witness[broken], counterpart[broken] = question.possible(found.person[broken], broken)
        origin, end = x[broken], witness[broken]
        if claim == "fair":
            pair, other, _ = find_dissent(model, origin, end, counterparts, space, condition)
            witness[broken], counterpart[broken] = pair, other
        # The judge alone accepts a witness.
        verdict = judge(model, witness[broken], y[broken], counterparts, *condition.parameters)
        unclear = broken[~verdict.breaks(claim)]
        status[unclear] = UNDECIDED
        witness[unclear] = counterpart[unclear] = torch.nan
    certificate = Certificate(status, witness, counterpart, found.nodes)
    if claim == "fair":
        problem = (model, x, y, counterparts, space, min(max_nodes, CELL_NODES))
        return _by_cells(certificate, problem, condition, until)
    return certificate


def _by_cells(
    certificate: Certificate, problem: tuple[Any, ...], condition: Lipschitz, until: float
) -> Certificate:
    """Decide R-IF of instances that are undecided by whether they can be moved into TB or FB.

    Where everybody's class changes at the same point, no class is constant on I(v) × Δ, and yet
    nobody may be treated otherwise than v.
    """
    model, x, y, counterparts, space, max_nodes = problem
    undecided = certificate.status == UNDECIDED
    if not bool(undecided.any()):
        return certificate
    impossible, nodes = undecided.clone(), certificate.nodes.clone()
    end, reached = x.clone(), torch.zeros_like(undecided)
    for cell in BIASED:
        rows = (undecided & ~reached).nonzero()[:, 0]
        if not len(rows) or time.time() >= until:
            impossible[rows] = False
            continue
        some = (model, x[rows], y[rows], counterparts, space, max_nodes)
        cells = certify_cells(*some, cells=(cell,), until=until, **condition.as_dict())
        status = cells.status[:, CELLS.index(cell)]
        hit = rows[status == REACHABLE]
        end[hit] = cells.witness[status == REACHABLE, CELLS.index(cell)]
        reached[hit], impossible[rows] = True, impossible[rows] & (status == IMPOSSIBLE)
        nodes[rows] += cells.nodes.sum(dim=1)
    rows = undecided.nonzero()[:, 0]
    pair, other, is_pair = find_dissent(model, x[rows], end[rows], counterparts, space, condition)
    broken, nobody = reached[rows] & is_pair, torch.full_like(pair, torch.nan)
    decided = torch.where(broken, BROKEN, torch.where(impossible[rows], PROVED, UNDECIDED))
    pair, other = (torch.where(broken[:, None], people, nobody) for people in (pair, other))
    return certificate.written(rows, Certificate(decided, pair, other, nodes[rows]))


def _searched(
    claim: Claim, network: ReluNetwork, max_nodes: int, until: float, *, skip_alone: bool
) -> Decisions:
    """Search I(v) × Δ of each instance for who is decided otherwise than claimed.

    ``skip_alone``: nothing is claimed of those whose counterparts may all get any class.
    """
    x, counterparts, space, demands = claim.x, claim.counterparts, claim.space, claim.demands

    if claim.alone:
        around = space.hull(x.to(torch.float64))
        boxes, values = own_boxes(network, x, counterparts, space)
    else:
        around = hull(x, counterparts, space)
        boxes, values = root_boxes(network, x, counterparts, space, demands)
    if skip_alone:
        valid = counterparts.valid(x, space.movable(x))
        compared = ((demands.counts > 0) & valid & ~demands.same).any(dim=1)
        boxes = boxes.take(compared[boxes.owner].nonzero()[:, 0])
    rounding = Rounding.around(network, *around, claim.model.dtype, x.dtype)

    def bound(some: Boxes, labels: Tensor, raise_from: Tensor, enough: Tensor) -> Bound:
        low, high = corners = some.low, some.high
        allowed, forbidden = sides = demands.sides(some.owner, some.n_forbidden)
        if allowed.shape[1] > 1:
            labels = Contest.at((low + high) / 2, sides, network).allowed
        found = linear_bound(
            network, low, high, labels, some.pattern, raise_from, enough, rivals=forbidden
        )
        return rounding.tightened(found, some.owner, enough, corners)

    return branch_and_bound(
        bound,
        boxes,
        values,
        claim.y,
        slack=rounding.slack(*around, torch.arange(len(x), device=x.device)),
        max_nodes=max_nodes,
        is_wrong=claim.is_wrong,
        attack=claim.attack,
        is_nobody=claim.is_nobody,
        until=until,
    )
