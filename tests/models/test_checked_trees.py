"""Trees, search trees and splines in a skops file: used without trust, refused where crafted."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomTreesEmbedding,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from rafair.errors import InvalidInput
from rafair.models.formats.permission import Permission
from rafair.models.formats.skops_file import read

skops = pytest.importorskip("skops.io")

ROWS, LABELS = make_classification(60, 5, n_classes=2, random_state=0)
THREE = np.where(ROWS[:, 0] > 1, 2, LABELS)
FRAME = pd.DataFrame(ROWS, columns=list("abcde")).assign(
    kind=pd.Categorical(np.where(ROWS[:, 1] > 0, "u", np.where(ROWS[:, 2] > 0, "v", "w")))
)
FOREST = RandomForestClassifier(3, max_depth=3, random_state=0)
HISTOGRAM = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3)
LOGISTIC = LogisticRegression()
TREE = "sklearn.tree._tree.Tree"

MODELS = {
    "one tree": DecisionTreeClassifier(),
    "forest": FOREST,
    "extra trees": ExtraTreesClassifier(3),
    "gradient boosting": GradientBoostingClassifier(n_estimators=3),
    "gradient boosting from zero": GradientBoostingClassifier(n_estimators=3, init="zero"),
    "histograms": HISTOGRAM,
    "pipeline": make_pipeline(StandardScaler(), HISTOGRAM),
    "AdaBoost": AdaBoostClassifier(n_estimators=3),
    "bagging": BaggingClassifier(n_estimators=3, max_features=0.5),
    "voting": VotingClassifier([("trees", FOREST), ("line", LOGISTIC)], voting="soft"),
    "stacking": StackingClassifier([("trees", FOREST), ("line", LOGISTIC)], cv=2),
    "calibrated": CalibratedClassifierCV(HISTOGRAM, cv=2),
    "threshold": FixedThresholdClassifier(HISTOGRAM, threshold=0.4),
    "tuned threshold": TunedThresholdClassifierCV(HISTOGRAM, cv=2),
    "search": GridSearchCV(FOREST, {"max_depth": [1, 2]}, cv=2),
    "embedding": make_pipeline(RandomTreesEmbedding(n_estimators=3), LOGISTIC),
    "neighbours": KNeighborsClassifier(algorithm="kd_tree"),
    "neighbours in balls": KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
    "splines": make_pipeline(SplineTransformer(), LOGISTIC),
}


def from_file(model, folder, trust=()):
    skops.dump(model, folder / "model.skops")
    return read(folder / "model.skops", Permission(trust))


@pytest.mark.parametrize("labels", [LABELS, THREE], ids=["two classes", "three"])
@pytest.mark.parametrize("name", MODELS)
def test_scikit_learns_models_need_no_trust(name, labels, tmp_path):
    if "threshold" in name and labels is THREE:
        labels = LABELS  # thresholds are for two classes
    model = MODELS[name].fit(ROWS, labels)
    again = from_file(model, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(ROWS), model.predict_proba(ROWS))


@pytest.mark.parametrize("categories", ["from_dtype", ["kind"]])
def test_histograms_with_categories_need_no_trust(categories, tmp_path):
    kind = HistGradientBoostingClassifier(
        categorical_features=categories, max_iter=5, min_samples_leaf=2
    )
    model = kind.fit(FRAME, FRAME["kind"] == "v")
    assert any(one.nodes["is_categorical"].any() for (one,) in model._predictors)
    again = from_file(model, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))


def with_nodes(model, **changed):
    """Change numbers of the first tree's root."""
    tree = model.estimators_[0].tree_
    state = tree.__getstate__()
    for name, value in changed.items():
        state["nodes"][name][0] = value
    tree.__setstate__(state)


def with_histogram(model, **changed):
    for name, value in changed.items():
        model._predictors[0][0].nodes[name][0] = value


def with_features(model, count):
    model.n_features_in_ = count


def with_member(model):
    """Put a tree of more features into a forest of fewer, which gives it its rows unchecked."""
    model.estimators_[0] = DecisionTreeClassifier().fit(np.c_[ROWS, ROWS], LABELS)


def with_category(model):
    with_histogram(model, is_categorical=1)
    model._predictors[0][0].raw_left_cat_bitsets = np.zeros((1, 8), np.uint32)


FORESTS = [
    (lambda m: with_nodes(m, left_child=99), "a branch leads nowhere"),
    (lambda m: with_nodes(m, right_child=-7), "a branch leads nowhere"),
    (lambda m: with_nodes(m, left_child=0), "a branch leads nowhere"),
    (lambda m: with_nodes(m, feature=5), "a feature that is not there"),
    (lambda m: with_nodes(m, feature=-2), "a feature that is not there"),
    (lambda m: with_features(m.estimators_[0], 99), "its features are not those of the model"),
    (lambda m: with_features(m, 99), "its features are not those of the model"),
    (lambda m: with_features(m, None), "does not say how many features"),
    (with_member, "its features are not those of the model"),
]
HISTOGRAMS = [
    (lambda m: with_histogram(m, left=99), "a branch leads nowhere"),
    (lambda m: with_histogram(m, right=0), "a branch leads nowhere"),
    (lambda m: with_histogram(m, feature_idx=99), "a feature that is not there"),
    (lambda m: with_features(m, 99), "its features are not those of the model"),
    (with_category, "it has categories of a number"),
]


