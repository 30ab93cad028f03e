"""Verdicts on trees against everybody in I(v) × Δ, one by one, for every library."""

import catboost
import lightgbm
import pandas as pd
import pytest
import xgboost
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

import rafair
from everybody import LEVELS, NUMBERS, check, everywhere, one_hot, ordinal, people_table, schema_of
from rafair.certificates import prover_of
from rafair.trees import tree_ensemble

PEOPLE = 5


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
    "catboost, grown by loss": lambda: ordinal(
        catboost.CatBoostClassifier(
            iterations=8, grow_policy="Lossguide", verbose=False, allow_writing_files=False
        )
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
