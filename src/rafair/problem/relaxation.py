"""Lines below and above ReLU: what turns a network into linear bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Relaxation"]


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The lines below and above each ReLU of a layer: below · z, and above · z + shift."""

    below: Tensor  # (n, width)
    above: Tensor
    shift: Tensor

    @classmethod
    def over(cls, low: Tensor, high: Tensor, pattern: Tensor) -> Relaxation:
        """Relax ReLU over [low, high].

        The lower line of an unstable neuron is 0 or z, whichever is closer to the ReLU.
        """
        unstable = pattern == 0
        active = (pattern > 0).to(low.dtype)
        above = torch.where(unstable, high / torch.where(unstable, high - low, 1.0), active)
        below = torch.where(unstable, (high > -low).to(low.dtype), active)
        shift = torch.where(unstable, -above * low, 0.0)
        return cls(below, above, shift)

    def take(self, box: Tensor) -> Relaxation:
        """Return the lines of these boxes."""
        parts = (self.below, self.above, self.shift)
        return Relaxation(*(part.index_select(0, box) for part in parts))

    def but(self, below: Tensor) -> Relaxation:
        """Replace the slopes of the lower lines of unstable neurons."""
        unstable = self.shift > 0
        return replace(self, below=torch.where(unstable, below, self.below))
