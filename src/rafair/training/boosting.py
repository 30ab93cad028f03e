"""Boosted stumps: each is the one that most lowers the loss at v and at the worst of I(v) × Δ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.models.stumps import Stumps
from rafair.training.base import Trained
from rafair.training.margins import Margins, cuts_of
from rafair.training.selection import Selection
from rafair.training.validation import figures_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from rafair.training.base import Options, Watch
    from rafair.training.task import Task
    from rafair.training.validation import Figures

__all__ = ["Boosting"]

EPOCHS, STUMPS_AN_EPOCH = 60, 10
STEP = 0.1
# Where no stump lowers the loss any more the step is halved, this often; then training ends.
HALVINGS = 3
# The loss must fall by this, in nats, for a stump to stay.
LEAST_FALL = 1e-9


class Boosting:
    """The state of a training: what the pieces of each feature add, and the best epoch.

    Parameters
    ----------
    strength : float in [0, 1]
        κ.
    task : Task
        People of two classes.
    options : Options
    """

    def __init__(self, strength: float, task: Task, options: Options) -> None:
        people, held = task.parted(torch.Generator().manual_seed(options.random_state))
        self.cuts = [cuts_of(column) for column in people.x.double().numpy().T]
        self.values = [np.zeros(len(own) + 1) for own in self.cuts]
        hidden = task.sensitive if options.without_sensitive else []
        self.features = [j for j, own in enumerate(self.cuts) if len(own) and j not in hidden]
        self.people, self.held = people, held
        self.margins = Margins(people, self.cuts, self.values)
        weights = people.weights.double().numpy()[people.y.numpy()] / len(people)
        self.weights = ((1 - strength) * weights, strength * weights)
        self.step = options.learning_rate or STEP
        self.smallest = self.step / 2**HALVINGS
        self.base, self.is_done = 0.0, False
        self.epoch, self.epochs = 0, options.epochs or EPOCHS
        # Stumps converge and hardly overfit: what few held-back people tell apart is mostly noise.
        noise = 0.5 / math.sqrt(len(held))
        self.selection = Selection(options.balance, len(task.weights), self.epochs, noise)

    def run(self, watch: Watch) -> Trained:
        """Add stumps until none lowers the loss, or the epochs are over."""
        best = self.selection
        while self.epoch < self.epochs and not self.is_done and not best.is_late(self.epoch):
            figures = self._one_epoch()
            best.consider(self.epoch, figures, self._weights)
            watch.on_epoch(self.epoch, self.epochs, figures)
            watch.keep(self.state())
        return Trained(
            Stumps(**best.weights, width=len(self.cuts)), best.best, best.epoch, self.epoch
        )

    def _one_epoch(self) -> Figures:
        for _ in range(STUMPS_AN_EPOCH):
            self._move_base()
            self.is_done = not self._add_stump()
            if self.is_done:
                break
        self.epoch += 1
        return self._figures()

    def _loss(self) -> float:
        margins = zip(self.weights, self.margins.both(self.base), strict=True)
        return float(sum((weight * np.logaddexp(0, -margin)).sum() for weight, margin in margins))

    def _slopes(self) -> list[npt.NDArray[np.float64]]:
        """Return −∂loss/∂margin at v and at the worst, each (n,)."""
        margins = zip(self.weights, self.margins.both(self.base), strict=True)
        return [weight / (1 + np.exp(margin)) for weight, margin in margins]

    def _move_base(self) -> None:
        """Move the base down its slope; the second derivative is at most a quarter."""
        slope = sum(float((slope * self.margins.side).sum()) for slope in self._slopes())
        self.base += 4 * slope

    def _add_stump(self) -> bool:
        """Add the stump that promises most, with a smaller step where none keeps its promise."""
        before, slopes = self._loss(), self._slopes()
        while True:
            place, piece, step = self._most_promising(slopes)
            if step:
                self._add(place, piece, step)
                if self._loss() < before - LEAST_FALL:
                    return True
                self._add(place, piece, -step)
            if self.step <= self.smallest:
                return False
            self.step /= 2

    def _most_promising(self, slopes: list[npt.NDArray[np.float64]]) -> tuple[int, int, float]:
        """Return feature, first piece and step of the stump with the largest gain; 0 for none."""
        most, found = 0.0, (0, 0, 0.0)
        for place in self.features:
            for step in (self.step, -self.step):
                gains = self.margins.gains(place, self.values[place], slopes, step)
                piece = int(gains.argmax())
                if gains[piece] > most:
                    most, found = float(gains[piece]), (place, piece, step)
        return found

    def _add(self, place: int, piece: int, step: float) -> None:
        self.values[place][piece:] += step
        self.margins.renew(place, self.values[place])

    def _figures(self) -> Figures:
        at_v, worst = Margins(self.held, self.cuts, self.values).both(self.base)
        y = self.held.y
        predicted = torch.where(torch.from_numpy(at_v) > 0, y, 1 - y)
        return figures_of(predicted, torch.from_numpy(worst) > 0, y, self._loss())

    def _weights(self) -> dict[str, torch.Tensor]:
        """Return what ``Stumps`` takes; the first piece of each feature goes into the base."""
        base = self.base + sum(float(numbers[0]) for numbers in self.values)
        rows = [
            (place, cut, step)
            for place, (cuts, numbers) in enumerate(zip(self.cuts, self.values, strict=True))
            for cut, step in zip(cuts.tolist(), np.diff(numbers).tolist(), strict=True)
            if step
        ]
        feature, cut, step = zip(*rows, strict=True) if rows else ((), (), ())
        return {
            "base": torch.tensor(base, dtype=torch.float64),
            "feature": torch.tensor(feature, dtype=torch.int64),
            "cut": torch.tensor(cut, dtype=torch.float64),
            "step": torch.tensor(step, dtype=torch.float64),
        }

    def state(self) -> dict[str, Any]:
        """Return all that changes from epoch to epoch."""
        return {
            "values": [torch.from_numpy(numbers.copy()) for numbers in self.values],
            "base": self.base,
            "step": self.step,
            "is_done": self.is_done,
            "selection": self.selection.state(),
            "epoch": self.epoch,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state; see ``state``."""
        self.values = [numbers.numpy().copy() for numbers in state["values"]]
        self.margins = Margins(self.people, self.cuts, self.values)
        self.base, self.step, self.is_done = state["base"], state["step"], state["is_done"]
        self.selection.load(state["selection"])
        self.epoch = state["epoch"]
