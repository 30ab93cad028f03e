"""Verdicts on trees against everybody in I(v) × Δ, one by one, for every library."""

import itertools

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import rafair
from rafair.certificates import certify_cells, prover_of
from rafair.fairness import CELLS
from rafair.trees import tree_ensemble

LEVELS = {"job": ["clerk", "cook", "judge", "nurse"], "sex": ["f", "m"], "race": ["a", "b", "c"]}
N, PEOPLE = 400, 5


def people_table(n_classes=2):
    """Return people with few possible values, and a noisy label."""
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({name: drawn.choice(levels, N) for name, levels in LEVELS.items()})
    frame = frame.astype(object)
    frame["age"] = drawn.integers(0, 9, N)
    frame["hours"] = drawn.integers(0, 7, N) / 2
    score = (frame["age"] + 3 * (frame["job"] == "judge") + (frame["sex"] == "m")) / 4
    score = score + frame["hours"] * (frame["race"] == "b") + drawn.normal(0, 0.8, N)
    frame["label"] = pd.qcut(score, n_classes, labels=False).astype(int)
    return frame


def schema_of(frame, relations=()):
    """Return a schema in which ages, hours and jobs may change."""
    low = {"age": (0, 8), "hours": (0.0, 3.0)}
    features = [
        rafair.Feature(
            name,
            "categorical",
            tuple(levels),
            sensitive=name != "job",
            perturbable=name == "job",
            switch=name == "job",
        )
        for name, levels in LEVELS.items()
    ]
    features.append(rafair.Feature("age", "integer", low["age"]))
    features.append(rafair.Feature("hours", "numeric", low["hours"], decimals=1))
    classes = tuple(sorted(set(frame["label"])))
    return rafair.Schema(tuple(features), "label", classes, relations)


TEXT, NUMBERS = ["job", "sex", "race"], ["age", "hours"]


def one_hot(model):
    columns = make_column_transformer((OneHotEncoder(), TEXT), (StandardScaler(), NUMBERS))
    return make_pipeline(columns.set_params(sparse_threshold=0), model)


def ordinal(model):
    columns = make_column_transformer((OrdinalEncoder(), TEXT), remainder="passthrough")
    return make_pipeline(columns, model)


def categorised(frame):
    return frame.astype({name: pd.CategoricalDtype(levels) for name, levels in LEVELS.items()})


MODELS = {
    "tree": lambda: ordinal(DecisionTreeClassifier(max_depth=6, random_state=0)),
    "forest": lambda: one_hot(RandomForestClassifier(8, random_state=0)),
    "extra trees": lambda: ordinal(ExtraTreesClassifier(8, max_depth=6, random_state=0)),
    "gradient boosting": lambda: one_hot(GradientBoostingClassifier(n_estimators=8)),
    "hist one-hot": lambda: one_hot(HistGradientBoostingClassifier(max_iter=8)),
    "hist native": lambda: HistGradientBoostingClassifier(
        max_iter=8, categorical_features="from_dtype", min_samples_leaf=5
    ),
    "xgboost": lambda: ordinal(xgboost.XGBClassifier(n_estimators=8, max_depth=4)),
    "xgboost native": lambda: xgboost.XGBClassifier(
        n_estimators=8, max_depth=4, enable_categorical=True, max_cat_to_onehot=2
    ),
    "catboost": lambda: ordinal(
        catboost.CatBoostClassifier(iterations=8, verbose=False, allow_writing_files=False)
    ),
    "lightgbm": lambda: one_hot(lightgbm.LGBMClassifier(n_estimators=8, verbose=-1)),
    "lightgbm native": lambda: lightgbm.LGBMClassifier(
        n_estimators=8, verbose=-1, min_child_samples=5, min_data_per_group=5, cat_smooth=1
    ),
}


def wrapped(name, frame, schema):
    model = MODELS[name]()
    rows = frame[list(schema.columns)]
    model.fit(categorised(rows) if "native" in name else rows, frame["label"])
    return rafair.wrap(model, schema)


def everywhere(schema, x, space):
    """Return every possible v + δ of one person."""
    axes = []
    for place, feature in enumerate(schema.features):
        count = round(feature.span * (10 if feature.kind == "numeric" else 1)) + 1
        values = torch.linspace(0, 1, count, dtype=torch.float64)
        axes.append(values if bool(space.movable(x[None])[place]) else x[place : place + 1])
    points = torch.tensor(list(itertools.product(*axes)), dtype=torch.float64)
    return points[space.contains(points, x[None].expand_as(points))]


