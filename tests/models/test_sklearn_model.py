"""What becomes of a model of scikit-learn as a whole."""

import sys

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn_people import (
    NUMBERS,
    check_same,
    fitted,
    numeric,
    people,
    pipeline,
    probabilities,
    schema_of,
    table,
)
from torch import nn

import rafair
from rafair.models import conversion
from rafair.models.adapters import sklearn_model
from rafair.models.agreement import random_people
from rafair.models.conversion import encoders, registry


@pytest.fixture(scope="module")
def model():
    return fitted(pipeline())


@pytest.fixture(scope="module")
def wrapped(model):
    return rafair.wrap(model, schema_of())


def test_a_network_behind_a_pipeline_is_linear_layers_and_relu(wrapped):
    kinds = [type(layer) for layer in wrapped.module]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert not wrapped.module.training
    assert not any(weight.requires_grad for weight in wrapped.module.parameters())
    assert wrapped.kind == (
        "scikit-learn Pipeline of OneHotEncoder, StandardScaler and MLPClassifier, "
        "converted to torch"
    )


def test_a_linear_model_of_numbers_is_one_layer():
    found = rafair.wrap(fitted(LogisticRegression(max_iter=9000), people(["height"])), schema_of())
    assert [type(layer) for layer in found.module] == [nn.Linear]
    assert found.kind == "scikit-learn LogisticRegression, converted to torch"


def test_the_model_itself_is_left_alone(model):
    before = [weight.copy() for weight in model[-1].coefs_]
    found = rafair.wrap(model, schema_of())
    found.module[-1].weight.data.zero_()
    assert all(map(np.array_equal, before, model[-1].coefs_))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_are_those_of_the_original(activation):
    model = fitted(pipeline(MLPClassifier((6,), activation, max_iter=40, random_state=0)))
    found, schema = rafair.wrap(model, schema_of()), schema_of()
    x = random_people(schema, 50).requires_grad_()
    log_odds = found.scores(x).diff(dim=1)[:, 0]
    (gradient,) = torch.autograd.grad(log_odds.sum(), x)
    place = schema.index("height")
    step, span = 1e-4, schema.features[place].span
    sides = []
    for sign in (-1, 1):
        rows = schema.decode(x.detach())
        rows["height"] += sign * step
        sides.append(torch.logit(probabilities(model, rows)[:, 1]))
    slope = (sides[1] - sides[0]) / (2 * step) * span
    assert (slope != 0).float().mean() > 0.8
    torch.testing.assert_close(gradient[:, place], slope, rtol=1e-5, atol=1e-6)


def test_a_converted_pipeline_is_certified(wrapped, model):
    schema = schema_of()
    x = schema.encode(people())[:12]
    y = wrapped.scores(x).argmax(dim=1)
    counterparts = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, epsilon=0.05)
    found = rafair.certify(wrapped, x, y, counterparts, space)
    assert (found.status != 0).all()
    assert (found.status == 1).any()
    assert (found.status == -1).any()
    broken = found.status == -1
    rows = schema.decode(found.witness_counterpart[broken])
    decided = probabilities(model, rows).argmax(dim=1)
    assert (decided != y[broken]).float().mean() > 0.9  # decoding rounds what the paper moves


@pytest.mark.parametrize(
    "last", [None, LogisticRegression(max_iter=3000)], ids=["network", "linear"]
)
@pytest.mark.parametrize("label", ["pay", "share"])
def test_scores_are_in_the_order_of_the_datas_classes(last, label):
    model = fitted(pipeline(last), label=label)
    swapped = schema_of(label, classes=schema_of(label).classes[::-1])
    found = check_same(model, swapped)
    x = random_people(swapped, 20)
    torch.testing.assert_close(
        found.scores(x).softmax(dim=1).flip(1),
        rafair.wrap(model, schema_of(label)).scores(x).softmax(dim=1),
    )


