"""``rafair.certify``: proved, broken with a witness, or undecided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from rafair.certificates.boxes import own_boxes, root_boxes
from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED, branch_and_bound
from rafair.certificates.network import relu_network
from rafair.errors import InvalidInput
from rafair.fairness import judge, rates
from rafair.fairness.decisions import predict
from rafair.problem import check_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.fairness import Rates
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["Certificate", "Property", "certify"]

Property: TypeAlias = Literal["accurate_fair", "accurate", "fair"]
MAX_NODES = 20_000
# What rounding may take from a margin: of the bounds in float64, and of a model in float32.
SLACK = {torch.float64: 1e-6, torch.float32: 1e-4}


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is known of n instances under every δ in Δ.

    Attributes
    ----------
    status : Tensor of int64, shape (n,)
        1 proved, −1 broken, 0 undecided within the budget.
    witness : Tensor, shape (n, d), in x's type
        v + δ where the instance is broken; NaN elsewhere.
    witness_counterpart : Tensor, shape (n, d), in x's type
        The member of I(v + δ) that is decided wrongly (or, for fairness, otherwise); NaN elsewhere.
    nodes : Tensor of int64, shape (n,)
        Boxes bounded: the cost, and what ``max_nodes`` limits.
    """

    status: Tensor
    witness: Tensor
    witness_counterpart: Tensor
    nodes: Tensor

    @classmethod
    def join(cls, parts: Sequence[Certificate]) -> Certificate:
        """Put the certificates of consecutive instances behind one another."""
        names = cls.__dataclass_fields__
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def rates(self) -> Rates:
        """Return the shares ``proved``, ``broken`` and ``undecided``, with 95 % intervals.

        The truth lies between ``proved`` and 1 − ``broken``.
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
    prove: Property = "accurate_fair",
) -> Certificate:
    """Decide f(x + δ, a') = y for every δ in Δ and every a' of I(v) at once.

    Parameters
    ----------
    model : Classifier
        A torch network of linear layers and ReLU.
    x : Tensor, shape (n, d), unit space. Not modified.
    y : Tensor of int64, shape (n,). Ground truth, assumed to hold for every v + δ.
    counterparts : Counterparts
    space : PerturbationSpace
        On a lattice the proof covers all of the box, the witness is a possible person.
    max_nodes : int
        Boxes to bound per instance; the verdict does not depend on time or load.
    prove : {"accurate_fair", "accurate", "fair"}
        What is claimed: R-AF, R-ACC (of v itself only) or R-IF. R-IF is proved where one class is
        constant, broken where a perturbed instance is judged biased, else undecided.

    Returns
    -------
    Certificate

    Raises
    ------
    InvalidInput
        If the model is no such network, or the problem has no meaning (``check_problem``).
    """
    check_problem(model, x, y, counterparts, space)
    if prove not in get_args(Property):
        raise InvalidInput(f"unknown claim {prove!r}; use one of {', '.join(get_args(Property))}")
    if isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or max_nodes < 1:
        raise InvalidInput(f"max_nodes must be a positive whole number, not {max_nodes!r}")
    network = relu_network(model)
    claimed = predict(model, x) if prove == "fair" else y
    movable, sensitive = space.movable(x), list(counterparts.columns)

    def possible(people: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """Return v + δ and the counterpart that these people are, exactly inside Δ."""
        origin = x[owner]
        moved = torch.where(movable, people.to(x.dtype), origin)
        perturbed = space.round(space.project(moved, origin), origin)
        counterpart = perturbed.clone()
        counterpart[:, sensitive] = people[:, sensitive].to(x.dtype)
        return perturbed, counterpart

    def is_wrong(people: Tensor, owner: Tensor) -> Tensor:
        if not len(owner):
            return torch.zeros(0, dtype=torch.bool, device=x.device)
        return predict(model, possible(people, owner)[1]) != claimed[owner]

    if prove == "accurate":
        boxes, values = own_boxes(network, x, counterparts, space)
    else:
        boxes, values = root_boxes(network, x, counterparts, space)
    slack = SLACK.get(model.dtype, max(SLACK.values()))
    found = branch_and_bound(
        network, boxes, values, claimed, slack=slack, max_nodes=max_nodes, is_wrong=is_wrong
    )
    status = found.status.clone()
    witness, counterpart = torch.full_like(x, torch.nan), torch.full_like(x, torch.nan)
    broken = (status == BROKEN).nonzero()[:, 0]
    if len(broken):
        witness[broken], counterpart[broken] = possible(found.person[broken], broken)
    if prove == "fair" and len(broken):
        biased = ~judge(model, witness[broken], y[broken], counterparts).fair
        unclear = broken[~biased]
        status[unclear] = UNDECIDED
        witness[unclear] = counterpart[unclear] = torch.nan
    return Certificate(status, witness, counterpart, found.nodes)
