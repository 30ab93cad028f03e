"""Lines below and above activations: what turns a network into linear bounds."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch

from rafair.bounds.tangents import line_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.bounds.activations import Activation

__all__ = ["Relaxation"]


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The lines below and above each activation of a layer: slope · z + offset."""

    below: Tensor  # slopes, (n, width)
    above: Tensor
    base: Tensor  # offset of the line below
    shift: Tensor  # offset of the line above

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
        return cls(below, above, torch.zeros_like(shift), shift)

    @classmethod
    def of(cls, blocks: Sequence[tuple[Activation, int]], low: Tensor, high: Tensor) -> Relaxation:
        """Relax any activations over [low, high]; ``blocks`` says how many neurons have which."""
        widths = [width for _, width in blocks]
        ends = zip(torch.split(low, widths, dim=1), torch.split(high, widths, dim=1), strict=True)
        parts = []
        for (activation, _), (least, most) in zip(blocks, ends, strict=True):
            below, base = line_below(activation, least, most)
            above, shift = line_below(activation.mirrored(), least, most)
            parts.append((below, -above, base, -shift))
        return cls(*(torch.cat(same, dim=1) for same in zip(*parts, strict=True)))

    def take(self, box: Tensor) -> Relaxation:
        """Return the lines of these boxes."""
        parts = (getattr(self, field.name) for field in fields(self))
        return Relaxation(*(part.index_select(0, box) for part in parts))

    def but(self, below: Tensor) -> Relaxation:
        """Replace the slopes of the lower lines of unstable ReLU."""
        unstable = self.shift > 0
        return replace(self, below=torch.where(unstable, below, self.below))
