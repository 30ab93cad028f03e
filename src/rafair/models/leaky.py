"""A model whose inactive ReLUs have a small gradient, for use in attacks but not in a judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rafair.models.around import Around

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LeakyGradient"]

IN_PLACE = (torch.relu_, Tensor.relu_)
RELUS = (functional.relu, torch.relu, Tensor.relu, *IN_PLACE)


@dataclass(frozen=True)
class LeakyGradient(Around):
    """A model with the same scores, in which an inactive ReLU has the slope ``slope``, not 0.

    The slope applies to the backward pass only. Where all neurons of a layer are inactive, the true
    gradient is exactly zero and tells an attack nothing, although a small step may activate some of
    them (gradient masking).

    Parameters
    ----------
    model : Classifier
        A model with gradients. Its code must call torch's own ReLU functions; a ReLU that is
        implemented in another way keeps its gradient.
    slope : float
        Derivative of a ReLU at negative inputs.
    """

    slope: float = 0.05

    def scores(self, x: Tensor) -> Tensor:
        """Return the model's scores, shape (n, k)."""
        with _LeakyBackward(self.slope):
            return self.model.scores(x)

    def digest(self) -> str:
        """Return the model's digest."""
        return self.model.digest()


class _LeakyBackward(TorchFunctionMode):
    """Replaces each ReLU by a function with the same value and another derivative."""

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
