"""Robust boosting of stumps: the exact worst case over I(v) × Δ, while they are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rafair.errors import InvalidInput
from rafair.training.base import Method
from rafair.training.boosting import Boosting

if TYPE_CHECKING:
    from rafair.training.base import Options, Trained, Watch
    from rafair.training.task import Task

__all__ = ["BoostedStumps"]

# Seconds of a core for a row to learn from.
ROW = 2e-4


@dataclass(frozen=True)
class BoostedStumps(Method):
    """A sum of stumps, each the one that most lowers the loss at the worst of I(v) × Δ.

    The worst case of a sum of stumps is a sum over features of the least value within reach, so
    that it is exact over the box around I(v) × Δ. A step of constant size is added where the loss
    falls most; where none lowers it the step is halved.

    Source: Andriushchenko and Hein, Provably Robust Boosted Decision Stumps and Trees against
    Adversarial Attacks (NeurIPS 2019), section 3.
    """

    strength: float = 0.8

    name: ClassVar[str] = "boosted-stumps"
    is_binary: ClassVar[bool] = True
    is_boosted: ClassVar[bool] = True

    def check(self, task: Task, options: Options) -> None:
        """Refuse a batch size, too: every stump is about all people."""
        super().check(task, options)
        if options.batch_size is not None:
            raise InvalidInput(f"method {self.name!r} has no batches; leave batch_size away")

    def cost(self, n: int) -> float:
        """Return about how long a training on n rows takes, in seconds of a core."""
        return ROW * n

    def fit(self, task: Task, options: Options, watch: Watch) -> Trained:
        """Add stumps; see ``fit_robust``."""
        boosting = Boosting(self.strength, task, options)
        if watch.state is not None:
            boosting.load(watch.state)
        return boosting.run(watch)
