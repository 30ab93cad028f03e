"""XGBoost and LightGBM: the probabilities are the library's own, whatever the columns."""

import pickle
from functools import cache

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from sklearn.datasets import make_classification

import rafair
from rafair.models.agreement import random_people
from rafair.models.loading import load_model

N = 240


@cache
def numbers(k=2):
    x, y = make_classification(
        N, 5, n_informative=4, n_redundant=0, n_classes=k, n_clusters_per_class=1, random_state=1
    )
    x = x.round(2)
    x[:, 4] = x[:, 4] > 0
    frame = pd.DataFrame(x, columns=[f"f {i}" for i in range(5)])
    return frame.assign(label=y)


@cache
def people(label=0):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 60, N),
            "job": rng.choice(["cook", "smith", "nurse"], N),
            "income": rng.normal(3, 1, N).round(2),
            "sex": rng.choice(["m", "f"], N),
        }
    )
    truth = (frame.age > 40) ^ (frame.job == "cook") ^ (frame.income > 3)
    return frame.assign(label=np.where(truth, "yes", "no") if label else truth.astype(int))


def schema_of(frame, sensitive):
    return rafair.Schema.infer(frame, label="label", sensitive=[sensitive])


def typed(frame, backwards=False):
    """Text as categories, in an order that is not the schema's."""
    text = {"job": ["smith", "cook", "nurse"], "sex": ["m", "f"]}
    orders = {name: levels[::-1] if backwards else levels for name, levels in text.items()}
    types = {name: pd.CategoricalDtype(levels) for name, levels in orders.items()}
    return frame.drop(columns="label").astype(types)


def close(model, schema, predict, x=None):
    """Compare with what the library says of the same people in original units."""
    x = random_people(schema, 200) if x is None else x
    ours = torch.softmax(model.scores(x), dim=1).numpy()
    theirs = np.asarray(predict(schema.decode(x)))
    if theirs.ndim == 1:
        theirs = np.stack([1 - theirs, theirs], axis=1)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert len(np.unique(ours[:, 0])) > 5


@cache
def xgb_classifier(k=2, categories=False, **extra):
    frame = people() if categories else numbers(k)
    rows = typed(frame) if categories else frame.drop(columns="label")
    options = {"n_estimators": 8, "max_depth": 3, "n_jobs": 1, **extra}
    model = xgboost.XGBClassifier(enable_categorical=categories, **options)
    return model.fit(rows, frame["label"])


@cache
def lgb_classifier(k=2, categories=False, names=False):
    frame = people(int(names)) if categories else numbers(k)
    rows = typed(frame) if categories else frame.drop(columns="label")
    return lightgbm.LGBMClassifier(n_estimators=8, max_depth=3, n_jobs=1, verbose=-1).fit(
        rows, frame["label"]
    )


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("bare", [False, True])
def test_xgboost_gives_its_own_probabilities(k, bare):
    schema, trained = schema_of(numbers(k), "f 4"), xgb_classifier(k)
    model = rafair.wrap(trained.get_booster() if bare else trained, schema)
    assert model.access == "scores"
    assert model.reads == "frame"
    close(model, schema, trained.predict_proba)
    trees = 8 if k == 2 else 24
    assert model.kind == f"XGBoost {'Booster' if bare else 'XGBClassifier'}, {trees} trees"


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("bare", [False, True])
def test_lightgbm_gives_its_own_probabilities(k, bare):
    schema, trained = schema_of(numbers(k), "f 4"), lgb_classifier(k)
    model = rafair.wrap(trained.booster_ if bare else trained, schema)
    assert model.access == "scores"
    close(model, schema, trained.booster_.predict)
    trees = 8 if k == 2 else 24
    assert model.kind == f"LightGBM {'Booster' if bare else 'LGBMClassifier'}, {trees} trees"


