"""What a run says about one rate: the value that speaks for it, and where the truth can lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.gating.limits import CELL_RATES, ROBUST_RATES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Measure", "measure"]

GROUNDS = {"at_least": "proved to be at least", "at_most": "under attack at most"}
EXACT = "proved to be"


@dataclass(frozen=True)
class Measure:
    """One rate of a run.

    Attributes
    ----------
    rate : str
    value : float
        The share that speaks for the rate: what is proved, else what nothing breaks.
    low, high : float
        The ends between which the rate of the population lies. Of a robust rate ``low`` is the
        lower end of the 95 % interval of what is proved, and ``high`` the upper end of the interval
        of what nothing breaks; of every other rate they are its 95 % interval.
    ground : str
        What the value rests on, in words that stand before it.
    """

    rate: str
    value: float
    low: float
    high: float
    ground: str


def measure(metrics: Mapping[str, Any], rate: str) -> Measure:
    """Return what ``metrics.json`` says about a rate.

    Parameters
    ----------
    metrics : mapping
        See ``AuditResult``.
    rate : str
        ``acc``, ``if``, ``af``, ``dissent``: of the people as they are. ``r_acc``, ``r_if``,
        ``r_af`` (also ``tfr``): under every change, from ``metrics["robust"]``; where nothing is
        proved, both ends are of what nothing breaks. ``tbr``, ``ffr``, ``fbr``, ``r_dissent``:
        under the attack that makes them largest.
    """
    if rate in ROBUST_RATES:
        return _robust(metrics["robust"]["r_af" if rate == "tfr" else rate], rate)
    if rate in CELL_RATES:
        attacks = metrics["attacks"]
        worst = max(attacks, key=lambda name: float(attacks[name][rate]))
        return _single(attacks[worst], rate, f"under {worst}")
    return _single(metrics["clean"], rate, "clean")


def _robust(found: Mapping[str, Any], rate: str) -> Measure:
    from rafair.runs.summary import surest_end

    end = surest_end(found)
    low, high = found["ci"][end][0], found["ci"]["at_most"][1]
    ground = EXACT if found["at_least"] == found["at_most"] else GROUNDS[end]
    return Measure(rate, found[end], low, high, ground)


def _single(rates: Mapping[str, Any], rate: str, ground: str) -> Measure:
    low, high = rates["ci"][rate]
    return Measure(rate, rates[rate], low, high, ground)