def test_a_label_in_numbers_means_the_classes_in_order():
    codes = (table()["pay"] == "more").astype(int)
    model = pipeline().set_params(mlpclassifier__max_iter=2000, mlpclassifier__tol=0.1)
    found = rafair.wrap(model.fit(people(), codes), schema_of())
    x = random_people(schema_of(), 20)
    theirs = probabilities(model, schema_of().decode(x))
    torch.testing.assert_close(found.scores(x).softmax(dim=1), theirs)


def test_a_model_of_unit_space_needs_no_schema():
    x = schema_of().encode(people())
    model = fitted(make_pipeline(MinMaxScaler(), LogisticRegression()), x.numpy())
    for schema in (None, schema_of()):
        found = rafair.wrap(model, schema)
        assert (found.reads, found.access) == ("unit", "gradient")
        assert [type(layer) for layer in found.module] == [nn.Linear]
        theirs = probabilities(model, x.numpy())
        torch.testing.assert_close(found.scores(x).softmax(dim=1), theirs, atol=1e-12, rtol=0)


def test_codes_in_unit_space_are_encoded():
    x = schema_of().encode(people())
    places = [schema_of().index(name) for name in ("job", "married")]
    encoder = OneHotEncoder(handle_unknown="ignore")
    coded = ColumnTransformer([("a", encoder, places)], remainder="passthrough")
    model = fitted(make_pipeline(coded, LogisticRegression(max_iter=3000)), x.numpy())
    found = rafair.wrap(model, schema_of())
    assert found.access == "gradient"
    theirs = probabilities(model, x.numpy())
    torch.testing.assert_close(found.scores(x).softmax(dim=1), theirs, atol=1e-12, rtol=0)
    assert rafair.wrap(model).access == "scores"


def numbers_schema():
    frame = table()[["age", "height", "race_a", "race_b", "race_c", "pay"]]
    return rafair.Schema.infer(frame, label="pay", sensitive=["race"])


def test_a_model_of_a_matrix_in_original_units_reads_it():
    schema = numbers_schema()
    rows = people(schema.columns).to_numpy(dtype=float)
    model = fitted(pipeline_of_numbers(), rows)
    found = rafair.wrap(model, schema)
    assert (found.reads, found.access) == ("original", "gradient")
    theirs = probabilities(model, rows)
    ours = found.scores(schema.encode(people())).softmax(dim=1)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)


def test_a_model_of_a_matrix_can_be_given_a_frame():
    schema = numbers_schema()
    model = fitted(pipeline_of_numbers(), people(schema.columns).to_numpy(dtype=float))
    found = rafair.wrap(model, schema, inputs="frame")
    assert (found.reads, found.access) == ("frame", "gradient")


def pipeline_of_numbers():
    coded = ColumnTransformer([("a", OneHotEncoder(), [0])], remainder=StandardScaler())
    return make_pipeline(coded, LogisticRegression(max_iter=3000))


def test_columns_of_a_frame_are_read_by_name():
    columns = NUMBERS[::-2]
    check_same(fitted(LogisticRegression(max_iter=9000), people(columns)), schema_of(), columns)


def test_without_scikit_learn_at_hand_nothing_is_taken(model, monkeypatch):
    assert sklearn_model.accepts(model)
    monkeypatch.delitem(sys.modules, "sklearn")
    assert not sklearn_model.accepts(model)
    assert "sklearn" not in sys.modules


def test_one_function_adds_a_step(monkeypatch):
    clipped = numeric(MinMaxScaler(clip=True))
    model = fitted(clipped, people(["age", "grade"]))
    assert not sklearn_model.accepts(model)
    monkeypatch.setattr(registry, "TRANSFORMERS", dict(registry.TRANSFORMERS))
    registry.transformer("MinMaxScaler")(encoders.encoded)
    check_same(model, schema_of(), ["age", "grade"])
    assert conversion.obstacle(model) is None
