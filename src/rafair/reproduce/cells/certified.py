"""Certificates of the seeds of a dataset at one ε."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rafair.certificates import MAX_NODES, certify
from rafair.reproduce.cell import SetupCell

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.reproduce.cell import Cache

__all__ = ["CertificateCell"]


@dataclass(frozen=True)
class CertificateCell(SetupCell):
    """The claim R-AF of each seed: proved (1), broken (−1) or undecided after ``max_nodes`` (0)."""

    max_nodes: int = MAX_NODES

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return "certificates"

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        return 10.0

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Certify all seeds."""
        seeds = cache.seeds(self.setup)
        space = self.setup.plan.space(seeds.data.schema)
        found = certify(seeds.model, seeds.x, seeds.y, seeds.counterparts, space, self.max_nodes)
        return {"status": found.status, "nodes": found.nodes}
