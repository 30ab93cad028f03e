"""What can be proved about a dataset's seeds at one ε."""

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
    """R-AF of each seed: proved (1), broken (−1) or undecided (0) within ``max_nodes`` boxes."""

    max_nodes: int = MAX_NODES

    @property
    def label(self) -> str:
        """What a person who waits for it is told."""
        return "certificates"

    @property
    def steps(self) -> float:
        """How often it goes through all seeds × counterparts, roughly."""
        return 10.0

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Certify all seeds."""
        seeds = cache.seeds(self.setup)
        space = self.setup.plan.space(seeds.data.schema)
        found = certify(seeds.model, seeds.x, seeds.y, seeds.counterparts, space, self.max_nodes)
        return {"status": found.status, "nodes": found.nodes}
