"""The table of instances: one line per seed, in original units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from rafair.fairness import CELLS

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.analysis import Explanation
    from rafair.problem import Counterparts
    from rafair.runs.outcomes import Outcome, Pool
    from rafair.schema import Schema

__all__ = ["column_names", "pool_of", "tabulate"]

OWN_COLUMNS = (
    "seed", "row", "stage", "attack", "label", "prediction", "cell", "feasible", "flip_prediction",
    "worst_prediction", "worst_loss", "dissenting", "x", "pool", "pool_accurate", "pool_fair",
    "pool_tf", "pool_tb", "pool_ff", "pool_fb",
)  # fmt: skip


def tabulate(
    outcome: Outcome,
    name: str,
    stage: str,
    seeds: Tensor,
    y: Tensor,
    schema: Schema,
    counterparts: Counterparts,
    rows: pd.Index | None = None,
) -> pd.DataFrame:
    """Return the instances of an outcome in original units; one line per seed.

    Parameters
    ----------
    outcome : Outcome
        In main memory, as ``seeds`` and ``y`` are.
    name : str
        Row of the result tables that the outcome belongs to.
    stage : {"clean", "attacked", "repaired"}
    seeds : Tensor of int64, shape (n,)
        Rows of the test split.
    y : Tensor of int64, shape (n,)
    rows : Index, optional
        What the user's table calls these rows; they form the column ``row``.
    """
    x, why = outcome.x, outcome.explanation
    classes = pd.Index(schema.classes)
    own = {
        "seed": seeds.numpy(),
        **({} if rows is None else {"row": _names(rows)}),
        "stage": stage,
        "attack": name,
        "label": classes.take(y.numpy()),
        "prediction": _decided(schema, why.prediction),
        "cell": np.array(CELLS)[outcome.verdict.cells.numpy()],
        "feasible": outcome.feasible.numpy(),
    }
    columns = column_names(schema)
    names = [columns[name]["column"] for name in schema.names]
    people = schema.decode_features(x).set_axis(names, axis=1)
    others = _counterpart_columns(why, x, schema, counterparts)
    exact = pd.DataFrame({"x": list(x.to(torch.float64).numpy())})
    pool = [] if outcome.pool is None else [_pool_columns(outcome.pool)]
    return pd.concat([pd.DataFrame(own), people, others, exact, *pool], axis=1)


def pool_of(instances: pd.DataFrame) -> Tensor:
    """Return the pools of a table's rows, shape (n, t, d), float64."""
    return torch.from_numpy(np.stack([np.stack(list(pool)) for pool in instances["pool"]]))


def _pool_columns(pool: Pool) -> pd.DataFrame:
    """Return the exact points of each seed's pool, and how many of them are in which cell."""
    points, verdict = pool.points.to(torch.float64).numpy(), pool.verdict
    events = {"accurate": verdict.accurate, "fair": verdict.fair}
    events |= {name.lower(): verdict.cells == place for place, name in enumerate(CELLS)}
    counts = {f"pool_{name}": event.sum(dim=1).numpy() for name, event in events.items()}
    # Clean rows have no pool; "Int64" keeps the counts of the others whole.
    return pd.DataFrame({"pool": [list(each) for each in points], **counts}).astype(
        dict.fromkeys(counts, "Int64")
    )


def _decided(schema: Schema, prediction: Tensor) -> pd.Series:
    """Return the names of classes, (n,); None for no answer, the class after the last."""
    found, k = prediction.numpy(), len(schema.classes)
    names = pd.Series(pd.Index(schema.classes).take(np.minimum(found, k - 1)))
    return names if (found < k).all() else names.astype(object).where(found < k, None)


def _names(rows: pd.Index) -> pd.Index:
    """Return the names of rows as one column; a name of several parts becomes a text."""
    return rows.map(str) if isinstance(rows, pd.MultiIndex) else rows


def column_names(schema: Schema) -> dict[str, dict[str, str]]:
    """Return the columns of the instances table that hold each feature; no name occurs twice.

    Returns
    -------
    dict of dict of str
        Feature → ``"column"`` (the person's value) and, for a sensitive feature, ``"flip"`` and
        ``"worst"`` (the counterparts' values). A name that is in use gets the prefix ``feature_``.
    """
    taken = set(OWN_COLUMNS)

    def free(prefix: str, name: str) -> str:
        while prefix + name in taken:
            name = f"feature_{name}"
        taken.add(prefix + name)
        return prefix + name

    names = {name: {"column": free("", name)} for name in schema.names}
    for name in schema.sensitive:
        names[name] |= {kind: free(f"{kind}_", name) for kind in ("flip", "worst")}
    return names


def _counterpart_columns(
    why: Explanation, x: Tensor, schema: Schema, counterparts: Counterparts
) -> pd.DataFrame:
    names = column_names(schema)
    columns: dict[str, object] = {}
    for kind, index, prediction in (
        ("flip", why.flip, why.flip_prediction),
        ("worst", why.worst, why.worst_prediction),
    ):
        someone = (index >= 0).numpy()
        people = schema.decode_features(counterparts.take(x, index))
        for name in schema.sensitive:
            columns[names[name][kind]] = people[name].astype(object).where(someone, None)
        decided = _decided(schema, prediction).astype(object)
        columns[f"{kind}_prediction"] = decided.where(someone, None)
    columns["worst_loss"] = why.worst_loss.numpy()
    columns["dissenting"] = why.dissenting.numpy()
    return pd.DataFrame(columns).infer_objects()
