"""The answer of a finished run as tables, for ``repr``, notebooks, the page and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rafair.display import Table
from rafair.plots import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CLAIMS",
    "HEADLINE",
    "cells_table",
    "certificates_table",
    "headline",
    "interval",
    "surest_end",
]

End: TypeAlias = Literal["at_least", "at_most"]

HEADLINE = ("acc", "if", "af")
MEASURES = (*HEADLINE, "af_balanced")


def headline(metrics: dict[str, Any], epsilon: float) -> Table:
    """Return the answer: clean, and what holds under every change, proved where it can be.

    The last row is the mark of a model that gives everybody the most frequent class.
    """
    clean, constant = metrics["clean"], metrics["constant"]
    robust = [metrics["robust"][f"r_{key}"] for key in MEASURES]
    rows = [
        ("clean", *(f"{clean[key]:.3f}" for key in MEASURES)),
        ("  95 %", *(interval(clean["ci"][key]) for key in MEASURES)),
        *_robust_rows(robust, epsilon),
        ("constant model", *(f"{constant[key]:.3f}" for key in MEASURES)),
    ]
    title = f"{metrics['dataset']}: {metrics['n_seeds']} seeds, {_compared(metrics)}"
    heads = ("", "R-ACC", "R-IF", "R-AF", "balanced R-AF")
    return Table(title, heads, rows, (0, 2, len(rows) - 1))


def _robust_rows(rates: list[dict[str, Any]], epsilon: float) -> list[tuple[str, ...]]:
    if rates[0]["at_least"] is None:
        return [
            (f"at most, ε = {epsilon:g}", *(f"{rate['at_most']:.3f}" for rate in rates)),
            ("  95 %", *(interval(rate["ci"]["at_most"]) for rate in rates)),
        ]
    return [
        (f"proved, ε = {epsilon:g}", *(f"{rate['at_least']:.3f}" for rate in rates)),
        ("  95 %", *(interval(rate["ci"]["at_least"]) for rate in rates)),
        ("undecided", *(f"{rate['at_most'] - rate['at_least']:.3f}" for rate in rates)),
    ]


def surest_end(rate: Mapping[str, Any]) -> End:
    """Return the end of a robust rate that speaks for it: what is proved, else what nothing breaks.

    Parameters
    ----------
    rate : mapping
        One of ``metrics["robust"]``.
    """
    return "at_most" if rate["at_least"] is None else "at_least"


def _compared(metrics: dict[str, Any]) -> str:
    """Say with how many counterparts, and with whom, a person is compared."""
    number, limits = metrics["n_counterparts"], metrics.get("comparable")
    if not limits:
        return f"{number} counterparts each"
    return f"up to {number} counterparts each ({'; '.join(limits)})"


def interval(ends: list[float]) -> str:
    """Return a 95 % interval as text."""
    return f"{ends[0]:.2f}-{ends[1]:.2f}"


def certificates_table(metrics: dict[str, Any], curve: list[dict[str, Any]]) -> Table:
    """Return, for each claim and ε, the two shares between which the truth lies."""
    rows: list[tuple[str, ...]] = []
    groups: list[int] = []
    for claim, name in CLAIMS.items():
        groups.append(len(rows))
        rows += [
            (name, f"{point['epsilon']:g}", *_shares(point["claims"][claim]))
            for point in curve
            if claim in point["claims"]
        ]
    title = (
        f"{metrics['dataset']}: {metrics['n_seeds']} people, {_compared(metrics)}, "
        "every change up to ε of the range"
    )
    return Table(title, ("", "ε", "proved", "undecided", "broken", "truth"), rows, tuple(groups))


def _shares(rates: dict[str, Any]) -> tuple[str, ...]:
    shares = (rates["proved"], rates["undecided"], rates["broken"])
    low, high = f"{rates['proved']:.3f}", f"{1 - rates['broken']:.3f}"
    return (*(f"{share:.3f}" for share in shares), low if low == high else f"{low}-{high}")


def cells_table(metrics: dict[str, Any], curve: list[dict[str, Any]]) -> Table:
    """Return, for each cell and ε, the share of people that some change moves into the cell."""
    rows: list[tuple[str, ...]] = []
    groups: list[int] = []
    for cell in curve[0]["cells"]:
        groups.append(len(rows))
        for point in curve:
            rates = point["cells"][cell]
            shares = (rates["reachable"], rates["undecided"], rates["impossible"])
            rows.append((cell, f"{point['epsilon']:g}", *(f"{share:.3f}" for share in shares)))
    title = (
        f"{metrics['dataset']}: {metrics['n_seeds']} people; the cells that some change up to ε "
        "moves them into (the shares need not sum to 1)"
    )
    return Table(title, ("", "ε", "reachable", "undecided", "impossible"), rows, tuple(groups))
