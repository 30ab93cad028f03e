import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rafair.fairness import rates
from rafair.fairness.rates import wilson


@given(n=st.integers(1, 500), data=st.data(), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_wilsons(n, data, level):
    count = data.draw(st.integers(0, n))
    interval = binomtest(count, n).proportion_ci(level, method="wilson")
    expected = [interval.low, interval.high]
    assert wilson(count, n, level) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [1, 7, 200])
def test_the_interval_reaches_the_ends_exactly(n):
    assert wilson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == 1.0
    assert wilson(0, n)[1] < 1.0
    assert wilson(n, n)[0] > 0.0


def test_rates_are_shares_of_events_with_their_intervals():
    happened = torch.tensor([True, False, True, True])
    assert rates({"rain": happened, "snow": ~happened}) == {
        "rain": 0.75,
        "snow": 0.25,
        "ci": {"rain": wilson(3, 4), "snow": wilson(1, 4)},
    }
