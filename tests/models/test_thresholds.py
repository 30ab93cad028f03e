"""Classifiers that decide by a threshold of their own."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn_people import fitted, people, pipeline, schema_of
from torch import nn

import rafair
from rafair.models.agreement import random_people
from rafair.models.conversion.thresholds import Threshold

LOGISTIC = LogisticRegression(max_iter=3000)
MORE, LESS = {"pos_label": "more"}, {"pos_label": "less"}


def fixed(model, threshold="auto", **settings):
    return FixedThresholdClassifier(model, threshold=threshold, **settings)


def tuned(model, **settings):
    return TunedThresholdClassifierCV(model, cv=2, **settings)


F1 = make_scorer(f1_score, pos_label="less")
ACCEPTING = {
    "fixed": fixed(pipeline(LOGISTIC), 0.2),
    "of the second class": fixed(pipeline(LOGISTIC), 0.7, **MORE),
    "of the first class": fixed(pipeline(LOGISTIC), 0.7, **LESS),
    "network": fixed(pipeline(), 0.35),
    "network, first class": fixed(pipeline(), 0.35, **LESS),
    "score": fixed(pipeline(LOGISTIC), 0.8, response_method="decision_function"),
    "score, first class": fixed(pipeline(LinearSVC()), 0.4, **LESS),
    "own": fixed(pipeline(RidgeClassifier())),
    "probability of the own": fixed(pipeline(LOGISTIC)),
    "tuned": tuned(pipeline(LOGISTIC)),
    "tuned for the first class": tuned(pipeline(LOGISTIC), scoring=F1),
    "tuned score": tuned(pipeline(SGDClassifier(random_state=0))),
    "last step": pipeline(fixed(LOGISTIC, 0.3)),
    "found": GridSearchCV(fixed(pipeline(LOGISTIC)), {"threshold": [0.3, 0.4]}, cv=2),
    "twice": fixed(fixed(pipeline(LOGISTIC), 0.1), 0.6),
}


@cache
def accepting(name):
    return fitted(ACCEPTING[name])


@pytest.mark.parametrize("swapped", [False, True], ids=["classes", "classes the other way"])
@pytest.mark.parametrize("name", ACCEPTING)
def test_it_is_converted_and_decides_as_the_model_does(name, swapped):
    model = accepting(name)
    classes = schema_of().classes
    schema = schema_of(classes=classes[::-1] if swapped else classes)
    found = rafair.wrap(model, schema)
    assert (found.access, found.reads) == ("gradient", "frame")
    assert "with the threshold " in found.kind
    x = random_people(schema, 3000, random_state=8)
    ours = np.array(schema.classes)[found.scores(x).argmax(dim=1).numpy()]
    theirs = model.predict(schema.decode(x))
    np.testing.assert_array_equal(ours, theirs)
    assert len(set(theirs)) == 2


def test_its_logit_is_the_classifiers_shifted_by_the_thresholds():
    model = fitted(fixed(pipeline(LOGISTIC), 0.2))
    x = random_people(schema_of(), 50)
    plain = rafair.wrap(model.estimator_, schema_of())
    apart = (rafair.wrap(model, schema_of()).scores(x) - plain.scores(x)).diff(dim=1)
    torch.testing.assert_close(apart, torch.full_like(apart, np.log(0.8 / 0.2)))


def test_gradients_are_the_classifiers():
    model = fitted(fixed(pipeline(), 0.2, **LESS))
    x = random_people(schema_of(), 50).requires_grad_()
    slopes = [
        torch.autograd.grad(rafair.wrap(part, schema_of()).scores(x).diff(dim=1).sum(), x)[0]
        for part in (model, model.estimator_)
    ]
    torch.testing.assert_close(*slopes)
    assert (slopes[0] != 0).any()


def test_a_network_with_a_threshold_is_layers_and_relu_and_is_certified():
    model = fitted(fixed(pipeline(), 0.3))
    found = rafair.wrap(model, schema_of())
    kinds = [type(layer) for layer in found.module]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    x = schema_of().encode(people())[:12]
    y = found.scores(x).argmax(dim=1)
    counterparts = rafair.Counterparts.of(schema_of())
    space = rafair.PerturbationSpace.of(schema_of(), epsilon=0.02)
    proved = rafair.certify(found, x, y, counterparts, space)
    assert (proved.status == 1).any()
    broken = proved.status == -1
    rows = schema_of().decode(proved.witness_counterpart[broken])
    decided = (model.predict(rows) == "more").astype(int)
    assert (torch.from_numpy(decided) != y[broken]).double().mean() > 0.9


# A range of 32, so that unit space holds each age exactly, and a whole model meets its threshold.
AGES = pd.DataFrame({"age": np.arange(-16, 17), "sex": np.arange(33) % 2})


@settings(max_examples=40, deadline=None)
@given(
    threshold=st.integers(-6, 6),
    weight=st.sampled_from([-2, -1, 1, 3]),
    offset=st.integers(-20, 20),
    label=st.sampled_from(["more", "less", None]),
    swapped=st.booleans(),
)
def test_at_equality_it_decides_as_the_model_does(threshold, weight, offset, label, swapped):
    pay = np.where(AGES["age"] > 2, "more", "less")
    inner = RidgeClassifier().fit(AGES[["age"]], pay)
    inner.coef_, inner.intercept_ = np.array([[float(weight)]]), np.array([float(offset)])
    model = fixed(inner, threshold, pos_label=label, response_method="decision_function")
    schema = rafair.Schema.infer(AGES.assign(pay=pay), label="pay", sensitive=["sex"])
    if swapped:
        schema = replace(schema, classes=schema.classes[::-1])
    found = rafair.wrap(model, schema)
    assert found.access == "gradient"
    ours = found.scores(schema.encode(AGES)).argmax(dim=1).numpy()
    np.testing.assert_array_equal(np.array(schema.classes)[ours], model.predict(AGES[["age"]]))


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("value", [1e-12, 0.1, 0.25, 0.5, 0.7, 0.999, 1 - 1e-12])
def test_the_cutoff_is_the_last_logit_of_the_positive_class(value, positive):
    found = Threshold("predict_proba", value, positive)
    edge = found.cutoff()
    beyond = np.nextafter(edge, -np.inf if positive else np.inf)
    p = expit(np.array([edge, beyond]))
    score = p if positive else 1 - p
    assert score[0] >= value > score[1]
    pairs = np.stack([1 - p, p], axis=1)
    assert np.array_equal(found.margins(pairs) > 0, [bool(positive), not positive])


@pytest.mark.parametrize("label", ["more", "less"])
def test_a_constant_model_that_meets_its_threshold_decides_for_the_positive_class(label):
    inner = fitted(LOGISTIC, people(["age", "married"]))
    inner.coef_, inner.intercept_ = np.zeros_like(inner.coef_), np.zeros(1)
    model = fixed(inner, 0.5, pos_label=label)
    x = random_people(schema_of(), 20)
    found = rafair.wrap(model, schema_of())
    assert found.access == "gradient"
    assert set(model.predict(people(["age", "married"]))) == {label}
    place = schema_of().classes.index(label)
    assert (found.scores(x).argmax(dim=1) == place).all()


FOREST = RandomForestClassifier(5, max_depth=3, random_state=0)


@pytest.mark.parametrize("label", ["more", "less"])
@pytest.mark.parametrize(
    ("inner", "threshold"), [(FOREST, 0.4), (LOGISTIC, 0.0)], ids=["forest", "everybody alike"]
)
def test_what_cannot_be_converted_gives_scores_that_decide_by_the_threshold(
    inner, threshold, label
):
    columns = ["age", "height", "married"]
    model = fitted(fixed(inner, threshold, pos_label=label), people(columns))
    found = rafair.wrap(model, schema_of())
    assert found.access == "scores"
    x = random_people(schema_of(), 500)
    ours = np.array(schema_of().classes)[found.scores(x).argmax(dim=1).numpy()]
    np.testing.assert_array_equal(ours, model.predict(schema_of().decode(x)[columns]))
    again = pickle.loads(pickle.dumps(found))
    assert again.scores(x).equal(found.scores(x))


def test_a_threshold_on_a_network_of_probabilities_is_in_the_kind():
    model = fitted(fixed(make_pipeline(MLPClassifier((4,), max_iter=20)), 0.25), people(["age"]))
    assert rafair.wrap(model, schema_of()).kind == (
        "scikit-learn FixedThresholdClassifier of MLPClassifier with the threshold 0.25, "
        "converted to torch"
    )
