"""Where to split a box: by the test, or in the middle of the feature, that gains most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.kernels.compiling import inner, written_out
from rafair.kernels.ramps import FEATURE, OWNER

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rafair.kernels.forests import Forest, Tests, Work

__all__ = ["best_split"]


@inner
def best_split(
    forest: Forest,
    tests: Tests,
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    work: Work,
) -> tuple[int, int]:
    """Return the feature and the piece after which to split a box, and forget the gains.

    The feature is −1 if neither a test nor a ramp divides the box.
    """
    best, chosen = 0.0, -1
    count = work.passed[0, -1]
    for at in range(count):
        # The least number counts a test as divided, even where nothing is gained.
        weight = work.sums.weight[work.passed[1, at], work.passed[2, at]]
        work.gain[work.passed[0, at]] += weight * work.gained[at] + 1e-30
    for at in range(count):
        test = work.passed[0, at]
        if work.gain[test] > best:
            best, chosen = work.gain[test], test
        work.gain[test] = 0.0
    work.passed[0, -1] = 0
    middle = _best_middle(forest, best, work)
    if middle >= 0:
        return middle, (low[middle] + high[middle]) // 2
    if chosen < 0:
        return -1, 0
    feature, members = tests.feature[chosen], tests.members[chosen]
    if members < 0:
        return feature, tests.cut[chosen]
    return feature, _change(tests.counts[members:], low[feature], high[feature])


@written_out
def _best_middle(forest: Forest, best: float, work: Work) -> int:
    """Return the feature whose halves gain most for ramps, −1 if a gain is as good."""
    table, gain, chosen = forest.ramps.table, work.halved, -1
    for at in range(len(table)):
        for side in range(2):
            if work.ramped[side, at] > 0:
                weight = work.sums.weight[side, table[at, OWNER]]
                gain[table[at, FEATURE]] += weight * work.ramped[side, at] + 1e-30
                work.ramped[side, at] = 0.0
    for at in range(len(table)):
        feature = table[at, FEATURE]
        if gain[feature] > best:
            best, chosen = gain[feature], feature
        gain[feature] = 0.0
    return chosen


@inner
def _change(counts: NDArray[np.int32], first: int, last: int) -> int:
    """Return the piece after which membership changes that is nearest to the middle."""
    middle, found = (first + last) / 2, first
    for piece in range(first, last):
        differs = counts[piece + 1] - counts[piece] != counts[piece + 2] - counts[piece + 1]
        if differs and (abs(piece - middle) < abs(found - middle) or found == first):
            found = piece
    return found
