"""Train and test splits, drawn from each class separately."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rafair.errors import InvalidInput

__all__ = ["TEST_SHARE", "stratified_test_rows"]

TEST_SHARE = 0.3


def stratified_test_rows(
    labels: pd.Series, test_share: float = TEST_SHARE, random_state: int = 0
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Draw the same share of every class for the test split, rounded to the nearest row.

    Returns
    -------
    array of bool, shape (n,)
        True for the rows of the test split.

    Raises
    ------
    InvalidInput
        If a class would have no row in one of the splits, or an argument is out of range.
    """
    if not 0 < test_share < 1:
        raise InvalidInput(f"test_share must lie between 0 and 1, not {test_share}")
    if random_state < 0:
        raise InvalidInput(f"random_state must be 0 or more, not {random_state}")
    generator = np.random.default_rng(random_state)
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for level, rows in sorted(
        labels.groupby(labels).indices.items(), key=lambda item: str(item[0])
    ):
        n_test = round(len(rows) * test_share)
        if not 0 < n_test < len(rows):
            raise InvalidInput(
                f"label {labels.name!r}: {len(rows)} row(s) of {level!r} cannot be split in two"
            )
        chosen[generator.permutation(rows)[:n_test]] = True
    return chosen
