"""Losses l(y, f(x)) and their derivatives by the scores; both are exact where a softmax saturates.

A gradient is stored as ``exp(log_scale) · direction`` with a direction of moderate size. If a
network is very confident, the derivative itself underflows, but its sign and its order of magnitude
do not, and these are what the paper's algorithms compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from rafair.errors import InvalidInput

# The exponential of −SMALLEST is still finite in float64.
SMALLEST = -690.0

__all__ = [
    "CrossEntropy",
    "ErrorProbability",
    "Loss",
    "Margin",
    "MeanSquaredError",
    "Slope",
    "loss_names",
    "make_loss",
]


class Loss(Protocol):
    """A loss of scores z (n, k) against labels y (n,).

    A loss whose ``slope`` is a ``Slope`` is differentiated faster for two classes.
    """

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of every row, shape (n,), float64."""
        ...

    def derivative(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ∂l/∂z as a direction (n, k) in z's type and a log_scale (n,) in float64."""
        ...


@dataclass(frozen=True)
class Slope:
    """How steep a loss is for two classes: its derivative by the log-odds against y, c qᵃ pᵇ.

    Attributes
    ----------
    factor : float
        c.
    wrong, right : float
        a and b, the powers of q = 1 − p and of p, the probability of y.
    """

    factor: float
    wrong: float
    right: float


@dataclass(frozen=True)
class _Odds:
    """The class y against all other classes together, as all smooth losses need it."""

    towards: Tensor  # (n, k): t, the softmax over the classes other than y, with −1 at y
    gap: Tensor  # (n,), float64: log-odds against y

    @classmethod
    def of(cls, z: Tensor, y: Tensor) -> _Odds:
        if z.shape[1] == 2:  # one other class: the same numbers at lower cost
            sign = (1 - 2 * y).to(z.dtype)  # +1 where class 1 is the other one
            gap = (z[:, 1] - z[:, 0]) * sign
            return cls(torch.stack([-sign, sign], dim=1), gap.to(torch.float64))
        z, right = z.to(torch.float64), y.unsqueeze(1)
        rivals = z.scatter(1, right, -math.inf)
        top = torch.logsumexp(rivals, dim=1, keepdim=True)
        minus_one = torch.full_like(top, -1.0)
        gap = (top - z.gather(1, right)).squeeze(1)
        return cls(torch.exp(rivals - top).scatter(1, right, minus_one), gap)

    @property
    def log_right(self) -> Tensor:
        """The logarithm of p_y."""
        return functional.logsigmoid(-self.gap)

    @property
    def log_wrong(self) -> Tensor:
        """The logarithm of 1 − p_y; computed from the gap, since 1 − p_y would lose digits."""
        return functional.logsigmoid(self.gap)

    @property
    def spread(self) -> Tensor:
        """1 + S with S = Σ t², shape (n, 1)."""
        return self.towards.square().sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class MeanSquaredError:
    """Mean over the classes of (p − e_y)², with p the softmax of the scores; the paper's loss."""

    slope: ClassVar[Slope] = Slope(2.0, 2.0, 1.0)

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of every row, shape (n,), float64, in [0, 2/k]."""
        odds = _Odds.of(z, y)
        return torch.exp(2 * odds.log_wrong) * odds.spread.squeeze(1) / z.shape[1]

    def derivative(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ∂l/∂z = (2/k) p ⊙ ((p − e_y) − ⟨p, p − e_y⟩), direction and log_scale.

        Let q = 1 − p_y, t the softmax over the other classes and S = Σ t². Then the derivative is
        (2/k) q² times t_j (t_j − S) + p_y t_j (1 + S) at j ≠ y, and (2/k) q² times −p_y (1 + S) at
        y. The sum t_j − S = Σᵢ tᵢ (t_j − tᵢ) has no cancellation. The larger one of p_y and the
        greatest |t_j (t_j − S)| goes into the scale.
        """
        odds = _Odds.of(z, y)
        log_right = odds.log_right
        # log q = log p_y + gap: one logarithm less than log_wrong.
        log_scale = math.log(2 / z.shape[1]) + 2 * (log_right + odds.gap)
        if z.shape[1] == 2:  # 1 + S = 2, and t_j − S = 0
            return odds.towards, math.log(2) + log_scale + log_right
        direction = odds.towards * odds.spread
        t = odds.towards.clamp_min(0)
        among_others = t * (t.unsqueeze(1) * (t.unsqueeze(2) - t.unsqueeze(1))).sum(dim=2)
        largest = torch.maximum(log_right, among_others.abs().amax(dim=1).log())
        largest = largest.clamp_min(SMALLEST)
        right = torch.exp(log_right - largest).unsqueeze(1)
        direction = among_others * torch.exp(-largest).unsqueeze(1) + right * direction
        return direction.to(z.dtype), log_scale + largest


@dataclass(frozen=True)
class CrossEntropy:
    """−log p_y, in nats."""

    slope: ClassVar[Slope] = Slope(1.0, 1.0, 0.0)

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of every row, shape (n,), float64, in nats."""
        return -_Odds.of(z, y).log_right

    def derivative(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ∂l/∂z = p − e_y = (1 − p_y)(t − e_y), direction and log_scale."""
        odds = _Odds.of(z, y)
        return odds.towards.to(z.dtype), odds.log_wrong


@dataclass(frozen=True)
class Margin:
    """max over j ≠ y of z_j, minus z_y: positive exactly where the prediction is wrong."""

    slope: ClassVar[Slope] = Slope(1.0, 0.0, 0.0)

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of every row, shape (n,), float64, in units of the scores."""
        z = z.to(torch.float64)
        rivals = z.scatter(1, y.unsqueeze(1), -math.inf)
        return rivals.amax(dim=1) - z.gather(1, y.unsqueeze(1)).squeeze(1)

    def derivative(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return +1 at the strongest other class, −1 at y; the log_scale is 0."""
        rival = z.scatter(1, y.unsqueeze(1), -math.inf).argmax(dim=1, keepdim=True)
        one = torch.ones_like(rival, dtype=z.dtype)
        direction = torch.zeros_like(z).scatter(1, rival, one).scatter(1, y.unsqueeze(1), -one)
        return direction, torch.zeros(len(z), dtype=torch.float64, device=z.device)


@dataclass(frozen=True)
class ErrorProbability:
    """1 − p_y, the probability of all other classes; its gradient is minus that of p_y."""

    slope: ClassVar[Slope] = Slope(1.0, 1.0, 1.0)

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of every row, shape (n,), float64, in [0, 1]."""
        return _Odds.of(z, y).log_wrong.exp()

    def derivative(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ∂l/∂z = p_y (1 − p_y)(t − e_y), direction and log_scale."""
        odds = _Odds.of(z, y)
        return odds.towards.to(z.dtype), odds.log_right + odds.log_wrong


LOSSES: dict[str, Loss] = {
    "mse": MeanSquaredError(),
    "cross_entropy": CrossEntropy(),
    "margin": Margin(),
}


def loss_names() -> tuple[str, ...]:
    """Return the names that ``make_loss`` takes."""
    return tuple(LOSSES)


def make_loss(loss: str | Loss) -> Loss:
    """Return the loss with this name; return ``loss`` itself if it is not a name.

    Raises
    ------
    InvalidInput
        If there is no loss of this name.
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise InvalidInput(f"unknown loss {loss!r}; use one of {', '.join(LOSSES)}")
    return LOSSES[loss]
