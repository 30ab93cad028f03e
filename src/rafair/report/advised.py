"""Tables of guards, and of what ``rafair repair --label-free`` and ``rafair advise`` measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.attacks.adaptive import Adaptive
from rafair.auditing.options import UNCHANGED
from rafair.display import Table, listed
from rafair.runs.summary import interval
from rafair.training.pareto import CONSTANT
from rafair.training.validation import CLOSE

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["advice_sentences", "advice_table", "guard_table", "label_free_tables"]

# What is compared: a rate, the quality beside it, and the words for both.
KINDS = (
    ("r_af", "accuracy", "R-AF", "accuracy"),
    ("r_af_balanced", "balanced_accuracy", "balanced R-AF", "balanced accuracy"),
)
SHARES = ("r_af", "repaired", "harmed", "abstained")


def guard_table(run: AuditResult) -> Table | None:
    """Return what a guard gives up, and what holds under an attacker who knows it.

    None where the model is no guard, or the run is of a time when such an attack was not made.
    """
    rows = [name for name in run.metrics["attacks"] if name.partition("@")[0] == Adaptive.family]
    if "guard" not in run.metrics or not rows:
        return None
    robust = run.metrics["robust"]
    heads = (
        "", "accuracy", "balanced", "no answer", "R-AF proved", "95 %", "attacked", "95 %",
        "balanced R-AF proved", "95 %", "attacked", "95 %",
    )  # fmt: skip
    (bare, without), (name, guard) = run.metrics["guard"].items()
    ends = (text for key in ("r_af", "r_af_balanced") for text in _ends(robust[key]))
    return Table(
        "The guard under an attacker who knows it",
        heads,
        [(bare, *_clean(without), *[""] * 8), (name, *_clean(guard), *ends)],
    )


def _clean(found: dict[str, Any]) -> tuple[str, ...]:
    keys = ("accuracy", "balanced_accuracy", "abstained")
    return tuple(f"{found[key]:.3f}" for key in keys)


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
    """Return which change has the most proved R-AF, which the most balanced one, and what fails.

    A change that makes a model no better than the constant one is none of the best.
    """
    advice = run.metrics["advice"]
    mark = advice[CONSTANT]["balanced_accuracy"] + CLOSE
    options = {n: f for n, f in advice.items() if n != CONSTANT and f["balanced_accuracy"] >= mark}
    said = [_best(advice, options, *kind) for kind in KINDS]
    useless = [name for name in advice if name not in {*options, CONSTANT}]
    if useless:
        said.append(f"No better than the constant model, by balanced accuracy: {listed(useless)}.")
    return said


def _best(
    advice: dict[str, Any], options: dict[str, Any], key: str, quality: str, title: str, word: str
) -> str:
    proved = {name: f[key]["at_least"] for name, f in options.items() if f[key]["at_least"]}
    if not proved:
        return f"No {title} is proved for any of these."
    best, own, constant = max(proved, key=proved.__getitem__), advice[UNCHANGED], advice[CONSTANT]
    before = own[key]["at_least"]
    unchanged = "no proof" if before is None else f"{before:.3f}"
    return (
        f"Most {title} is proved for {best}: {proved[best]:.3f} with {word} "
        f"{options[best][quality]:.3f}; as it is: {unchanged} with {own[quality]:.3f}; the "
        f"constant model: {constant[key]['at_least']:.3f} with {constant[quality]:.3f}."
    )
