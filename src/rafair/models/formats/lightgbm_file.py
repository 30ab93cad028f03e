"""LightGBM models in text, checked before the library follows their numbers.

LightGBM reads trees in threads: where one is damaged it ends the process, or reads foreign memory.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.extras import need
from rafair.models.formats.trees import check_places, check_steps, check_tree, damaged

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "LightGBM"
SUFFIXES: tuple[str, ...] = (".txt",)
NEEDED = ("num_class", "num_tree_per_iteration", "max_feature_idx", "feature_names", "tree_sizes")
MOST_FEATURES, MOST_CLASSES = 1_000_000, 10_000
# One value a split, and one a leaf.
PER_SPLIT = ("split_feature", "split_gain", "threshold", "decision_type", "left_child")
PER_SPLIT_TOO = ("right_child", "internal_value", "internal_weight", "internal_count")
PER_LEAF = ("leaf_value", "leaf_weight", "leaf_count")
CATEGORICAL = 1
END = b"end of trees\n"


def read(path: Path, permission: Permission) -> Any:  # noqa: ARG001 - needs none
    """Return the booster of a file.

    Raises
    ------
    InvalidInput
        If the file is another text, or a damaged model.
    """
    data = path.read_bytes()
    head, first, _ = data.partition(b"\nTree=0\n")
    about = _fields(head.decode())
    if not data.startswith(b"tree\n") or not first or any(key not in about for key in NEEDED):
        raise InvalidInput("holds no LightGBM model of trees; write one with save_model")
    width = _check_head(about)
    start = len(head) + 1
    sizes = _whole(about["tree_sizes"])
    for place, size in enumerate(sizes):
        block = data[start : start + size]
        if size < 1 or not block.startswith(b"Tree=%d\n" % place):
            raise damaged("tree_sizes")
        _check_tree(_fields(block.decode()), width)
        start += size
    if not data[start:].startswith(END) or len(sizes) % int(about["num_class"]):
        raise damaged("the number of trees")
    text = (data[:start] + END).decode() + _levels(data[start:].decode())
    return need("lightgbm", "lightgbm").Booster(model_str=text)


def _check_head(about: dict[str, str]) -> int:
    """Return the number of features."""
    width, classes = int(about["max_feature_idx"]) + 1, int(about["num_class"])
    if not 0 < width <= MOST_FEATURES or not 0 < classes <= MOST_CLASSES:
        raise damaged("the number of features or classes")
    said = re.search(r"num_class:(\d+)", about.get("objective", ""))
    if int(about["num_tree_per_iteration"]) != classes or (said and int(said[1]) != classes):
        raise damaged("the number of classes")
    for key in ("feature_names", "feature_infos"):
        if len(about.get(key, "").split()) != width:
            raise damaged(key)
    return width


def _levels(rest: str) -> str:
    """Return the last line alone, the levels of categories; training parameters do not matter."""
    # Without that line text would be read as numbers.
    if "\nend of parameters\n" not in rest:
        raise damaged("it ends too soon")
    mark = "pandas_categorical:"
    _, found, text = rest.rpartition(f"\n{mark}")
    levels = json.loads(text) if found else None
    if levels is not None and not all(isinstance(part, list) for part in levels):
        raise damaged("pandas_categorical")
    return f"\n{mark}{json.dumps(levels)}\n"


def _fields(text: str) -> dict[str, str]:
    parted = (line.partition("=") for line in text.splitlines())
    return {key: value for key, mark, value in parted if mark}


def _whole(text: str) -> list[int]:
    return [int(part) for part in text.split()]


def _check_tree(tree: dict[str, str], width: int) -> None:
    leaves = int(tree["num_leaves"])
    splits = leaves - 1
    if tree.get("is_linear", "0") != "0":
        raise InvalidInput("has linear models in its leaves, which is not read")
    for keys, n in ((PER_SPLIT + PER_SPLIT_TOO, splits), (PER_LEAF, leaves)):
        for key in keys:
            numbers = [float(part) for part in tree.get(key, "").split()]
            # A tree of one leaf has nothing but its value.
            absent = not numbers and (splits == 0 or key not in (*PER_SPLIT, "right_child"))
            if len(numbers) != n and not (absent and key != "leaf_value"):
                raise damaged(key)
    check_places(_whole(tree.get("split_feature", "")), width, "split_feature")
    sides = [_whole(tree.get(key, "")) for key in ("left_child", "right_child")]
    branches = [
        tuple(c if c >= 0 else splits + ~c for c in pair) for pair in zip(*sides, strict=True)
    ]
    if any(child >= splits > 0 and child - splits >= leaves for p in branches for child in p):
        raise damaged("a leaf out of range")
    check_tree([*branches, *[()] * leaves])
    _check_categories(tree)


def _check_categories(tree: dict[str, str]) -> None:
    """Check the sets of levels that splits look into."""
    kinds = _whole(tree.get("decision_type", ""))
    asked = [
        float(threshold)
        for threshold, kind in zip(tree.get("threshold", "").split(), kinds, strict=True)
        if kind & CATEGORICAL
    ]
    sets = int(tree.get("num_cat", "0"))
    if not sets:
        if asked:
            raise damaged("num_cat")
        return
    borders, words = _whole(tree["cat_boundaries"]), _whole(tree["cat_threshold"])
    if len(borders) != sets + 1:
        raise damaged("cat_boundaries")
    check_steps(borders, len(words), "cat_boundaries")
    check_places(words, 2**32, "cat_threshold")
    check_places([int(place) for place in asked], sets, "threshold")
