"""Types of scikit-learn that a skops file may hold without being trusted by name."""

import importlib
import inspect

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn_people import fitted, people, probabilities, schema_of

import rafair
from rafair.models.formats.harmless import HARMLESS

skops = pytest.importorskip("skops.io")


def found(name):
    module, _, own = name.rpartition(".")
    return getattr(importlib.import_module(module), own, None)


CLASSES = sorted(name for name in HARMLESS if inspect.isclass(found(name)))
SKLEARN = [n for n in CLASSES if n.startswith("sklearn.") and not n.endswith(".Bunch")]
STORES = ["functools.partial", "sklearn.utils._bunch.Bunch"]
FUNCTIONS = sorted(name for name in set(HARMLESS) - set(CLASSES) if callable(found(name)))


def test_the_list_names_types_one_by_one():
    assert set(CLASSES) | set(FUNCTIONS) >= {n for n in HARMLESS if found(n) is not None}
    others = {"builtins.object", "numpy.dtype", "numpy.number", *STORES}
    assert set(CLASSES) - set(SKLEARN) == others
    not_sklearn = {name for name in FUNCTIONS if not name.startswith("sklearn.")}
    assert {name.rpartition(".")[2] for name in not_sklearn} <= {"mean", "asarray"}


@pytest.mark.parametrize("name", SKLEARN)
def test_creating_one_only_stores_what_it_is_given(name):
    kind = found(name)
    assert kind.__new__ is object.__new__
    assert inspect.getsourcefile(kind).endswith(".py")  # no memory of its own, as in Cython
    for method in ("__setstate__", "__reduce__", "__reduce_ex__", "__setattr__", "__del__"):
        own = getattr(kind, method, None)
        assert own in (getattr(object, method, None), getattr(BaseEstimator, method, None))
    for line in inspect.getsource(kind.__init__).splitlines() if "__init__" in vars(kind) else ():
        assert not any(word in line for word in ("exec", "eval(", "import", "open("))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_scikit_learns_own_python(name):
    assert found(name).__module__ == name.rpartition(".")[0]
    assert inspect.getsourcefile(inspect.unwrap(found(name))).endswith(".py")


def columns(**selected):
    chosen = make_column_selector(**(selected or {"dtype_include": "number"}))
    others = make_column_selector(dtype_exclude=["number", bool])
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), chosen),
        (OneHotEncoder(), others),
    )


LOGISTIC = LogisticRegression(max_iter=3000)
MODELS = {
    "adam": MLPClassifier((4,), max_iter=10, random_state=0),
    "sgd": MLPClassifier((4,), solver="sgd", max_iter=10, random_state=0),
    "early stopping": MLPClassifier((4,), early_stopping=True, max_iter=20, random_state=0),
    "steps": SGDClassifier(random_state=0),
    "best": make_pipeline(SelectKBest(k=3), LOGISTIC),
    "calibrated": CalibratedClassifierCV(LOGISTIC, cv=2),
    "Gaussian process": GaussianProcessClassifier(max_iter_predict=3),
    "search": GridSearchCV(LOGISTIC, {"C": [0.1, 1]}, cv=StratifiedKFold(2), scoring="roc_auc"),
    "threshold": TunedThresholdClassifierCV(LOGISTIC, cv=2),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_in_a_file_needs_no_trust(name, tmp_path):
    model = fitted(make_pipeline(columns(), MODELS[name]))
    skops.dump(model, tmp_path / "model.skops")
    read = rafair.load_model(tmp_path / "model.skops", schema_of())
    x = rafair.models.agreement.random_people(schema_of(), 30)
    decided = model.classes_[read.scores(x).argmax(dim=1).numpy()]
    np.testing.assert_array_equal(decided, model.predict(schema_of().decode(x)))
    if hasattr(model, "predict_proba") and name != "threshold":
        theirs = probabilities(model, schema_of().decode(x))
        np.testing.assert_allclose(read.scores(x).softmax(dim=1), theirs, atol=1e-6)


@pytest.mark.parametrize("kind", ["number", np.number, float, [np.number, "bool"], object])
def test_a_selector_of_any_type_of_column_needs_no_trust(kind, tmp_path):
    rows = people(["age", "height"]).astype(float)
    rows = rows.assign(name=pd.Series(["a", "b"] * (len(rows) // 2), dtype=object))
    chosen = make_column_selector(dtype_include=kind)
    coded = OneHotEncoder() if kind is object else StandardScaler()
    model = fitted(make_pipeline(make_column_transformer((coded, chosen)), LOGISTIC), rows)
    skops.dump(model, tmp_path / "model.skops")
    schema = rafair.Schema.infer(
        rows.assign(pay=["more", "less"] * (len(rows) // 2)), label="pay", sensitive=["name"]
    )
    assert rafair.load_model(tmp_path / "model.skops", schema).access == "gradient"


def own(rows):
    return rows


def test_what_is_not_of_scikit_learn_is_still_asked_for(tmp_path):
    model = make_pipeline(FunctionTransformer(own), LOGISTIC)
    skops.dump(fitted(model, people(["age", "height"])), tmp_path / "model.skops")
    with pytest.raises(rafair.InvalidInput, match=f"--trust {own.__module__}.own"):
        rafair.load_model(tmp_path / "model.skops", schema_of())
