"""The tables of a run, as rows of text for the page and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.attacks.registry import aim_of
from rafair.display import Table
from rafair.report.words import strongest_attack
from rafair.runs.summary import (
    CLAIMS,
    HEADLINE,
    cells_table,
    certificates_table,
    headline,
    interval,
)

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = [
    "CLAIMS",
    "Table",
    "cells_table",
    "certificates_table",
    "headline_table",
    "members_tables",
    "rates_table",
    "repairable_table",
    "sensitive_table",
    "truth",
]

RATE_HEADS = ("", "aims at", "R-ACC", "R-IF", "R-AF", "R-AF 95 %", "TBR", "FFR", "FBR")
# Without TFR, which is R-AF.
CELL_RATES = ("tbr", "ffr", "fbr")


def headline_table(run: AuditResult) -> Table:
    """Return the answer: clean, and what holds under every change, proved where it can be."""
    return headline(run.metrics, run.manifest["plan"]["epsilon"])


def truth(rate: dict[str, Any]) -> str:
    """Return the true rate as text: a number, the two between which it lies, or an upper bound."""
    low, high = rate["at_least"], f"{rate['at_most']:.3f}"
    if low is None:
        return f"≤ {high}"
    return high if f"{low:.3f}" == high else f"{low:.3f}-{high}"


def rates_table(run: AuditResult) -> Table:
    """Return clean seeds, every attack and every repair: the paper's Tables 3 and 4."""
    metrics = run.metrics
    rows = [_rates_row("clean", "", metrics["clean"], "")]
    groups = [0, 1]
    rows += _rates_rows(metrics["attacks"])
    if metrics["repairs"]:
        groups.append(len(rows))
        rows.append(("after benign", *[""] * (len(RATE_HEADS) - 1)))
        rows += _rates_rows(metrics["repairs"])
    return Table("What each attack found", RATE_HEADS, rows, tuple(groups))


def _rates_rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    # The suffix of a row names the reading.
    return [
        _rates_row(name, aim_of(name.partition("@")[0]), rates, "r_")
        for name, rates in found.items()
    ]


def _rates_row(name: str, aim: str, rates: dict[str, Any], prefix: str) -> tuple[str, ...]:
    main = (f"{rates[prefix + key]:.3f}" for key in HEADLINE)
    cells = (f"{rates[key]:.3f}" for key in CELL_RATES)
    return (name, aim, *main, interval(rates["ci"][f"{prefix}af"]), *cells)


def repairable_table(run: AuditResult) -> Table | None:
    """Return, for each attack, what was repaired and what could be; None without certificates."""
    if "repairable" not in run.metrics:
        return None
    rows: list[tuple[str, ...]] = []
    for name, rates in run.metrics["repairable"].items():
        found = run.metrics["repairs"][name]["r_af"]
        shares = (rates["reachable"], rates["undecided"], rates["impossible"])
        rows.append((name, f"{found:.3f}", *(f"{share:.3f}" for share in shares)))
    heads = ("instances of", "repaired", "repairable", "undecided", "proved impossible")
    return Table("What could be repaired at all?", heads, rows)


def members_tables(run: AuditResult) -> list[Table]:
    """Return, for each attack that has members, how many seeds each broke, and its cost."""
    heads = ("member", "seeds tried", "broken", "gradient rows", "forward rows")
    tables = []
    for name, cost in run.manifest["cost"].items():
        if "members" in cost:
            rows = [_member_row(member) for member in cost["members"]]
            tables.append(Table(f"Which member of {name} broke whom?", heads, rows))
    return tables


def _member_row(member: dict[str, Any]) -> tuple[str, ...]:
    if member["skipped"]:
        return (f"{member['name']} (skipped)", "", "", "", "")
    counts = (member["tried"], len(member["broken"]), member["gradients"], member["forwards"])
    return (member["name"], *(f"{count:,}" for count in counts))


def sensitive_table(run: AuditResult) -> Table:
    """Return IF and AF, clean and under every change, for each sensitive attribute alone.

    Beside them stands dissent, the mean share of a person's counterparts decided otherwise: clean,
    and under the attack that breaks most.
    """
    metrics, name = run.metrics, strongest_attack(run.metrics)
    scopes = [*metrics["by_sensitive"].items()]
    if len(scopes) > 1:
        scopes.append(("all jointly", metrics))
    rows = [
        (
            scope,
            *(f"{rates['clean'][key]:.3f}" for key in ("if", "af")),
            *(truth(rates["robust"][key]) for key in ("r_if", "r_af")),
            f"{rates['clean']['dissent']:.3f}",
            f"{rates['attacks'][name]['r_dissent']:.3f}",
        )
        for scope, rates in scopes
    ]
    heads = ("varied", "IF", "AF", "R-IF", "R-AF", "dissent", f"dissent, {name}")
    return Table("Which sensitive attribute is it?", heads, rows)
