"""Piecewise linear columns against numpy's interpolation, and what a model is given to read."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import rafair
from rafair.models.agreement import random_people
from rafair.models.inputs import Feed, choose_inputs
from rafair.models.piecewise import Piecewise, possible_numbers
from rafair.schema import Feature, Schema

RACES = ("asian", "black", "white")
FEATURES = (
    Feature("age", "integer", (18, 30)),
    Feature("income", "numeric", (-5.0, 15.0)),
    Feature("race", "categorical", RACES, columns=tuple(f"race_{r}" for r in RACES)),
    Feature("grade", "ordinal", ("a", "b", "c", "d")),
    Feature("own", "categorical", ("no", "yes"), columns=("own_yes",)),
    Feature("one", "categorical", ("only",)),
    Feature("same", "integer", (7, 7)),
    Feature("big", "integer", (0, 5000)),
)
SCHEMA = Schema(FEATURES, "y", (0, 1))
COUNTABLE = [i for i, f in enumerate(FEATURES) if possible_numbers(f) is not None]
D = len(FEATURES)


def run(piecewise, x):
    return nn.Sequential(*piecewise.layers())(x)


def anyone(n, seed):
    return torch.rand(n, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def at_values(place, x):
    """The same rows at each possible value of one feature: (values, d) each of a first row."""
    count = len(possible_numbers(FEATURES[place]))
    rows = x[:1].repeat(count, 1)
    rows[:, place] = torch.arange(count, dtype=torch.float64) / max(count - 1, 1)
    return rows


tables = st.integers(0, 10_000)


@given(place=st.sampled_from(COUNTABLE), seed=tables, columns=st.integers(1, 3))
def test_a_table_is_exact_at_every_value_and_linear_between(place, seed, columns):
    count = len(possible_numbers(FEATURES[place]))
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(count, columns, generator=generator, dtype=torch.float64) * 10
    table = Piecewise.table(SCHEMA, place, values)
    x = anyone(40, seed)
    torch.testing.assert_close(run(table, at_values(place, x)), values, rtol=0, atol=1e-10)
    knots = np.linspace(0, 1, count) if count > 1 else [0.0]
    for column in range(columns):
        expected = np.interp(x[:, place], knots, values[:, column])
        np.testing.assert_allclose(run(table, x)[:, column], expected, rtol=0, atol=1e-10)


@given(seed=tables)
def test_joined_taken_and_scaled_columns_are_what_the_matrices_say(seed):
    generator = torch.Generator().manual_seed(seed)
    whole = Piecewise.originals(SCHEMA)
    x = anyone(9, seed)
    plain = run(whole, x)
    matrix = torch.randn(3, len(whole), generator=generator, dtype=torch.float64)
    offset = torch.randn(3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(run(whole.affine(matrix, offset), x), plain @ matrix.T + offset)
    order = torch.randperm(len(whole), generator=generator)[:4].tolist()
    torch.testing.assert_close(run(whole.take(order), x), plain[:, order])
    factor = torch.randn(len(whole), generator=generator, dtype=torch.float64)
    shifted = whole.scaled(factor, torch.ones(len(whole), dtype=torch.float64))
    torch.testing.assert_close(run(shifted, x), plain * factor + 1)
    both = Piecewise.join([whole, Piecewise.constant(SCHEMA, [4.0, -1.0])])
    assert len(both) == len(whole) + 2
    assert run(both, x)[:, -2:].tolist() == [[4.0, -1.0]] * 9


@pytest.mark.parametrize("place", range(D))
def test_numbers_are_original_units_or_codes(place):
    feature, x = FEATURES[place], anyone(20, 1)
    expected = feature.low + x[:, place] * feature.span
    torch.testing.assert_close(run(Piecewise.numbers(SCHEMA, place), x)[:, 0], expected)


def test_originals_are_the_table_with_codes_for_levels():
    x = random_people(SCHEMA, 50)
    frame = SCHEMA.decode(x)
    frame["grade"] = frame["grade"].map(FEATURES[3].domain.index)
    frame["one"] = 0
    expected = frame[list(SCHEMA.columns)].to_numpy(dtype=np.float64)
    np.testing.assert_allclose(run(Piecewise.originals(SCHEMA), x), expected, rtol=0, atol=1e-9)


def test_linear_columns_are_one_layer_and_others_have_a_neuron_for_each_bend():
    assert [type(m) for m in Piecewise.numbers(SCHEMA, 0).layers()] == [nn.Linear]
    straight = Piecewise.table(SCHEMA, 3, torch.arange(4.0).double()[:, None] * 2 + 1)
    assert [type(m) for m in straight.layers()] == [nn.Linear]
    bent = Piecewise.table(SCHEMA, 3, torch.tensor([[0.0], [0.0], [1.0], [2.0]]))
    first, relu, last = bent.layers()
    assert isinstance(relu, nn.ReLU)
    assert first.weight.shape == (D + 1, D)
    assert last.weight.shape == (1, D + 1)
    twice = Piecewise.join([bent, bent])
    assert twice.layers()[0].weight.shape == (D + 1, D)


def test_layers_have_no_gradients_of_their_own_and_pass_them_on():
    layers = nn.Sequential(*Piecewise.originals(SCHEMA).layers())
    assert not any(p.requires_grad for p in layers.parameters())
    assert all(p.dtype == torch.float64 for p in layers.parameters())
    x = anyone(3, 0).requires_grad_()
    layers(x)[:, 0].sum().backward()
    assert x.grad[:, 0].tolist() == pytest.approx([12.0] * 3)


def test_the_making_of_layers_leaves_the_random_numbers_alone():
    before = torch.get_rng_state()
    Piecewise.originals(SCHEMA).layers()
    assert torch.equal(torch.get_rng_state(), before)


def test_possible_numbers_are_counted_where_they_are_few():
    assert possible_numbers(FEATURES[0]) == [float(age) for age in range(18, 31)]
    assert possible_numbers(FEATURES[1]) is None
    assert possible_numbers(FEATURES[3]) == [0.0, 1.0, 2.0, 3.0]
    assert possible_numbers(FEATURES[6]) == [7.0]
    assert possible_numbers(FEATURES[7]) is None


def test_unit_space_is_read_as_it_is():
    x = anyone(4, 2)
    assert Feed("unit", SCHEMA)(x).tolist() == x.tolist()
    assert Feed("unit", None)(x.float()).dtype == np.float64


@pytest.mark.parametrize("inputs", ["unit", "original"])
def test_a_model_that_writes_to_its_rows_does_not_change_ours(inputs):
    x = random_people(SCHEMA, 6)
    before = x.clone()
    rows = Feed(inputs, SCHEMA)(x)
    rows[:] = 0
    assert torch.equal(x, before)


def test_an_original_matrix_holds_codes_and_one_hot_columns():
    x = random_people(SCHEMA, 30)
    expected = run(Piecewise.originals(SCHEMA), x)
    np.testing.assert_allclose(Feed("original", SCHEMA)(x), expected, rtol=0, atol=1e-9)


def test_columns_come_in_the_models_order():
    columns = ("race_white", "age", "race_asian")
    x = random_people(SCHEMA, 8)
    frame = SCHEMA.decode(x)[list(columns)]
    for inputs in ("original", "frame"):
        rows = Feed(inputs, SCHEMA, columns)(x)
        assert np.asarray(rows).tolist() == frame.to_numpy().tolist()
    with pytest.raises(rafair.InvalidInput, match="reads a column 'wage'"):
        Feed("frame", SCHEMA, ("age", "wage"))


def test_a_frame_has_original_values_and_categories_if_asked():
    x = random_people(SCHEMA, 8)
    plain = Feed("frame", SCHEMA)(x)
    pd.testing.assert_frame_equal(plain, SCHEMA.decode(x))
    typed = Feed("frame", SCHEMA, categories=True)(x)
    assert list(typed["grade"].cat.categories) == ["a", "b", "c", "d"]
    assert typed["grade"].astype(str).tolist() == plain["grade"].tolist()
    assert typed["age"].dtype == np.int64


def test_what_rounding_leaves_of_a_whole_number_is_taken_away():
    x = random_people(SCHEMA, 60)
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)).double() - 0.5
    rows = Feed("original", SCHEMA)((x + noise * 1e-12).clamp(0, 1))
    clean = Feed("original", SCHEMA)(x)
    whole = [SCHEMA.columns.index(name) for name in ("age", "grade", "big", "same")]
    assert rows[:, whole].tolist() == clean[:, whole].tolist()
    assert (rows[:, whole] % 1 == 0).all()
    between = Feed("original", SCHEMA)(torch.full((1, D), 0.51, dtype=torch.float64))
    assert between[0, 0] == pytest.approx(18 + 0.51 * 12)  # paper setting: anything between


def test_original_units_need_a_schema():
    for inputs in ("original", "frame"):
        with pytest.raises(rafair.InvalidInput, match="pass the data's schema"):
            Feed(inputs, None)
    with pytest.raises(rafair.InvalidInput, match="pass the data's schema"):
        choose_inputs("original", None)
    with pytest.raises(rafair.InvalidInput, match="reads matrices"):
        choose_inputs("frame", SCHEMA)


def test_auto_reads_original_units_where_all_is_numbers():
    assert choose_inputs("auto", None) == "unit"
    assert choose_inputs("auto", SCHEMA) == "unit"  # grades are text
    numbers = Schema((*FEATURES[:3], FEATURES[4]), "y", (0, 1))
    assert choose_inputs("auto", numbers) == "original"
