"""Conditions against brute force over people and their counterparts."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rafair.schema import Feature, Schema

FEATURES = (
    Feature("income", "integer", (0, 10)),
    Feature("age", "integer", (20, 30), sensitive=True, observed=tuple(range(20, 31))),
    Feature("years", "integer", (0, 10)),
    Feature("sex", "categorical", ("Female", "Male"), sensitive=True),
    Feature("role", "categorical", ("Wife", "Husband", "other")),
)
TEXTS = (
    "age >= 20 + years",
    "role != 'Husband' or sex == 'Male'",
    "role != 'Wife' or sex == 'Female'",
    "income * 2 >= years",
    "sex == 'Male' or age < 29",
)
RULES = (
    lambda p: p["age"] >= 20 + p["years"],
    lambda p: p["role"] != "Husband" or p["sex"] == "Male",
    lambda p: p["role"] != "Wife" or p["sex"] == "Female",
    lambda p: p["income"] * 2 >= p["years"],
    lambda p: p["sex"] == "Male" or p["age"] < 29,
)
COLUMNS = (3, 1)


def schema_of(chosen):
    return Schema(FEATURES, "y", (0, 1), tuple(TEXTS[i] for i in chosen))


def people(schema, seed, n=15):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(n, len(FEATURES), generator=generator, dtype=torch.float64)
    return schema.encode(schema.decode(drawn))


def by_hand(schema, chosen, x):
    rows = schema.decode(x).to_dict("records")
    found = [[bool(RULES[i](row)) for i in chosen] for row in rows]
    return torch.tensor(found, dtype=torch.bool).view(len(x), len(chosen))


subsets = st.lists(st.integers(0, 4), unique=True, max_size=5)


@given(chosen=subsets, seed=st.integers(0, 1000))
def test_each_met_and_met_are_what_the_rules_say(chosen, seed):
    schema = schema_of(chosen)
    x = people(schema, seed)
    expected = by_hand(schema, chosen, x)
    assert torch.equal(schema.conditions.each_met(x), expected)
    assert torch.equal(schema.conditions.met(x), expected.all(dim=1))
    assert len(schema.conditions) == len(chosen)


@given(chosen=subsets, seed=st.integers(0, 1000))
def test_met_by_is_met_of_each_counterpart(chosen, seed):
    schema = schema_of(chosen)
    x = people(schema, seed, n=7)
    axes = [schema.features[column].axis.tolist() for column in COLUMNS]
    grid = torch.tensor(list(itertools.product(*axes)), dtype=torch.float64)
    found = schema.conditions.met_by(x, COLUMNS, grid)
    assert found.shape == (7, len(grid))
    for place, values in enumerate(grid):
        other = x.clone()
        other[:, list(COLUMNS)] = values
        assert torch.equal(found[:, place], by_hand(schema, chosen, other).all(dim=1))


@given(seed=st.integers(0, 1000), shift=st.floats(-0.049, 0.049))
def test_a_value_counts_as_the_nearest_possible_one(seed, shift):
    schema = schema_of(range(5))
    x = people(schema, seed)
    moved = x.clone()
    moved[:, [0, 1, 2]] += shift  # ten steps each
    moved[:, 3] += shift * 9
    assert torch.equal(schema.conditions.each_met(moved), schema.conditions.each_met(x))


def texts(conditions):
    return [relation.text for relation in conditions.relations]


@pytest.mark.parametrize(
    ("columns", "about"),
    [([], []), ([0], [3]), ([1], [0, 4]), ([2], [0, 3]), ([3, 4], [1, 2, 4]), ([0, 1], [0, 3, 4])],
)
def test_relations_are_told_apart_by_the_columns_they_speak_of(columns, about):
    conditions = schema_of(range(5)).conditions
    assert texts(conditions.about(columns)) == [TEXTS[i] for i in about]
    rest = [TEXTS[i] for i in range(5) if i not in about]
    assert texts(conditions.apart_from(columns)) == rest


def test_which_relation_speaks_of_which_column():
    table = schema_of(range(5)).conditions.spoken_of(torch.device("cpu"))
    names = [feature.name for feature in FEATURES]
    expected = [[name in text for name in names] for text in TEXTS]
    assert table.tolist() == expected


def test_without_relations_everybody_is_possible():
    conditions = schema_of([]).conditions
    x = people(schema_of([]), 0)
    assert not conditions
    assert conditions.each_met(x).shape == (15, 0)
    assert conditions.met(x).all()
    assert conditions.met_by(x, (3,), torch.tensor([[0.0], [1.0]])).shape == (15, 2)
    assert conditions.met_by(x, (3,), torch.tensor([[0.0], [1.0]])).all()
    assert conditions.spoken_of(torch.device("cpu")).shape == (0, 5)
    assert not conditions.about([0, 1])


def test_nothing_is_written_to():
    schema = schema_of(range(5))
    x = people(schema, 3)
    before = x.clone()
    schema.conditions.met(x)
    schema.conditions.met_by(x, (1,), torch.tensor([[0.5]], dtype=torch.float64))
    assert torch.equal(x, before)
