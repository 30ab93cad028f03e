"""Which rows a model cannot read, by asking it about halves; rows beyond a schema."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafair import InvalidInput, Schema, read_test
from rafair.datasets.unread import MOST, unread_rows


@given(n=st.integers(1, 60), bad=st.sets(st.integers(0, 59), max_size=40))
def test_exactly_the_bad_rows_are_found_unless_they_are_most(n, bad):
    bad = {row for row in bad if row < n}

    def reads(rows):
        first = next((row for row in rows if row in bad), None)
        return None if first is None else f"row {first}"

    found = unread_rows(n, reads)
    assert found in ({}, {row: f"row {row}" for row in bad})
    if bad and not found:
        sample = set(range(0, n, max(1, n // 8)))
        assert sample <= bad or len(bad) > MOST * n


def test_a_model_that_reads_no_such_table_is_asked_a_few_times_only():
    asked = []
    assert unread_rows(10_000, lambda rows: asked.append(rows) or "no") == {}
    assert len(asked) < 20


def test_one_row_among_many_is_found_with_few_questions():
    asked = []

    def reads(rows):
        asked.append(len(rows))
        return "no" if 777 in rows else None

    assert unread_rows(10_000, reads) == {777: "no"}
    assert len(asked) < 60


def people():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(
        {
            "income": rng.integers(10, 60, 80),
            "share": rng.integers(0, 100, 80) / 100,
            "grade": rng.choice(["low", "mid"], 80),
            "sex": rng.choice(["f", "m"], 80),
        }
    )
    y = pd.Series((x["income"] > 30) ^ (rng.random(80) < 0.2), name="paid").astype(int)
    return x, y


def test_a_schema_is_widened_to_hold_test_rows_and_eps_keeps_its_size():
    x, y = people()
    schema = Schema.infer(x.assign(paid=y), label="paid", sensitive=["sex"])
    x.loc[4, "income"], x.loc[6, "share"], x.loc[2, "grade"] = 900, -0.5, "top"
    data = read_test(x, y, schema=schema)
    old, new = (
        {feature.name: feature for feature in each.features} for each in (schema, data.schema)
    )
    assert new["income"].domain == (old["income"].domain[0], 900)
    assert new["share"].domain[0] == -0.5
    assert new["grade"].domain == ("low", "mid", "top")
    for name in ("income", "share"):
        assert new[name].bulk == old[name].domain
        assert new[name].bulk_share * new[name].span == pytest.approx(old[name].span)
    notes = [note for note in data.notes if "lies beyond the schema" in note]
    assert len(notes) == 3
    assert "row 4: 900" in notes[0]
    pd.testing.assert_frame_equal(data.test.frame[x.columns], x)


def test_an_order_with_an_unknown_level_stays_an_error():
    x, y = people()
    schema = Schema.infer(x.assign(paid=y), label="paid", sensitive=["sex"])
    features = tuple(
        replace(f, kind="ordinal") if f.name == "grade" else f for f in schema.features
    )
    x.loc[2, "grade"] = "top"
    with pytest.raises(InvalidInput, match="row 2: 'top' is not one of its levels"):
        read_test(x, y, schema=replace(schema, features=features))
