"""What an attack or a repair returns: the last instances, and the points that it visited."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AttackResult", "PairTrajectory", "Trajectory"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The points that a search visited, the start included.

    Attributes
    ----------
    points : Tensor, shape (iterates, n, d), unit space
        The iterates as the judge sees them: rounded to possible points of Δ. With restarts, the
        iterates of one start follow those of the start before. ``random_search`` keeps only some
        of its points.
    after_steps : Tensor, shape (steps, n, d), or None
        The points after each step, without starts; None where a search does not keep them all.
    """

    points: Tensor
    after_steps: Tensor | None = field(default=None, kw_only=True)


@dataclass(frozen=True, eq=False)
class PairTrajectory(Trajectory):
    """The points of a walk, with the losses of the instance and of its counterpart.

    Attributes
    ----------
    points : Tensor, shape (steps + 1, n, d), unit space
    losses : Tensor, shape (steps, n, 2), float64
        l(y, f(v)) and l(y, f(v')) before each step; v' is the counterpart of that step.
    counterparts : Tensor of int64, shape (steps, n)
        Row of the grid that v' came from; −1 if I(v) holds only v.
    still : Tensor, shape (steps,), float64
        Share of seeds whose direction was 0 in every feature at each step.
    """

    losses: Tensor
    counterparts: Tensor
    still: Tensor


@dataclass(frozen=True, eq=False)
class AttackResult:
    """The result of an attack or a repair: the last instances, the trajectory and the cost.

    Attributes
    ----------
    x_adv : Tensor, shape (n, d), unit space, in x's type
        The instances that the attack or repair returns.
    trajectory : Trajectory or None
        The iterates; None for an attack without iterates.
    n_gradients, n_forwards : int
        Number of rows that were differentiated, and of rows that were only predicted. Equal rows
        may be computed once, but each of them counts, so that the numbers do not depend on the
        other rows of the batch.
    """

    x_adv: Tensor
    trajectory: Trajectory | None
    n_gradients: int
    n_forwards: int = 0

    @property
    def pool(self) -> Tensor:
        """The points after each step, which Algorithm 1 collects; where none are kept ``x_adv``."""
        walked = None if self.trajectory is None else self.trajectory.after_steps
        return self.x_adv.unsqueeze(0) if walked is None or not len(walked) else walked
