"""What is asked for its scores, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
)
from sklearn.tree import DecisionTreeClassifier
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

import rafair
from rafair.models.adapters import sklearn_model
from rafair.models.agreement import random_people
from rafair.models.conversion import encoders, estimators
from rafair.report.words import access


@pytest.fixture(scope="module")
def model():
    return fitted(pipeline())


def test_classes_that_the_data_do_not_have_are_refused(model):
    schema = replace(schema_of(), classes=("poor", "rich"))
    with pytest.raises(rafair.InvalidInput, match="the model decides between less, more, the data"):
        rafair.wrap(model, schema)


def test_a_column_that_the_data_do_not_have_is_refused():
    rows = people(NUMBERS).rename(columns={"age": "years"})
    model = fitted(LogisticRegression(max_iter=9000), rows)
    with pytest.raises(rafair.InvalidInput, match="a column 'years' that the data do not have"):
        rafair.wrap(model, schema_of())


def test_a_value_that_the_model_fails_on_is_refused():
    seen = table()["job"] != "judge"
    model = pipeline(LogisticRegression(max_iter=3000)).fit(people()[seen], table()["pay"][seen])
    with pytest.raises(rafair.InvalidInput, match=r"unknown categories.*'judge'"):
        rafair.wrap(model, schema_of())


def test_a_weight_that_is_not_the_models_is_refused(model, monkeypatch):
    right = estimators._tensor
    monkeypatch.setattr(estimators, "_tensor", lambda values: right(values) * 1.01)
    with pytest.raises(rafair.InvalidInput, match=r"differs from the original by .* is not used"):
        rafair.wrap(model, schema_of())


def test_a_table_that_is_not_the_models_is_refused(monkeypatch):
    filled = SimpleImputer(missing_values=18)
    model = fitted(make_pipeline(filled, LogisticRegression(max_iter=9000)), people(["age"]))
    check_same(model, schema_of(), ["age"])
    monkeypatch.setattr(encoders, "_agree", lambda ours, theirs: True)
    with pytest.raises(rafair.InvalidInput, match="differs from the original by"):
        rafair.wrap(model, schema_of())


def test_a_step_that_reads_more_values_than_can_be_counted_leaves_the_scores():
    coded = ColumnTransformer(
        [("a", OneHotEncoder(handle_unknown="ignore"), ["age", "height"])], remainder="drop"
    )
    model = fitted(make_pipeline(coded, LogisticRegression()))
    found = rafair.wrap(model, schema_of())
    assert found.access == "scores"
    assert found.kind == (
        "scikit-learn Pipeline of OneHotEncoder and LogisticRegression, not converted to torch, "
        "because OneHotEncoder reads column 'height', whose possible values cannot be counted"
    )
    x = random_people(schema_of(), 20)
    theirs = probabilities(model, schema_of().decode(x))
    torch.testing.assert_close(found.scores(x).softmax(dim=1), theirs)


def test_a_number_for_missing_cells_among_uncountable_ones_leaves_the_scores():
    before = SimpleImputer(missing_values=170)
    model = fitted(make_pipeline(before, LogisticRegression()), people(["height"]))
    assert "SimpleImputer reads column 'height'" in rafair.wrap(model, schema_of()).kind


def test_an_encoder_of_mixed_features_leaves_the_scores():
    steps = PCA(1), OneHotEncoder(handle_unknown="ignore"), LogisticRegression()
    model = fitted(make_pipeline(*steps), people(["age", "grade"]))
    assert "of several features" in rafair.wrap(model, schema_of()).kind


class Louder(LogisticRegression):
    """Somebody's own class: what it does is not known."""


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3, max_depth=3),
        HistGradientBoostingClassifier(max_iter=3),
        numeric(MinMaxScaler(clip=True)),
        numeric(FunctionTransformer(np.cumsum)),
        numeric(FunctionTransformer(lambda rows: rows * 2)),
        numeric(ColumnTransformer([("a", MinMaxScaler(clip=True), ["age"])], remainder="drop")),
        SGDClassifier(loss="modified_huber", random_state=0),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2),
        Louder(max_iter=9000),
    ],
    ids=lambda model: str(model).split("(")[0],
)
def test_what_cannot_be_converted_is_asked(model):
    model = fitted(model, people(NUMBERS))
    assert not sklearn_model.accepts(model)
    found = rafair.wrap(model, schema_of())
    assert found.access == "scores"
    part = "MinMaxScaler with these settings" if "clip" in str(model) else ""
    assert f", not converted to torch, because rafair has no conversion of {part}" in found.kind
    told = access({"model": {"kind": found.kind, "access": found.access, "reads": found.reads}})
    assert "without gradients, because rafair has no conversion of" in told
    assert told.count("because") == 1


BINS = KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")
READS = {
    "bins": (BINS, "KBinsDiscretizer is a step function of column 'height', whose possible"),
    "splines": (SplineTransformer(3), "SplineTransformer reads column 'height', whose possible"),
    "a kink": (FunctionTransformer(np.abs), "FunctionTransformer reads column 'height'"),
    "bins of products": (
        make_pipeline(PolynomialFeatures(2, interaction_only=True, include_bias=False), BINS),
        "KBinsDiscretizer is a step function of column ",
    ),
}


@pytest.mark.parametrize("name", READS)
def test_which_step_prevents_the_conversion_is_said(name):
    step, reason = READS[name]
    found = rafair.wrap(fitted(numeric(step), people(["age", "height"])), schema_of())
    assert found.access == "scores"
    assert f", not converted to torch, because {reason}" in found.kind


def test_probabilities_of_one_class_against_the_rest_are_not_a_softmax():
    model = SGDClassifier(loss="log_loss", random_state=0)
    assert sklearn_model.accepts(fitted(model, people(NUMBERS)))
    assert not sklearn_model.accepts(fitted(model, people(NUMBERS), "share"))


@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(), pipeline()])
def test_a_model_that_is_not_fitted_is_refused(model):
    name = type(model).__name__
    with pytest.raises(rafair.InvalidInput, match=f"this {name} is not fitted; call fit first"):
        rafair.wrap(model, schema_of())


@pytest.mark.parametrize("kind", ["network", "ridge"])
def test_several_labels_at_once_are_refused(kind):
    labels = np.stack([table()["pay"] == "more", table()["married"]], axis=1).astype(int)
    network = MLPClassifier((3,), max_iter=2000, tol=0.1, random_state=0)
    model = RidgeClassifier() if kind == "ridge" else network
    model.fit(people(["age", "height"]), labels)
    with pytest.raises(rafair.InvalidInput, match="decides several labels at once"):
        rafair.wrap(model, replace(schema_of(), classes=(0, 1)))


@pytest.mark.parametrize("model", [LinearRegression(), MinMaxScaler(), Pipeline([("a", None)])])
def test_what_is_no_classifier_is_not_taken(model):
    assert not sklearn_model.accepts(model)
