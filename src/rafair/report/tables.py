"""The tables of a run and of a check, as rows of text for the page and the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.attacks.registry import aim_of

if TYPE_CHECKING:
    from rafair.plans.checking import TableCheck
    from rafair.runs import AuditResult

__all__ = [
    "CLAIMS",
    "Table",
    "cells_table",
    "certificates_table",
    "features_table",
    "headline_table",
    "members_tables",
    "rates_table",
    "repairable_table",
    "sensitive_table",
    "truth",
]

RATE_HEADS = ("", "aims at", "R-ACC", "R-IF", "R-AF", "R-AF 95 %", "TBR", "FFR", "FBR")
HEADLINE = ("acc", "if", "af")
CLAIMS = {"accurate_fair": "R-AF", "accurate": "R-ACC", "fair": "R-IF"}
# Without TFR, which is R-AF.
CELL_RATES = ("tbr", "ffr", "fbr")
# Characters of a feature's name or domain: the table must fit a terminal of 80 columns.
WIDEST = 20


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text.

    Attributes
    ----------
    groups : tuple of int
        The first row of each block.
    quoted : tuple of int
        Rows with published numbers.
    """

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    groups: tuple[int, ...] = ()
    quoted: tuple[int, ...] = ()


def headline_table(run: AuditResult) -> Table:
    """Return the answer: clean, and what holds under every change, proved where it can be."""
    metrics, robust = run.metrics, run.metrics["robust"]
    clean = metrics["clean"]
    rows = [
        ("clean", *(f"{clean[key]:.3f}" for key in HEADLINE)),
        ("  95 %", *(_interval(clean["ci"][key]) for key in HEADLINE)),
        *_robust_rows([robust[f"r_{key}"] for key in HEADLINE], run.manifest["plan"]["epsilon"]),
    ]
    title = (
        f"{metrics['dataset']}: {metrics['n_seeds']} seeds, "
        f"{metrics['n_counterparts']} counterparts each"
    )
    return Table(title, ("", "R-ACC", "R-IF", "R-AF"), rows, (0, 2))


def _robust_rows(rates: list[dict[str, Any]], epsilon: float) -> list[tuple[str, ...]]:
    if rates[0]["at_least"] is None:
        return [
            (f"at most, ε = {epsilon:g}", *(f"{rate['at_most']:.3f}" for rate in rates)),
            ("  95 %", *(_interval(rate["ci"]["at_most"]) for rate in rates)),
        ]
    return [
        (f"proved, ε = {epsilon:g}", *(f"{rate['at_least']:.3f}" for rate in rates)),
        ("  95 %", *(_interval(rate["ci"]["at_least"]) for rate in rates)),
        ("undecided", *(f"{rate['at_most'] - rate['at_least']:.3f}" for rate in rates)),
    ]


def _interval(ends: list[float]) -> str:
    return f"{ends[0]:.2f}-{ends[1]:.2f}"


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
    return (name, aim, *main, _interval(rates["ci"][f"{prefix}af"]), *cells)


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
        f"{metrics['dataset']}: {metrics['n_seeds']} people, {metrics['n_counterparts']} "
        "counterparts each, every change up to ε of the range"
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
    """Return IF and AF, clean and under every change, for each sensitive attribute alone."""
    metrics = run.metrics
    scopes = [*metrics["by_sensitive"].items()]
    if len(scopes) > 1:
        scopes.append(("all jointly", metrics))
    rows = [
        (
            scope,
            *(f"{rates['clean'][key]:.3f}" for key in ("if", "af")),
            *(truth(rates["robust"][key]) for key in ("r_if", "r_af")),
        )
        for scope, rates in scopes
    ]
    return Table("Which sensitive attribute is it?", ("varied", "IF", "AF", "R-IF", "R-AF"), rows)


def features_table(check: TableCheck) -> Table:
    """Return what ``rafair check`` shows of a table: one line per feature."""
    rows: list[tuple[str, ...]] = [
        (_short(f.name), f.kind, f.moves, _short(f.domain)) for f in check.features
    ]
    return Table("Features and what may change", ("feature", "kind", "moves", "domain"), rows)


def _short(text: str) -> str:
    """Shorten a text to ``WIDEST`` characters."""
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
