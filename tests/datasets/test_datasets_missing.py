"""Empty cells: what fills them, what is said of it, and what is refused."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.datasets import read_table
from rafair.datasets.missing import RULES, Fill, fill_missing
from rafair.schema import Schema


def filled(values, rule, **options):
    frame, notes = fill_missing(pd.DataFrame({"c": values}), {"c": Fill(rule, **options)})
    return frame["c"], notes


@pytest.mark.parametrize(
    ("values", "rule", "value", "kind"),
    [
        ([1.0, 3.0, 4.0, None], "median", 3, "int64"),
        ([1.0, 2.0, 3.0, 4.0, None], "median", 2, "int64"),  # the lower of two
        ([0.5, 2.0, None], "median", 0.5, "float64"),
        ([1.0, 2.0, None], "mean", 1.5, "float64"),
        ([1.0, 3.0, None], "mean", 2, "int64"),
        ([7.0, 7.0, 1.0, None], "most_frequent", 7, "int64"),
        ([0.5, 0.5, 1.0, None], "most_frequent", 0.5, "float64"),
        (pd.array([1, 2, 9, None], dtype="Int64"), "median", 2, "int64"),
        (pd.array([1, 2, None], dtype="Int64"), "mean", 1.5, "float64"),
        ([True, True, False, None], "most_frequent", True, "bool"),
    ],
)
def test_a_rule_finds_its_value_and_the_type_is_restored(values, rule, value, kind):
    column, notes = filled(values, rule)
    assert column.iloc[-1] == value
    assert column.dtype == kind
    assert not column.isna().any()
    assert len(notes) == 1


@pytest.mark.parametrize(
    "values",
    [
        ["x", "x", "w", None],
        pd.Categorical(["x", "x", "w", None]),
        pd.array(["x", "x", "w", None], dtype="string"),
        np.array(["x", "x", "w", np.nan], dtype=object),
    ],
)
def test_text_takes_the_most_frequent(values):
    column, notes = filled(values, "most_frequent")
    assert column.tolist() == ["x", "x", "w", "x"]
    assert notes == ("1 empty cells of c were filled with x (most frequent).",)


@given(values=st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_the_most_frequent_of_a_tie_is_the_first_in_order(values):
    column, _ = filled([*values, None], "most_frequent")
    most = max(values.count(level) for level in values)
    assert column.iloc[-1] == min(level for level in values if values.count(level) == most)


@given(
    values=st.lists(st.one_of(st.none(), st.integers(-99, 99)), min_size=1, max_size=12),
    rule=st.sampled_from(["median", "mean", "most_frequent"]),
)
def test_cells_that_are_not_empty_stay_and_all_others_get_one_value(values, rule):
    present = [value for value in values if value is not None]
    if not present:
        with pytest.raises(rafair.InvalidInput, match=r"column 'c'"):
            filled(pd.Series(values, dtype="float64"), rule)
        return
    column, notes = filled(pd.Series(values, dtype="float64"), rule)
    assert [v for v, old in zip(column, values, strict=True) if old is not None] == present
    assert len({v for v, old in zip(column, values, strict=True) if old is None}) <= 1
    assert len(notes) == (len(present) < len(values))
    new = [v for v, old in zip(column, values, strict=True) if old is None]
    if new and rule == "median":
        assert new[0] == np.sort(present)[(len(present) - 1) // 2]
    if new and rule == "mean":
        assert new[0] == pytest.approx(np.mean(present), abs=1e-12)


@pytest.mark.parametrize("value", [0, False, "", "none", -1.5])
def test_a_value_can_be_given_whatever_it_is(value):
    present = "x" if isinstance(value, str) else type(value)(1)
    column, notes = filled(pd.Series([present, None], dtype=object), "refuse", value=value)
    assert column.tolist() == [present, value]
    assert notes == (f"1 empty cells of c were filled with {value} (the value given).",)


def test_a_column_with_no_empty_cell_stays_as_it_is():
    frame = pd.DataFrame({"c": [1.0, 2.0], "d": [None, 2.0]})
    found, notes = fill_missing(frame, {"c": Fill("median"), "e": Fill("mean")})
    pd.testing.assert_frame_equal(found, frame)
    assert notes == ()


def test_the_given_frame_is_not_written_to():
    frame = pd.DataFrame({"c": [1.0, None]})
    fill_missing(frame, {"c": Fill("median")})
    assert frame["c"].isna().sum() == 1


@pytest.mark.parametrize(
    ("values", "rule", "message"),
    [
        ([1.0, None, None], "refuse", r"column 'c', row 1: .* 2 of 3 are; name a rule"),
        ([None, None], "median", "every cell is empty; ignore it"),
        ([None, None], "most_frequent", "every cell is empty; ignore it"),
        (["x", None], "median", 'the median needs numbers; use missing = "most_frequent"'),
        (["x", "1", None], "mean", "the mean needs numbers"),
        (["1", "2", None], "median", "the median needs numbers"),
        (["1", "2", None], "mean", "the mean needs numbers"),
        (pd.array([True, None], dtype="boolean"), "mean", "the mean needs numbers"),
        ([True, False, None], "median", "the median needs numbers"),
    ],
)
def test_what_a_rule_cannot_fill_is_refused(values, rule, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        filled(values, rule)


def test_an_unknown_rule_is_refused():
    with pytest.raises(rafair.InvalidInput, match=re.escape(", ".join(RULES))):
        Fill("mode")


N = 30


def loans():
    return pd.DataFrame(
        {
            "age": [None if i % 7 == 3 else 20 + i for i in range(N)],
            "town": [None if i % 5 == 0 else "ab"[i % 2] for i in range(N)],
            "race_a": [i % 2 for i in range(N)],
            "race_b": [1 - i % 2 for i in range(N)],
            "sex": ["f", "m", "m"] * 10,
            "y": ["no"] * 15 + ["yes"] * 15,
        }
    )


KINDS = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_filled_as_was_asked_and_says_so(kind):
    rules = {"age": "median", "town": "most_frequent"}
    table = KINDS[kind](loans())
    data = read_table(table, label="y", sensitive=["sex"], missing=rules)
    people = pd.concat([data.train.frame, data.test.frame])
    assert len(people) == N
    assert not people.isna().any().any()
    assert pd.api.types.is_integer_dtype(people["age"])
    assert (people["age"] == loans()["age"].median().astype(int)).sum() >= 4
    assert [note.split()[:5] for note in data.notes] == [
        ["4", "empty", "cells", "of", "age"],
        ["6", "empty", "cells", "of", "town"],
        ["race:", "taken", "for", "one", "feature"],
    ]
    assert type(data.decode(data.test.x)) is type(table)


def test_without_a_rule_an_empty_cell_is_refused():
    with pytest.raises(rafair.InvalidInput, match="column 'town', row 0"):
        read_table(loans(), label="y", sensitive=["sex"], missing={"age": "mean"})


def test_a_schema_and_rules_go_together():
    schema = Schema.infer(loans(), label="y", sensitive=["sex"])
    rules = {"age": "median", "town": "most_frequent"}
    data = read_table(loans(), schema=schema, missing=rules)
    assert len(data.notes) == 2
    with pytest.raises(rafair.InvalidInput, match=r"column 'age', row 3: .* is missing"):
        read_table(loans(), schema=schema)


def test_a_rule_for_a_column_that_does_not_exist_is_refused():
    with pytest.raises(rafair.InvalidInput, match="missing names 'job'"):
        read_table(loans(), label="y", sensitive=["sex"], missing={"job": "mean"})


def test_a_rule_for_a_one_hot_column_is_refused():
    frame = loans().drop(columns=["age", "town"])
    frame["race_b"] = frame["race_b"].astype(float).where(frame.index != 3)
    groups = {"race": ["race_a", "race_b"]}
    rules = {"race_b": "median"}
    with pytest.raises(rafair.InvalidInput, match="missing names 'race_b', which is no feature"):
        read_table(frame, label="y", sensitive=["sex"], one_hot=groups, missing=rules)


def test_a_rule_for_the_label_is_kept_or_refused_as_one():
    frame = loans().drop(columns=["age", "town"])
    frame["y"] = frame["y"].where(frame.index != 29)
    rules = {"y": "most_frequent"}
    try:
        said = " ".join(read_table(frame, label="y", sensitive=["sex"], missing=rules).notes)
    except rafair.InvalidInput as error:
        said = str(error)
    assert "missing" in said or "were filled" in said  # either is right, silence is not
