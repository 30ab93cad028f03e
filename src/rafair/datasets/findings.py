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
    schema: Schema, frame: pd.DataFrame, not_leaks: Collection[str] = ()
) -> tuple[str, ...]:
    """Name numbers far away from the others, leaks, copies, and numbers computed from others.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame
        Rows in original units; empty cells of a feature are passed over.
    not_leaks : collection of str
        See ``suspicions``.

    Returns
    -------
    tuple of str
        One sentence each, which begins with the feature's name.

    Raises
    ------
    InvalidInput
        See ``suspicions``.
    """
    ranged = [feature for feature in schema.features if not feature.has_levels]
    far = [told_of_bulk(feature, feature.read(frame).dropna()) for feature in ranged]
    leaks = suspicions(schema, frame, not_leaks)
    return (*filter(None, far), *leaks, *derivations(schema, frame))
