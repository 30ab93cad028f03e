"""Tables of what ``rafair repair --label-free`` and ``rafair advise`` measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.display import Table
from rafair.runs.summary import interval

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["advice_sentences", "advice_table", "label_free_tables"]

CONSTANT, UNCHANGED = "constant model", "as it is"
SHARES = ("r_af", "repaired", "harmed", "abstained")


def label_free_tables(run: AuditResult) -> list[Table]:
    """Return what each repair does to the instances of each attack, and under adaptive attack."""
    if "label_free" not in run.metrics:
        return []
    part = run.metrics["label_free"]
    rows: list[tuple[str, ...]] = []
    groups = []
    for attack, methods in part["instances"].items():
        groups.append(len(rows))
        possible = part["impossible"].get(attack)
        for name, found in methods.items():
            shares = (f"{found[key]:.3f}" for key in SHARES)
            none = "" if possible is None else f"{possible:.3f}"
            rows.append((attack, name, *shares, f"{found['moved']:.3f}", none))
    heads = ("instances of", "repair", "R-AF after", *SHARES[1:], "moved", "proved impossible")
    return [
        Table("Repairs, with and without the label", heads, rows, tuple(groups), texts=(1,)),
        _adaptive(part["adaptive"]),
    ]


def _adaptive(methods: dict[str, Any]) -> Table:
    heads = ("repair", "R-AF proved", "95 %", "R-AF attacked", "95 %", "answered wrongly")
    rows = [(name, *_ends(found), f"{found['wrong']:.3f}") for name, found in methods.items()]
    return Table("Repairs under an attacker who knows them", heads, rows)


def _ends(rate: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return a proved share and an attacked one, each with its interval."""
    known = ("at_least", "at_most") if rate["at_least"] is not None else (None, "at_most")
    found: list[str] = []
    for end in known:
        found += ["none", ""] if end is None else [f"{rate[end]:.3f}", interval(rate["ci"][end])]
    return found[0], found[1], found[2], found[3]


def advice_table(run: AuditResult) -> Table | None:
    """Return the effect of each change; None where no advice was asked for."""
    if "advice" not in run.metrics:
        return None
    heads = (
        "change", "accuracy", "95 %", "balanced", "95 %", "no answer", "R-AF proved", "95 %",
        "attacked", "balanced R-AF proved", "95 %", "attacked",
    )  # fmt: skip
    rows = [_advice_row(name, found) for name, found in run.metrics["advice"].items()]
    return Table("Which change helps most?", heads, rows)


def _advice_row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    clean = (
        text
        for key in ("accuracy", "balanced_accuracy")
        for text in (f"{found[key]:.3f}", interval(found["ci"][key]))
    )
    ends = (text for key in ("r_af", "r_af_balanced") for text in _ends(found[key])[:3])
    return (name, *clean, f"{found['abstained']:.3f}", *ends)


def advice_sentences(run: AuditResult) -> list[str]:
    """Return which change has the most proved R-AF, and which the most balanced one."""
    advice = run.metrics["advice"]
    own = advice[UNCHANGED]
    options = {name: found for name, found in advice.items() if name != CONSTANT}
    said = []
    for key, quality, title in (
        ("r_af", "accuracy", "R-AF"),
        ("r_af_balanced", "balanced_accuracy", "balanced R-AF"),
    ):
        proved = {n: f[key]["at_least"] for n, f in options.items() if f[key]["at_least"]}
        if not proved:
            said.append(f"No {title} is proved for any of these.")
            continue
        best = max(proved, key=proved.__getitem__)
        word = quality.replace("_", " ")
        before = own[key]["at_least"]
        unchanged = "no proof" if before is None else f"{before:.3f}"
        said.append(
            f"Most {title} is proved for {best!r}: {proved[best]:.3f} with {word} "
            f"{options[best][quality]:.3f}; as it is: {unchanged} with {own[quality]:.3f}; the "
            f"constant model: {advice[CONSTANT][key]['at_least']:.3f} with "
            f"{advice[CONSTANT][quality]:.3f}."
        )
    return said
