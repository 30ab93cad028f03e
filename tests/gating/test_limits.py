"""Limits of rates, from texts and from numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafair import InvalidInput
from rafair.gating import check_limits, parse_limits

KNOWN = ("acc", "r_af")


@given(st.floats(0, 1))
def test_a_limit_is_a_rate_and_its_bound(bound):
    assert parse_limits("--min", [f"r_af={bound!r}"], KNOWN) == {"r_af": bound}
    assert check_limits("min", {"r_af": bound}, KNOWN) == {"r_af": bound}


@given(st.floats().filter(lambda bound: not 0 <= bound <= 1))
def test_a_bound_outside_of_zero_to_one_is_refused(bound):
    with pytest.raises(InvalidInput, match=r"must lie in \[0, 1\]"):
        parse_limits("--min", [f"r_af={bound!r}"], KNOWN)
    with pytest.raises(InvalidInput, match=r"must lie in \[0, 1\]"):
        check_limits("min", {"r_af": bound}, KNOWN)


def test_several_limits_are_kept_and_the_last_of_one_rate_wins():
    texts = ["acc=0.1", "r_af=0.2", "acc=0.3"]
    assert parse_limits("--min", texts, KNOWN) == {"acc": 0.3, "r_af": 0.2}


@pytest.mark.parametrize("value", [True, "0.5", None])
def test_a_bound_that_is_no_number_is_refused(value):
    with pytest.raises(InvalidInput, match="min: the bound of acc must be a number, not"):
        check_limits("min", {"acc": value}, KNOWN)


def test_an_unknown_rate_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="--max: unknown rate 'accuracy'; use one of acc, r_af"):
        parse_limits("--max", ["accuracy=0.5"], KNOWN)
