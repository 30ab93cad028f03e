"""``rafair.compare``: runs side by side, the first with each of the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.comparing.changed import changed_people
from rafair.comparing.changes import Change, changes_between
from rafair.comparing.comparable import check_comparable, other_attacks
from rafair.comparing.people import people_of
from rafair.display import Table, as_html, as_text
from rafair.errors import InvalidInput
from rafair.runs import AuditResult, load_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rafair.comparing.people import People

__all__ = ["Change", "Comparison", "compare"]

HEADLINE = ("acc", "if", "af", "r_acc", "r_if", "r_af")
HEADS = ("", "before", "after", "difference", "95 %", "", "gained", "lost")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    names : tuple of str
        The runs, the first of which the others are compared with.
    changes : tuple of Change
        Run by run: clean, each attack that both runs have, robust.
    changed : DataFrame
        Whoever is in another cell, is decided otherwise or has another robust verdict: ``run``,
        ``seed`` (and ``row``), ``label``, before and after ``prediction``, ``cell`` and ``r_af``
        (proved, broken, undecided; without proofs unbroken), and the person in original units.
    notes : tuple of str
        What else differs between the runs, one sentence each.
    n_seeds : int
    dataset : str
    """

    names: tuple[str, ...]
    changes: tuple[Change, ...]
    changed: pd.DataFrame
    notes: tuple[str, ...]
    n_seeds: int
    dataset: str

    def find(self, rate: str, attack: str | None = None, run: str | None = None) -> Change:
        """Return how a rate changed.

        Parameters
        ----------
        rate : str
            Without an attack ``acc``, ``if``, … are of the people as they are, and ``r_acc``,
            ``r_if``, ``r_af`` hold under every change.
        attack : str, optional
        run : str, optional
            By default the second one.

        Raises
        ------
        InvalidInput
            If the runs do not both know it person by person.
        """
        run = self.names[1] if run is None else run
        for change in self.changes:
            if (change.rate, change.attack, change.run) == (rate, attack, run):
                return change
        what = rate if attack is None else f"{rate} under {attack}"
        raise InvalidInput(f"the runs do not both say {what} person by person")

    def to_frame(self) -> pd.DataFrame:
        """Return the changes as a tidy frame, one row each."""
        return pd.DataFrame([{**asdict(c), "direction": c.direction} for c in self.changes])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "tool": "rafair",
            "dataset": self.dataset,
            "n_seeds": self.n_seeds,
            "runs": list(self.names),
            "changes": [{**asdict(c), "direction": c.direction} for c in self.changes],
            "changed": [_as_json(row) for row in self.changed.to_dict("records")],
            "notes": list(self.notes),
        }

    def table(self, run: str, *, attacked: bool = False) -> Table:
        """Return how the rates changed to one of the runs, as text.

        Parameters
        ----------
        run : str
        attacked : bool
            The rates under each attack, instead of the clean and the robust ones.
        """
        shown = [
            change
            for change in self.changes
            if change.run == run
            and (change.attack is not None) == attacked
            and (attacked or change.rate in HEADLINE)
        ]
        title = f"{self.dataset}: {self.n_seeds} people, {run} against {self.names[0]}"
        groups = [0] + [n for n in range(1, len(shown)) if shown[n].attack != shown[n - 1].attack]
        return Table(title, HEADS, [_row(change) for change in shown], tuple(groups), texts=(5,))

    def __repr__(self) -> str:
        return "\n".join([*(as_text(self.table(run)) for run in self.names[1:]), *self.notes])

    def _repr_html_(self) -> str:
        *tables, last = (self.table(run) for run in self.names[1:])
        return "".join([*map(as_html, tables), as_html(last, self.notes)])


