"""How each rate changed between two runs of the same people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rafair.comparing.pairing import paired_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.comparing.people import Bounds, People

__all__ = ["Change", "changes_between"]

Pair: TypeAlias = "tuple[float, float]"


@dataclass(frozen=True)
class Change:
    """How one rate changed from the first run to another.

    Attributes
    ----------
    run : str
        The other run.
    stage : {"clean", "robust", "attacked"}
    attack : str or None
        A row of the result tables; None but for the last stage.
    rate : str
    before, after : tuple of float
        The two shares between which the rate of these people lies in the first and in the other
        run; equal where it is known.
    difference : tuple of float
        The least and the greatest possible ``after - before``.
    ci : tuple of float
        95 % interval of the difference: the lower end of the interval of the least one, the upper
        end of that of the greatest; both are paired by person (``paired_difference``).
    gained, lost : int
        People for whom the rate rose, and fell, wherever between its bounds the truth lies.
    """

    run: str
    stage: str
    attack: str | None
    rate: str
    before: Pair
    after: Pair
    difference: Pair
    ci: Pair
    gained: int
    lost: int

    @property
    def direction(self) -> str:
        """``"rose"`` or ``"fell"`` where the interval leaves out 0, else ``"not told apart"``."""
        if self.ci[0] > 0:
            return "rose"
        return "fell" if self.ci[1] < 0 else "not told apart"


def changes_between(first: People, second: People, run: str) -> Iterator[Change]:
    """Yield the change of each rate that both runs know person by person.

    Parameters
    ----------
    first, second : People
        The same people in the same order.
    run : str
        What to call the second run.
    """
    for key, before in first.rates.items():
        if key in second.rates:
            yield _change(run, key, before, second.rates[key])


def _change(run: str, key: tuple[str, str | None, str], before: Bounds, after: Bounds) -> Change:
    least = paired_difference(before.high, after.low)
    greatest = paired_difference(before.low, after.high)
    return Change(
        run,
        *key,
        before=(greatest.before, least.before),
        after=(least.after, greatest.after),
        difference=(least.difference, greatest.difference),
        ci=(least.low, greatest.high),
        gained=int((after.low > before.high).sum()),
        lost=int((after.high < before.low).sum()),
    )
