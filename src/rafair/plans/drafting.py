"""Drafts the text of a plan for a table that has no plan yet."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.datasets.leaks import suspicions
from rafair.datasets.table import open_table
from rafair.errors import naming
from rafair.schema import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from rafair.schema import Feature, Level

__all__ = ["draft_plan"]

BARE = re.compile(r"[A-Za-z0-9_-]+")
HEAD = """\
# A plan for rafair, drafted from {table}. Read it, correct it, then:
#   rafair check PLAN.toml --model MODEL
#   rafair audit PLAN.toml --model MODEL
"""
RELATIONS = """\
# What holds between the columns of every possible person, for example:
#   "installment * duration >= amount", "relationship != 'Husband' or sex == 'Male'"
relations = []
"""
AUDIT = """\
[audit]
# attacks = ["rafair"]     # "square" for a model without gradients
# seeds = "all"            # of the test split; by default 200, or as many as there are
epsilon = 0.1              # how far a feature may move, as a share of its range; each feature may
step_size = 0.01           # have its own: epsilon = 500 in its unit, or epsilon = "5%"
steps = 20
# fail_under = { r_af = 0.5 }
"""
KEYS = """\
# For each feature: kind (numeric, integer, ordinal, categorical), range or levels (ordinal ones in
# their order), unit, sensitive, perturbable = false for what cannot change, switch = true for a
# category that may, bins = [18, 30, 50, 90] for a sensitive number, within = 10 for one whose
# counterparts are at most 10 away from the person's own, bulk = [0, 20] where ε is a share of this
# part of the range, written = "1,234.5" for numbers in text, and for empty cells
# missing = "median", "mean" or "most_frequent", or fill = a value; empty = [999]: such cells too.
# A column under ignore comes back with a section of its own. In [data], not_leaks names features
# that tell the label and are meant to.
"""


def draft_plan(
    table: str | Path,
    label: str,
    sensitive: Sequence[str],
    positive: Level | None = None,
    within: Mapping[str, float] | None = None,
) -> str:
    """Propose a plan for a CSV or Parquet file.

    Parameters
    ----------
    within : mapping of str to float, optional
        Sensitive number → largest distance of a counterpart's value from the person's own.

    Returns
    -------
    str
        TOML, with comments on everything that a person should check.

    Raises
    ------
    InvalidInput
        See ``Schema.infer``.
    """
    frame, _, _ = open_table(table)
    with naming(table):
        positive = _meant(frame, label, positive)
        near = [Column(name, within=width) for name, width in (within or {}).items()]
        schema = Schema.infer(
            frame, label=label, sensitive=sensitive, positive=positive, columns=near
        )
        schema = replace(schema, doubts=(*schema.doubts, *suspicions(schema, frame)))
    used = {*schema.columns, label}
    ignored = [name for name in frame.columns if name not in used]
    # The path stays as it was given: the plan goes to standard output, so that nobody knows here
    # in which directory it will lie.
    return "\n".join(_lines(Path(table), frame, schema, ignored))


def _meant(frame: pd.DataFrame, label: str, positive: Level | None) -> Level | None:
    """Return the value of the label whose text was given on the command line."""
    if positive is None or label not in frame.columns:
        return positive
    levels = frame[label].dropna().tolist()
    return next((level for level in levels if str(level) == positive), positive)


def _lines(
    table: Path, frame: pd.DataFrame, schema: Schema, ignored: Sequence[str]
) -> Iterator[str]:
    yield HEAD.format(table=_commented(str(table)))
    yield RELATIONS
    yield "[data]"
    yield f"table = {_value(table.as_posix())}   # seen from the directory of this plan"
    yield f"label = {_value(schema.label)}"
    yield f"positive = {_value(schema.positive)}   # of {_commented(_listed(schema.classes))}"
    yield f"ignore = {_value(list(ignored))}"
    yield "test_share = 0.3\n"
    yield "# [model]"
    yield '# path = "model.skops"'
    yield '# inputs = "frame"       # or "original", "unit": what the model reads\n'
    yield AUDIT
    yield KEYS
    about = _by_feature(schema, [*map(str, frame.columns), *schema.names])
    yield from (f"# Look: {_commented(doubt)}" for doubt in about.pop("", []))
    for feature in schema.features:
        yield from _feature(feature, frame, about.get(feature.name, []))


def _listed(levels: Sequence[Level]) -> str:
    return ", ".join(map(str, levels))


def _by_feature(schema: Schema, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the doubts about each feature; under "" those about columns that are left out."""
    found: dict[str, list[str]] = {}
    for doubt in schema.doubts:
        about = max((name for name in names if doubt.startswith(f"{name}: ")), key=len, default="")
        found.setdefault(about if about in schema.names else "", []).append(doubt)
    return found


def _feature(feature: Feature, frame: pd.DataFrame, doubts: Sequence[str]) -> Iterator[str]:
    yield f"\n[features.{_key(feature.name)}]"
    yield from (f"# Look: {_commented(doubt)}" for doubt in doubts)
    yield f"kind = {_value(feature.kind)}"
    if feature.columns:
        yield f"columns = {_value(list(feature.columns))}"
    if feature.has_levels:
        yield f"levels = {_value(list(feature.domain))}"
    else:
        yield f"range = {_value(list(feature.domain))}"
    if feature.bulk:
        yield f"bulk = {_value(list(feature.bulk))}   # of this range, ε and step are shares"
    if feature.unit:
        yield f"unit = {_value(feature.unit)}"
    if feature.sensitive:
        yield "sensitive = true"
    if feature.within is not None:
        yield f"within = {_value(feature.within)}   # counterparts: at most this far from own"
    if not feature.columns and frame[feature.name].isna().any():
        yield 'missing = "refuse"'


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """Write a value as TOML, whose strings differ from those of JSON in one character."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _commented(text: str) -> str:
    """Return a text without line breaks, which would end the comment that it stands in."""
    return "".join(c if c.isprintable() else "?" for c in text)
