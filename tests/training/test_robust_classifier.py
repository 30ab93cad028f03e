"""``rafair.RobustClassifier`` among scikit-learn's estimators."""

import warnings
from types import NoneType

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_classifiers_train, check_estimator

import rafair
from rafair.training import method_classes, method_names

QUICK = {"epochs": 20, "batch_size": 16}
ACCURATE = "check_classifiers_train"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("method", "more"),
    [*((name, {}) for name in method_names()), ("boosted-stumps", {"depth": 2})],
    ids=str,
)
def test_scikit_learn_accepts_the_estimator(method, more):
    kind = method_classes()[method]
    how = {"strength": 0.05, "epsilon": 0.01, **({"sensitive": (0,)} if kind.compares else {})}
    many, few = {"batch_size": 32, "learning_rate": 0.02}, {"batch_size": 256}  # steps
    if kind.is_binary:
        many, few = {}, {}
    # One check asks for accuracy, to which the column that I(v) varies must contribute.
    able = rafair.RobustClassifier(method, epochs=16, **many, **how, **more)
    check_classifiers_train("RobustClassifier", able, readonly_memmap=True, X_dtype="float32")
    quick = rafair.RobustClassifier(method, epochs=1, **few, **how, **more)
    found = check_estimator(quick, on_fail=None, expected_failed_checks={ACCURATE: "see above"})
    assert not [one["check_name"] for one in found if one["status"] == "failed"]
    inaccurate = [one["exception"] for one in found if one["check_name"] == ACCURATE]
    assert all(isinstance(error, AssertionError | NoneType) for error in inaccurate)
    assert sum(one["status"] == "passed" for one in found) > 40


@pytest.fixture(scope="module")
def people(credit):
    frame = credit.decode(credit.train.x[:240])
    labels = np.asarray(credit.schema.classes)[credit.train.y[:240]]
    return frame[list(credit.schema.columns)], labels


def test_a_frame_with_text_is_fitted_and_its_proofs_are_those_of_its_network(people, credit):
    x, y = people
    model = rafair.RobustClassifier(schema=credit.schema, setting="paper", epsilon=0.02, **QUICK)
    model.fit(x, y)
    unit = model.encode(x)
    assert torch.allclose(unit, credit.train.x[:240])
    predicted = model.classifier_.scores(unit.float()).argmax(dim=1)
    assert (model.predict(x) == model.classes_[predicted]).all()
    assert np.allclose(model.predict_proba(x).sum(axis=1), 1)
    space = rafair.PerturbationSpace.of(credit.schema, 0.02, "paper")
    people_of = rafair.Counterparts.of(credit.schema)
    proof = rafair.certify(model.classifier_, unit[:20], credit.train.y[:20], people_of, space)
    assert set(proof.status.tolist()) <= {-1, 0, 1}


def test_kinds_are_inferred_where_no_schema_is_given(people):
    x, y = people
    model = rafair.RobustClassifier(sensitive=["sex"], without_sensitive=True, **QUICK).fit(x, y)
    assert model.schema_.sensitive == ("sex",)
    other = x.assign(sex=x["sex"].iloc[0])
    assert (model.predict_proba(x) == model.predict_proba(other)).all()


def test_it_works_in_pipelines_and_cross_validation():
    x, y = make_classification(200, 6, random_state=0)
    pipeline = make_pipeline(StandardScaler(), rafair.RobustClassifier(epsilon=0.02, **QUICK))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cross_validate(pipeline, x, y, cv=2, error_score="raise")
    assert (found["test_score"] > 0.7).all()


def test_it_is_saved_as_safetensors(people, credit, tmp_path):
    x, y = people
    model = rafair.RobustClassifier(schema=credit.schema, epsilon=0.02, **QUICK).fit(x, y)
    model.save(tmp_path / "model.safetensors")
    again = rafair.load_model(tmp_path / "model.safetensors", credit.schema)
    unit = model.encode(x).float()
    assert torch.equal(again.scores(unit), model.classifier_.scores(unit))


def test_a_collapse_is_told():
    rng = np.random.default_rng(0)
    x, y = rng.random((200, 3)), (rng.random(200) < 0.1).astype(int)
    model = rafair.RobustClassifier(epsilon=0.5, strength=1.0, **QUICK)
    with pytest.warns(UserWarning, match="became the constant model"):
        model.fit(x, y)
    assert model.collapsed_
    assert set(model.predict(x)) == {0}


def test_what_cannot_be_fitted_is_refused(people):
    x, y = people
    with pytest.raises(rafair.InvalidInput, match="no column 'age2'"):
        rafair.RobustClassifier(sensitive=["age2"]).fit(x, y)
    with pytest.raises(rafair.InvalidInput, match="one class"):
        rafair.RobustClassifier(sensitive=["sex"]).fit(x, np.zeros(len(x)))
    with pytest.raises(rafair.InvalidInput, match="needs a sensitive column"):
        rafair.RobustClassifier("counterpart").fit(np.random.rand(20, 2), np.arange(20) % 2)  # noqa: NPY002


def test_columns_that_are_named_stay_monotone(people):
    (x, y), name = people, "duration"
    how = {"sensitive": ["sex"], "epsilon": 0.01, "strength": 0.1, "epochs": 8, "depth": 2}
    rises = [
        rafair.RobustClassifier("boosted-stumps", **how, monotone=monotone)
        .fit(x, y)
        .predict_proba(_swept(x, name))[:, 1]
        .reshape(20, -1)
        for monotone in (None, {name: "increasing"}, {x.columns.get_loc(name): "increasing"})
    ]
    assert (np.diff(rises[0], axis=1) < 0).any()
    assert (np.diff(rises[1], axis=1) >= 0).all()
    assert (rises[1] == rises[2]).all()
    model = rafair.RobustClassifier("certified", sensitive=["sex"], monotone={name: "increasing"})
    with pytest.raises(rafair.InvalidInput, match="cannot keep a column monotone; use method"):
        model.fit(x, y)


def _swept(x, name):
    """Return twenty people, each with every value of a column in growing order."""
    values = np.unique(x[name])
    return x.iloc[np.repeat(np.arange(20), len(values))].assign(**{name: np.tile(values, 20)})
