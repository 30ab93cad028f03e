"""Certificates of networks: is an instance proved, broken with a witness, or undecided?"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rafair.bounds.crown import linear_bound
from rafair.bounds.rounding import Rounding
from rafair.certificates.boxes import hull, own_boxes, reach, root_boxes
from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED, branch_and_bound
from rafair.certificates.cells import CELL_NODES, certify_network_cells
from rafair.certificates.claim import Claim
from rafair.certificates.demands import Contest, Demands
from rafair.certificates.verdicts import IMPOSSIBLE, REACHABLE, Certificate
from rafair.fairness import CELLS, counterexamples
from rafair.fairness.decisions import predict
from rafair.fairness.dissent import find_dissent

if TYPE_CHECKING:
    from rafair.bounds.bound import Bound
    from rafair.bounds.network import LayeredNetwork
    from rafair.certificates.boxes import Boxes
    from rafair.certificates.branching import Decisions
    from rafair.certificates.verdicts import Property
    from rafair.fairness import Lipschitz
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["certify_network"]

BIASED = ("TB", "FB")


def certify_network(
    network: LayeredNetwork,
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    max_nodes: int,
    claim: Property,
    condition: Lipschitz,
    until: float,
) -> Certificate:
    """Decide a claim about n people by complete branch and bound with CROWN; see ``certify``."""
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
        judged = (model, witness[broken], y[broken], counterparts, claim, condition)
        unclear = broken[~counterexamples(*judged)]
        status[unclear] = UNDECIDED
        witness[unclear] = counterpart[unclear] = torch.nan
    certificate = Certificate(status, witness, counterpart, found.nodes)
    if claim == "fair":
        problem = (network, model, x, y, counterparts, space, min(max_nodes, CELL_NODES))
        return _by_cells(certificate, problem, condition, until)
    return certificate


def _by_cells(
    certificate: Certificate, problem: tuple[Any, ...], condition: Lipschitz, until: float
) -> Certificate:
    """Decide R-IF of instances that are undecided by whether they can be moved into TB or FB.

    Where everybody's class changes at the same point, no class is constant on I(v) × Δ, and yet
    nobody may be treated otherwise than v.
    """
    network, model, x, y, counterparts, space, max_nodes = problem
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
        some = (network, model, x[rows], y[rows], counterparts, space, max_nodes)
        cells = certify_network_cells(*some, (cell,), condition, until)
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
    claim: Claim, network: LayeredNetwork, max_nodes: int, until: float, *, skip_alone: bool
) -> Decisions:
    """Search I(v) × Δ of each instance for who is decided otherwise than claimed.

    ``skip_alone``: nothing is claimed of those whose counterparts may all get any class.
    """
    x, counterparts, space, demands = claim.x, claim.counterparts, claim.space, claim.demands

    if claim.alone:
        around = reach(x, space, network)
        boxes, values = own_boxes(network, x, counterparts, space)
    else:
        around = hull(x, counterparts, space, network)
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
