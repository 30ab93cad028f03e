"""What a person should know about the columns of a table that is described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.datasets.derived import derivations
from rafair.datasets.leaks import suspicions
from rafair.schema.bulk import told_of_bulk

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from rafair.schema import Schema

__all__ = ["findings"]


def findings(
    schema: Schema,
    frame: pd.DataFrame,
    not_leaks: Collection[str] = (),
    *,
    is_inferred: bool = False,
) -> tuple[str, ...]:
    """Name numbers far away from the others, leaks, copies, and numbers computed from others.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame
        Rows in original units; empty cells of a feature are passed over.
    not_leaks : collection of str
        See ``suspicions``.
    is_inferred : bool
        Whether the schema was inferred from these and other rows, which has named the numbers far
        away already.

    Returns
    -------
    tuple of str
        One sentence each, which begins with the feature's name.

    Raises
    ------
    InvalidInput
        See ``suspicions``.
    """
    asked = () if is_inferred else [f for f in schema.features if not f.has_levels]
    far = [told_of_bulk(feature, feature.read(frame).dropna()) for feature in asked]
    leaks = suspicions(schema, frame, not_leaks)
    return (*filter(None, far), *leaks, *derivations(schema, frame))
