"""Check the indices of trees in a file, which XGBoost and LightGBM do not check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_places", "check_steps", "check_tree", "damaged"]


def damaged(what: str) -> InvalidInput:
    """Return the error for a damaged model."""
    return InvalidInput(f"a damaged model: {what}; save it again")


def check_places(places: Sequence[int], below: int, what: str) -> None:
    """Refuse places outside 0, …, below − 1."""
    if not all(0 <= place < below for place in places):
        raise damaged(f"{what} out of range")


def check_steps(steps: Sequence[int], end: int, what: str) -> None:
    """Refuse offsets that do not start at 0, end at ``end`` and increase or stay equal."""
    last = 0
    if not steps or steps[0] != 0 or steps[-1] != end:
        raise damaged(f"{what} out of range")
    for step in steps:
        if step < last:
            raise damaged(f"{what} out of order")
        last = step


def check_tree(children: Sequence[tuple[int, ...]]) -> None:
    """Refuse nodes that do not form a tree with root 0.

    Parameters
    ----------
    children : sequence of tuples
        For each node, the places of its children; empty for a leaf.
    """
    seen: set[int] = set()
    waiting = [0]
    while waiting:
        node = waiting.pop()
        if not 0 <= node < len(children) or node in seen:
            raise damaged("a branch that leads nowhere")
        seen.add(node)
        waiting += children[node]
