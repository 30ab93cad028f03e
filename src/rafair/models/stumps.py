"""A sum of stumps, each about one feature, and of shallow trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

__all__ = ["TREES", "Stumps", "Trees"]

# What the names of the trees' tensors begin with.
TREES = "trees."


class Trees(nn.Module):
    """A sum of trees of one depth; node i of a tree has the children 2i + 1 and 2i + 2.

    Parameters
    ----------
    feature : Tensor of int64, shape (trees, 2^depth − 1)
    cut : Tensor, shape (trees, 2^depth − 1), float64
        Rows whose feature reaches the cut go to the second child. A node that splits nobody has a
        cut beyond unit space.
    value : Tensor, shape (trees, 2^depth), float64
        What each leaf adds.
    """

    feature: Tensor
    cut: Tensor
    value: Tensor

    def __init__(self, feature: Tensor, cut: Tensor, value: Tensor) -> None:
        super().__init__()
        for name, values in (("feature", feature), ("cut", cut), ("value", value)):
            self.register_buffer(name, values)

    @property
    def depth(self) -> int:
        """How many tests lead to a leaf."""
        return self.value.shape[1].bit_length() - 1

    def forward(self, x: Tensor) -> Tensor:
        """Return what the trees add to rows x, (n, d); shape (n,), float64."""
        nodes = self.cut.shape[1]
        start = torch.arange(len(self.cut)) * nodes
        node = torch.zeros(len(x), len(self.cut), dtype=torch.int64)
        for _ in range(self.depth):
            own = x.gather(1, self.feature.flatten()[start + node]).double()
            node = 2 * node + 1 + (own >= self.cut.flatten()[start + node]).long()
        leaves = self.value.gather(1, (node - nodes).T).T
        return leaves.cumsum(dim=1)[:, -1]  # in a fixed order, whatever n is


class Stumps(nn.Module):
    """The logit base + Σ step · [x_feature ≥ cut] + trees of the second of two classes.

    The logit of the first class is 0.

    Parameters
    ----------
    base : Tensor, shape ()
    feature : Tensor of int64, shape (stumps,)
    cut, step : Tensor, shape (stumps,), float64
        Cuts lie in unit space. Stumps with the same feature and cut are added.
    trees : Trees, optional
    width : int
        Number of features of a row.
    """

    base: Tensor
    feature: Tensor
    cut: Tensor
    step: Tensor

    def __init__(
        self,
        base: Tensor,
        feature: Tensor,
        cut: Tensor,
        step: Tensor,
        *,
        trees: Trees | None = None,
        width: int,
    ) -> None:
        super().__init__()
        self.width, self.trees = width, trees
        for name, values in (("feature", feature), ("cut", cut), ("step", step), ("base", base)):
            self.register_buffer(name, values)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], width: int) -> Stumps:
        """Return the model with these tensors, named as in its ``state_dict``."""
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(TREES)}
        of_trees = {n.removeprefix(TREES): t for n, t in tensors.items() if n.startswith(TREES)}
        trees = Trees(**of_trees) if of_trees else None
        return cls(**own, trees=trees, width=width)

    @property
    def kind(self) -> str:
        """Description of the model, for the report."""
        more = "" if self.trees is None else f" and of trees of depth {self.trees.depth}"
        return f"sum of stumps{more}"

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of unit-space rows x, (n, d); shape (n, 2), float64."""
        score = self.base.expand(len(x)).clone()
        for place, cuts, values in self.tables():
            score += values[torch.bucketize(x[:, place].double(), cuts, right=True)]
        if self.trees is not None:
            score += self.trees(x)
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
