"""The interval of a paired difference, against published numbers and against its own claim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafair.comparing import paired_difference

EVENTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


def pairs(both, lost, gained, neither):
    before = [1] * (both + lost) + [0] * (gained + neither)
    after = [1] * both + [0] * lost + [1] * gained + [0] * neither
    return np.array(before, float), np.array(after, float)


def test_it_is_the_interval_of_the_literature():
    """Airway hyper-responsiveness, Fagerland et al., Stat. Med. 33 (2014), 2850-2875, Table V."""
    found = paired_difference(*pairs(1, 7, 1, 12))
    assert found.difference == pytest.approx(-6 / 21)
    mirrored = paired_difference(*pairs(1, 1, 7, 12))
    assert (mirrored.low, mirrored.high) == pytest.approx((0.026, 0.507), abs=5e-4)
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))


@given(EVENTS)
def test_it_holds_the_difference_inside_of_minus_one_to_one(events):
    before, after = (np.array(column, float) for column in zip(*events, strict=True))
    found = paired_difference(before, after)
    assert -1 <= found.low <= found.difference + 1e-12
    assert found.difference - 1e-12 <= found.high <= 1
    swapped = paired_difference(after, before)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


def test_it_covers_the_true_difference_nineteen_times_out_of_twenty():
    rng = np.random.default_rng(0)
    table = (0.55, 0.2, 0.05, 0.2)  # both, lost, gained, neither: the difference is -0.15
    held = [
        found.low <= -0.15 <= found.high
        for found in (paired_difference(*pairs(*rng.multinomial(80, table))) for _ in range(2_000))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_shares_have_the_interval_of_their_mean_difference():
    rng = np.random.default_rng(1)
    before, after = rng.uniform(0, 0.5, 200), rng.uniform(0.2, 0.7, 200)
    found = paired_difference(before, after)
    error = (after - before).std(ddof=1) / 200**0.5
    assert (found.low, found.high) == pytest.approx(
        (found.difference - 1.96 * error, found.difference + 1.96 * error), abs=1e-5
    )


def test_a_single_share_says_nothing_about_others():
    found = paired_difference(np.array([0.2]), np.array([0.3]))
    assert (found.low, found.high) == (-1, 1)
