import numpy as np
import pandas as pd
import pytest

import rafair
from rafair.schema import Column, Schema

FRAME = pd.DataFrame(
    {
        "years": [30, 18, 65, 18],
        "rate": [0.25, 1.5, -2.0, 0.0],
        "exact": [1 / 3, 2 / 3, 0.1, 0.2],
        "town": ["Ulm", "Aalen", "Ulm", "Bonn"],
        "member": [True, False, True, True],
        "grade": ["good", "poor", "fair", "poor"],
    }
)


def feature_of(column, frame=FRAME):
    return Schema.fit(frame, [column], "label", ("no", "yes")).features[0]


def test_whole_numbers_become_an_integer_feature():
    feature = feature_of(Column("years", unit="years", sensitive=True))
    assert feature.kind == "integer"
    assert feature.domain == (18, 65)
    assert all(type(end) is int for end in feature.domain)
    assert feature.observed == (18.0, 30.0, 65.0)
    assert feature.unit == "years"
    assert feature.sensitive
    assert not feature.perturbable


def test_decimal_numbers_become_a_numeric_feature_with_their_places():
    feature = feature_of(Column("rate"))
    assert (feature.kind, feature.domain, feature.decimals) == ("numeric", (-2.0, 1.5), 2)


def test_numbers_of_full_precision_have_no_places():
    assert feature_of(Column("exact")).decimals is None


def test_text_and_truth_values_become_sorted_levels():
    assert feature_of(Column("town")).domain == ("Aalen", "Bonn", "Ulm")
    assert feature_of(Column("member")).domain == (False, True)
    assert feature_of(Column("town")).kind == feature_of(Column("member")).kind == "categorical"


def test_a_persons_word_comes_before_inference():
    levels = ("poor", "fair", "good")
    feature = feature_of(Column("grade", kind="ordinal", levels=levels))
    assert (feature.kind, feature.domain) == ("ordinal", levels)
    assert feature_of(Column("years", kind="categorical")).domain == (18, 30, 65)
    assert feature_of(Column("years", kind="numeric")).decimals == 0


def test_the_order_of_the_columns_is_the_persons():
    schema = Schema.fit(FRAME, [Column("town"), Column("years")], "label", ("no", "yes"))
    assert schema.names == ("town", "years")
    assert schema.label == "label"
    assert schema.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (Column("a"), [1.0, np.nan, 2.0], r"column 'a', row 1: the cell is empty \(NaN\)"),
        (Column("a"), ["x", "y", None], r"column 'a', row 2: the cell is empty \(NaN\)"),
        (Column("a"), [1.0, 2.0, np.inf], "column 'a', row 2: .*inf.* is not a finite number"),
        (Column("a", kind="numeric"), ["1", "2", "x"], "column 'a', row 2: 'x' is not a finite"),
        (Column("b"), [1, 2, 3], "the table has no column 'b'"),
    ],
)
def test_a_column_that_cannot_be_described_is_refused(column, values, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        feature_of(column, pd.DataFrame({"a": values}, index=[3, 1, 2]))


def test_text_with_too_many_values_is_refused():
    frame = pd.DataFrame({"name": [f"person {i}" for i in range(201)]})
    with pytest.raises(rafair.InvalidInput, match="column 'name' has 201 different values"):
        feature_of(Column("name"), frame)
    assert len(feature_of(Column("name"), frame[:200]).domain) == 200
