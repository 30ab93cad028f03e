"""Noise that belongs to a row, whatever batch, order, worker or device it is drawn in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Noise"]

# The constants of SplitMix64 as signed numbers (0x9E37…, 0xBF58…, 0x94D0…); products wrap around.
GAMMA = -7046029254386353131
FIRST, SECOND = -4658895280553007687, -7723592293110705685
FRACTION_BITS = 53


@dataclass(frozen=True, eq=False)
class Noise:
    """A counter-based generator for each of n rows.

    Attributes
    ----------
    keys : Tensor of int64, shape (n,)

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """

    keys: Tensor

    @classmethod
    def of(cls, x: Tensor, y: Tensor, random_state: int) -> Noise:
        """Key each row by its values, its label and the random state.

        Parameters
        ----------
        x : Tensor, shape (n, d).
        y : Tensor of int64, shape (n,).
        """
        bits = (x.to(torch.float64) + 0.0).view(torch.int64)  # + 0.0 turns −0.0 into 0.0
        places = torch.arange(1, x.shape[1] + 1, device=x.device) * GAMMA
        rows = _mixed(bits + places).sum(dim=1)
        return cls(_mixed(_mixed(rows + y) ^ torch.tensor(random_state)))

    def uniform(self, stream: int, width: int) -> Tensor:
        """Draw ``width`` numbers in [0, 1) for each row, shape (n, width), float64.

        Parameters
        ----------
        stream : int
            Draws of different streams are independent; the same stream gives the same numbers.
        """
        counter = torch.arange(1, width + 1, device=self.keys.device) * GAMMA
        start = _mixed(_mixed(self.keys) ^ torch.tensor(stream))
        drawn = _mixed(start.unsqueeze(1) + counter)
        return _shifted(drawn, 64 - FRACTION_BITS).to(torch.float64) * 2.0**-FRACTION_BITS


def _mixed(bits: Tensor) -> Tensor:
    bits = (bits ^ _shifted(bits, 30)) * FIRST
    bits = (bits ^ _shifted(bits, 27)) * SECOND
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shift right and fill with zeros; torch's own shift repeats the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
