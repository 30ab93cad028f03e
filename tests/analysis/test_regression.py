"""The slope of the median against linear programs, which know nothing of lines through points."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from rafair.analysis import median_slopes, regression

SHAPES = [(2, 3), (3, 8), (5, 8), (12, 8), (31, 4), (50, 3)]


def random_series(steps, n, *, seed=0):
    generator = torch.Generator().manual_seed(100 * steps + seed)
    noise = torch.randn(steps, n, generator=generator, dtype=torch.float64)
    trend = torch.randn(n, generator=generator, dtype=torch.float64)
    return noise + 0.2 * trend * torch.arange(steps, dtype=torch.float64)[:, None]


def least_misfit(values):
    """The least sum of distances to any line, and the least and the greatest slope that attain it.

    Least absolute deviations as a linear program over β₀, β₁ and one bound for each distance.
    """
    values = np.asarray(values, dtype=np.float64)
    steps = len(values)
    design = np.stack([np.ones(steps), np.arange(steps)], axis=1)
    above = np.block([[design, -np.eye(steps)], [-design, -np.eye(steps)]])
    limits = np.concatenate([values, -values])
    bounds = [(None, None)] * 2 + [(0, None)] * steps
    total = np.concatenate([np.zeros(2), np.ones(steps)])
    solved = linprog(total, above, limits, bounds=bounds, method="highs")
    assert solved.status == 0
    ends = []
    for sign in (1, -1):
        aim = np.zeros(steps + 2)
        aim[1] = sign
        extreme = linprog(
            aim,
            np.vstack([above, total]),
            np.append(limits, solved.fun + 1e-9),
            bounds=bounds,
            method="highs",
        )
        assert extreme.status == 0
        ends.append(sign * extreme.fun)
    return solved.fun, *ends


def misfit_of(values, slope):
    """The sum of distances to the best line of this slope: its height is a median."""
    rest = np.asarray(values) - slope * np.arange(len(values))
    return np.abs(rest - np.median(rest)).sum()


@pytest.mark.parametrize(("steps", "n"), SHAPES, ids=str)
def test_no_line_fits_better_and_a_unique_one_is_found(steps, n):
    values = random_series(steps, n)
    slopes = median_slopes(values)
    assert slopes.shape == (n,)
    assert slopes.dtype == torch.float64
    unique = 0
    for series, slope in zip(values.T.numpy(), slopes.tolist(), strict=True):
        least, low, high = least_misfit(series)
        assert misfit_of(series, slope) == pytest.approx(least, rel=0, abs=1e-9)
        if high - low < 1e-6:
            unique += 1
            assert slope == pytest.approx((low + high) / 2, rel=0, abs=1e-6)
    assert unique > 0


@pytest.mark.parametrize(("steps", "n"), [(9, 5), (40, 3)], ids=str)
def test_it_is_quantile_regression_at_the_median(steps, n):
    from sklearn.linear_model import QuantileRegressor

    values = random_series(steps, n, seed=1)
    time = np.arange(steps)[:, None]
    for series, slope in zip(values.T.numpy(), median_slopes(values).tolist(), strict=True):
        fitted = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(time, series)
        expected = np.abs(series - fitted.predict(time)).sum()
        assert misfit_of(series, slope) == pytest.approx(expected, rel=0, abs=1e-9)


def test_an_outlier_does_not_turn_the_line():
    values = torch.arange(9, dtype=torch.float64)[:, None] * 0.5
    values[8] = -100.0
    assert median_slopes(values).tolist() == [0.5]


@pytest.mark.parametrize("level", [0.0, 0.1, -3.7, 1e-300, 1e12])
def test_a_constant_series_has_a_slope_of_exactly_zero(level):
    values = torch.full((50, 2), level, dtype=torch.float64)
    assert median_slopes(values).tolist() == [0.0, 0.0]


def test_a_series_that_mostly_stays_where_it_is_has_a_slope_of_exactly_zero():
    values = torch.full((9, 2), 0.3, dtype=torch.float64)
    values[0, 0], values[8, 1] = 0.9, 0.1
    assert median_slopes(values).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("slope", [1.0, -0.25, 1 / 3, 1e-9, -1e-13])
@pytest.mark.parametrize("steps", [2, 3, 50])
def test_a_line_has_its_own_slope(steps, slope):
    values = slope * torch.arange(steps, dtype=torch.float64)[:, None]
    assert float(median_slopes(values)) == pytest.approx(slope, rel=1e-12, abs=0)
    # At this height a float64 has neighbours 1e-16 away.
    assert float(median_slopes(0.7 + values)) == pytest.approx(slope, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("scale", [1e-12, 1e-100, 1e9])
def test_a_small_series_keeps_its_sign(scale):
    values = random_series(20, 30)
    slopes = median_slopes(values)
    assert (slopes != 0).all()
    assert torch.equal(median_slopes(values * scale).sign(), slopes.sign())


whole_series = st.lists(st.integers(-50, 50), min_size=2, max_size=12)


def slope_of(numbers):
    return float(median_slopes(torch.tensor(numbers, dtype=torch.float64)[:, None]))


@given(numbers=whole_series, exponent=st.integers(-60, 60))
def test_a_series_twice_as_high_is_twice_as_steep(numbers, exponent):
    assert slope_of([n * 2.0**exponent for n in numbers]) == slope_of(numbers) * 2.0**exponent


@given(numbers=whole_series, shift=st.integers(-1000, 1000))
def test_a_series_put_higher_is_as_steep(numbers, shift):
    assert slope_of([n + shift for n in numbers]) == pytest.approx(slope_of(numbers), abs=1e-9)


@given(numbers=whole_series)
def test_a_series_turned_over_or_read_backwards_falls_as_it_rose(numbers):
    steepness = abs(slope_of(numbers))
    for other in ([-n for n in numbers], numbers[::-1]):
        assert abs(slope_of(other)) == pytest.approx(steepness, abs=1e-9)


@given(numbers=whole_series, tilt=st.integers(-20, 20))
def test_a_series_tilted_is_fitted_as_well(numbers, tilt):
    tilted = [n + tilt * k for k, n in enumerate(numbers)]
    least = misfit_of(numbers, slope_of(numbers))
    assert misfit_of(tilted, slope_of(tilted)) == pytest.approx(least, abs=1e-9)
    assert misfit_of(numbers, slope_of(tilted) - tilt) == pytest.approx(least, abs=1e-9)


def test_many_series_at_once_are_as_one_by_one(monkeypatch):
    values = random_series(10, 23)
    together = median_slopes(values)
    alone = torch.cat([median_slopes(series) for series in values.split(1, dim=1)])
    assert torch.equal(together, alone)
    for chunk in (1, 45 * 10 * 4):
        monkeypatch.setattr(regression, "CHUNK", chunk)
        assert torch.equal(median_slopes(values), together)
