"""LightGBM models in text, checked and rewritten before LightGBM reads them.

LightGBM reads trees in threads: a damaged tree ends the process, or makes LightGBM read memory
outside the model.
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
NUMBERS = ("num_class", "num_tree_per_iteration", "label_index", "max_feature_idx")
TEXTS = ("objective", "feature_names", "feature_infos")
# A line of this word alone means that the trees are averaged, as in a random forest.
AVERAGED = "average_output"
VERSION = re.compile(r"v[234]")
MOST_FEATURES, MOST_CLASSES = 1_000_000, 10_000
WHOLE = re.compile(r"-?\d{1,10}", re.ASCII)
REAL = re.compile(r"-?\d{1,400}(\.\d{1,400})?(e[-+]?\d{1,3})?", re.ASCII)
# The fields of a tree with one entry per split that predictions need, and the form of an entry.
SPLITS = {"split_feature": WHOLE, "threshold": REAL, "decision_type": WHOLE}
SPLITS |= {"left_child": WHOLE, "right_child": WHOLE}
CATEGORICAL, LARGEST_DECISION = 1, 2**7
END = "end of trees\n"


def read(path: Path, permission: Permission) -> Any:  # noqa: ARG001 - needs none
    """Return the booster of a file.

    Raises
    ------
    InvalidInput
        If the file is no LightGBM model of trees, or the model is damaged.
    """
    head, first, rest = path.read_text("utf-8").partition("\nTree=0\n")
    about = _fields(head)
    if (
        not head.startswith("tree\n")
        or not first
        or any(k not in about for k in (*NUMBERS, *TEXTS))
    ):
        raise InvalidInput("holds no LightGBM model of trees; write one with save_model")
    body, end, last = rest.partition(f"\n{END}")
    parts = re.split(r"\nTree=\d+\n", body)
    width = _check_head(about, len(parts))
    if not end or len(about.get("tree_sizes", "").split()) != len(parts):
        raise damaged("the number of trees")
    trees = [f"Tree={i}\n{_tree(_fields(p), width)}\n\n\n" for i, p in enumerate(parts)]
    sizes = " ".join(str(len(tree)) for tree in trees)
    top = [f"{key}={about[key]}" for key in ("version", *NUMBERS, *TEXTS)]
    top += [AVERAGED] * (AVERAGED in head.splitlines())
    text = "\n".join(["tree", *top, f"tree_sizes={sizes}", "", "".join(trees) + END])
    return need("lightgbm", "lightgbm").Booster(model_str=text + _levels(last))


def _fields(text: str) -> dict[str, str]:
    parted = (line.partition("=") for line in text.splitlines())
    return {key: value for key, mark, value in parted if mark}


def _tokens(text: str, pattern: re.Pattern[str], what: str) -> list[str]:
    found = text.split()
    if not all(pattern.fullmatch(token) for token in found):
        raise damaged(what)
    return found


def _check_head(about: dict[str, str], trees: int) -> int:
    """Check the fields before the first tree, and return the number of features."""
    if not VERSION.fullmatch(about.get("version", "")):
        raise InvalidInput(f"a LightGBM model of the version {about.get('version', 'none')[:20]!r}")
    classes, each, _, last = (int(*_tokens(about[key], WHOLE, key)) for key in NUMBERS)
    width = last + 1
    if not 0 < width <= MOST_FEATURES or not 0 < classes <= MOST_CLASSES:
        raise damaged("the number of features or classes")
    said = re.findall(r"num_class:(\S*)", about["objective"])
    if each != classes or trees % classes or any(number != str(classes) for number in said):
        raise damaged("the number of classes")
    for key in ("feature_names", "feature_infos"):
        if len(about[key].split()) != width:
            raise damaged(key)
    return width


def _tree(tree: dict[str, str], width: int) -> str:
    """Check a tree, and return the lines that its predictions need."""
    leaves = int(*_tokens(tree["num_leaves"], WHOLE, "num_leaves"))
    if tree.get("is_linear", "0") != "0":
        raise InvalidInput("has linear models in its leaves, which is not read")
    kept = {"num_leaves": [str(leaves)], "num_cat": ["0"]}
    kept |= {key: _tokens(tree[key], pattern, key) for key, pattern in SPLITS.items()}
    for key in SPLITS:
        if len(kept[key]) != leaves - 1:
            raise damaged(key)
    kept["leaf_value"] = _tokens(tree["leaf_value"], REAL, "leaf_value")
    if len(kept["leaf_value"]) != leaves:
        raise damaged("leaf_value")
    kept |= _check_categories(tree, kept)
    check_places([int(place) for place in kept["split_feature"]], width, "split_feature")
    _check_branches(kept, leaves)
    kept |= {"is_linear": ["0"], "shrinkage": ["1"]}
    return "\n".join(f"{key}={' '.join(values)}" for key, values in kept.items())


def _check_branches(tree: dict[str, list[str]], leaves: int) -> None:
    """Check the places of the children; LightGBM writes leaf i as −1 − i."""
    splits = leaves - 1
    sides = [[int(child) for child in tree[key]] for key in ("left_child", "right_child")]
    branches = list(zip(*sides, strict=True))
    if any(child >= splits for pair in branches for child in pair):
        raise damaged("a branch that leads nowhere")
    placed = [tuple(c if c >= 0 else splits + ~c for c in pair) for pair in branches]
    check_tree([*placed, *[()] * leaves])


def _check_categories(tree: dict[str, str], kept: dict[str, list[str]]) -> dict[str, list[str]]:
    """Check the sets of levels that categorical splits use, and return their fields."""
    kinds = [int(kind) for kind in kept["decision_type"]]
    check_places(kinds, LARGEST_DECISION, "decision_type")
    pairs = zip(kept["threshold"], kinds, strict=True)
    asked = [float(threshold) for threshold, kind in pairs if kind & CATEGORICAL]
    sets = int(*_tokens(tree.get("num_cat", "0"), WHOLE, "num_cat"))
    if not sets:
        if asked:
            raise damaged("num_cat")
        return {}
    found = {key: _tokens(tree[key], WHOLE, key) for key in ("cat_boundaries", "cat_threshold")}
    borders, words = ([int(number) for number in numbers] for numbers in found.values())
    if len(borders) != sets + 1:
        raise damaged("cat_boundaries")
    check_steps(borders, len(words), "cat_boundaries")
    check_places(words, 2**32, "cat_threshold")
    check_places([int(place) for place in asked], sets, "threshold")
    return {"num_cat": [str(sets)], **found}


def _levels(rest: str) -> str:
    """Return the line with the levels of categories; predictions do not need other lines."""
    # A file that ends before this line has lost its levels: LightGBM would read text as numbers.
    if "\nend of parameters\n" not in rest:
        raise damaged("it ends too soon")
    mark = "pandas_categorical:"
    _, found, text = rest.rpartition(f"\n{mark}")
    levels = json.loads(text) if found else None
    if levels is not None and not all(isinstance(part, list) for part in levels):
        raise damaged("pandas_categorical")
    return f"\n{mark}{json.dumps(levels)}\n"
