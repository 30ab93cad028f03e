"""CatBoost: the probabilities are its own, for frames with whatever types it was trained on."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

import rafair
from rafair.models.agreement import random_people

catboost = pytest.importorskip("catboost")
N = 240
QUIET = {"allow_writing_files": False, "verbose": False, "thread_count": 1}
CODED = ["job", "grade", "married", "sex"]


@cache
def people(classes=("no", "yes")):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 60, N),
            "job": rng.choice(["cook", "smith", "nurse"], N),
            "grade": rng.integers(1, 4, N),
            "married": rng.random(N) < 0.5,
            "income": rng.normal(3, 1, N).round(2),
            "sex": rng.choice(["m", "f"], N),
        }
    )
    worth = frame.age / 10 + 2 * (frame.job == "cook") + frame.income + frame.married
    worth += 2 * (frame.sex == "m") + frame.grade
    place = pd.qcut(worth, len(classes), labels=False)
    return frame.assign(label=np.array(classes)[place])


def schema_of(frame=None, **changes):
    frame = people() if frame is None else frame
    return replace(rafair.Schema.infer(frame, label="label", sensitive=["sex"]), **changes)


def trained(frame=None, rows=None, bare=False, coded=CODED, **settings):
    frame = people() if frame is None else frame
    rows = frame.drop(columns="label") if rows is None else rows
    options = {"iterations": 8, "depth": 3, "learning_rate": 0.5, **QUIET, **settings}
    if coded is not None:
        options["cat_features"] = coded
    model = catboost.CatBoost(options) if bare else catboost.CatBoostClassifier(**options)
    return model.fit(rows, frame["label"])


def check_same(model, schema, read=lambda rows: rows, order=None):
    found = rafair.wrap(model, schema)
    assert (found.access, found.reads) == ("scores", "frame")
    x = random_people(schema, 300)
    theirs = model.predict(read(schema.decode(x)), prediction_type="Probability")
    ours = found.scores(x).softmax(dim=1)
    theirs = torch.from_numpy(theirs if order is None else theirs[:, order])
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)
    assert theirs.std() > 0.05
    return found


def test_a_frame_is_read_with_its_own_types():
    found = check_same(trained(), schema_of())
    assert found.kind == "CatBoost CatBoostClassifier, 8 trees"


def test_categories_of_pandas_are_read_as_what_they_stand_for():
    rows = people().drop(columns="label").astype(dict.fromkeys(["job", "sex"], "category"))
    check_same(trained(rows=rows), schema_of())


def test_whole_numbers_that_are_floats_are_read_as_integers():
    rows = people().drop(columns="label")
    model = trained(rows=rows)
    grade = next(f for f in schema_of().features if f.name == "grade")
    floats = replace(grade, kind="ordinal", domain=(1.0, 2.0, 3.0), observed=())
    features = tuple(floats if f.name == "grade" else f for f in schema_of().features)
    schema = schema_of(features=features)
    assert schema.decode(random_people(schema, 3))["grade"].dtype.kind == "f"
    check_same(model, schema, lambda rows: rows.astype({"grade": int}))


def test_a_category_with_decimals_is_refused_with_what_catboost_says():
    rows = people().drop(columns="label").assign(income=people()["income"].astype(str))
    model = trained(rows=rows, coded=[*CODED, "income"])
    with pytest.raises(rafair.InvalidInput, match="cat_features must be integer or string"):
        rafair.wrap(model, schema_of())


def test_scores_are_in_the_order_of_the_datas_classes():
    check_same(trained(), schema_of(classes=("yes", "no")), order=[1, 0])


@pytest.mark.parametrize("objective", ["MultiClass", "MultiClassOneVsAll"])
def test_several_classes_are_decided_as_the_model_does(objective):
    frame = people(("low", "middle", "high"))
    schema = schema_of(frame)
    model = trained(frame, loss_function=objective)
    x = random_people(schema, 300)
    ours = np.array(schema.classes)[rafair.wrap(model, schema).scores(x).argmax(dim=1).numpy()]
    np.testing.assert_array_equal(ours, model.predict(schema.decode(x))[:, 0])
    assert len(set(ours)) == 3


@pytest.mark.parametrize("label", [(0, 1), (False, True)])
def test_a_label_of_numbers_or_truths_means_the_classes_in_order(label):
    frame = people(label)
    check_same(trained(frame), schema_of(frame))
    check_same(trained(frame), schema_of())


def test_a_model_trained_on_a_matrix_reads_the_datas_columns_in_their_order():
    matrix = people().drop(columns="label").to_numpy(dtype=object)
    model = trained(rows=matrix, coded=[1, 2, 3, 5])
    check_same(model, schema_of(), lambda rows: rows.to_numpy(dtype=object))


def test_a_model_of_numbers_alone_reads_a_frame_or_a_matrix():
    rows = people()[["income", "age"]]
    check_same(trained(rows=rows, coded=None), schema_of(), lambda r: r[["income", "age"]])
    frame = people()[["age", "income", "grade", "label"]].assign(sex=np.arange(N) % 2)
    schema = schema_of(frame)
    model = trained(frame, frame[list(schema.columns)].to_numpy(), coded=None)
    found = rafair.wrap(model, schema)
    assert found.reads == "original"
    x = random_people(schema, 100)
    theirs = torch.from_numpy(model.predict_proba(schema.decode(x).to_numpy()))
    torch.testing.assert_close(found.scores(x).softmax(dim=1), theirs, atol=1e-9, rtol=0)


@pytest.mark.parametrize("objective", ["Logloss", "CrossEntropy"])
def test_the_bare_class_is_read(objective):
    frame = people((0, 1))
    model = trained(frame, bare=True, loss_function=objective)
    check_same(model, schema_of(frame))


@pytest.mark.parametrize("threshold", [0.2, 0.7])
def test_its_own_threshold_decides(threshold):
    model = trained().copy()
    model.set_probability_threshold(threshold)
    found = rafair.wrap(model, schema_of())
    x = random_people(schema_of(), 500)
    ours = np.array(["no", "yes"])[found.scores(x).argmax(dim=1).numpy()]
    np.testing.assert_array_equal(ours, model.predict(schema_of().decode(x)))


def test_a_wrapped_model_can_be_pickled_and_audited():
    data = rafair.read_table(people(), schema=schema_of())
    found = pickle.loads(pickle.dumps(rafair.wrap(trained(), schema_of())))
    run = rafair.audit(found, data, n_seeds=10, queries=60)
    assert run.manifest["model"]["kind"] == found.kind
    assert "square" in run.metrics["attacks"]


@pytest.mark.parametrize("around", ["threshold", "pipeline"])
def test_inside_a_step_of_scikit_learn_it_reads_its_frame_too(around):
    model_selection = pytest.importorskip("sklearn.model_selection")
    model = trained()
    if around == "threshold":
        model = model_selection.FixedThresholdClassifier(model, threshold=0.3)
    else:
        model = pytest.importorskip("sklearn.pipeline").make_pipeline(model)
    found = rafair.wrap(model, schema_of())
    assert (found.access, found.reads) == ("scores", "frame")
    x = random_people(schema_of(), 300)
    ours = np.array(["no", "yes"])[found.scores(x).argmax(dim=1).numpy()]
    np.testing.assert_array_equal(ours, np.ravel(model.predict(schema_of().decode(x))))


def test_text_that_is_read_as_numbers_is_refused():
    model = trained(rows=people()[["age", "job"]].assign(job=0), coded=None)
    with pytest.raises(rafair.InvalidInput, match="reads numbers in column 'job'"):
        rafair.wrap(model, schema_of())


def test_a_regression_is_refused():
    rows = people()[["age", "grade"]]
    model = catboost.CatBoostRegressor(iterations=3, **QUIET).fit(rows, people()["income"])
    with pytest.raises(rafair.InvalidInput, match="'RMSE', which is no classification"):
        rafair.wrap(model, schema_of())


def test_a_model_that_is_not_fitted_is_refused():
    with pytest.raises(rafair.InvalidInput, match="not fitted; call fit first"):
        rafair.wrap(catboost.CatBoostClassifier(), schema_of())
