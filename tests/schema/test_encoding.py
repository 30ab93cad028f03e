"""Frame to unit space and back."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.schema import Column, Feature, Schema

WORDS = st.text(st.characters(categories=["L", "N", "Z", "P"]), min_size=1, max_size=6)


@st.composite
def numbers(draw, rows):
    """Decimal numbers with at most six places."""
    places = draw(st.integers(0, 6))
    whole = st.integers(-(10**8), 10**8)
    values = [value / 10**places for value in draw(st.lists(whole, min_size=rows, max_size=rows))]
    return pd.Series(values, dtype=np.float64)


@st.composite
def frames(draw):
    """A frame of every kind of column with a schema fitted to it."""
    rows = draw(st.integers(2, 12))
    order = draw(st.permutations(["low", "middle", "high", "very high"]))

    def column(values, **options):
        return pd.Series(draw(st.lists(values, min_size=rows, max_size=rows)), **options)

    frame = pd.DataFrame(
        {
            "count": column(st.integers(-(10**9), 10**9), dtype=np.int64),
            "amount": draw(numbers(rows)),
            "word": column(WORDS),
            "code": column(st.integers(0, 9), dtype=np.int64),
            "grade": column(st.sampled_from(order)),
            "flag": column(st.booleans(), dtype=bool),
            "label": column(st.sampled_from(["no", "yes"])),
        }
    )
    columns = [
        Column("count"),
        Column("amount", unit="EUR"),
        Column("word"),
        Column("code", kind="categorical"),
        Column("grade", kind="ordinal", levels=tuple(order)),
        Column("flag", sensitive=True),
    ]
    return frame, Schema.fit(frame, columns, "label", ("no", "yes"))


@given(case=frames())
def test_decoding_undoes_encoding_exactly(case):
    frame, schema = case
    x, y = schema.encode(frame), schema.encode_label(frame)
    assert x.dtype == torch.float64
    assert y.dtype == torch.int64
    assert x.shape == (len(frame), 6)
    assert ((x >= 0) & (x <= 1)).all()
    pd.testing.assert_frame_equal(schema.decode(x, y), frame, check_exact=True)


@given(case=frames())
def test_encoding_undoes_decoding_of_possible_people(case):
    frame, schema = case
    x = schema.encode(frame)
    torch.testing.assert_close(schema.encode(schema.decode(x)), x, rtol=0, atol=0)


@given(case=frames(), seed=st.integers(0, 1000))
def test_any_point_decodes_to_a_possible_person_nearby(case, seed):
    _, schema = case
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(9, 6, generator=generator, dtype=torch.float64)
    back = schema.encode(schema.decode(x))
    spacing = torch.tensor([feature.spacing for feature in schema.features], dtype=x.dtype)
    constant = torch.tensor([feature.span == 0 for feature in schema.features])
    assert ((back - x).abs() <= spacing / 2 + 1e-9).logical_or(constant).all()


def test_float32_people_decode_to_the_same_person(credit):
    x = credit.test.x
    people = credit.schema.decode(x.float())
    pd.testing.assert_frame_equal(people, credit.schema.decode(x))
    pd.testing.assert_frame_equal(people, credit.test.frame[list(credit.schema.names)])


AGE = Feature("age", "integer", (20, 30), sensitive=True, observed=(20.0, 24.0, 30.0))
PRICE = Feature("price", "numeric", (1.0, 3.0), "EUR", decimals=1)
SIZE = Feature("size", "ordinal", ("S", "M", "L"))
FREE = Feature("free", "numeric", (-1.0, 1.0))
FLAG = Feature("flag", "categorical", (False, True))
SMALL = Schema((AGE, PRICE, SIZE, FREE, FLAG), "ok", ("no", "yes"))


def table(**changed):
    columns = {
        "age": [20, 25, 30],
        "price": [1.0, 2.5, 3.0],
        "size": ["S", "L", "M"],
        "free": [-1.0, 0.123456789, 1.0],
        "flag": [True, False, True],
        "ok": ["no", "yes", "no"],
    }
    # Rows are counted from 0, whatever the index says.
    return pd.DataFrame({**columns, **changed}, index=[7, 5, 9])


def test_unit_space_is_the_share_of_the_range_or_of_the_levels():
    assert SMALL.encode(table()).tolist() == [
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [0.5, 0.75, 1.0, pytest.approx(0.5617283945), 0.0],
        [1.0, 1.0, 0.5, 1.0, 1.0],
    ]
    assert SMALL.encode_label(table()).tolist() == [0, 1, 0]


def test_decoding_rounds_to_the_nearest_possible_value():
    x = torch.tensor([[0.34, 0.13, 0.7, 0.3, 0.49], [0.36, 0.17, 0.8, 0.30001, 0.51]])
    frame = SMALL.decode(x.double())
    assert frame["age"].tolist() == [23, 24]
    assert frame["price"].tolist() == [1.3, 1.3]
    assert frame["size"].tolist() == ["M", "L"]
    assert frame["free"].tolist() == pytest.approx([-0.4, -0.39998])
    assert frame["flag"].tolist() == [False, True]
    assert frame["age"].dtype == np.int64
    assert frame["flag"].dtype == bool


def test_decoding_clips_to_the_domain():
    x = torch.tensor([[-0.5] * 5, [1.5] * 5], dtype=torch.float64)
    frame = SMALL.decode(x)
    assert frame.to_dict("list") == {
        "age": [20, 30],
        "price": [1.0, 3.0],
        "size": ["S", "L"],
        "free": [-1.0, 1.0],
        "flag": [False, True],
    }


def test_decoding_adds_the_label_if_it_is_given():
    frame = SMALL.decode(SMALL.encode(table()), torch.tensor([1, 0, 1]))
    assert list(frame.columns) == [*SMALL.names, "ok"]
    assert frame["ok"].tolist() == ["yes", "no", "yes"]


def test_a_constant_column_is_zero_and_comes_back():
    feature = Feature("year", "integer", (2020, 2020))
    assert feature.encode(pd.Series([2020, 2020])).tolist() == [0.0, 0.0]
    assert feature.decode(np.array([0.0, 0.7])).tolist() == [2020, 2020]
    assert feature.spacing == 1.0


def test_other_columns_and_their_order_do_not_matter():
    frame = table(extra=[1, 2, 3])
    assert torch.equal(SMALL.encode(frame[sorted(frame.columns)]), SMALL.encode(table()))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"age": [20, None, 30]}, "column 'age', row 1: .*nan.* is missing"),
        ({"age": [20, 25, np.inf]}, "column 'age', row 2: .*inf.* is not a finite number"),
        ({"age": [20, 25.5, 30]}, "column 'age', row 1: .*25.5.* is not a whole number"),
        ({"age": [19, 25, 30]}, "column 'age', row 0: .*19.* lies outside 20..30"),
        ({"age": [20, 25, 31]}, "column 'age', row 2: .*31.* lies outside 20..30"),
        ({"age": ["20", "old", "30"]}, "column 'age', row 1: 'old' is not a finite number"),
        ({"price": [1.0, np.nan, 2.0]}, "column 'price', row 1: .*nan.* is missing"),
        ({"price": [1.0, 2.0, -np.inf]}, "column 'price', row 2: .*-inf.* is not a finite number"),
        ({"price": [1.0, 2.0, 3.1]}, "column 'price', row 2: .*3.1.* lies outside 1.0..3.0"),
        ({"size": ["S", "M", "XL"]}, "column 'size', row 2: 'XL' is not one of its levels"),
        ({"size": [None, "M", "S"]}, "column 'size', row 0: .* is missing"),
        ({"flag": [True, "maybe", True]}, "column 'flag', row 1: 'maybe' is not one of its levels"),
    ],
)
def test_an_impossible_cell_is_refused_by_column_and_row(changed, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        SMALL.encode(table(**changed))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (["no", "maybe", "yes"], "label 'ok', row 1: 'maybe' is not one of no, yes"),
        (["no", "yes", None], "label 'ok', row 2: .* is not one of no, yes"),
    ],
)
def test_an_unknown_label_is_refused_by_row(label, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        SMALL.encode_label(table(ok=label))


@pytest.mark.parametrize("name", SMALL.names)
def test_a_missing_column_is_named(name):
    with pytest.raises(rafair.InvalidInput, match=f"the table lacks the column '{name}'"):
        SMALL.encode(table().drop(columns=name))


def test_a_missing_label_is_named():
    with pytest.raises(rafair.InvalidInput, match="the table lacks the label column 'ok'"):
        SMALL.encode_label(table().drop(columns="ok"))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(5), r"x has shape \(5,\); the schema has 5 features"),
        (torch.zeros(2, 4), r"x has shape \(2, 4\); the schema has 5 features"),
        (torch.full((1, 5), torch.nan), "x holds NaN or infinity"),
        (torch.full((1, 5), torch.inf), "x holds NaN or infinity"),
    ],
)
def test_what_is_no_table_of_people_is_not_decoded(x, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        SMALL.decode(x)
