"""Which columns of a frame a fitted model reads, as far as its names tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["columns_read"]

# Where scikit-learn keeps the model inside a search, a threshold or a calibration. One that was
# fitted before a threshold was put on it knows the names; the threshold does not.
INSIDE = ("estimator_", "best_estimator_", "estimator")


def columns_read(model: Any, known: Collection[str]) -> tuple[str, ...]:
    """Return the named columns that a model was fitted to, in its order.

    Parameters
    ----------
    model : Any
        A classifier or pipeline.
    known : collection of str
        The columns at hand. Others that a ``ColumnTransformer`` at the front drops are left out.

    Returns
    -------
    tuple of str
        Empty where the model was fitted to columns without names.
    """
    named = next(filter(None, map(_names, _parts(model))), ())
    idle = next(filter(None, map(_dropped, _front(model))), set())
    return tuple(name for name in named if name in known or name not in idle)


def _parts(model: Any) -> Iterator[Any]:
    """Yield a model, its steps, and the model inside it."""
    yield model
    for _, step in getattr(model, "steps", ()):
        yield from _parts(step)
    for inner in _inside(model):
        yield from _parts(inner)


def _front(model: Any) -> Iterator[Any]:
    """Yield a model, and what inside it is given the same frame."""
    yield model
    steps = [step for _, step in getattr(model, "steps", ()) if not isinstance(step, str | None)]
    for inner in [*steps[:1], *_inside(model)]:
        yield from _front(inner)


def _inside(model: Any) -> Iterator[Any]:
    found = (getattr(model, name, None) for name in INSIDE)
    return (inner for inner in found if inner is not None)


def _names(part: Any) -> tuple[str, ...]:
    """Return the names of the columns to which a part of a model was fitted, if they have names."""
    found = getattr(part, "feature_names_in_", None)
    if found is None:  # CatBoost has its own attribute, which numbers columns without names
        found = getattr(part, "feature_names_", None) or ()
        found = () if list(found) == [str(place) for place in range(len(found))] else found
    return tuple(map(str, found))


def _dropped(part: Any) -> set[str]:
    """Return the columns that a ``ColumnTransformer`` which chooses by name was given and drops."""
    used: set[str] = set()
    for _, step, wanted in getattr(part, "transformers_", ()):
        names = [wanted] if isinstance(wanted, str) else wanted
        if isinstance(step, str) and step == "drop":
            continue
        if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
            return set()  # by number: the place of every column counts
        used |= set(names)
    return set(_names(part)) - used if used else set()
