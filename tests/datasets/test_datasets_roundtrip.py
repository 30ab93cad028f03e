"""The way from original units to unit space and back."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rafair import load_dataset
from rafair.datasets import benchmark_names

SCHEMAS = {name: load_dataset(name).schema for name in benchmark_names()}
CREDIT = load_dataset("credit")


def points(schema):
    coordinates = st.floats(0, 1, allow_subnormal=False)
    return st.lists(coordinates, min_size=len(schema.features), max_size=len(schema.features))


SOMEWHERE = st.sampled_from(sorted(SCHEMAS)).flatmap(
    lambda name: st.tuples(st.just(name), points(SCHEMAS[name]))
)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@pytest.mark.parametrize("part", ["train", "test"])
def test_decoding_the_encoded_frame_gives_the_very_same_frame(loaded, name, part):
    data = loaded[name]
    split = getattr(data, part)
    decoded = data.schema.decode(split.x, split.y)
    pd.testing.assert_frame_equal(decoded, split.frame, check_exact=True)


@given(SOMEWHERE)
def test_any_point_of_the_cube_decodes_to_possible_values(drawn):
    name, point = drawn
    schema = SCHEMAS[name]
    person = schema.decode(torch.tensor([point], dtype=torch.float64)).iloc[0]
    for feature in schema.features:
        value = person[feature.name]
        if feature.has_levels:
            assert value in feature.domain
        else:
            assert feature.domain[0] <= value <= feature.domain[1]
            assert value == round(value)


@given(SOMEWHERE)
def test_any_point_of_the_cube_encodes_back_to_the_nearest_level(drawn):
    name, point = drawn
    schema = SCHEMAS[name]
    x = torch.tensor([point], dtype=torch.float64)
    back = schema.encode(schema.decode(x))
    half = torch.tensor([feature.spacing / 2 for feature in schema.features], dtype=torch.float64)
    assert bool(((back - x).abs() <= half + 1e-12).all())
    again = schema.decode(back)
    pd.testing.assert_frame_equal(again, schema.decode(x))


@given(st.floats(-10, 10))
def test_numbers_outside_the_cube_decode_to_an_end_of_the_domain(number):
    schema = SCHEMAS["credit"]
    x = torch.full((1, len(schema.features)), number, dtype=torch.float64)
    inside = schema.decode(x.clamp(0, 1))
    pd.testing.assert_frame_equal(schema.decode(x), inside)


@given(st.integers(0, 299), st.integers(0, 1))
def test_a_row_decodes_the_same_alone_as_in_company(row, label):
    data = CREDIT
    y = torch.full((300,), label)
    together = data.schema.decode(data.test.x, y).iloc[[row]].reset_index(drop=True)
    alone = data.schema.decode(data.test.x[[row]], y[[row]])
    pd.testing.assert_frame_equal(alone, together)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_axis_of_a_sensitive_feature_lies_on_its_lattice(loaded, name):
    for feature in loaded[name].schema.features:
        if feature.sensitive:
            steps = feature.axis / feature.spacing
            assert np.allclose(steps, np.round(steps), atol=1e-9)
            assert feature.axis.min() == 0.0
            assert feature.axis.max() == 1.0
