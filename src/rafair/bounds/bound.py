"""A linear lower bound of a margin over boxes, and what is known of the neurons there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ERROR_WEIGHT", "Bound"]

# Weight of a feature's ``sensitivity`` relative to its slope when a box is split; measured.
ERROR_WEIGHT = 0.01


@dataclass(frozen=True, eq=False)
class Bound:
    """A lower bound of the margin over each of n boxes.

    The margin over a rival class j is z_y − z_j. The rival of a box is the class whose margin has
    the lowest bound.

    Attributes
    ----------
    lower : Tensor, shape (n,), float64
        Lower bound of the margin over the box's rival, at every point of the box.
    slope : Tensor, shape (n, d), float64
        Coefficients of the linear function of the input that lies below this margin.
    plain_slope : Tensor, shape (n, d), float64
        These coefficients before the lower lines were improved. The corner where this function is
        least is decided wrongly more often (measured).
    sensitivity : Tensor, shape (n, d), float64
        Estimate of each feature's share in the error of the relaxation, per unit of its width: the
        margin's coefficients, carried back through upper lines and weights in absolute value.
    pattern : tuple of Tensor of int8, shapes (n, n₁), …
        For each neuron of each hidden layer, 1 where it is active, −1 where it is idle, 0 where it
        is unstable. Empty unless the network has ReLU only.
    gain : Tensor, shape (n,), float64
        How much improved lower lines raised the bound; NaN where no improvement was tried.
    others : Tensor, shape (n,), float64
        Lower bound of the margins over all classes but the rival; infinite if there are only two
        classes. ``slope`` does not apply to these margins.
    """

    lower: Tensor
    slope: Tensor
    plain_slope: Tensor
    sensitivity: Tensor
    pattern: tuple[Tensor, ...]
    gain: Tensor
    others: Tensor
