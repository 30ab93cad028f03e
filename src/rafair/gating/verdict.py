"""What a gate decided: a check for each limit, and the verdict on all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["GateCheck", "GateVerdict", "Kind", "Status", "status_of", "worst_of"]

Status: TypeAlias = Literal["pass", "fail", "inconclusive"]
Kind: TypeAlias = Literal["min", "max", "max_drop"]

EXIT_CODES: dict[Status, int] = {"pass": 0, "fail": 1, "inconclusive": 3}
WORDS: dict[Status, str] = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}


@dataclass(frozen=True)
class GateCheck:
    """One limit, and what the run says about it.

    Attributes
    ----------
    rate : str
    kind : {"min", "max", "max_drop"}
    limit : float
    value : float
        The rate, or how much it dropped.
    low, high : float
        The ends between which it lies.
    ground : str
        What the value rests on, in words that stand before it.
    status : {"pass", "fail", "inconclusive"}
    why : str
        Why a check is inconclusive though its numbers would let it pass; else empty.
    """

    rate: str
    kind: Kind
    limit: float
    value: float
    low: float
    high: float
    ground: str
    status: Status
    why: str = ""

    @property
    def name(self) -> str:
        """The limit as it is typed, without dashes: ``min r_af=0.5``."""
        return f"{self.kind.replace('_', '-')} {self.rate}={self.limit:g}"

    @property
    def word(self) -> str:
        """Whether it passed, in a word."""
        return WORDS[self.status]

    @property
    def found(self) -> str:
        """What the run says, in a line."""
        reach = f"{self.low:.3f} to {self.high:.3f}"
        return (
            f"{self.ground} {self.value:.3f} (95 %: {reach}){f'; {self.why}' if self.why else ''}"
        )

    @property
    def sentence(self) -> str:
        """The check in one line."""
        return f"{self.name}: {self.word}, {self.found}"


@dataclass(frozen=True)
class GateVerdict:
    """What a gate decided about a run.

    Attributes
    ----------
    status : {"pass", "fail", "inconclusive"}
        Failed if any check failed, else inconclusive if any is, else passed.
    checks : tuple of GateCheck
    facts : tuple of (str, str)
        What was judged: dataset, people, ε, hashes of data and model, version, the baseline.
    """

    status: Status
    checks: tuple[GateCheck, ...]
    facts: tuple[tuple[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.status == "pass"

    @property
    def word(self) -> str:
        """Whether the run passed, in a word."""
        return WORDS[self.status]

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 inconclusive."""
        return EXIT_CODES[self.status]

    def __repr__(self) -> str:
        return "\n".join([f"Gate {self.word}", *(check.sentence for check in self.checks)])


def status_of(kind: Kind, limit: float, low: float, high: float) -> Status:
    """Decide one limit: all of [low, high] keeps it, none of it does, or neither.

    The limit itself is kept.
    """
    kept = (low >= limit, high >= limit) if kind == "min" else (high <= limit, low <= limit)
    if all(kept):
        return "pass"
    return "inconclusive" if any(kept) else "fail"


def worst_of(checks: tuple[GateCheck, ...]) -> Status:
    """Return the status of all checks together."""
    found = {check.status for check in checks}
    order: tuple[Status, ...] = ("fail", "inconclusive")
    return next((status for status in order if status in found), "pass")