def compare(*runs: AuditResult | str | Path, names: Sequence[str] | None = None) -> Comparison:
    """Compare runs of the same people: the first with each of the others.

    Parameters
    ----------
    *runs : AuditResult or path of a run directory
        At least two.
    names : sequence of str, optional
        What to call them; by default the name of the directory, or "run 1", "run 2", ….

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidInput
        If there is only one run, or two of them differ in data, columns, Δ, I(v), seeds, in what is
        counted, or in whether anything is proved.
    """
    if len(runs) < 2:
        raise InvalidInput("compare takes two runs or more")
    called = _called(runs, names)
    first, *others = (run if isinstance(run, AuditResult) else load_run(run) for run in runs)
    for run, name in zip(others, called[1:], strict=True):
        check_comparable(first, run, (called[0], name))
    known = people_of(first)
    parts = [
        _compared(first, run, known, name) for run, name in zip(others, called[1:], strict=True)
    ]
    changes, tables, notes = zip(*parts, strict=True)
    return Comparison(
        called,
        tuple(change for part in changes for change in part),
        pd.concat(tables, ignore_index=True),
        tuple(note for part in notes for note in part),
        len(known.seeds),
        first.metrics["dataset"],
    )


def _compared(
    first: AuditResult, run: AuditResult, known: People, name: str
) -> tuple[list[Change], pd.DataFrame, list[str]]:
    """Return what changed from the first run to another, who changed, and what else differs."""
    people, tried = people_of(run), other_attacks(first, run)
    changes = list(changes_between(known, people, name))
    changed = changed_people(first, run, known, people)
    changed.insert(0, "run", name)
    if tried:
        changes = [change for change in changes if change.attack is None]
    return changes, changed, list(_notes(first, run, name, tried))


def _called(
    runs: Sequence[AuditResult | str | Path], names: Sequence[str] | None
) -> tuple[str, ...]:
    """Return what to call the runs: no two alike."""
    if names is not None:
        if len(names) != len(runs) or len(set(names)) != len(names):
            raise InvalidInput(f"names must be {len(runs)} different texts, not {list(names)!r}")
        return tuple(names)
    called = [
        f"run {n}" if isinstance(run, AuditResult) else Path(run).resolve().name
        for n, run in enumerate(runs, start=1)
    ]
    is_clear = len(set(called)) == len(called)
    return tuple(called if is_clear else (f"{name} ({n})" for n, name in enumerate(called, 1)))


def _notes(first: AuditResult, run: AuditResult, name: str, tried: list[str]) -> Iterator[str]:
    """Say what a reader of the numbers has to know beside them."""
    one, other = first.manifest, run.manifest
    if one["model"]["sha256"] == other["model"]["sha256"]:
        yield f"{name}: the model is the same as in the first run."
    if one["versions"] != other["versions"]:
        changed = [key for key in one["versions"] if one["versions"][key] != other["versions"][key]]
        yield f"{name}: other versions of {', '.join(changed)}."
    if tried:
        yield f"{name}: attacks are not compared, because they differ ({'; '.join(tried)})."
    if one["proofs"]["why_not"] is not None:
        yield (
            f"{name}: nothing is proved in either run; R-ACC, R-IF and R-AF are the shares that no "
            "attack broke, upper bounds of the truth."
        )
    if one["plan"]["select"] == "worst":
        yield f"{name}: R-ACC and R-IF are left out; with select worst no instance says them."


def _row(change: Change) -> tuple[str, ...]:
    name = change.rate.upper().replace("_", "-")
    shown = name if change.attack is None else f"{change.attack}: {name}"
    numbers = (_between(change.before), _between(change.after), _between(change.difference, "+"))
    interval = f"{change.ci[0]:+.3f} to {change.ci[1]:+.3f}"
    return (shown, *numbers, interval, change.direction, str(change.gained), str(change.lost))


def _between(pair: tuple[float, float], sign: str = "") -> str:
    """Return the two ends, or one number where they are equal."""
    low, high = (f"{end:{sign}.3f}" for end in pair)
    return low if low == high else f"{low} to {high}"


def _as_json(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row with Python's own numbers, and None for an empty cell."""
    return {
        str(name): None if pd.isna(cell) else cell.item() if hasattr(cell, "item") else cell
        for name, cell in row.items()
    }
