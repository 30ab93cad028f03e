"""A model whose idle ReLUs let some gradient through: for attacks, never for a judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.models.classifier import Access, Classifier

__all__ = ["LeakyGradient"]

IN_PLACE = (torch.relu_, Tensor.relu_)
RELUS = (functional.relu, torch.relu, Tensor.relu, *IN_PLACE)


@dataclass(frozen=True)
class LeakyGradient:
    """The same scores; backwards, a ReLU that is idle has the slope ``slope`` instead of 0.

    Where all neurons of a layer are idle, the true gradient is exactly zero and tells an attack
    nothing, although a small step may wake them (gradient masking).

    Parameters
    ----------
    model : Classifier with gradients.
        Any torch code that calls ReLU as torch's own function; a ReLU of another kind keeps its
        gradient.
    slope : float
    """

    model: Classifier
    slope: float = 0.05

    @property
    def access(self) -> Access:
        """What an attack may use."""
        return self.model.access

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the forward pass."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.model.device

    def scores(self, x: Tensor) -> Tensor:
        """Return the model's scores, shape (n, k)."""
        with _LeakyBackward(self.slope):
            return self.model.scores(x)

    def digest(self) -> str:
        """Return the model's digest."""
        return self.model.digest()


class _LeakyBackward(TorchFunctionMode):
    """Replaces each call of ReLU by one with the same value and another derivative."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func not in RELUS:
            return func(*args, **(kwargs or {}))
        options = kwargs or {}
        x = args[0] if args else options["input"]
        before = x.clone()
        idle = before.clamp_max(0)
        after = before.relu() + self.slope * (idle - idle.detach())
        in_place = func in IN_PLACE or any(args[1:]) or options.get("inplace", False)
        return x.copy_(after) if in_place else after
