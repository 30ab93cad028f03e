"""LightGBM models: a Booster, or an LGBMClassifier, which holds one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rafair.errors import InvalidInput
from rafair.models.boosted import answering, choose_feed
from rafair.models.class_order import class_order
from rafair.models.extras import comes_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rafair.models.inputs import Inputs
    from rafair.models.queried import QueriedClassifier
    from rafair.schema import Schema

__all__ = ["PRIORITY", "AskedBooster", "accepts", "adapt", "booster_of"]

PRIORITY = 3
OBJECTIVES = ("binary", "multiclass", "multiclassova")


@dataclass(frozen=True, eq=False)
class AskedBooster:
    """A booster that can be called with a matrix or a frame.

    Attributes
    ----------
    booster : lightgbm.Booster
    levels : mapping of str to tuples
        For each column whose levels the booster knows, the levels in its training data.
    """

    booster: Any
    levels: Mapping[str, tuple[Any, ...]]

    def __call__(self, rows: Any) -> Any:
        """Return probabilities for n rows, shape (n,) or (n, k)."""
        return self.booster.predict(self.typed(rows))

    def typed(self, rows: Any) -> Any:
        """Return rows with the type ``category`` where the booster knows levels."""
        import pandas as pd

        if not isinstance(rows, pd.DataFrame):
            return rows
        types = {name: pd.CategoricalDtype(list(v)) for name, v in self.levels.items()}
        return rows.astype(types)


def accepts(model: Any) -> bool:
    """Tell whether ``model`` is a Booster or an LGBMClassifier."""
    if not comes_from(model, "lightgbm"):
        return False
    lightgbm = sys.modules["lightgbm"]
    return isinstance(model, (lightgbm.Booster, lightgbm.LGBMClassifier))


def adapt(
    model: Any,
    schema: Schema | None,
    output: Literal["auto", "logits", "probabilities"],  # noqa: ARG001 - the objective tells it
    inputs: Inputs,
) -> QueriedClassifier:
    """Wrap a trained model; see ``rafair.wrap``."""
    booster = booster_of(model)
    head = _head(booster)
    objective = head.get("objective", "").partition(" ")[0]
    if objective not in OBJECTIVES:
        raise InvalidInput(
            f"a LightGBM model of the objective {objective or 'none'!r}, which is no "
            f"classification; train one of {', '.join(OBJECTIVES)}"
        )
    found = tuple(booster.feature_name())
    # LightGBM replaces spaces in column names by underscores.
    known = {} if schema is None else {name.replace(" ", "_"): name for name in schema.columns}
    numbered = found == tuple(f"Column_{place}" for place in range(len(found)))
    names = () if numbered else tuple(known.get(name, name) for name in found)
    levels = _levels(booster, head, names, schema)
    if inputs in ("unit", "original") and not levels:
        names = names if set(names) <= set(known.values()) else ()
    feed = choose_feed(names, list(levels), len(found), schema, inputs)
    classes = range(max(2, int(head["num_class"])))
    order = class_order(getattr(model, "classes_", classes), schema)
    kind = f"LightGBM {type(model).__name__}, {booster.num_trees()} trees"
    asked = AskedBooster(booster, levels)
    return answering(asked, feed, "probabilities", order, len(found), kind)


def booster_of(model: Any) -> Any:
    """Return the booster of a model that is one or holds one."""
    import lightgbm

    if isinstance(model, lightgbm.Booster):
        return model
    try:
        return model.booster_
    except Exception as error:
        raise InvalidInput("this LGBMClassifier is not fitted; call fit first") from error


def _head(booster: Any) -> dict[str, str]:
    """Return the fields before the first tree in the text form of the model."""
    text = booster.model_to_string(num_iteration=1).partition("\nTree=0\n")[0]
    parted = (line.partition("=") for line in text.splitlines())
    return {key: value for key, mark, value in parted if mark}


def _levels(
    booster: Any, head: Mapping[str, str], names: tuple[str, ...], schema: Schema | None
) -> dict[str, tuple[Any, ...]]:
    """Return the levels of each column that had pandas' type ``category`` in training."""
    trained = booster.pandas_categorical or []
    infos = head.get("feature_infos", "").split()
    if not trained:
        return {}
    features = () if schema is None else schema.features
    listed = {feature.name for feature in features if feature.has_levels}
    # In feature_infos, [low:high] stands for a numeric column, level:level:… for a categorical one,
    # and none for a column that no tree could use.
    coded = [
        name
        for name, info in zip(names, infos, strict=True)
        if (info[:1] != "[" and ":" in info) or (info == "none" and name in listed)
    ]
    if len(coded) != len(trained):
        raise InvalidInput(
            f"the model knows the levels of {len(trained)} columns, but {len(coded)} of the "
            "data's have levels; train it with the columns of the data"
        )
    return {name: tuple(levels) for name, levels in zip(coded, trained, strict=True)}
