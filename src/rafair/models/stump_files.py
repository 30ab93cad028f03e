"""Files of sums of stumps and trees, which ``rafair train`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rafair.errors import InvalidInput
from rafair.models.stumps import TREES, Stumps
from rafair.models.weights import check_fit, read_weights, serialise_weights
from rafair.models.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from rafair.models.queried import QueriedClassifier
    from rafair.schema import Schema

__all__ = ["FORMAT", "load_stumps", "serialise_stumps"]

FORMAT = "rafair-stumps-1"
STUMP_PARTS = ("feature", "cut", "step")
TREE_PARTS = tuple(f"{TREES}{name}" for name in ("feature", "cut", "value"))


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
    if not _is_whole(weights) or len(about["classes"]) != 2:
        raise InvalidInput(f"{path}: its weights do not fit a sum of stumps")
    width = len(about["features"])
    for name, weight in weights.items():
        is_feature = name.endswith("feature")
        if is_feature and bool(((weight < 0) | (weight >= width)).any()):
            raise InvalidInput(f"{path}: a stump reads a feature that there is not")
        weights[name] = weight.long() if is_feature else weight.double()
    return cast("QueriedClassifier", wrap(Stumps.of(weights, width), schema))


def _is_whole(weights: Mapping[str, Tensor]) -> bool:
    """Tell whether there are all tensors of a sum, in shapes that belong together."""
    stumps = {weights[name].shape for name in STUMP_PARTS if name in weights}
    trees = [weights[name].shape for name in TREE_PARTS if name in weights]
    if not {"base", *STUMP_PARTS} <= set(weights) or weights["base"].shape or len(stumps) != 1:
        return False
    if set(weights) == {"base", *STUMP_PARTS}:
        return True
    if set(weights) != {"base", *STUMP_PARTS, *TREE_PARTS}:
        return False
    nodes, cuts, leaves = trees
    is_binary = len(nodes) == 2 and nodes[1] > 0 and (nodes[1] & (nodes[1] + 1)) == 0
    return is_binary and cuts == nodes and leaves == (nodes[0], nodes[1] + 1)
