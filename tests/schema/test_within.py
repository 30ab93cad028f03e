"""Numbers whose counterparts stay near the person's own value."""

import pytest
import torch

import rafair
from rafair.schema import Feature, Schema
from rafair.schema.summary import who_is_comparable


def feature(within, kind="integer", low=18, high=90, **more):
    return Feature(
        "age", kind, (low, high), "years", True, observed=(low, high), within=within, **more
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("high", [19, 90, 1_000_018])
@pytest.mark.parametrize("within", [0, 0.4, 1, 1.9, 10])
def test_the_distance_counts_to_the_last_whole_number(within, high, dtype):
    found, far = feature(within, high=high), int(within)
    own = torch.arange(high - 18 + 1)[:200]
    for apart in range(far, min(far + 1, high - 18) + 1):
        here, there = (t.to(dtype) / found.span for t in (own, own + apart))
        inside = (there - here).abs().double() <= found.nearness
        assert inside.all() if apart <= within else not inside.any()


def test_a_number_without_steps_is_compared_with_a_tolerance():
    found = feature(7.2, "numeric")
    assert 7.2 < found.nearness * found.span < 7.2001
    assert feature(None).nearness == float("inf")


def test_decimals_are_steps_too():
    found = feature(0.25, "numeric", low=0.0, high=2.0, decimals=2)
    assert 0.25 < found.nearness * 2 < 0.26


@pytest.mark.parametrize("within", [-1, float("nan"), float("inf")])
def test_an_impossible_distance_is_refused(within):
    with pytest.raises(rafair.InvalidInput, match="within must be finite and not negative"):
        feature(within)


def test_levels_have_no_distance():
    with pytest.raises(rafair.InvalidInput, match="categorical features have levels; within is"):
        Feature("sex", "categorical", ("f", "m"), sensitive=True, within=1)


def test_who_is_comparable_is_said_with_the_unit_where_it_is_sensitive():
    insensitive = Feature("years", "integer", (0, 9), within=2)
    assert who_is_comparable([feature(10), insensitive]) == ["age within 10 years of own"]


def test_a_dataset_takes_distances_for_its_sensitive_numbers(credit):
    near = credit.with_within({"age": 10})
    people, x = rafair.Counterparts.of(near.schema), near.test.x[:5]
    ages = near.schema.decode(people.rows(x))["age"].to_numpy().reshape(5, -1)
    own = near.schema.decode(x)["age"].to_numpy()
    assert (people.valid(x).numpy() == (abs(ages - own[:, None]) <= 10)).all()
    assert isinstance(near.schema, Schema)
    with pytest.raises(rafair.InvalidInput, match="within is for I"):
        credit.with_within({"credit_amount": 10})
    with pytest.raises(rafair.InvalidInput, match="no column 'x'"):
        credit.with_within({"x": 10})
