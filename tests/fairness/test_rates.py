import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rafair.fairness import balanced_rates, constant_model, rates
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


def test_shares_are_averaged_with_an_interval_that_their_spread_gives():
    generator = torch.Generator().manual_seed(3)
    hits = 0
    for _ in range(200):
        is_any = torch.rand(60, generator=generator) < 0.3
        shares = torch.rand(60, generator=generator, dtype=torch.float64) * is_any
        found = rates({"share": shares})
        assert found["share"] == pytest.approx(float(shares.mean()))
        low, high = found["ci"]["share"]
        assert 0 <= low <= found["share"] <= high <= 1
        wide = wilson(found["share"] * 60, 60)
        assert high - low <= wide[1] - wide[0] + 1e-12
        hits += low <= 0.15 <= high
    assert 0.9 <= hits / 200 <= 0.99


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_equal_shares_have_the_interval_of_as_many_seeds(share):
    found = rates({"share": torch.full((9,), share, dtype=torch.float64)})
    assert found["ci"]["share"] == pytest.approx(wilson(9 * share, 9))


def test_several_entries_of_a_seed_are_no_more_than_one_where_they_agree():
    happened = torch.tensor([True, False, True, True])
    every = happened[:, None].expand(4, 7)
    assert rates({"rain": every}) == rates({"rain": happened})


def test_several_entries_of_a_seed_count_as_many_where_seeds_do_not_differ_more_than_entries():
    generator = torch.Generator().manual_seed(0)
    happened = torch.rand(400, 20, generator=generator) < 0.3
    low, high = rates({"rain": happened})["ci"]["rain"]
    whole = wilson(int(happened.sum()), happened.numel())
    assert high - low == pytest.approx(whole[1] - whole[0], rel=0.1)


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1), spread=st.floats(0, 1))
def test_the_interval_lies_between_that_of_the_seeds_and_that_of_all_entries(seed, share, spread):
    generator = torch.Generator().manual_seed(seed)
    of_seed = share + spread * (torch.rand(12, 1, generator=generator) - 0.5)
    happened = torch.rand(12, 5, generator=generator) < of_seed
    found = rates({"rain": happened})
    low, high = found["ci"]["rain"]
    rate = int(happened.sum()) / 60
    wide, narrow = wilson(rate * 12, 12), wilson(rate * 60, 60)
    assert found["rain"] == rate
    assert low <= rate <= high
    assert wide[0] - 1e-12 <= low <= narrow[0] + 1e-12
    assert narrow[1] - 1e-12 <= high <= wide[1] + 1e-12


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator = torch.Generator().manual_seed(3)
    covered = 0
    for _ in range(400):
        of_seed = (torch.rand(60, 1, generator=generator) < 0.4).double() * 0.8 + 0.1
        happened = torch.rand(60, 10, generator=generator) < of_seed
        low, high = rates({"rain": happened})["ci"]["rain"]
        covered += low <= 0.4 * 0.9 + 0.6 * 0.1 <= high
    assert 0.92 <= covered / 400 <= 0.98


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=60),
)
def test_a_balanced_rate_is_the_mean_over_the_classes(people):
    happened = torch.tensor([event for event, _ in people])
    y = torch.tensor([label for _, label in people])
    shares = [happened[y == label].double().mean() for label in set(y.tolist())]
    found = balanced_rates({"held": happened}, y)
    assert found["held"] == pytest.approx(float(sum(shares)) / len(shares))
    low, high = found["ci"]["held"]
    assert 0 <= low <= found["held"] <= high <= 1


def test_a_balanced_rate_of_equal_classes_is_the_rate_with_its_interval():
    happened, y = torch.arange(40) % 3 == 0, torch.arange(40) % 2
    plain, balanced = rates({"held": happened}), balanced_rates({"held": happened}, y)
    assert balanced["held"] == pytest.approx(plain["held"])
    assert balanced["ci"]["held"] == pytest.approx(plain["ci"]["held"])


def test_a_constant_model_cannot_win_the_balanced_rate():
    y = (torch.arange(100) >= 88).long()
    constant = constant_model(y)
    assert constant == {"acc": 0.88, "if": 1.0, "af": 0.88, "af_balanced": 0.5}
    assert balanced_rates({"held": y == 0}, y)["held"] == pytest.approx(constant["af_balanced"])
