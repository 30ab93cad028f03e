"""Which epoch of a training is kept, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rafair.training.validation import Figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["Selection"]

# Share of the epochs without a better one after which training stops.
PATIENCE = 0.3


@dataclass
class Selection:
    """The best epoch so far; of those that are as good the last.

    Parameters
    ----------
    balance : float in [0, 1]
    k : int
        Number of classes.
    total : int
        Number of epochs.
    tolerance : float
        Epochs whose scores differ by at most this are as good as each other.

    Attributes
    ----------
    best : Figures
    epoch : int
        Counted from 1; 0 as long as there is none.
    weights : mapping
        Of that epoch.
    peak : pair of bool and float
        The best rank so far.
    """

    balance: float
    k: int
    total: int
    tolerance: float = 0.0
    best: Figures = field(default_factory=Figures.none)
    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    peak: tuple[bool, float] = (False, -1.0)

    def consider(
        self, epoch: int, figures: Figures, weights: Callable[[], dict[str, Tensor]]
    ) -> None:
        """Keep an epoch if none before is better."""
        is_useful, score = figures.rank(self.balance, self.k)
        if (is_useful, score + self.tolerance) >= self.peak:
            self.best, self.epoch, self.weights = figures, epoch, weights()
        self.peak = max(self.peak, (is_useful, score))

    def is_late(self, epoch: int, since: int = 0) -> bool:
        """Tell whether so many epochs came after the best one that training may stop.

        Those up to ``since`` are not counted.
        """
        return bool(self.epoch) and epoch - max(self.epoch, since) > PATIENCE * self.total

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "best": vars(self.best),
            "epoch": self.epoch,
            "weights": self.weights,
            "peak": self.peak,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.best, self.epoch = Figures(**state["best"]), state["epoch"]
        self.weights, self.peak = state["weights"], tuple(state["peak"])
