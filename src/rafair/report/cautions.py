"""Reasons for which a reader should trust the numbers of a run less, the gravest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rafair.auditing.controls import changed_by_family
from rafair.datasets.leaks import is_suspicion
from rafair.report.words import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.runs import AuditResult

__all__ = ["Caution", "cautions", "warnings"]

# Warn if at least this share of the seeds has only gradients that are exactly zero, or no verdict.
MASKED, UNDECIDED = 0.05, 0.05
# How much a caution weighs: the numbers are wrong; they answer another question than a reader
# thinks; they may be better than the truth; they have limits; data were read in a certain way.
WRONG, MISLEADING, OPTIMISTIC, LIMITED, READ = range(5)


class Caution(NamedTuple):
    """A sentence, and how much it weighs: the smaller the graver."""

    weight: int
    text: str

    @property
    def is_grave(self) -> bool:
        """Whether it belongs beside the answer, rather than among the notes."""
        return self.weight <= OPTIMISTIC


def warnings(run: AuditResult) -> list[str]:
    """Return all cautions as sentences, the gravest first."""
    return [caution.text for caution in cautions(run)]


def cautions(run: AuditResult) -> list[Caution]:
    """Return all cautions, the gravest first; equal ones in the order of the run."""
    found = [*_model(run), *_unread(run), *_notes(run), *_attacks(run), *_scope(run)]
    return sorted(found, key=lambda caution: caution.weight)


def _model(run: AuditResult) -> Iterator[Caution]:
    model = run.manifest["model"]
    if run.metrics.get("certificates", {}).get("conflicts"):
        yield Caution(
            WRONG,
            f"{run.metrics['certificates']['conflicts']} seeds are proved and were broken all the "
            "same: a certificate is wrong. Please report this.",
        )
    if model["accuracy"] <= model["majority_share"] + 0.01:
        yield Caution(
            MISLEADING,
            f"The model's accuracy ({model['accuracy']:.3f}) is no better than that of always "
            f"predicting the most frequent class ({model['majority_share']:.3f}): robustness says "
            "little here.",
        )
    if model.get("predicted_classes") == 1:
        yield Caution(
            MISLEADING,
            "The model predicts one class for everybody in the test split: it is robust and fair "
            "because it decides nothing.",
        )


def _unread(run: AuditResult) -> Iterator[Caution]:
    if "guard" in run.metrics:  # whose answer is the same for everybody in I(v) by construction
        return
    for name in run.manifest["model"].get("unread") or ():
        yield Caution(
            MISLEADING,
            f"The model does not read {name}: no score changes with it. It is fair in {name} for "
            f"that reason alone; features that stand in for {name} are not varied.",
        )


def _notes(run: AuditResult) -> Iterator[Caution]:
    for note in run.manifest["dataset"].get("notes", []):
        yield Caution(MISLEADING if is_suspicion(note) else READ, note)


def _attacks(run: AuditResult) -> Iterator[Caution]:
    is_proved = run.manifest["proofs"]["why_not"] is None
    if (run.manifest.get("zero_gradients") or 0) >= MASKED:
        hint = " Proofs need no gradient." if is_proved else " Use --attack ensemble."
        yield Caution(
            LIMITED if is_proved else OPTIMISTIC,
            f"At {percent(run.manifest['zero_gradients'])} of the seeds every gradient is exactly "
            "zero: attacks that follow gradients are blind there, and what they do not break may "
            f"not be robust.{hint}",
        )
    for family, changed in _controls(run.manifest).items():
        weight = LIMITED if changed or is_proved else OPTIMISTIC
        yield Caution(weight, _control(family, changed))


def _scope(run: AuditResult) -> Iterator[Caution]:
    counted, rate = run.manifest["counterparts"], run.metrics["robust"]["r_af"]
    if rate["at_least"] is not None and rate["at_most"] - rate["at_least"] >= UNDECIDED:
        yield Caution(
            LIMITED,
            f"{percent(rate['at_most'] - rate['at_least'])} of the people are undecided: neither "
            "proved nor broken. More --max-seconds or --max-nodes would decide more of them.",
        )
    if counted["checked"] < counted["of"]:
        yield Caution(
            OPTIMISTIC,
            f"Only {counted['checked']} of {counted['of']} combinations of sensitive values were "
            "checked; fairness can only be lower than shown.",
        )
    if run.manifest["plan"]["setting"] == "paper":
        yield Caution(
            LIMITED,
            "Setting paper: codes of categories move by fractions, so a perturbed instance is not "
            "always a possible person; values are shown rounded to the nearest possible one.",
        )


def _controls(manifest: dict[str, Any]) -> dict[str, int | None]:
    """Return the families that changed no cell → cells that their control changed.

    The value is None if no control was run.
    """
    if manifest["plan"]["epsilon"] == 0:
        return {}
    controls = manifest.get("controls", {})
    changed = changed_by_family(manifest["cost"])
    return {family: controls.get(family) for family, count in changed.items() if count == 0}


def _control(family: str, changed: int | None) -> str:
    if changed:
        return (
            f"{family} changed no seed's cell. With all of the domain within reach it changes "
            f"{changed}: the attack works, and the model holds against it here."
        )
    return f"{family} changed no seed's cell: it shows nothing about the model." + (
        "" if changed is None else " Nor does it with all of the domain within reach."
    )
