"""RAFair: signed steps after which the model errs on an instance, its counterpart, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import torch

from rafair.attacks.base import Aim
from rafair.checks import check_one_of
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.trajectories import AttackResult
from rafair.problem.walking import CounterpartRule, walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, Loss, PerturbationSpace

__all__ = ["RAFair"]

Mode: TypeAlias = Literal["true_biased", "false_fair", "false_biased"]
ZeroGradient: TypeAlias = Literal["still", "counterpart"]

MODES: tuple[Mode, ...] = ("true_biased", "false_fair", "false_biased")
ZERO_GRADIENTS: tuple[ZeroGradient, ...] = ("still", "counterpart")


@dataclass(frozen=True)
class RAFair:
    """Move each seed, within Δ, to where accuracy, fairness or both fail.

    Each iteration takes one projected sign step. The counterpart v' is the member of I(v) other
    than v with the largest ‖∇ₓ l(y, f(v'))‖₁. With g and g' the gradients at v and v', feature i
    moves

    - ``"true_biased"``: by −sign(gᵢ) where sign(gᵢ) ≠ sign(g'ᵢ), to have v' alone decided wrongly;
    - ``"false_fair"``: by sign(gᵢ) where sign(gᵢ) = sign(g'ᵢ), to have both decided wrongly;
    - ``"false_biased"``: by sign(gᵢ) where sign(gᵢ) ≠ sign(g'ᵢ), to have v alone decided wrongly.

    Cost: ``steps`` gradients of at most n·(m + 2) rows.

    Parameters
    ----------
    mode : {"true_biased", "false_fair", "false_biased"}
    step_size : float or sequence of d floats, unit space
    steps : int
    loss : {"mse", "cross_entropy", "margin"} or Loss
    counterpart : {"every_step", "first"}
        Choose v' anew at every step, or keep the sensitive values of the first one.
    zero_gradient : {"still", "counterpart"}
        What the two biased modes do where gᵢ = 0 and g'ᵢ ≠ 0: leave feature i where it is, or move
        it by the sign of g'ᵢ alone, up (true biased) or down (false biased) the counterpart's loss.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Li et al., arXiv:2404.01356v1, Algorithm 1.
    """

    mode: Mode = "true_biased"
    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    loss: str | Loss = "mse"
    counterpart: CounterpartRule = "every_step"
    zero_gradient: ZeroGradient = "still"
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "rafair"
    aim: ClassVar[Aim] = "both"
    year: ClassVar[int] = 2024
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "rafair-tb": {"mode": "true_biased"},
        "rafair-ff": {"mode": "false_fair"},
        "rafair-fb": {"mode": "false_biased"},
    }

    def __post_init__(self) -> None:
        check_one_of("mode", self.mode, MODES)
        check_one_of("zero_gradient", self.zero_gradient, ZERO_GRADIENTS)

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once; see ``Attack.run``."""
        return walk(self, self._direction, model, x, y, counterparts, space)

    def _direction(self, own: Tensor, other: Tensor) -> Tensor:
        """Algorithm 1, lines 7 to 15, on the signs of g and g'."""
        if self.mode == "false_fair":
            return torch.where(own == other, own, torch.zeros_like(own))
        away = -own if self.mode == "true_biased" else own
        if self.zero_gradient == "counterpart":
            instead = other if self.mode == "true_biased" else -other
            away = torch.where(own == 0, instead, away)
        return torch.where(own != other, away, torch.zeros_like(own))
