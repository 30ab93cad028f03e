"""From the text of an option to a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafair import InvalidInput
from rafair.cli.parsing import check_reading, distances, engine, names, number_or
from rafair.engine.backends import Engine


@given(st.integers())
def test_a_whole_number_is_read(number):
    assert number_or("all", "--seeds", str(number)) == number


def test_the_word_stands_for_none():
    assert number_or("all", "--seeds", "all") is None


@given(st.floats().map(repr))
def test_a_number_with_a_point_is_refused(text):
    with pytest.raises(InvalidInput, match="--seeds takes a whole number or 'all'"):
        number_or("all", "--seeds", text)


def test_names_lose_the_space_around_them():
    assert names("--sensitive", " age , sex") == ["age", "sex"]
    assert names("--sensitive", None) is None


@pytest.mark.parametrize("text", ["", " ", ",", "age,", ",age", "age, ,sex"])
def test_empty_names_are_refused(text):
    with pytest.raises(InvalidInput, match="names separated by commas"):
        names("--sensitive", text)


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ((None, "processes", None), Engine(1)),
        (("3", "processes", None), Engine(3)),
        (("all", "processes", None), Engine(None)),
        ((None, "ray", None), Engine(None, "ray")),
        (("2", "ray", "host:6379"), Engine(2, "ray", "host:6379")),
    ],
    ids=str,
)
def test_an_engine_is_made_of_its_options(options, meant):
    assert engine(*options) == meant


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("", "processes", None), "^--jobs takes a whole number or 'all', not ''$"),
        (("few", "ray", None), "^--jobs takes a whole number or 'all', not 'few'$"),
        (("0", "processes", None), "^jobs must be a whole number, 1 or more"),
        ((None, "dask", None), "^--backend takes processes or ray, not 'dask'$"),
        ((None, "processes", "auto"), "^address is for the backend 'ray', not for 'processes'$"),
    ],
    ids=str,
)
def test_an_engine_that_is_not_possible_is_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        engine(*options)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rows", None), "^--inputs takes auto, unit, original, frame, not 'rows'$"),
        ((None, "runs/loans"), "^--output takes .*, not 'runs/loans'; a directory is .* --out$"),
    ],
)
def test_words_that_no_model_is_read_by_are_refused(words, message):
    check_reading("unit", "logits")
    with pytest.raises(InvalidInput, match=message):
        check_reading(*words)


def test_distances_are_numbers_by_name():
    assert distances("--within", ["age=10", "a=b=0.5"]) == {"age": 10, "a=b": 0.5}


@pytest.mark.parametrize("text", ["age", "=10", "age=", "age=ten", "age=-1", "age=nan", "age=inf"])
def test_what_is_no_distance_is_refused(text):
    with pytest.raises(InvalidInput, match="write COLUMN=NUMBER, as age=10"):
        distances("--within", [text])