@pytest.mark.parametrize("bare", [False, True])
def test_xgboost_recodes_categories_by_name(bare):
    schema, trained = schema_of(people(), "sex"), xgb_classifier(categories=True)
    model = rafair.wrap(trained.get_booster() if bare else trained, schema)

    def predict(frame):
        return trained.predict_proba(typed(frame.assign(label=0), backwards=True))

    close(model, schema, predict)
    # The levels matter at all.
    x = random_people(schema, 200)
    moved = x.clone()
    moved[:, 1] = (moved[:, 1] + 0.5) % 1.5
    assert (model.scores(x) != model.scores(moved)).any()


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("names", [False, True])
def test_lightgbm_recodes_categories_by_name(bare, names):
    trained = lgb_classifier(categories=True, names=names)
    schema = schema_of(people(int(names)), "sex")
    model = rafair.wrap(trained.booster_ if bare else trained, schema)
    close(model, schema, lambda frame: trained.booster_.predict(typed(frame.assign(label=0))))


def test_the_classes_of_a_classifier_are_the_datas():
    trained = lgb_classifier(categories=True, names=True)
    schema = rafair.Schema.infer(people(1), label="label", sensitive=["sex"], positive="no")
    model = rafair.wrap(trained, schema)
    x = random_people(schema, 50)
    p = trained.booster_.predict(typed(schema.decode(x).assign(label=0)))
    np.testing.assert_allclose(torch.softmax(model.scores(x), dim=1)[:, 0].numpy(), p, atol=1e-6)


@pytest.mark.parametrize("suffix", ["json", "ubj", "txt"])
@pytest.mark.parametrize(("k", "categories"), [(2, False), (3, False), (2, True)])
def test_a_file_gives_what_was_saved(tmp_path, suffix, k, categories):
    trained = (lgb_classifier if suffix == "txt" else xgb_classifier)(k, categories)
    frame, sensitive = (people(), "sex") if categories else (numbers(k), "f 4")
    schema = schema_of(frame, sensitive)
    path = tmp_path / f"model.{suffix}"
    booster = trained.booster_ if suffix == "txt" else trained.get_booster()
    booster.save_model(path)
    x = random_people(schema, 100)
    saved = rafair.wrap(booster, schema)
    found = load_model(path, schema)
    torch.testing.assert_close(found.scores(x), saved.scores(x), rtol=0, atol=0)
    assert found.kind == saved.kind


@pytest.mark.parametrize(("kind", "depth"), [("gblinear", None), ("dart", 3)])
def test_other_boosters_of_xgboost_are_read(tmp_path, kind, depth):
    trained, schema = xgb_classifier(booster=kind, max_depth=depth), schema_of(numbers(), "f 4")
    path = tmp_path / "model.json"
    trained.save_model(path)
    close(load_model(path, schema), schema, trained.predict_proba)


@pytest.mark.parametrize("kind", ["rf", "dart"])
@pytest.mark.parametrize("k", [2, 3])
def test_other_boosters_of_lightgbm_are_read(tmp_path, kind, k):
    frame = numbers(k)
    options = {"boosting_type": kind, "subsample": 0.7, "subsample_freq": 1, "n_estimators": 6}
    trained = lightgbm.LGBMClassifier(**options, n_jobs=1, verbose=-1)
    trained.fit(frame.drop(columns="label"), frame["label"])
    path = tmp_path / "model.txt"
    trained.booster_.save_model(path)
    schema = schema_of(frame, "f 4")
    close(load_model(path, schema), schema, trained.booster_.predict)


def test_early_stopping_is_kept_in_a_file(tmp_path):
    frame = numbers()
    rows, y = frame.drop(columns="label"), frame["label"]
    flipped = 1 - y[:60]
    trained = xgboost.XGBClassifier(n_estimators=20, max_depth=2, early_stopping_rounds=3, n_jobs=1)
    trained.fit(rows, y, eval_set=[(rows[:60], flipped)], verbose=False)
    assert trained.best_iteration < trained.get_booster().num_boosted_rounds() - 1
    trained.save_model(tmp_path / "model.ubj")
    schema = schema_of(frame, "f 4")
    x = random_people(schema, 200)
    expected = trained.predict_proba(schema.decode(x))
    for model in (rafair.wrap(trained, schema), load_model(tmp_path / "model.ubj", schema)):
        found = torch.softmax(model.scores(x), dim=1).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-6)


