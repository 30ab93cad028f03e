"""Codes and outliers beside the bulk of a column's numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.problem import PerturbationSpace
from rafair.schema import Column, Feature, Schema, fit_feature
from rafair.schema.bulk import bulk_of, told_of_bulk

N = 200


def lines(code=999.0, rows=8):
    values = np.arange(N) % 10 * 1.0
    values[:rows] = code
    return values


@pytest.mark.parametrize(
    ("values", "low", "high", "apart"),
    [
        (lines(), 0, 9, (999,)),
        (lines(-99.0), 0, 9, (-99,)),
        (np.r_[lines(), -500.0, 1e6], 0, 9, (-500, 999, 1e6)),
    ],
)
def test_numbers_far_away_are_apart(values, low, high, apart):
    found = bulk_of(values)
    assert (found.low, found.high, found.apart) == (low, high, apart)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(N) * 1.0,
        lines(12.0),
        lines(rows=40),
        np.repeat([0.0, 1.0], N // 2),
        np.r_[np.zeros(N), 5.0],
        lines()[:10],
        np.random.default_rng(0).gamma(2, 10, N),
    ],
)
def test_other_numbers_have_no_bulk(values):
    assert bulk_of(values) is None


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60))
def test_most_numbers_lie_in_the_bulk_and_the_others_far_away(values):
    numbers = np.array(values, dtype=float)
    found = bulk_of(numbers)
    if found is None:
        return
    inside = (numbers >= found.low) & (numbers <= found.high)
    width = found.high - found.low
    assert inside.mean() >= 0.9
    assert set(numbers[~inside]) == set(found.apart)
    assert (~inside).sum() == found.rows
    far = np.maximum(numbers - found.high, found.low - numbers)[~inside]
    assert (far >= width).all()
    assert width > 0


def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "lines": lines(),
            "wealth": np.r_[1e6, rng.uniform(0, 200, N - 1).round(2)],
            "age": np.r_[999, 999, rng.integers(20, 70, N - 2)],
            "y": np.arange(N) % 2,
        }
    )


def test_epsilon_and_step_are_shares_of_the_bulk():
    data = rafair.read_table(table(), label="y", sensitive=["age"])
    schema = data.schema
    count, wealth, age = schema.features
    assert (count.domain, count.bulk) == ((0, 999), (0, 9))
    assert wealth.domain[1] == 1e6
    assert wealth.bulk[1] <= 200
    assert age.bulk is None
    told = " ".join(data.notes)
    assert "lines: 999 in 8 of 200 rows, while the others run from 0 to 9: a code" in told
    assert "wealth: 1000000 in 1 of 200 rows" in told
    assert "ε is a share of 0 to 9 (bulk)." in told
    assert "I(v) takes them too." in told
    reach = PerturbationSpace.of(schema, 0.5, "feasible").reach(data.test.x)
    assert float(reach[0]) * count.span == pytest.approx(4.5)
    assert float(reach[1]) * wealth.span == pytest.approx(0.5 * np.diff(wealth.bulk)[0])
    # The domain still holds the values that lie apart.
    assert schema.decode(schema.encode(table()))["lines"].max() == 999


def test_a_bulk_can_be_given_and_be_the_whole_range():
    said = [Column("lines", bulk=(0, 999)), Column("wealth", bulk=(1, 50))]
    schema = Schema.infer(table(), label="y", sensitive=["age"], columns=said)
    assert [f.bulk for f in schema.features[:2]] == [(0, 999), (1, 50)]
    assert schema.features[0].bulk_share == 1
    assert any("ε is a share of 0 to 999 (bulk)." in doubt for doubt in schema.doubts)


@pytest.mark.parametrize("bulk", [(5, 5), (9, 3), (-1, 5), (0, 11)])
def test_a_bulk_that_is_none_is_refused(bulk):
    with pytest.raises(rafair.InvalidInput, match="the bulk must be"):
        Feature("a", "integer", (0, 10), bulk=bulk)


def test_levels_have_no_bulk():
    frame = pd.DataFrame({"a": ["x", "y"]})
    with pytest.raises(rafair.InvalidInput, match="features have levels"):
        fit_feature(frame, Column("a", bulk=(0, 1)))
    with pytest.raises(rafair.InvalidInput, match="features have levels, no bulk"):
        Feature("a", "categorical", ("x", "y"), bulk=(0, 1))
    assert told_of_bulk(fit_feature(frame, Column("a")), frame["a"]) is None
