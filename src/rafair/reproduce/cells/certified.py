"""Certificates of the seeds of a dataset at one ε."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rafair.certificates import CELL_NODES, MAX_NODES, Property, certify, certify_cells
from rafair.reproduce.cell import SetupCell

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.reproduce.cell import Cache

__all__ = ["CertificateCell", "ReachableCell"]


@dataclass(frozen=True)
class CertificateCell(SetupCell):
    """A claim about each seed: proved (1), broken (−1) or undecided after ``max_nodes`` boxes (0).

    Parameters
    ----------
    claim : {"accurate_fair", "accurate", "fair"}
    """

    claim: Property = "accurate_fair"
    max_nodes: int = MAX_NODES

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return f"certificates {self.claim}"

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        return 10.0

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Certify all seeds."""
        seeds = cache.seeds(self.setup)
        problem = (seeds.model, seeds.x, seeds.y, seeds.counterparts, seeds.space)
        found = certify(*problem, self.max_nodes, claim=self.claim)
        return {"status": found.status, "nodes": found.nodes}


@dataclass(frozen=True)
class ReachableCell(SetupCell):
    """The cells that each seed can be moved into: 1 reachable, −1 impossible, 0 undecided."""

    max_nodes: int = CELL_NODES

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return "reachable cells"

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        return 30.0

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Certify all seeds and cells."""
        seeds = cache.seeds(self.setup)
        problem = (seeds.model, seeds.x, seeds.y, seeds.counterparts, seeds.space)
        found = certify_cells(*problem, self.max_nodes)
        return {"status": found.status, "nodes": found.nodes}
