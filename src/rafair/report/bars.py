"""Shares as the page shows them: a text, and a bar with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.report.words import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Bar", "clean_bar", "hundred", "robust_bar"]


@dataclass(frozen=True)
class Bar:
    """A share, or two between which it lies, all in [0, 1].

    Attributes
    ----------
    text : str
    low, high : float
        The share twice, or the two.
    start, stop : float
        The 95 % interval.
    """

    text: str
    low: float
    high: float
    start: float
    stop: float

    @property
    def interval(self) -> str:
        """The 95 % interval as text."""
        return f"{100 * self.start:.0f} to {100 * self.stop:.0f} %"


def clean_bar(rates: Mapping[str, Any], key: str) -> Bar:
    """Return one of a row's rates, with its interval."""
    share = rates[key]
    return Bar(percent(share), share, share, *rates["ci"][key])


def robust_bar(rate: Mapping[str, Any]) -> Bar:
    """Return a robust rate: proved, between two shares, or at most one."""
    low, high, ci = rate["at_least"], rate["at_most"], rate["ci"]
    start, stop = ci.get("at_least", ci["at_most"])[0], ci["at_most"][1]
    if low is None:
        return Bar(f"at most {percent(high)}", 0.0, high, start, stop)
    if percent(low) == percent(high):
        return Bar(percent(high), low, high, start, stop)
    return Bar(f"{100 * low:.0f} to {percent(high)}", low, high, start, stop)


def hundred(shares: Sequence[float]) -> list[int]:
    """Return how many of 100 people each share is; they add up to 100.

    The first share, the first two together and so on are rounded as ``percent`` rounds them, so
    that a picture of 100 people has as many as the text beside it says.

    Parameters
    ----------
    shares : sequence of float
        They add up to 1.
    """
    ends = [int(f"{100 * sum(shares[: count + 1]):.0f}") for count in range(len(shares))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