def check(model, schema, x, y, epsilon=0.15, **condition):
    """Compare claims and cells with the judge's verdict on everybody."""
    counterparts = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, epsilon, "feasible")
    verdicts = [
        rafair.judge(model, points, label.expand(len(points)), counterparts, **condition)
        for points, label in zip((everywhere(schema, v, space) for v in x), y, strict=True)
    ]
    for prove in ("accurate_fair", "accurate", "fair"):
        found = rafair.certify(model, x, y, counterparts, space, claim=prove, **condition)
        truth = [-1 if bool(verdict.breaks(prove).any()) else 1 for verdict in verdicts]
        assert found.status.tolist() == truth, prove
        broken = found.status == -1
        assert bool(space.contains(found.witness[broken], x[broken]).all())
        assert bool(found.witness_counterpart[broken].isfinite().all())
    cells = certify_cells(model, x, y, counterparts, space, 5_000, **condition)
    truth = torch.tensor(
        [[1 if c in verdict.cells else -1 for c in range(4)] for verdict in verdicts]
    )
    # A fair cell may stay open where counterparts come and go with δ.
    may_be_open = torch.tensor([bool(schema.relations), False] * 2)
    assert bool(((cells.status == truth) | (may_be_open & (cells.status == 0))).all())
    for cell in range(len(CELLS)):
        reached = cells.status[:, cell] == 1
        if not bool(reached.any()):
            continue
        points = cells.witness[reached, cell]
        assert bool(space.contains(points, x[reached]).all())
        again = rafair.judge(model, points, y[reached], counterparts, **condition)
        assert bool((again.cells == cell).all())


@pytest.mark.parametrize("name", MODELS)
def test_verdicts_are_those_of_everybody_asked(name):
    frame = people_table()
    schema = schema_of(frame)
    model = wrapped(name, frame, schema)
    check(model, schema, schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE])


def test_relations_exclude_people_and_counterparts():
    frame = people_table()
    frame = frame[(frame["hours"] <= frame["age"]) | (frame["sex"] == "m")]
    schema = schema_of(frame, ("hours <= age or sex == 'm'",))
    model = wrapped("forest", frame, schema)
    check(model, schema, schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE])


def test_distances_above_k_are_left_out():
    frame = people_table()
    schema = schema_of(frame)
    model = wrapped("xgboost", frame, schema)
    check(model, schema, schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE], K=0.9)


def test_three_classes_are_never_decided_wrongly():
    frame = people_table(3)
    schema = schema_of(frame)
    model = wrapped("lightgbm", frame, schema)
    x, y = schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE]
    counterparts = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.15, "feasible")
    found = rafair.certify(model, x, y, counterparts, space)
    truth = [
        -1
        if bool(
            rafair.judge(model, p, c.expand(len(p)), counterparts).breaks("accurate_fair").any()
        )
        else 1
        for p, c in zip((everywhere(schema, v, space) for v in x), y, strict=True)
    ]
    assert found.status.tolist() == truth


def test_a_spent_budget_leaves_people_undecided():
    frame = people_table()
    schema = schema_of(frame)
    model = wrapped("gradient boosting", frame, schema)
    x, y = schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE]
    counterparts = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.3, "feasible")
    brief = rafair.certify(model, x, y, counterparts, space, max_nodes=1)
    whole = rafair.certify(model, x, y, counterparts, space)
    assert bool((brief.status == 0).any())
    assert bool(((brief.status == whole.status) | (brief.status == 0)).all())
    late = rafair.certify(model, x, y, counterparts, space, until=0.0)
    assert not bool(late.status.any())


def test_a_model_that_answers_otherwise_than_its_trees_is_refused():
    class Moody(DecisionTreeClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X) ** 2

    frame = people_table()[[*NUMBERS, "label"]]
    features = (rafair.Feature("age", "integer", (0, 8), sensitive=True, observed=(0.0, 8.0)),)
    features += (rafair.Feature("hours", "numeric", (0.0, 3.0), decimals=1),)
    schema = rafair.Schema(features, "label", (0, 1))
    model = rafair.wrap(Moody(max_depth=2).fit(frame[NUMBERS], frame["label"]), schema)
    with pytest.raises(rafair.errors.InvalidInput, match="differ"):
        tree_ensemble(model)
    with pytest.raises(rafair.errors.InvalidInput):
        prover_of(model)
