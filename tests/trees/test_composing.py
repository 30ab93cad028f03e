"""Verdicts on models of models of trees, against everybody in I(v) × Δ, one by one."""

import pytest
import torch
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import rafair
from everybody import boosted, check, forest, one_hot, ordinal, people_table, schema_of, voting
from rafair.certificates import prover_of
from rafair.trees import tree_ensemble, why_no_trees

PEOPLE = 4


def xgb():
    return xgboost.XGBClassifier(n_estimators=5, max_depth=3)


def tree(depth=5):
    return DecisionTreeClassifier(max_depth=depth, random_state=0)


MODELS = {
    "voting, weighted": lambda: ordinal(
        voting(forest(), boosted(), xgb(), voting="soft", weights=[1, 2, 1.5])
    ),
    "voting of pipelines": lambda: voting(one_hot(forest()), ordinal(boosted()), voting="soft"),
    "votes": lambda: ordinal(voting(forest(), boosted(), tree(3))),
    "votes that tie": lambda: ordinal(voting(forest(), boosted())),
    "votes of a threshold": lambda: ordinal(
        voting(forest(), boosted(), FixedThresholdClassifier(forest(), threshold=0.3))
    ),
    "bagging": lambda: ordinal(BaggingClassifier(n_estimators=8, random_state=0)),
    "bagging of columns": lambda: ordinal(
        BaggingClassifier(tree(), max_features=3, n_estimators=8, random_state=0)
    ),
    "bagging of boosted trees": lambda: ordinal(
        BaggingClassifier(boosted(), max_features=4, n_estimators=3, random_state=0)
    ),
    "calibrated by sigmoids": lambda: one_hot(CalibratedClassifierCV(forest(), cv=3)),
    "calibrated by isotonic maps": lambda: ordinal(
        CalibratedClassifierCV(boosted(), method="isotonic", cv=3)
    ),
    "calibrated in float32": lambda: ordinal(
        CalibratedClassifierCV(xgb(), method="isotonic", cv=3)
    ),
    "calibrated by a temperature": lambda: ordinal(
        CalibratedClassifierCV(forest(), method="temperature", cv=3)
    ),
    "calibrated by the temperature of a score": lambda: ordinal(
        CalibratedClassifierCV(boosted(), method="temperature", cv=3)
    ),
    "calibrated voting": lambda: ordinal(
        CalibratedClassifierCV(voting(forest(), boosted(), voting="soft"), cv=3)
    ),
    "stacking": lambda: ordinal(
        StackingClassifier([("a", forest()), ("b", boosted()), ("c", xgb())], cv=2)
    ),
    "threshold": lambda: FixedThresholdClassifier(ordinal(forest()), threshold=0.4),
    "threshold of a score": lambda: ordinal(
        FixedThresholdClassifier(boosted(), threshold=0.4, response_method="decision_function")
    ),
    "threshold of voting": lambda: FixedThresholdClassifier(
        ordinal(voting(forest(), boosted(), voting="soft")), threshold=0.3, pos_label=0
    ),
    "tuned threshold": lambda: TunedThresholdClassifierCV(one_hot(boosted()), cv=2),
    "adaptive boosting": lambda: ordinal(AdaBoostClassifier(tree(2), n_estimators=8)),
}


def wrapped(make, n_classes=2):
    frame = people_table(n_classes)
    schema = schema_of(frame)
    model = make().fit(frame[list(schema.columns)], frame["label"])
    return rafair.wrap(model, schema), schema, frame


@pytest.mark.parametrize("name", MODELS)
def test_verdicts_are_those_of_everybody_asked(name):
    model, schema, frame = wrapped(MODELS[name])
    assert prover_of(model).certainty == "exact"
    check(model, schema, schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE])


@pytest.mark.parametrize(
    "make",
    [
        lambda: ordinal(voting(forest(), tree(4), voting="soft", weights=[2, 1])),
        lambda: ordinal(BaggingClassifier(n_estimators=5, random_state=0)),
        lambda: ordinal(AdaBoostClassifier(tree(2), n_estimators=5)),
    ],
)
def test_three_classes_are_read_where_scores_are_sums(make):
    ensemble = tree_ensemble(wrapped(make, 3)[0])
    assert ensemble.n_classes == 3
    assert len(ensemble.composition.parts) == 1


@pytest.mark.parametrize(
    ("make", "n_classes", "reason"),
    [
        (lambda: ordinal(voting(forest(), boosted(), voting="soft")), 3, "more than two classes"),
        (lambda: ordinal(voting(forest(), tree())), 3, "votes between more than two classes"),
        (lambda: ordinal(CalibratedClassifierCV(forest(), cv=2)), 3, "more than two classes"),
        (lambda: ordinal(voting(forest(), GaussianNB(), voting="soft")), 2, "no trees of"),
        (lambda: ordinal(AdaBoostClassifier(forest(), n_estimators=2)), 2, "other members"),
    ],
)
def test_what_is_unproved_says_why(make, n_classes, reason):
    model = wrapped(make, n_classes)[0]
    assert reason in why_no_trees(model)


def test_equal_branches_are_read_once():
    model, _, _ = wrapped(lambda: ordinal(voting(forest(), tree(), boosted(), voting="soft")))
    branches = tree_ensemble(model).composition.branches
    assert len(branches) == 2  # float32 for the forest and the tree, float64 for boosting


def test_a_proof_holds_and_a_witness_breaks_at_random_points():
    model, schema, frame = wrapped(MODELS["calibrated voting"])
    x, y = schema.encode(frame)[:40], schema.encode_label(frame)[:40]
    people = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.1, "feasible")
    found = rafair.certify(model, x, y, people, space, claim="accurate")
    assert bool((found.status == 1).any())
    assert bool((found.status == -1).any())
    drawn = torch.Generator().manual_seed(0)
    for _ in range(20):
        point = space.round(space.project(x + torch.randn(x.shape, generator=drawn), x), x)
        broken = rafair.judge(model, point, y, people).breaks("accurate")
        assert not bool((broken & (found.status == 1)).any())
    assert bool(found.witness[found.status == -1].isfinite().all())


def test_a_question_is_searched_once_and_a_smaller_budget_is_kept():
    model, schema, frame = wrapped(MODELS["voting, weighted"])
    x, y = schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE]
    people = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.15, "feasible")
    first = rafair.certify(model, x, y, people, space)
    count = len(tree_ensemble(model).remembered.known)
    again = rafair.certify(model, x, y, people, space)
    assert count == len(tree_ensemble(model).remembered.known)
    for name in ("status", "nodes", "witness"):
        assert torch.equal(getattr(first, name).nan_to_num(), getattr(again, name).nan_to_num())
    brief = rafair.certify(model, x, y, people, space, max_nodes=1)
    assert bool((brief.nodes <= 1).all())
    assert bool((brief.status == 0).any())


def test_nobody_biased_is_found_where_the_sensitive_columns_are_not_read():
    frame = people_table()
    schema = schema_of(frame)
    rows = frame[list(schema.columns)]
    columns = make_column_transformer(("passthrough", ["age", "hours"]))
    model = rafair.wrap(make_pipeline(columns, tree(3)).fit(rows, frame["label"]), schema)
    x, y = schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE]
    people = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, 0.5, "feasible")
    found = rafair.certify(model, x, y, people, space, claim="fair")
    assert found.status.tolist() == [1] * PEOPLE
    assert (rafair.certify(model, x, y, people, space).status == -1).any()
