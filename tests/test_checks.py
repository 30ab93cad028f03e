"""Checks of single values."""

import math

import pytest

from rafair import InvalidInput
from rafair.checks import check_number, check_one_of, check_share, check_whole


@pytest.mark.parametrize("value", [0, 7, 9])
def test_a_whole_number_between_the_bounds_passes(value):
    check_whole("n", value, 0, 9)


@pytest.mark.parametrize("value", [-1, 1.0, "1", True, None, math.nan])
def test_what_is_no_whole_number_is_refused_by_name(value):
    with pytest.raises(InvalidInput, match=r"^n must be a whole number, 0 or more, not "):
        check_whole("n", value, 0, 9)


def test_a_number_too_large_is_refused_with_the_bound():
    with pytest.raises(InvalidInput, match=r"^n must be at most 9, not 10$"):
        check_whole("n", 10, 0, 9)


@pytest.mark.parametrize("value", [0, 0.5, 3])
def test_a_finite_number_passes(value):
    check_number("p", value)


@pytest.mark.parametrize("value", ["1", True, None])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(InvalidInput, match=r"^p must be a number, not "):
        check_number("p", value)


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_a_number_that_measures_nothing_is_refused(value):
    with pytest.raises(InvalidInput, match=r"^p must be finite and not negative, not "):
        check_number("p", value)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_a_share_passes(value):
    check_share("s", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(InvalidInput, match=r"^s must lie in \[0, 1\], not "):
        check_share("s", value)


def test_an_unknown_word_is_refused_with_those_that_are_known():
    check_one_of("colour", "red", ("red", "blue"))
    with pytest.raises(InvalidInput, match=r"^unknown colour 'green'; use red or blue$"):
        check_one_of("colour", "green", ("red", "blue"))
