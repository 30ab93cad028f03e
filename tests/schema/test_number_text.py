"""Numbers written as text, and the rules that read them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.schema import Schema
from rafair.schema.number_text import STYLES, read_written, styles_of


@pytest.mark.parametrize(
    ("cells", "styles"),
    [
        (["$1,234.50", "$12", "$1,000,000"], ["1,234.5"]),
        (["1.234,50 €", "12,5 €"], ["1.234,5"]),
        (["12.5%", "3%"], ["1234.5"]),
        (["1 234,5", "-7"], ["1 234,5"]),
        (["CHF 1'234.50", "CHF 2"], ["1'234.5"]),
        (["-$5.25", "$-3.50"], ["1234.5"]),
        (["1,234", "5,678"], ["1,234.5", "1.234,5"]),
        (["12", "7"], ["1234.5"]),
        (["01234", "00001"], []),
        (["1,23,4", "2"], []),
        (["12", "many"], []),
        (["2024-01-02"], []),
        (["+-3"], []),
        ([""], []),
        ([3.5, 4.0], []),
        ([], []),
    ],
)
def test_the_styles_that_read_every_cell_are_found(cells, styles):
    assert styles_of(pd.Series(cells)) == tuple(styles)


@given(
    numbers=st.lists(st.integers(-(10**9), 10**9).map(lambda n: n / 100), min_size=1, max_size=9),
    style=st.sampled_from(list(STYLES)),
    around=st.sampled_from(["{}", "${}", "{} %", "EUR {}", "{}€"]),
)
def test_what_was_written_is_read_again(numbers, style, around):
    thousands, decimal = STYLES[style]
    marks = {",": thousands[:1], ".": decimal}
    cells = ["".join(marks.get(mark, mark) for mark in f"{number:,.2f}") for number in numbers]
    frame = pd.DataFrame({"a": [around.format(cell) for cell in cells]})
    assert style in styles_of(frame["a"]) or len(styles_of(frame["a"])) == 1
    read = read_written(frame, {"a": style})
    np.testing.assert_allclose(read["a"], numbers, atol=1e-9)


def test_empty_cells_stay_empty_and_others_are_refused_by_their_row():
    frame = pd.DataFrame({"a": ["1,000", None, "x"]})
    assert read_written(frame.iloc[:2], {"a": "1,234.5"})["a"].isna().tolist() == [False, True]
    with pytest.raises(rafair.InvalidInput, match=r"'a', row 2: 'x' is not written as '1,234\.5'"):
        read_written(frame, {"a": "1,234.5"})
    with pytest.raises(rafair.InvalidInput, match="'1_0' is no style of numbers"):
        read_written(frame, {"a": "1_0"})
    with pytest.raises(rafair.InvalidInput, match="written names 'b', which is no column"):
        read_written(frame, {"b": "1,234.5"})


def table():
    n = 60
    income = [f"${1000 + 37 * row:,}" for row in range(n)]
    share = [f"{row % 8}.5%" for row in range(n)]
    sex = ["f", "m", "m"] * (n // 3)
    return pd.DataFrame({"income": income, "share": share, "sex": sex, "y": [0, 1] * (n // 2)})


def test_numbers_as_text_are_offered_with_the_rule_and_read_only_with_it():
    schema = Schema.infer(table(), label="y", sensitive=["sex"])
    assert schema.names == ("share", "sex")
    told = "\n".join(schema.doubts)
    assert "income: left out, text such as '$1,000' that reads as numbers with" in told
    assert "share: text such as '0.5%' that reads as numbers with written = \"1234.5\"." in told
    rules = {"income": "1,234.5", "share": "1234.5"}
    data = rafair.read_table(table(), label="y", sensitive=["sex"], written=rules)
    income, share, _ = data.schema.features
    assert (income.kind, income.domain) == ("integer", (1000, 1000 + 37 * 59))
    assert (share.kind, share.domain) == ("numeric", (0.5, 7.5))
