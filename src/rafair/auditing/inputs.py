"""Makes a wrapped model and a dataset of what a caller has at hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from rafair.datasets import Dataset, read_test
from rafair.errors import InvalidInput
from rafair.guarding import guarded
from rafair.models import Classifier, wrap
from rafair.models.queried import reader
from rafair.models.reading import columns_read
from rafair.schema.leaving_out import kept_for_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.schema import Column, Level, Schema

__all__ = ["Columns", "described", "wrapped"]

# What a caller may say of a ``Dataset`` too: who is compared with whom.
COMPARING = ("sensitive", "within")


class Columns(TypedDict, total=False):
    """What a caller may say of a table's columns: keywords of ``rafair.read_test``."""

    sensitive: Sequence[str] | None
    reference: Any
    schema: Schema | None
    feature_names: Sequence[str] | None
    positive: Level | None
    missing: str | Mapping[str, str] | None
    empty: Mapping[str, Sequence[Level]] | None
    written: Mapping[str, str] | None
    one_hot: Mapping[str, Sequence[str]] | None
    columns: Sequence[Column]
    ignore: Sequence[str]
    not_leaks: Sequence[str]
    relations: Sequence[str]
    within: Mapping[str, float] | None
    name: str


def wrapped(model: Any, data: Any, y: Any, facts: Mapping[str, Any]) -> tuple[Classifier, Dataset]:
    """Return a model and data as an audit needs them.

    Parameters
    ----------
    model : Classifier, or any model that ``wrap`` takes
    data, y, facts : see ``described``

    Raises
    ------
    InvalidInput
        See ``described``; or if ``wrap`` refuses the model.
    """
    data = described(model, data, y, facts)
    if isinstance(model, Classifier):
        return guarded(model) or model, data
    return wrap(model, data.schema), data


def described(model: Any, data: Any, y: Any, facts: Mapping[str, Any]) -> Dataset:
    """Return data as an audit needs them.

    Parameters
    ----------
    model : Classifier, or any model that ``wrap`` takes, or None
    data : Dataset, or table or array, shape (n, d)
    y : sequence of shape (n,), or None with a ``Dataset``
    facts : mapping
        Keywords of ``read_test``; those that are None were not given.

    Raises
    ------
    InvalidInput
        If a ``Dataset`` comes with facts that it has itself, or ``read_test`` refuses.
    """
    if not isinstance(data, Dataset):
        return _with_read(model, data, y, facts)
    own = [name for name, value in facts.items() if value is not None and name not in COMPARING]
    if y is not None or own:
        raise InvalidInput(
            f"{'y' if y is not None else own[0]} belongs to a table; this Dataset has it itself"
        )
    sensitive = facts.get("sensitive")
    compared: Dataset = data if sensitive is None else data.with_sensitive(sensitive)
    return compared.with_within(facts.get("within") or {})


def _with_read(model: Any, table: Any, y: Any, facts: Mapping[str, Any]) -> Dataset:
    """Return test data that hold every column which the model reads.

    A column that would be left out, as a constant or text, is a feature that nothing moves.

    Raises
    ------
    InvalidInput
        If it has too many different values for one.
    """
    reads = None if isinstance(model, Classifier) else reader(model)
    told = {name: value for name, value in facts.items() if value is not None}
    given = {"classes": _classes(model), "reads": reads, **told}
    data = read_test(table, y, **given)
    known = data.schema.columns
    read = [name for name in columns_read(model, known) if name not in known]
    kept = kept_for_model(read, data.notes)
    if not kept:
        return data
    given["columns"] = [*given.get("columns", ()), *(column for column, _ in kept.values())]
    try:
        whole = read_test(table, y, **given)
    except InvalidInput as error:
        raise InvalidInput(
            f"the model reads {', '.join(map(repr, kept))}, but {error}. Fit it without that "
            "column, or audit lambda rows: model.predict_proba(rows.assign(column=value))"
        ) from error
    return replace(whole, notes=(*whole.notes, *(told for _, told in kept.values())))


def _classes(model: Any) -> Any:
    """Return the classes that a fitted estimator or pipeline knows; None if it does not say."""
    found = getattr(model, "classes_", None)
    return None if found is None or getattr(found, "ndim", 1) != 1 else list(found)
