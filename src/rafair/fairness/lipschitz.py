"""D(f(v), f(v')) ≤ K·d(v, v'): how far the decisions on two similar people may lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rafair.problem import Counterparts

__all__ = [
    "STRICT",
    "LabelDistance",
    "LabelDistanceName",
    "Lipschitz",
    "PersonDistance",
    "PersonDistanceName",
]

LabelDistanceName: TypeAlias = Literal["discrete", "absolute"]
PersonDistanceName: TypeAlias = Literal["l1", "l2", "linf"]
# From two tensors of classes to their distances, in the shape to which both are broadcast.
LabelDistance: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
# From v (n, 1, d) and v' (n, m, d) in unit space to distances (n, m).
PersonDistance: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"

LABEL_DISTANCES: Mapping[str, LabelDistance] = {
    "discrete": lambda a, b: (a != b).to(torch.float64),
    "absolute": lambda a, b: (a - b).abs().to(torch.float64),
}
PERSON_DISTANCES: Mapping[str, PersonDistance] = {
    "l1": lambda v, w: (v - w).abs().sum(dim=-1),
    "l2": lambda v, w: (v - w).square().sum(dim=-1).sqrt(),
    "linf": lambda v, w: (v - w).abs().amax(dim=-1),
}


@dataclass(frozen=True)
class Lipschitz:
    """The condition D(f(v), f(v')) ≤ K·d(v, v') on every v' in I(v).

    Parameters
    ----------
    K : float, not negative
    D : {"discrete", "absolute"} or callable
        Distance of two classes.
    d : {"l1", "l2", "linf"} or callable
        Distance of two people in unit space.

    Raises
    ------
    InvalidInput
        If K is negative or not finite, or D or d is an unknown name.

    Source: Li et al., arXiv:2404.01356v1, Definition 3.1.
    """

    K: float = 0.0
    D: LabelDistanceName | LabelDistance = "discrete"
    d: PersonDistanceName | PersonDistance = "l1"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.K) and self.K >= 0):
            raise InvalidInput(f"K must be finite and not negative, not {self.K}")
        _named(self.D, LABEL_DISTANCES, "D")
        _named(self.d, PERSON_DISTANCES, "d")

    @property
    def parameters(
        self,
    ) -> tuple[float, LabelDistanceName | LabelDistance, PersonDistanceName | PersonDistance]:
        """K, D and d, in the order in which ``judge`` takes them."""
        return self.K, self.D, self.d

    def as_dict(self) -> dict[str, Any]:
        """Return K, D and d by name."""
        return {"K": self.K, "D": self.D, "d": self.d}

    def apart(self, a: Tensor, b: Tensor) -> Tensor:
        """Return D of two tensors of classes, in the shape to which both are broadcast."""
        return _named(self.D, LABEL_DISTANCES, "D")(a, b)

    def allowed(self, people: Tensor, counterparts: Counterparts) -> Tensor:
        """Return K·d(v, v') for v in people, (n, d): shape (n, m), float64; a scalar 0 if K = 0."""
        if self.K == 0:
            return torch.zeros((), dtype=torch.float64, device=people.device)
        v = people.to(torch.float64)
        distance = _named(self.d, PERSON_DISTANCES, "d")
        return self.K * distance(v.unsqueeze(1), counterparts.expand(v))


def _named(
    chosen: str | Callable[[Tensor, Tensor], Tensor],
    known: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    parameter: str,
) -> Callable[[Tensor, Tensor], Tensor]:
    if not isinstance(chosen, str):
        return chosen
    if chosen not in known:
        raise InvalidInput(f"unknown {parameter} {chosen!r}; use one of {', '.join(known)}")
    return known[chosen]


# Every difference of decisions is too much: K = 0.
STRICT = Lipschitz()
