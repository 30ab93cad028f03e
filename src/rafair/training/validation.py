"""Figures of a network on held-back people: accuracy, and what a linear bound proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rafair.fairness.rates import balanced_rates
from rafair.models import wrap
from rafair.problem.bound import no_pattern
from rafair.problem.bounds import linear_bound
from rafair.problem.network import layered_network

if TYPE_CHECKING:
    from rafair.training.task import Task

__all__ = ["Figures", "certified_rows", "validated"]


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

    def score(self, balance: float) -> float:
        """Return what is to be large: R-AF, or its mean over the classes for ``balance`` = 1."""
        return (1 - balance) * self.r_af + balance * self.r_af_balanced


def validated(network: nn.Sequential, held: Task, loss: float) -> Figures:
    """Measure a network on held-back people."""
    with torch.no_grad():
        predicted = network(held.x).argmax(dim=1)
    right, proved = predicted == held.y, certified_rows(network, held)
    balanced = balanced_rates({"right": right, "proved": proved}, held.y)
    return Figures(
        loss,
        float(right.double().mean()),
        float(balanced["right"]),  # type: ignore[arg-type]  # a share, no interval
        float(proved.double().mean()),
        float(balanced["proved"]),  # type: ignore[arg-type]
        len(torch.unique(predicted)),
    )


def certified_rows(network: nn.Sequential, task: Task) -> Tensor:
    """Tell of whom CROWN proves y over the box around I(v) × Δ, shape (n,), bool.

    A quick lower bound of what ``rafair.certify`` decides; rounding is not accounted for.
    """
    rows = layered_network(wrap(network, output="logits"))
    low, high = task.low.double(), task.high.double()
    return linear_bound(rows, low, high, task.y, no_pattern(rows, len(task))).lower > 0