def native(objective, k=2, **extra):
    frame = numbers(k)
    data = xgboost.DMatrix(frame.drop(columns="label").to_numpy(), frame["label"])
    parameters = {"objective": objective, "max_depth": 3, "nthread": 1, **extra}
    return xgboost.train(parameters, data, 6)


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:logitraw", "binary:hinge"])
def test_a_booster_without_names_reads_a_matrix(objective):
    booster, schema = native(objective), schema_of(numbers(), "f 4")
    model = rafair.wrap(booster, schema)
    assert model.reads == "original"
    x = random_people(schema, 100)
    raw = booster.predict(xgboost.DMatrix(schema.decode(x).to_numpy()))
    positive = raw > (0 if objective == "binary:logitraw" else 0.5)
    assert torch.equal(model.scores(x).argmax(dim=1), torch.from_numpy(positive).long())
    assert model.access == ("labels" if objective == "binary:hinge" else "scores")


def test_a_booster_of_labels_gives_labels():
    booster, schema = native("multi:softmax", 3, num_class=3), schema_of(numbers(3), "f 4")
    model = rafair.wrap(booster, schema)
    assert model.access == "labels"
    x = random_people(schema, 100)
    raw = booster.predict(xgboost.DMatrix(schema.decode(x).to_numpy()))
    assert torch.equal(model.scores(x).argmax(dim=1), torch.from_numpy(raw).long())


def test_without_a_schema_a_booster_reads_unit_space():
    model = rafair.wrap(native("binary:logistic"))
    assert model.reads == "unit"
    assert model.scores(torch.rand(3, 5)).shape == (3, 2)


@pytest.mark.parametrize("make", [xgb_classifier, lgb_classifier])
@pytest.mark.parametrize("categories", [False, True])
def test_a_wrapped_model_can_be_pickled(make, categories):
    schema = schema_of(*((people(), "sex") if categories else (numbers(), "f 4")))
    model = rafair.wrap(make(2, categories), schema)
    copy = pickle.loads(pickle.dumps(model))
    x = random_people(schema, 20)
    assert torch.equal(copy.scores(x), model.scores(x))
    assert copy.digest() == model.digest()


def regressor(library):
    frame = numbers()
    rows, y = frame.drop(columns="label"), frame["f 0"]
    if library == "xgboost":
        return xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(rows, y).get_booster()
    return lightgbm.LGBMRegressor(n_estimators=2, verbose=-1, n_jobs=1).fit(rows, y).booster_


def coded(make, library):
    """A model fitted to codes instead of text."""
    frame = people()
    rows = frame.drop(columns="label").assign(
        job=frame.job.factorize()[0], sex=frame.sex.factorize()[0]
    )
    return make(n_estimators=2, n_jobs=1).fit(rows, frame["label"])


REFUSED = {
    "xgboost regressor": (lambda: regressor("xgboost"), numbers, "f 4", "reg:squarederror"),
    "lightgbm regressor": (lambda: regressor("lightgbm"), numbers, "f 4", "regression"),
    "xgboost unfitted": (xgboost.XGBClassifier, numbers, "f 4", "call fit first"),
    "lightgbm unfitted": (lightgbm.LGBMClassifier, numbers, "f 4", "call fit first"),
    "xgboost other columns": (xgb_classifier, people, "sex", "column 'f 0'"),
    "lightgbm other columns": (lgb_classifier, people, "sex", "column 'f_0'"),
    "xgboost classes": (lambda: xgb_classifier(3), numbers, "f 4", "3 classes"),
    "lightgbm classes": (lambda: lgb_classifier(3), numbers, "f 4", "3 classes"),
    "xgboost codes": (
        lambda: coded(xgboost.XGBClassifier, 0),
        people,
        "sex",
        "numbers in column 'job'",
    ),
    "lightgbm codes": (
        lambda: coded(lambda **k: lightgbm.LGBMClassifier(verbose=-1, **k), 1),
        people,
        "sex",
        "numbers in column 'job'",
    ),
    "xgboost width": (
        lambda: native("binary:logistic"),
        lambda: numbers().drop(columns="f 0"),
        "f 4",
        "reads 5 columns, but the data have 4",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    make, frame, sensitive, reason = REFUSED[case]
    with pytest.raises(rafair.InvalidInput, match=reason):
        rafair.wrap(make(), schema_of(frame(), sensitive))


def test_a_model_with_levels_needs_a_frame():
    with pytest.raises(rafair.InvalidInput, match="'job'"):
        rafair.wrap(lgb_classifier(categories=True), schema_of(people(), "sex"), inputs="unit")
