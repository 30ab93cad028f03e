"""The answer of a run: two sentences, a picture of 100 people, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rafair.report.bars import hundred
from rafair.report.words import ground, percent, reach, varied

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["Crowd", "Lead", "lead_of"]

COLUMNS = 10


@dataclass(frozen=True)
class Crowd:
    """A picture of 100 people.

    Attributes
    ----------
    title : str
    text : str
        The number that the picture shows, in words.
    interval : str
    counts : list of (str, int, str)
        Kind of dot (``held``, ``open``, ``lost``), how many, and what it means; 100 in all.
    """

    title: str
    text: str
    interval: str
    counts: list[tuple[str, int, str]]

    @property
    def dots(self) -> list[tuple[int, int, str]]:
        """Column, row and kind of each person."""
        kinds = [kind for kind, count, _ in self.counts for _ in range(count)]
        return [(place % COLUMNS, place // COLUMNS, kind) for place, kind in enumerate(kinds)]


@dataclass(frozen=True)
class Lead:
    """Two sentences, what they rest on, what to measure them against, and the two pictures."""

    sentences: tuple[str, str]
    ground: str
    marks: str
    crowds: tuple[Crowd, Crowd]


def lead_of(run: AuditResult) -> Lead:
    """Return the answer of a run."""
    clean, robust = run.metrics["clean"], run.metrics["robust"]["r_af"]
    who = varied(run.manifest)
    now = (
        f"As things are, {_people(clean['af'])} get the right decision and would get it whatever "
        f"their {who} ({_interval(clean['ci']['af'])})."
    )
    changed = (
        f"If their other data may change by up to {reach(run.manifest)}, that still holds for "
        f"{_held(robust)} ({_interval(_ends(robust))})."
    )
    crowds = (_clean(clean), _robust(robust, run.manifest))
    return Lead((now, changed), ground(run), marks(run.metrics), crowds)


def marks(metrics: dict[str, Any]) -> str:
    """Say what a constant model reaches, and both if every class counts the same."""
    constant, clean = metrics["constant"], metrics["clean"]
    return (
        f"A model that gives everybody the most frequent class reaches {_number(constant['af'])} "
        "of 100, before and after every change. If every class counts the same (balanced R-AF), it "
        f"reaches {_number(constant['af_balanced'])}; this model reaches "
        f"{_number(clean['af_balanced'])} as things are and "
        f"{_held(metrics['robust']['r_af_balanced']).removesuffix(' of 100 people')} after every "
        "change."
    )


def _number(share: float) -> str:
    return percent(share).removesuffix(" %")


def _people(share: float) -> str:
    return f"{_number(share)} of 100 people"


def _held(rate: dict[str, Any]) -> str:
    low, high = rate["at_least"], rate["at_most"]
    if low is None:
        return f"at most {_people(high)}"
    if percent(low) == percent(high):
        return _people(high)
    return f"{_number(low)} to {_people(high)}"


def _ends(rate: dict[str, Any]) -> list[float]:
    ci = rate["ci"]
    return [ci.get("at_least", ci["at_most"])[0], ci["at_most"][1]]


def _interval(ends: list[float]) -> str:
    return f"95 % interval {100 * ends[0]:.0f} to {100 * ends[1]:.0f}"


def _clean(rates: dict[str, Any]) -> Crowd:
    held, lost = hundred([rates["af"], 1 - rates["af"]])
    return Crowd(
        "As things are",
        _number(rates["af"]),
        _interval(rates["ci"]["af"]),
        [("held", held, "right and fair"), ("lost", lost, "wrong, or different for others alike")],
    )


def _robust(rate: dict[str, Any], manifest: dict[str, Any]) -> Crowd:
    low = rate["at_least"] or 0.0
    held, between, lost = hundred([low, rate["at_most"] - low, 1 - rate["at_most"]])
    is_proved = rate["at_least"] is not None
    kinds = [
        ("held", held, "right and fair, proved"),
        ("open", between, "undecided" if is_proved else "not broken by any attack, not proved"),
        ("lost", lost, "an example breaks it"),
    ]
    return Crowd(
        f"After any change up to ε = {manifest['plan']['epsilon']:g}",
        _held(rate).removesuffix(" of 100 people"),
        _interval(_ends(rate)),
        [kind for kind in kinds if kind[1]],
    )
