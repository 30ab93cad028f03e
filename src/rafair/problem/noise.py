"""Random numbers that depend on a row only, not on its batch, order, worker or device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    Bits: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

__all__ = ["Noise"]

# The constants of SplitMix64. Products are modulo 2⁶⁴.
GAMMA, FIRST, SECOND = map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
FRACTION_BITS = 53


@dataclass(frozen=True, eq=False)
class Noise:
    """A counter-based generator for each of n rows.

    Attributes
    ----------
    keys : Tensor of int64, shape (n,)
        The numbers are returned on the device of the keys. They are computed on the CPU by numpy,
        which has unsigned integers.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """

    keys: Tensor

    @classmethod
    def of(cls, x: Tensor, y: Tensor, random_state: int) -> Noise:
        """Compute each row's key from its values, its label and the random state.

        Parameters
        ----------
        x : Tensor of a floating type, shape (n, d)
        y : Tensor of int64, shape (n,)
        random_state : int
        """
        bits = (x.detach().to("cpu", torch.float64).numpy() + 0.0).view(np.uint64)  # −0.0 to 0.0
        places = np.arange(1, x.shape[1] + 1, dtype=np.uint64) * GAMMA
        rows = _mixed(bits + places).sum(axis=1, dtype=np.uint64)
        keys = _mixed(_mixed(rows + _bits(y)) ^ _bits(torch.tensor(random_state)))
        return cls(torch.from_numpy(keys.view(np.int64)).to(x.device))

    def uniform(self, stream: int, width: int) -> Tensor:
        """Draw ``width`` numbers in [0, 1) for each row, shape (n, width), float64.

        Parameters
        ----------
        stream : int
            Number of the draw. Different streams are independent; the same stream gives the same
            numbers again.
        width : int
        """
        counter = np.arange(1, width + 1, dtype=np.uint64) * GAMMA
        start = _mixed(_mixed(_bits(self.keys)) ^ np.uint64(stream))
        drawn = _mixed(start[:, np.newaxis] + counter) >> np.uint64(64 - FRACTION_BITS)
        return torch.from_numpy(drawn * 2.0**-FRACTION_BITS).to(self.keys.device)


def _bits(whole: Tensor) -> Bits:
    return whole.cpu().numpy().view(np.uint64)


def _mixed(bits: Bits) -> Bits:
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    return bits ^ (bits >> np.uint64(31))
