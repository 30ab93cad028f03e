"""Who changed between two runs: the people whose decision, cell or robust verdict is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rafair.comparing.people import clean_rows

if TYPE_CHECKING:
    from rafair.comparing.people import People
    from rafair.runs import AuditResult

__all__ = ["OF_RUNS", "changed_people"]

# What the table holds twice, before and after.
OF_RUNS = ("prediction", "cell", "r_af")


def changed_people(
    first: AuditResult, second: AuditResult, known: People, people: People
) -> pd.DataFrame:
    """Return one row for each person about whom the runs disagree, in the order of the seeds.

    Parameters
    ----------
    first, second : AuditResult
    known, people : People
        Of the two runs.

    Returns
    -------
    DataFrame
        ``seed`` (and ``row``), ``label``, then ``prediction_before``, ``prediction_after`` and the
        same of ``cell`` and ``r_af``, then the features in original units, under the names of their
        columns in ``instances``.
    """
    before, after = clean_rows(first), clean_rows(second)
    features = [feature["column"] for feature in first.manifest["schema"]["features"]]
    own = [name for name in ("seed", "row", "label") if name in before]
    pairs = {
        "prediction": (before["prediction"], after["prediction"]),
        "cell": (before["cell"], after["cell"]),
        "r_af": (_robust(first, known), _robust(second, people)),
    }
    told = {
        f"{name}_{when}": value.to_numpy()
        for name, pair in pairs.items()
        for when, value in zip(("before", "after"), pair, strict=True)
    }
    differs = np.any([(one != other).to_numpy() for one, other in pairs.values()], axis=0)
    persons = before[features].add_prefix("person_")
    return pd.concat([before[own], pd.DataFrame(told), persons], axis=1)[differs]


def _robust(run: AuditResult, people: People) -> pd.Series:
    """Say of each person what is known of R-AF."""
    bounds = people.rates["robust", None, "r_af"]
    unbroken = "unbroken" if run.certificates is None else "proved"
    open_or_broken = np.where(bounds.high > 0, "undecided", "broken")
    return pd.Series(np.where(bounds.low > 0, unbroken, open_or_broken).astype(object))
