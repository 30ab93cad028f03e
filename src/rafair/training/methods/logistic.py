"""Robust logistic regression: the exact worst case over I(v) × Δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rafair.training.methods.certified import Certified

__all__ = ["Logistic"]


@dataclass(frozen=True)
class Logistic(Certified):
    """The largest cross-entropy of a linear model over the box around I(v) × Δ, in closed form.

    The margin z_y − z_j = a·x + b is least at a corner: a·c − |a|·r, with the centre c and the half
    widths r of the box. With two classes this is exact, and so it is over I(v) × Δ itself where
    I(v) is a full product of values and no relation or lattice leaves a corner out.

    Source: Xu, Caramanis and Mannor, Robustness and Regularization of Support Vector Machines (JMLR
    2009), for the logistic loss and a box.
    """

    strength: float = 1.0

    name: ClassVar[str] = "logistic"
    hidden: ClassVar[tuple[int, ...]] = ()
    step_time: ClassVar[float] = 0.002