@pytest.mark.parametrize(("craft", "says"), FORESTS)
def test_a_crafted_forest_is_refused(craft, says, tmp_path):
    model = RandomForestClassifier(3, max_depth=3, random_state=0).fit(ROWS, LABELS)
    craft(model)
    with pytest.raises(InvalidInput, match=f"cannot follow: .*{says}"):
        from_file(model, tmp_path)


@pytest.mark.parametrize(("craft", "says"), HISTOGRAMS)
def test_crafted_histograms_are_refused(craft, says, tmp_path):
    model = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=3).fit(ROWS, LABELS)
    craft(model)
    with pytest.raises(InvalidInput, match=f"cannot follow: .*{says}"):
        from_file(model, tmp_path)


def with_set(model):
    tree = next(one for (one,) in model._predictors if one.nodes["is_categorical"].any())
    tree.nodes["bitset_idx"][np.flatnonzero(tree.nodes["is_categorical"])] = 9


def with_fewer_columns(model):
    (_, _, chosen), *rest = model._preprocessor.transformers_
    model._preprocessor.transformers_ = [("encoder", "drop", chosen), *rest]


@pytest.mark.parametrize("craft", [with_set, with_fewer_columns])
def test_crafted_categories_are_refused(craft, tmp_path):
    kind = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2)
    model = kind.fit(FRAME, FRAME["kind"] == "v")
    craft(model)
    with pytest.raises(InvalidInput, match="cannot follow"):
        from_file(model, tmp_path)


def test_rounds_of_more_trees_than_scores_are_refused(tmp_path):
    model = GradientBoostingClassifier(n_estimators=2).fit(ROWS, LABELS)
    model.estimators_ = np.repeat(model.estimators_, 3, axis=1)
    with pytest.raises(InvalidInput, match="no score to add to"):
        from_file(model, tmp_path)


def rewritten(path, change):
    """Change the description of the objects in a file."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    content = json.loads(parts["schema.json"])
    change(content)
    parts["schema.json"] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, part in parts.items():
            file.writestr(name, part)


def test_a_tree_with_another_number_of_nodes_is_refused(tmp_path):
    path = tmp_path / "model.skops"
    skops.dump(DecisionTreeClassifier(max_depth=2).fit(ROWS, LABELS), path)

    def change(content):
        state = content["content"]["content"]["tree_"]["content"]["content"]
        state["node_count"].update(content="1", __id__=1)

    rewritten(path, change)
    with pytest.raises(InvalidInput, match="its number of nodes is wrong"):
        read(path, Permission())


@pytest.mark.parametrize(
    "kept",
    [
        lambda tree, line: setattr(line, "coef_", tree.tree_),
        lambda tree, line: setattr(line, "more", {"deep": [(tree.tree_,)]}),
        lambda tree, line: setattr(line, "more", np.array([tree.tree_, None], dtype=object)),
    ],
)
def test_a_tree_elsewhere_must_be_trusted(kept, tmp_path):
    line = LogisticRegression().fit(ROWS, LABELS)
    kept(DecisionTreeClassifier().fit(ROWS, LABELS), line)
    with pytest.raises(InvalidInput, match=f"LogisticRegression, .* --trust {TREE}"):
        from_file(line, tmp_path)
    assert from_file(line, tmp_path, (TREE,)).classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    "model",
    [IsolationForest(n_estimators=2), GradientBoostingClassifier(n_estimators=2, init=FOREST)],
    ids=["isolation", "initial model"],
)
def test_trees_that_are_given_rows_unchecked_must_be_trusted(model, tmp_path):
    model = model.fit(ROWS, LABELS)
    with pytest.raises(InvalidInput, match=f"--trust {TREE}"):
        from_file(model, tmp_path)
    np.testing.assert_array_equal(
        from_file(model, tmp_path, (TREE,)).predict(ROWS), model.predict(ROWS)
    )


def test_neighbours_are_searched_in_a_tree_of_our_own(tmp_path):
    model = KNeighborsClassifier(algorithm="kd_tree").fit(ROWS, LABELS)
    expected = model.predict_proba(ROWS)
    state = list(model._tree.__getstate__())
    state[1] = np.zeros_like(state[1])  # every neighbour is the first row
    model._tree.__setstate__(tuple(state))
    again = from_file(model, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(ROWS), expected)


def test_a_search_tree_elsewhere_must_be_trusted(tmp_path):
    line = LogisticRegression().fit(ROWS, LABELS)
    line.more = KNeighborsClassifier(algorithm="kd_tree").fit(ROWS, LABELS)._tree
    with pytest.raises(InvalidInput, match=r"KDTree in .*LogisticRegression, .* --trust"):
        from_file(line, tmp_path)


def test_a_spline_that_lacks_values_is_refused(tmp_path):
    model = make_pipeline(SplineTransformer(), LOGISTIC).fit(ROWS, LABELS)
    spline = model[0].bsplines_[0]
    spline.__dict__["_c"] = spline.c[:2].copy()
    with pytest.raises(InvalidInput, match="a spline that SciPy cannot compute"):
        from_file(model, tmp_path)
