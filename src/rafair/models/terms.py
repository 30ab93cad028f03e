"""Products and smooth functions of columns, which are not piecewise linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FUNCTIONS", "LOWEST", "PRODUCT", "Terms"]

PRODUCT = "product"
# NumPy's names of functions with a slope everywhere above LOWEST.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "arcsinh": torch.arcsinh,
    "arctan": torch.arctan,
    "cos": torch.cos,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
}
LOWEST = {"log": 0.0, "log10": 0.0, "log1p": -1.0, "log2": 0.0, "sqrt": 0.0}


class Terms(nn.Module):
    """Keeps the first columns, and computes one term from each group of those behind.

    Attributes
    ----------
    plain : int
        Number of columns that are kept.
    groups : tuple of (function, count, arity)
        The next count · arity columns give count terms: a function, or a product of arity columns.
    """

    def __init__(self, plain: int, groups: Sequence[tuple[str, int, int]]) -> None:
        super().__init__()
        self.plain, self.groups = plain, tuple(groups)

    def forward(self, columns: Tensor) -> Tensor:
        """Return the kept columns and the terms, shape (n, plain + terms)."""
        parts, start = [columns[:, : self.plain]], self.plain
        for function, count, arity in self.groups:
            stop = start + count * arity
            block = columns[:, start:stop].reshape(len(columns), count, arity)
            value = block[:, :, 0]
            for place in range(1, arity):
                value = value * block[:, :, place]
            parts.append(value if function == PRODUCT else FUNCTIONS[function](value))
            start = stop
        return torch.cat(parts, dim=1)

    def extra_repr(self) -> str:
        """Return the terms, which are part of the digest."""
        return f"{self.plain}, {self.groups}"
