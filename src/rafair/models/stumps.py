"""A sum of stumps: each adds a number where one feature reaches a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Stumps"]


class Stumps(nn.Module):
    """The logit base + Σ step · [x_feature ≥ cut] of the second of two classes; the first's is 0.

    Parameters
    ----------
    base : Tensor, shape ()
    feature : Tensor of int64, shape (stumps,)
    cut, step : Tensor, shape (stumps,), float64
        Cuts lie in unit space. Stumps with the same feature and cut are added.
    width : int
        Number of features of a row.
    """

    base: Tensor
    feature: Tensor
    cut: Tensor
    step: Tensor

    def __init__(
        self, base: Tensor, feature: Tensor, cut: Tensor, step: Tensor, *, width: int
    ) -> None:
        super().__init__()
        self.width = width
        for name, values in (("feature", feature), ("cut", cut), ("step", step), ("base", base)):
            self.register_buffer(name, values)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of unit-space rows x, (n, d); shape (n, 2), float64."""
        score = self.base.expand(len(x)).clone()
        for place, cuts, values in self.tables():
            score += values[torch.bucketize(x[:, place].double(), cuts, right=True)]
        return torch.stack([torch.zeros_like(score), score], dim=1)

    def logits(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the same for a matrix of numpy."""
        found: npt.NDArray[np.float64] = self(torch.as_tensor(rows)).numpy()
        return found

    def tables(self) -> list[tuple[int, Tensor, Tensor]]:
        """Return each feature with its cuts, ascending, and what it adds between them.

        The first number, 0, counts below the first cut; there is one more than there are cuts.
        """
        found = []
        for place in self.feature.unique().tolist():  # type: ignore[no-untyped-call]
            of = self.feature == place
            cuts, where = self.cut[of].unique(return_inverse=True)  # type: ignore[no-untyped-call]
            steps = torch.zeros_like(cuts).index_add(0, where, self.step[of])
            found.append((place, cuts, torch.cat([steps.new_zeros(1), steps.cumsum(0)])))
        return found
