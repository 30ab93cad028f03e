"""Files of sums of stumps, which ``rafair train`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rafair.errors import InvalidInput
from rafair.models.stumps import Stumps
from rafair.models.weights import check_fit, read_weights, serialise_weights
from rafair.models.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rafair.models.queried import QueriedClassifier
    from rafair.schema import Schema

__all__ = ["FORMAT", "load_stumps", "serialise_stumps"]

FORMAT = "rafair-stumps-1"


def serialise_stumps(module: Stumps, schema: Schema, metrics: Mapping[str, float]) -> bytes:
    """Return the bytes of a ``.safetensors`` file: stumps, feature names, classes, metrics."""
    return serialise_weights(module, {"format": FORMAT}, schema, metrics)


def load_stumps(path: Path, schema: Schema | None = None) -> QueriedClassifier:
    """Read a file of ``serialise_stumps``, as a classifier that reads unit space.

    Raises
    ------
    InvalidInput
        If it is no such file, or was written for other columns or classes.
    """
    about, weights = read_weights(path, (FORMAT,))
    check_fit(path, about, schema)
    shapes = {weight.shape for name, weight in weights.items() if name != "base"}
    is_whole = set(weights) == {"base", "feature", "cut", "step"} and len(shapes) == 1
    if not is_whole or weights["base"].shape or len(about["classes"]) != 2:
        raise InvalidInput(f"{path}: its weights do not fit a sum of stumps")
    feature = weights["feature"].long()
    width = len(about["features"])
    if bool(((feature < 0) | (feature >= width)).any()):
        raise InvalidInput(f"{path}: a stump reads a feature that there is not")
    base, cut, step = (weights[name].double() for name in ("base", "cut", "step"))
    return cast("QueriedClassifier", wrap(Stumps(base, feature, cut, step, width=width), schema))
