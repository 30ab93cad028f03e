"""What the figures of an audit show, as numbers of its ``metrics``."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["CLAIMS", "Band", "band_of", "curve_rows", "matrix_rows", "strongest_attack"]

# What is certified → the rate that it bounds, and the clean rate at ε = 0.
CLAIMS = {"accurate_fair": "R-AF", "accurate": "R-ACC", "fair": "R-IF"}
CLEAN = {"accurate_fair": "af", "accurate": "acc", "fair": "if"}


class Band(NamedTuple):
    """A rate against ε: at least ``proved`` (None without certificates), at most ``unbroken``."""

    title: str
    radii: list[float]
    proved: list[float] | None
    unbroken: list[float]


def strongest_attack(metrics: dict[str, Any]) -> str:
    """Return the attack with the lowest R-AF; among equals the last.

    A family follows its variants in the metrics, so a family wins over its equal variants.
    """
    attacks: dict[str, Any] = metrics["attacks"]
    # min returns the first of equal elements, so the order is reversed.
    return min(reversed(list(attacks)), key=lambda name: float(attacks[name]["r_af"]))


def band_of(curve: list[dict[str, Any]], claim: str, start: float | None = None) -> Band:
    """Return the band of a claim; ``start`` is the rate at ε = 0, where it is known."""
    rates = [point["claims"][claim] for point in curve]
    zero = [] if start is None else [start]
    return Band(
        CLAIMS[claim],
        [0.0] * len(zero) + [point["epsilon"] for point in curve],
        zero + [rate["proved"] for rate in rates],
        zero + [1 - rate["broken"] for rate in rates],
    )


def curve_rows(metrics: dict[str, Any], epsilon: float) -> list[Band]:
    """Return the band of each claim from the clean rate at ε = 0 on.

    Without certificates it has two points: the clean people, and at the plan's ε those whom no
    attack broke.

    Parameters
    ----------
    epsilon : float
        That of the plan.
    """
    curve = metrics.get("certificates", {}).get("curve", [])
    clean, robust = metrics["clean"], metrics["robust"]
    if not curve:
        return [
            Band(name, [0.0, epsilon], None, [clean[key], robust[f"r_{key}"]["at_most"]])
            for name, key in ((CLAIMS[claim], CLEAN[claim]) for claim in CLAIMS)
        ]
    return [
        band_of(curve, claim, clean[CLEAN[claim]])
        for claim in CLAIMS
        if claim in curve[0]["claims"]
    ]


def matrix_rows(metrics: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return title and rates of each matrix: clean, under the strongest attack, repaired."""
    name = strongest_attack(metrics)
    rows = [("clean", metrics["clean"]), (f"under {name}", metrics["attacks"][name])]
    if name in metrics["repairs"]:
        rows.append((f"{name}, repaired", metrics["repairs"][name]))
    return rows
