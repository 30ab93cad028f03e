"""Boosting: each stump, or tree, most lowers the loss at v and at the worst of I(v) × Δ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.models.stumps import TREES, Stumps
from rafair.training.base import Trained
from rafair.training.growing import Grower, Tree, TreeMargins
from rafair.training.margins import Margins, cuts_of
from rafair.training.selection import Selection
from rafair.training.validation import figures_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from rafair.training.base import Options, Watch
    from rafair.training.task import Task
    from rafair.training.validation import Figures

__all__ = ["Boosting"]

EPOCHS, STUMPS_AN_EPOCH, TREES_AN_EPOCH = 60, 10, 3
STEP = 0.1
# The share of a tree that is added.
TREE_STEP = 0.3
# By how much the scores of two epochs may differ by chance: this over the root of the number of
# held-back people.
NOISE, TREE_NOISE = 0.5, 0.1
# The cut of a node that splits nobody: beyond unit space.
BEYOND = 2.0
# Where no stump lowers the loss any more the step is halved, this often; then training ends.
HALVINGS = 3
# A step and its opposite may leave so much.
ROUNDING = 1e-9
# The loss must fall by this, in nats, for a stump to stay.
LEAST_FALL = 1e-9


class Boosting:
    """The state of a training: what the pieces of each feature add, trees, and the best epoch.

    Stumps come first: their worst case is exact. Trees go on from there, each with a stump beside
    it, under a lower bound of the margin.

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
        self.direction = np.zeros(len(self.cuts), np.int64)
        for place, direction in options.monotone.items():
            self.direction[place] = direction
        self.people, self.held = people, held
        self._place()
        weights = people.weights.double().numpy()[people.y.numpy()] / len(people)
        self.weights = ((1 - strength) * weights, strength * weights)
        self.step = options.learning_rate or STEP
        self.smallest = self.step / 2**HALVINGS
        self.base, self.is_done = 0.0, False
        self.epochs, self.depth = options.epochs or EPOCHS, options.depth
        # The epoch after which trees are added.
        self.epoch, self.grown_from = 0, -1
        # Stumps converge and hardly overfit: what few held-back people tell apart is mostly noise.
        noise = NOISE / math.sqrt(len(held))
        self.selection = Selection(options.balance, len(task.weights), self.epochs, noise)

    def run(self, watch: Watch) -> Trained:
        """Add stumps until none lowers the loss, or the epochs are over."""
        best = self.selection
        while not self._is_over():
            figures = self._one_epoch()
            best.consider(self.epoch, figures, self._weights)
            watch.on_epoch(self.epoch, self.epochs * (1 + (self.depth > 1)), figures)
            watch.keep(self.state())
        found = Stumps.of(best.weights, len(self.cuts))
        return Trained(found, best.best, best.epoch, self.epoch)

    def _is_over(self) -> bool:
        """Tell whether training ends; where trees are to follow the stumps, begin with them."""
        since = max(self.grown_from, 0)
        is_over = self.is_done or self.selection.is_late(self.epoch, since)
        is_over = is_over or self.epoch - since >= self.epochs
        if is_over and self.depth > 1 and self.grown_from < 0:
            self.is_done = False
            self._begin_trees(self.epoch)
            return False
        return is_over

    def _begin_trees(self, epoch: int) -> None:
        """Note after which epoch trees are added; they overfit, so that less counts as noise."""
        self.grown_from, self.selection.tolerance = epoch, TREE_NOISE / math.sqrt(len(self.held))

    def _one_epoch(self) -> Figures:
        grows = self.grown_from >= 0
        for _ in range(TREES_AN_EPOCH if grows else STUMPS_AN_EPOCH):
            self._move_base()
            has_grown = grows and self._add_tree()
            self.is_done = not (self._add_stump() or has_grown)
            if self.is_done:
                break
        self.epoch += 1
        return self._figures()

    def _both(self) -> list[npt.NDArray[np.float64]]:
        """Return the margins at v and at least, each (n,)."""
        return _added(self.margins.both(self.base), self.tree_margins.both)

    def _loss(self) -> float:
        margins = zip(self.weights, self._both(), strict=True)
        return float(sum((weight * np.logaddexp(0, -margin)).sum() for weight, margin in margins))

    def _slopes(self) -> list[npt.NDArray[np.float64]]:
        """Return −∂loss/∂margin at v and at the worst, each (n,)."""
        margins = zip(self.weights, self._both(), strict=True)
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
                gains[1:][self._turns(place, step)] = 0
                piece = int(gains.argmax())
                if gains[piece] > most:
                    most, found = float(gains[piece]), (place, piece, step)
        return found

    def _turns(self, place: int, step: float) -> npt.NDArray[np.bool_]:
        """Tell at which cuts such a step would turn the direction of a monotone feature."""
        found: npt.NDArray[np.bool_] = (
            self.direction[place] * (np.diff(self.values[place]) + step) < -ROUNDING
        )
        return found

    def _add_tree(self) -> bool:
        """Add a part of the tree that lowers the loss most; False where none lowers it."""
        before = self._loss()
        sizes = [len(own) + 1 for own in self.cuts]
        how = (self.features, sizes, self.depth, self.direction, 1 / len(self.people))
        tree = Grower(self.tree_margins, *how).grow(self.weights, self._both()).scaled(TREE_STEP)
        added = self.tree_margins.least(tree)
        margins = zip(self.weights, _added(self._both(), added), strict=True)
        after = sum(float((w * np.logaddexp(0, -margin)).sum()) for w, margin in margins)
        if after >= before - LEAST_FALL:
            return False
        self.trees.append(tree)
        self.tree_margins.add(tree)
        self.held_trees.add(tree)
        return True

    def _place(self, trees: Iterable[Tree] = ()) -> None:
        """Find out where the people are, and what values and trees add to their margins."""
        self.margins = Margins(self.people, self.cuts, self.values)
        self.tree_margins = TreeMargins(self.margins.intervals, self.margins.side)
        held = Margins(self.held, self.cuts, self.values)
        self.held_trees = TreeMargins(held.intervals, held.side)
        self.trees: list[Tree] = []
        for tree in trees:
            self.trees.append(tree)
            self.tree_margins.add(tree)
            self.held_trees.add(tree)

    def _add(self, place: int, piece: int, step: float) -> None:
        self.values[place][piece:] += step
        self.margins.renew(place, self.values[place])

    def _figures(self) -> Figures:
        held = Margins(self.held, self.cuts, self.values).both(self.base)
        at_v, worst = _added(held, self.held_trees.both)
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
            # A difference of equal sums can have any sign; a monotone feature keeps its own.
            if step and self.direction[place] * step >= 0
        ]
        feature, cut, step = zip(*rows, strict=True) if rows else ((), (), ())
        return {
            "base": torch.tensor(base, dtype=torch.float64),
            "feature": torch.tensor(feature, dtype=torch.int64),
            "cut": torch.tensor(cut, dtype=torch.float64),
            "step": torch.tensor(step, dtype=torch.float64),
            **self._tree_weights(),
        }

    def _tree_weights(self) -> dict[str, torch.Tensor]:
        """Return what ``Trees`` takes, under the names of a model's tensors."""
        if not self.trees:
            return {}
        feature = np.stack([tree.feature for tree in self.trees])
        piece = np.stack([tree.piece for tree in self.trees])
        cut = np.full(feature.shape, BEYOND)
        for place, cuts in enumerate(self.cuts):
            here = feature == place
            cut[here] = cuts[piece[here] - 1]
        found = {
            "feature": feature.clip(min=0),
            "cut": cut,
            "value": np.stack([tree.value for tree in self.trees]),
        }
        return {f"{TREES}{name}": torch.from_numpy(part) for name, part in found.items()}

    def state(self) -> dict[str, Any]:
        """Return all that changes from epoch to epoch."""
        return {
            "values": [torch.from_numpy(numbers.copy()) for numbers in self.values],
            "trees": [tree.state() for tree in self.trees],
            "grown_from": self.grown_from,
            "base": self.base,
            "step": self.step,
            "is_done": self.is_done,
            "selection": self.selection.state(),
            "epoch": self.epoch,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state; see ``state``."""
        self.values = [numbers.numpy().copy() for numbers in state["values"]]
        self._place(Tree.of(own) for own in state["trees"])
        if state["grown_from"] >= 0:
            self._begin_trees(state["grown_from"])
        self.base, self.step, self.is_done = state["base"], state["step"], state["is_done"]
        self.selection.load(state["selection"])
        self.epoch = state["epoch"]


def _added(
    margins: Sequence[npt.NDArray[np.float64]], more: Sequence[npt.NDArray[np.float64]]
) -> list[npt.NDArray[np.float64]]:
    return [one + other for one, other in zip(margins, more, strict=True)]
