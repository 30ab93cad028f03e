"""Figures of a network on held-back people: accuracy, and what a linear bound proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.bounds.crown import linear_bound
from rafair.bounds.network import layered_network, no_pattern
from rafair.fairness.rates import balanced_rates
from rafair.models import wrap
from rafair.training.interval import interval_margins

if TYPE_CHECKING:
    from rafair.training.task import Task

__all__ = ["Figures", "certified_rows", "figures_of", "is_constant", "validated"]

# A balanced accuracy this close to that of a constant model is no better.
CLOSE = 0.01


def is_constant(balanced_accuracy: float, n_classes: int, k: int) -> bool:
    """Tell whether a model of k classes, which gives ``n_classes`` of them, is no better than one.

    That is, no better than a model that gives everybody the same class.
    """
    return n_classes == 1 or balanced_accuracy < 1 / k + CLOSE


@dataclass(frozen=True)
class Figures:
    """Figures of an epoch.

    Attributes
    ----------
    loss : float
        Mean training loss, in nats.
    accuracy, balanced_accuracy : float
    r_af, r_af_balanced : float
        Lower bounds of R-AF, and of its mean over the classes.
    n_classes : int
        How many classes the network gives to the people.
    """

    loss: float
    accuracy: float
    balanced_accuracy: float
    r_af: float
    r_af_balanced: float
    n_classes: int

    @classmethod
    def none(cls) -> Figures:
        """Return the figures of no epoch, which are worse than any."""
        return cls(float("inf"), -1.0, -1.0, -1.0, -1.0, 0)

    def rank(self, balance: float, k: int) -> tuple[bool, float]:
        """Return what is to be large: no constant model, then the mean of accuracy and R-AF.

        ``balance`` = 1 takes the means over the k classes of both, a number in between mixes the
        two.
        """
        plain, even = self.accuracy + self.r_af, self.balanced_accuracy + self.r_af_balanced
        is_useful = not is_constant(self.balanced_accuracy, self.n_classes, k)
        return is_useful, ((1 - balance) * plain + balance * even) / 2


def validated(network: nn.Sequential, held: Task, loss: float) -> Figures:
    """Measure a network on held-back people."""
    with torch.no_grad():
        predicted = network(held.x).argmax(dim=1)
    return figures_of(predicted, certified_rows(network, held), held.y, loss)


def figures_of(predicted: Tensor, proved: Tensor, y: Tensor, loss: float) -> Figures:
    """Return the figures of predicted classes and proofs of people with labels y, all (n,)."""
    right = predicted == y
    balanced = balanced_rates({"right": right, "proved": proved}, y)
    return Figures(
        loss,
        float(right.double().mean()),
        float(balanced["right"]),  # type: ignore[arg-type]  # a share, no interval
        float(proved.double().mean()),
        float(balanced["proved"]),  # type: ignore[arg-type]
        len(torch.unique(predicted)),
    )


def certified_rows(network: nn.Sequential, task: Task) -> Tensor:
    """Tell of whom CROWN or intervals prove y over the box around I(v) × Δ, shape (n,), bool.

    A quick lower bound of what ``rafair.certify`` decides; rounding is not accounted for. Of
    networks that were trained with interval bounds, these often prove more than CROWN.
    """
    rows = layered_network(wrap(network, output="logits"))
    low, high = task.low.double(), task.high.double()
    linear = linear_bound(rows, low, high, task.y, no_pattern(rows, len(task))).lower > 0
    with torch.no_grad():
        margins = interval_margins(network, task.low, task.high, task.y)
    is_rival = torch.arange(margins.shape[1]) != task.y.unsqueeze(1)
    return linear | (margins > 0).logical_or(~is_rival).all(dim=1)
