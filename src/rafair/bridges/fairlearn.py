"""Fairlearn: a run's clean and attacked decisions as a ``MetricFrame`` by sensitive group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from rafair.errors import InvalidInput
from rafair.models.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.runs import AuditResult

__all__ = ["metric_frame"]

EXTRA = "fairlearn"


def metric_frame(
    run: AuditResult,
    attack: str | None = None,
    *,
    metrics: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
    sensitive: Sequence[str] | None = None,
    bins: Mapping[str, Sequence[float]] | None = None,
    **options: Any,
) -> Any:
    """Return Fairlearn's ``MetricFrame`` of a run's people, as they are or under an attack.

    The groups are those of the people themselves, which no attack moves. What Fairlearn computes
    is statistical parity between groups of different people; rafair's own rates compare each
    person with themselves as somebody else.

    Parameters
    ----------
    run : AuditResult
    attack : str, optional
        A row of the result; by default the people as they are.
    metrics : callable or mapping of str to callable, optional
        Functions of ``y_true`` and ``y_pred``. Labels of two classes are given to them as 0 and 1,
        1 for the positive class, other labels as they are. By default accuracy and count, and of
        two classes the selection, false positive and false negative rate.
    sensitive : sequence of str, optional
        Sensitive attributes to group by; by default all.
    bins : mapping of str to sequence of float, optional
        Edges between which the values of a number form a group, the lower one included.
    **options
        For ``MetricFrame``: ``n_boot``, ``ci_quantiles``, ``random_state``, ….

    Returns
    -------
    fairlearn.metrics.MetricFrame

    Raises
    ------
    InvalidInput
        If Fairlearn is not installed, or the run has no such attack or attribute.
    """
    library = need("fairlearn.metrics", EXTRA)
    schema = run.manifest["schema"]
    rows = _rows(run, attack)
    truth, decided = (_encoded(rows[name], schema["classes"]) for name in ("label", "prediction"))
    return library.MetricFrame(
        metrics=_usual(library, len(schema["classes"])) if metrics is None else metrics,
        y_true=truth,
        y_pred=decided,
        sensitive_features=_groups(rows, schema, sensitive, bins or {}),
        **options,
    )


def _rows(run: AuditResult, attack: str | None) -> pd.DataFrame:
    stage = "clean" if attack is None else "attacked"
    rows = run.instances[run.instances["stage"] == stage]
    if attack is not None:
        rows = rows[rows["attack"] == attack]
    if rows.empty:
        known = ", ".join(run.metrics["attacks"])
        raise InvalidInput(f"the run has no attack {attack!r}; it has {known}")
    return rows


def _encoded(labels: pd.Series, classes: list[Any]) -> pd.Series:
    """Return 1 for the second of two classes; of more classes the labels."""
    return (labels == classes[1]).astype(int) if len(classes) == 2 else labels


def _groups(
    rows: pd.DataFrame,
    schema: dict[str, Any],
    sensitive: Sequence[str] | None,
    bins: Mapping[str, Sequence[float]],
) -> pd.DataFrame:
    columns = {each["name"]: each["column"] for each in schema["features"]}
    names = schema["sensitive"] if sensitive is None else list(sensitive)
    for name in (*names, *bins):
        if name not in schema["sensitive"]:
            known = ", ".join(schema["sensitive"])
            raise InvalidInput(f"{name!r} is no sensitive attribute of the run; it has {known}")
    found = {name: rows[columns[name]] for name in names}
    cut = {
        name: pd.cut(found[name], list(bins[name]), right=False) for name in names if name in bins
    }
    return pd.DataFrame({**found, **{name: each.astype(str) for name, each in cut.items()}})


def _usual(library: Any, n_classes: int) -> dict[str, Callable[..., Any]]:
    def accuracy(y_true: Any, y_pred: Any) -> float:
        return float((pd.Series(y_true).to_numpy() == pd.Series(y_pred).to_numpy()).mean())

    found: dict[str, Callable[..., Any]] = {"accuracy": accuracy, "count": library.count}
    if n_classes == 2:
        names = ("selection_rate", "false_positive_rate", "false_negative_rate")
        found |= {name: getattr(library, name) for name in names}
    return found
