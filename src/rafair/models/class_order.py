"""Match a model's scores to the classes of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.schema import Schema

__all__ = ["class_order"]


def class_order(found: Sequence[Any], schema: Schema | None) -> tuple[int, ...]:
    """Return for each class of the data the column of its score in the model's output.

    The model's classes are either the label's values, which may be compared as text, or 0, 1, …,
    which stand for the data's classes in their order.

    Parameters
    ----------
    found : sequence
        The model's classes (scikit-learn's ``classes_``).

    Raises
    ------
    InvalidInput
        If the model's classes are neither of these, their number differs from that of the data, or
        the model decides several labels at once.
    """
    if any(hasattr(value, "__len__") and not isinstance(value, str) for value in found):
        raise InvalidInput("the model decides several labels at once; wrap it for one of them")
    plain = [value.item() if hasattr(value, "item") else value for value in found]
    if schema is None:
        return tuple(range(len(plain)))
    if len(plain) != len(schema.classes):
        raise InvalidInput(f"the model has {len(plain)} classes, the data {len(schema.classes)}")
    if set(plain) == set(schema.classes):
        return tuple(plain.index(level) for level in schema.classes)
    text = [str(value) for value in plain]
    if sorted(text) == sorted(map(str, schema.classes)):
        return tuple(text.index(str(level)) for level in schema.classes)
    if plain == list(range(len(plain))):
        return tuple(range(len(plain)))
    raise InvalidInput(
        f"the model decides between {', '.join(text)}, "
        f"the data between {', '.join(map(str, schema.classes))}"
    )
