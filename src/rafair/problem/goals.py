"""What a random search looks for, as a number that it raises above 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BENIGN", "TARGETS", "Goal"]

# From margins (n, p), v's own in column 0, and which of these people exist, (n, p), to the number,
# (n,), that the search raises above 0.
Value: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
# Number of watched counterparts: those with the most extreme margins at the last look.
WATCHED = 2


def _largest(margins: Tensor, exist: Tensor) -> Tensor:
    return margins.masked_fill(~exist, -torch.inf).amax(dim=1)


def _smallest(margins: Tensor, exist: Tensor) -> Tensor:
    return margins.masked_fill(~exist, torch.inf).amin(dim=1)


@dataclass(frozen=True)
class Goal:
    """The number that a search raises above 0, and the counterparts that it watches.

    Attributes
    ----------
    value : callable
        See ``Value``. A margin is max_{j≠y} z_j − z_y; above 0 the decision is wrong.
    top, bottom : int
        Number of counterparts with the largest and with the smallest margins to watch.
    of_everyone : bool
        Whether the goal must hold for all of I(v). Otherwise v and the watched counterparts are
        enough.
    """

    value: Value
    top: int = 0
    bottom: int = 0
    of_everyone: bool = False


# Goals of attacks: somebody is decided wrongly; v is decided wrongly; somebody is decided wrongly
# and somebody else rightly.
TARGETS: Mapping[str, Goal] = {
    "accurate_fair": Goal(_largest, top=WATCHED),
    "accurate": Goal(lambda margins, _: margins[:, 0]),
    "fair": Goal(
        lambda margins, exist: torch.minimum(_largest(margins, exist), -_smallest(margins, exist)),
        top=WATCHED // 2,
        bottom=WATCHED // 2,
    ),
}
# Goal of a repair: everybody is decided rightly.
BENIGN = Goal(lambda margins, exist: -_largest(margins, exist), top=WATCHED, of_everyone=True)
