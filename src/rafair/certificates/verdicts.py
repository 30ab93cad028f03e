"""What a certificate says of each instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor

from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.fairness import CELLS, rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.fairness import Rates

__all__ = ["IMPOSSIBLE", "OPEN", "REACHABLE", "CellCertificate", "Certificate", "Property"]

Property: TypeAlias = Literal["accurate_fair", "accurate", "fair"]
REACHABLE, OPEN, IMPOSSIBLE = 1, 0, -1


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
