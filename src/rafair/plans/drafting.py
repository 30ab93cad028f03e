"""Drafts the text of a plan for a table that has no plan yet."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.datasets.leaks import suspicions
from rafair.datasets.missing import RULES, Fill
from rafair.datasets.two_tables import rows_together, rows_told
from rafair.errors import naming
from rafair.plans.options import options_of
from rafair.plans.plan import OWN_EPSILON, Plan
from rafair.plans.tables import Tables
from rafair.schema import Column, Schema
from rafair.schema.leaving_out import kept_for_model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pandas as pd

    from rafair.plans.plan_file import ModelFile
    from rafair.schema import Feature, Level

__all__ = ["REFUSE", "draft_plan"]

REFUSE = RULES[0]
BARE = re.compile(r"[A-Za-z0-9_-]+")
HEAD = """\
# A plan for rafair, drafted from {table}. Read it, correct it, then:
#   rafair check PLAN.toml{model}
#   rafair audit PLAN.toml{model}
"""
RELATIONS = """\
# What holds between the columns of every possible person, for example:
#   "installment * duration >= amount", "relationship != 'Husband' or sex == 'Male'"
relations = []
"""
# Parameters of an audit that a draft shows though nobody has asked for them.
SHOWN = {"epsilon": OWN_EPSILON, "step_size": Plan.step_size, "steps": Plan.steps}
ABOUT = {
    "epsilon": "how far a feature may move, as a share of its range; each feature may",
    "step_size": 'have its own: epsilon = 500 in its unit, or epsilon = "5%"',
}
KEYS = """\
# For each feature: kind (numeric, integer, ordinal, categorical), range or levels (ordinal ones in
# their order), unit, sensitive, perturbable = false for what cannot change, switch = true for a
# category that may, bins = [18, 30, 50, 90] for a sensitive number, within = 10 for one whose
# counterparts are at most 10 away from the person's own, bulk = [0, 20] where ε is a share of this
# part of the range, written = "1,234.5" for numbers in text, and for empty cells
# missing = "median", "mean" or "most_frequent", or fill = a value; "keep" where the model reads
# missing values itself; "level" where missing is a level of its own, of a category or sensitive
# column. empty = [999]: such cells too. In [data], missing = … is the rule of all other columns.
# A column under ignore comes back with a section of its own. In [data], not_leaks names features
# that tell the label and are meant to.
"""


def draft_plan(
    table: str | Path | Tables,
    label: str,
    sensitive: Sequence[str],
    positive: Level | None = None,
    missing: str = REFUSE,
    *,
    within: Mapping[str, float] | None = None,
    model: ModelFile | None = None,
    audit: Mapping[str, Any] | None = None,
    read: Collection[str] = (),
) -> str:
    """Propose a plan for a CSV or Parquet file, or for test rows with or without training rows.

    Parameters
    ----------
    table : path or Tables
        A path is a table that is split.
    missing : str
        The rule for empty cells that the plan gives to every column, one of ``RULES``.
    model : ModelFile, optional
        The model that the plan names.
    audit : mapping, optional
        Parameters of the audit, by the names of the fields of ``Plan``.
    within : mapping of str to float, optional
        Sensitive number → largest distance of a counterpart's value from the person's own.
    read : collection of str
        Columns that the model reads; of them none is left out.

    Returns
    -------
    str
        TOML, with comments on everything that a person should check.

    Raises
    ------
    InvalidInput
        See ``Schema.infer``; also if there is no such rule.
    """
    Fill(missing)  # type: ignore[arg-type]  # it checks the rule
    tables = table if isinstance(table, Tables) else Tables(Path(table), split=True)
    test, train, *_ = tables.read()
    with naming(tables.test), rows_told(train):
        frame = test if train is None else rows_together(train, test, label)
        positive = _meant(frame, label, positive)
        near = [Column(name, within=width) for name, width in (within or {}).items()]
        schema = _schema(frame, label, sensitive, positive, near, read)
    used = {*schema.columns, label}
    ignored = [name for name in frame.columns if name not in used]
    head = HEAD.format(table=_commented(str(tables.test)), model="" if model else " --model MODEL")
    parts = (
        _data(tables, schema, ignored, missing),
        _model(model),
        _audit(audit or {}),
        _features(schema, frame, missing),
    )
    return "\n".join([head, RELATIONS, *itertools.chain(*parts)])


def _schema(
    frame: pd.DataFrame,
    label: str,
    sensitive: Sequence[str],
    positive: Level | None,
    near: Sequence[Column],
    read: Collection[str],
) -> Schema:
    """Infer what the columns mean, with all that a person should know of them."""

    def infer(columns: Sequence[Column]) -> Schema:
        return Schema.infer(
            frame, label=label, sensitive=sensitive, positive=positive, columns=columns
        )

    schema = infer(near)
    lost = [name for name in read if name not in {*schema.columns, label}]
    kept = kept_for_model(lost, schema.doubts)
    if kept:
        schema = infer([*near, *(column for column, _ in kept.values())])
    told = (told for _, told in kept.values())
    return replace(schema, doubts=(*schema.doubts, *told, *suspicions(schema, frame)))


def _meant(frame: pd.DataFrame, label: str, positive: Level | None) -> Level | None:
    """Return the value of the label whose text was given on the command line."""
    if positive is None or label not in frame.columns:
        return positive
    levels = frame[label].dropna().tolist()
    return next((level for level in levels if str(level) == positive), positive)


def _data(tables: Tables, schema: Schema, ignored: Sequence[str], missing: str) -> Iterator[str]:
    # A path stays as it was given: the plan may go to standard output, so that nobody knows here
    # in which directory it will lie.
    named = {"table" if tables.split else "test": tables.test, "train": tables.train}
    yield "[data]"
    for key, path in named.items():
        if path is not None:
            yield f"{key} = {_value(path.as_posix())}   # seen from the directory of this plan"
    yield f"label = {_value(schema.label)}"
    yield f"positive = {_value(schema.positive)}   # of {_commented(_listed(schema.classes))}"
    yield f"ignore = {_value(list(ignored))}"
    if missing != REFUSE:
        yield f"missing = {_value(missing)}   # of every column that has empty cells"
    yield "test_share = 0.3\n" if tables.split else ""


def _model(model: ModelFile | None) -> Iterator[str]:
    if model is None:
        yield "# [model]"
        yield '# path = "model.skops"'
        yield '# inputs = "frame"       # or "original", "unit": what the model reads\n'
        return
    yield "[model]"
    yield f"path = {_value(model.path.as_posix())}"
    for key in ("inputs", "output"):
        if (value := getattr(model, key)) != "auto":
            yield f"{key} = {_value(value)}"
    if model.trust:
        yield f"trust = {_value(list(model.trust))}"
    yield ""


def _audit(given: Mapping[str, Any]) -> Iterator[str]:
    """Write the parameters that were given, and those that a draft always shows."""
    known = options_of(Plan)
    yield "[audit]"
    if "attacks" not in given:
        yield '# attacks = ["rafair"]     # "square" for a model without gradients'
    if "n_seeds" not in given:
        yield '# n_seeds = "all"         # of the test rows; by default 200, or all if fewer'
    for name, value in {**SHOWN, **given}.items():
        option = known[name]
        is_word = option.word is not None and value == option.word[1]
        shown = option.word[0] if option.word is not None and is_word else value
        line = f"{name} = {_value(list(shown) if isinstance(shown, tuple) else shown)}"
        yield f"{line:<26} # {ABOUT[name]}" if name in ABOUT else line
    yield "# fail_under = { r_af = 0.5 }\n"


def _features(schema: Schema, frame: pd.DataFrame, missing: str) -> Iterator[str]:
    yield KEYS
    about = _by_feature(schema, [*map(str, frame.columns), *schema.names])
    yield from (f"# Look: {_commented(doubt)}" for doubt in about.pop("", []))
    for feature in schema.features:
        yield from _feature(feature, about.get(feature.name, []))
        if missing == REFUSE and not feature.columns and frame[feature.name].isna().any():
            yield f"missing = {_value(REFUSE)}"


def _listed(levels: Sequence[Level]) -> str:
    return ", ".join(map(str, levels))


def _by_feature(schema: Schema, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the doubts about each feature; under "" those about columns that are left out."""
    found: dict[str, list[str]] = {}
    for doubt in schema.doubts:
        about = max((name for name in names if doubt.startswith(f"{name}: ")), key=len, default="")
        found.setdefault(about if about in schema.names else "", []).append(doubt)
    return found


def _feature(feature: Feature, doubts: Sequence[str]) -> Iterator[str]:
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
    if not feature.perturbable and feature.kind != "ordinal":  # an ordinal one does not by default
        yield "perturbable = false"
    if feature.within is not None:
        yield f"within = {_value(feature.within)}   # counterparts: at most this far from own"


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
