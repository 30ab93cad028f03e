"""The leaves that people fall into, by the pieces of their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import types

from rafair.kernels.compiling import entry
from rafair.kernels.forests import FOREST, TESTS, Forest, Tests, undecided

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["leaves_of"]

_TABLE = types.int32[:, ::1]


@entry(FOREST, TESTS, _TABLE, _TABLE)
def leaves_of(
    forest: Forest, tests: Tests, pieces: NDArray[np.int32], leaves: NDArray[np.int32]
) -> None:
    """Write the leaf of each person, (n, features), in each tree, (n, trees)."""
    for person in range(len(pieces)):
        for tree in range(len(forest.roots)):
            here = pieces[person]
            leaves[person, tree] = undecided(forest, tests, forest.roots[tree], here, here)
