import pytest
import torch

from rafair import Feature, InvalidInput
from rafair.schema import read_region

FEATURES = [
    Feature("age", "integer", (20, 60), sensitive=True, observed=(20.0, 60.0)),
    Feature("income", "numeric", (0.0, 10.0), decimals=1),
    Feature("weight", "numeric", (50.0, 150.0)),
    Feature("grade", "ordinal", ("a", "b", "c", "d", "e")),
    Feature("colour", "categorical", ("red", "green", "blue", "black", "white")),
    Feature("is here", "categorical", (False, True)),
]
WHOLE = ((0.0, 1.0),)


def intervals(region):
    found = read_region(region, FEATURES).intervals
    return {f.name: i for f, i in zip(FEATURES, found, strict=True) if i != WHOLE}


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("age in [25, 40]", {"age": ((0.125, 0.5),)}),
        ("25 <= age <= 40", {"age": ((0.125, 0.5),)}),
        ("age > 24, age < 41", {"age": ((0.125, 0.5),)}),
        ("40 >= age, age >= 24.5", {"age": ((0.125, 0.5),)}),
        ("age == 30", {"age": ((0.25, 0.25),)}),
        ("age >= -3, age <= 300", {}),
        ("income < 2, income > 1.05", {"income": ((0.11, 0.19),)}),
        ("weight in [75, 100]", {"weight": ((0.25, 0.5),)}),
        ("weight < 100", {"weight": ((0.0, 0.5),)}),
        ("grade in ['b', 'd']", {"grade": ((0.25, 0.75),)}),
        ("grade > 'b'", {"grade": ((0.5, 1.0),)}),
        ("'b' <= grade < 'e'", {"grade": ((0.25, 0.75),)}),
        ("colour in ['red', 'green', 'white']", {"colour": ((0.0, 0.25), (1.0, 1.0))}),
        ("colour in ['red', 'blue'], colour == 'blue'", {"colour": ((0.5, 0.5),)}),
        ("`is here` == true", {"is here": ((1.0, 1.0),)}),
        ({"age": (None, 40), "is here": False}, {"age": ((0.0, 0.5),), "is here": ((0.0, 0.0),)}),
        ({"colour": ["blue"], "grade": "a"}, {"grade": ((0.0, 0.0),), "colour": ((0.5, 0.5),)}),
        (None, {}),
        ("", {}),
        ({}, {}),
    ],
)
def test_conditions_become_intervals_of_possible_values(region, expected):
    found = intervals(region)
    assert found.keys() == expected.keys()
    for name, several in expected.items():
        assert torch.tensor(found[name]) == pytest.approx(torch.tensor(several))


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("age", "write conditions such as"),
        ("age in 3", "after 'in' comes a list"),
        ("age in [1, 2, 3]", "takes a range of two ends"),
        ("age in [40, 30]", "no possible value of 'age' lies in it"),
        ("age == 25.5", "no possible value of 'age' lies in it"),
        ("age == 'old'", "is compared with a number, not 'old'"),
        ("age == income", "compared with a number or a level in quotes"),
        ("age + 1 == 3", "write conditions such as"),
        ("age not in [1, 2]", "use one of in, =="),
        ("colour < 'red'", "have no order; use == or in"),
        ("colour == 'pink'", "'pink' is no level of 'colour'; its levels are 'red'"),
        ("colour in []", "no possible value of 'colour' lies in it"),
        ("hair == 'red'", "there is no feature 'hair'"),
        ("age >=", "not an expression that can be read"),
        ("__import__('os').system('true')", "write conditions such as"),
        ({"hair": "red"}, "there is no feature 'hair'"),
        ({"age": float("nan")}, "is compared with a number, not nan"),
        ("age == " + "(" * 200 + "3" + ")" * 200, "region"),
        ("-" * 300 + "age == 3", "too deep"),
        (", ".join(["age == 30"] * 2_000), "longer than"),
        (7, "a region must be a text or a mapping, not a int"),
    ],
)
def test_what_cannot_be_read_is_one_line(region, message):
    with pytest.raises(InvalidInput, match=r"^[^\n]*$") as refused:
        read_region(region, FEATURES)
    assert message in str(refused.value)


def test_a_region_of_too_many_boxes_is_refused():
    levels = tuple(map(str, range(40)))
    many = [Feature(name, "categorical", levels) for name in "abc"]
    odd = ", ".join(f"{name} in {list(levels[::2])}" for name in "abc")
    with pytest.raises(InvalidInput, match="more than 4,096 boxes"):
        read_region(odd, many)


def test_boxes_are_the_product_of_the_intervals_and_hold_who_lies_in_the_region():
    region = read_region("colour in ['red', 'blue'], age in [20, 40], weight <= 75", FEATURES)
    low, high = region.boxes([0])
    assert low.tolist() == [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0.5, 0]]
    assert high[:, [0, 2, 4]].tolist() == [[0, 0.25, 0], [0, 0.25, 0.5]]
    people = torch.tensor(
        [[0.5, 0.3, 0.2, 0, 0.5, 1], [0.6, 0.3, 0.2, 0, 0.5, 1], [0, 0, 0, 0, 0.25, 0]]
    )
    assert region.holds(people).tolist() == [True, False, False]
    assert region.holds(people[:, [0]], [0]).tolist() == [True, False, True]
