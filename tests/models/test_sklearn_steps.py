"""Every transformer and classifier that is converted, against scikit-learn."""

import pickle
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC
from sklearn_people import NUMBERS, TEXTS, check_same, fitted, people, schema_of, table

import rafair
from rafair.models.agreement import random_people

CODED = ["age", "job", "married", "size", "grade"]


def network(**settings):
    return MLPClassifier((5,), max_iter=30, random_state=0, **settings)


def encoded(encoder, columns=TEXTS, rest="passthrough"):
    return ColumnTransformer([("coded", encoder, columns)], remainder=rest)


CLASSIFIERS = {
    "logistic": LogisticRegression(),
    "logistic without intercept": LogisticRegression(fit_intercept=False),
    "logistic of the best penalty": LogisticRegressionCV(
        Cs=2, cv=2, l1_ratios=(0.0,), scoring="accuracy", use_legacy_attributes=False
    ),
    "support vectors": LinearSVC(),
    "ridge": RidgeClassifier(),
    "ridge of the best penalty": RidgeClassifierCV(),
    "ridge without intercept": RidgeClassifier(fit_intercept=False),
    "steps": SGDClassifier(random_state=0),
    "steps of a squared hinge": SGDClassifier(loss="squared_hinge", random_state=0),
    "perceptron": Perceptron(),
    "discriminants": LinearDiscriminantAnalysis(),
    "shrunk discriminants": LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1),
    "network": network(),
    "tanh": network(activation="tanh"),
    "sigmoid": network(activation="logistic"),
    "identity": network(activation="identity"),
    "two hidden layers": MLPClassifier((5, 4), max_iter=30, random_state=0),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
}


@pytest.mark.parametrize("label", ["pay", "share"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_is_itself(name, label):
    before = encoded(OneHotEncoder(sparse_output=False), rest=StandardScaler())
    model = fitted(make_pipeline(before, CLASSIFIERS[name]), label=label)
    check_same(model, schema_of(label))


def test_probabilities_of_a_linear_model_fitted_by_steps_are_a_sigmoid_of_two_classes():
    before = encoded(OneHotEncoder(), rest=StandardScaler())
    model = SGDClassifier(loss="log_loss", random_state=0)
    check_same(fitted(make_pipeline(before, model)), schema_of())


def test_sparse_weights_are_read():
    model = fitted(LogisticRegression(l1_ratio=1, solver="liblinear", C=0.1), people(NUMBERS))
    check_same(model.sparsify(), schema_of(), NUMBERS)


def test_a_network_fitted_in_single_precision_is_converted_to_double():
    rows = (people(["height", "age"]) / 100).astype(np.float32)
    model = fitted(network(), rows)
    assert model.coefs_[0].dtype == np.float32
    check_same(model, schema_of(), rows.columns)


ENCODERS = {
    "one-hot": OneHotEncoder(),
    "one-hot without the first": OneHotEncoder(drop="first", sparse_output=False),
    "one-hot without one of two": OneHotEncoder(drop="if_binary"),
    "one-hot in a given order": OneHotEncoder(
        categories=[
            list(range(18, 41)),
            ["smith", "cook", "judge", "nurse"],
            [False, True],
            ["large", "medium", "small"],
            [1, 2, 5],
        ]
    ),
    "rare together": OneHotEncoder(min_frequency=0.1),
    "at most three": OneHotEncoder(max_categories=3, drop="first"),
    "codes": OrdinalEncoder(),
    "codes of the frequent": OrdinalEncoder(min_frequency=0.1, dtype=np.float32),
    "mean of the label": TargetEncoder(random_state=0),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_is_itself_on_all_kinds_of_columns(name):
    model = make_pipeline(encoded(ENCODERS[name], CODED), StandardScaler(with_mean=False))
    check_same(fitted(make_pipeline(model, network())), schema_of(), tolerance=1e-7)


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="ignore", drop="first", sparse_output=False),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
    ids=["ignored", "ignored beside a dropped one", "rare", "code"],
)
def test_levels_that_the_model_has_never_seen_are_what_it_makes_of_them(encoder):
    seen = (table()["job"] != "judge") & (table()["age"] < 36)
    model = make_pipeline(encoded(encoder, CODED), LogisticRegression(max_iter=3000))
    model.fit(people()[seen], table()["pay"][seen])
    check_same(model, schema_of())


def test_an_unknown_level_that_becomes_nan_is_filled_in():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    filled = make_pipeline(encoder, SimpleImputer(strategy="most_frequent"))
    seen = table()["job"] != "judge"
    model = make_pipeline(encoded(filled, CODED), StandardScaler(), LogisticRegression())
    check_same(model.fit(people()[seen], table()["pay"][seen]), schema_of())


BY_VALUE = {
    "bins": KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
    "codes of bins": KBinsDiscretizer(4, encode="ordinal", strategy="uniform"),
    "means of bins": KBinsDiscretizer(3, encode="onehot-dense", strategy="kmeans", random_state=0),
    "splines": SplineTransformer(4),
    "periodic splines": SplineTransformer(5, degree=2, extrapolation="periodic"),
    "constant splines": SplineTransformer(3, extrapolation="constant", include_bias=False),
    "logarithm": FunctionTransformer(np.log1p),
    "root": FunctionTransformer(np.sqrt, feature_names_out="one-to-one"),
    "sigmoid of SciPy": FunctionTransformer(expit),
    "powers": ColumnTransformer([("a", PolynomialFeatures(3), ["age"])], remainder="passthrough"),
}


@pytest.mark.parametrize("name", BY_VALUE)
def test_what_reads_a_countable_column_is_itself_at_every_value(name):
    rows = people(["age", "grade", "married"]).astype(float)
    before = make_pipeline(BY_VALUE[name], StandardScaler(with_mean=False))
    model = fitted(make_pipeline(before, network()), rows)
    found = check_same(model, schema_of(), rows.columns)
    x = random_people(schema_of(), 30).requires_grad_()
    (slopes,) = torch.autograd.grad(found.scores(x).diff(dim=1).sum(), x)
    assert (slopes[:, schema_of().index("age")] != 0).any()


def test_products_of_columns_of_one_feature_are_themselves():
    coded = encoded(OneHotEncoder(sparse_output=False), ["job"], "drop")
    steps = coded, PolynomialFeatures(2), LogisticRegression(max_iter=3000)
    check_same(fitted(make_pipeline(*steps)), schema_of())


def test_a_number_alone_may_be_uncountable_among_products():
    before = PolynomialFeatures(1)
    check_same(fitted(make_pipeline(before, network()), people(NUMBERS)), schema_of(), NUMBERS)


def logarithms(*columns):
    return ColumnTransformer([("log", FunctionTransformer(np.log1p), columns)], sparse_threshold=0)


SMOOTH = {
    "squares and products": PolynomialFeatures(2),
    "products of three": PolynomialFeatures(3, interaction_only=True, include_bias=False),
    "logarithm": FunctionTransformer(np.log1p),
    "exponential": make_pipeline(StandardScaler(), FunctionTransformer(np.exp)),
    "root": FunctionTransformer(np.sqrt),
    "sine of principal components": make_pipeline(PCA(2), FunctionTransformer(np.sin)),
    "products of logarithms": make_pipeline(logarithms("age", "height"), PolynomialFeatures(2)),
    "beside others": FeatureUnion(
        [("a", PolynomialFeatures(2)), ("b", logarithms("height")), ("c", StandardScaler())]
    ),
}


@pytest.mark.parametrize("last", [LogisticRegression(max_iter=3000), network()])
@pytest.mark.parametrize("name", SMOOTH)
def test_products_and_smooth_functions_of_any_numbers_are_themselves(name, last):
    rows = people(["age", "height", "grade", "married"])
    scaled = make_pipeline(SMOOTH[name], StandardScaler())
    model = fitted(make_pipeline(scaled, last), rows)
    found = check_same(model, schema_of(), rows.columns)
    again = pickle.loads(pickle.dumps(found))
    x = random_people(schema_of(), 40).clamp(0.1, 0.9).requires_grad_()
    scores = again.scores(x).diff(dim=1)
    (slopes,) = torch.autograd.grad(scores.sum(), x)
    place, step = schema_of().index("height"), torch.zeros_like(x)
    step[:, place] = 1e-6
    with torch.no_grad():
        ends = [found.scores(x + sign * step).diff(dim=1)[:, 0] for sign in (1, -1)]
    measured = (ends[0] - ends[1]) / 2e-6
    near = (measured - slopes[:, place]).abs() <= 1e-5 * slopes[:, place].abs().clamp_min(1)
    assert near.double().mean() > 0.9  # a kink within reach is rare
    assert (slopes[:, place] != 0).double().mean() > 0.8


def test_what_has_no_slope_somewhere_is_not_computed():
    schema = schema_of()
    height = next(f for f in schema.features if f.name == "height")
    wide = replace(height, domain=(0.0, height.domain[1]), observed=())
    changed = tuple(wide if f.name == "height" else f for f in schema.features)
    schema = replace(schema, features=changed)
    steps = FunctionTransformer(np.sqrt), StandardScaler(), LogisticRegression()
    model = fitted(make_pipeline(*steps), people(["height"]))
    assert rafair.wrap(model, schema).access == "scores"
    assert rafair.wrap(model, schema_of()).access == "gradient"


def test_many_products_are_converted_in_a_second():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((60, 30)), columns=[f"c{place}" for place in range(30)])
    frame = frame.assign(sex=np.arange(60) % 2, pay=np.arange(60) // 30)
    model = make_pipeline(PolynomialFeatures(2), StandardScaler(), LogisticRegression())
    model.fit(frame.drop(columns="pay"), frame["pay"])
    schema = rafair.Schema.infer(frame, label="pay", sensitive=["sex"])
    start = time.perf_counter()
    assert rafair.wrap(model, schema).access == "gradient"
    assert time.perf_counter() - start < 20  # a slow machine; a quadratic search takes minutes


@pytest.mark.parametrize("marker", [18, np.nan])
def test_indicators_of_missing_cells_are_themselves(marker):
    rows = people(["age", "grade"]).astype(float)
    rows.loc[::9, "age"] = marker
    filled = SimpleImputer(missing_values=marker, add_indicator=True)
    check_same(fitted(make_pipeline(filled, network()), rows), schema_of(), ["age", "grade"])


IMPUTERS = {
    "mean": SimpleImputer(),
    "indicator": SimpleImputer(add_indicator=True),
    "empty kept": SimpleImputer(keep_empty_features=True),
    "empty filled": SimpleImputer(strategy="constant", fill_value=3, keep_empty_features=True),
}


@pytest.mark.parametrize("name", IMPUTERS)
def test_imputers_leave_complete_columns_alone(name):
    holes = people(NUMBERS).astype(float)
    holes.loc[::7, "height"] = np.nan
    holes["grade"] = np.nan
    model = fitted(make_pipeline(IMPUTERS[name], StandardScaler(), network()), holes)
    check_same(model, schema_of(), NUMBERS)


def test_text_goes_through_an_imputer_to_an_encoder():
    filled = make_pipeline(
        SimpleImputer(strategy="most_frequent", missing_values="judge"), OneHotEncoder()
    )
    check_same(
        fitted(make_pipeline(encoded(filled), LogisticRegression(max_iter=3000))), schema_of()
    )


NUMERIC = {
    "standard": StandardScaler(),
    "mean alone": StandardScaler(with_std=False),
    "deviation alone": StandardScaler(with_mean=False),
    "range": MinMaxScaler((-1, 2)),
    "largest": MaxAbsScaler(),
    "quantiles": RobustScaler(quantile_range=(10, 80)),
    "scale of quantiles": RobustScaler(with_centering=False, unit_variance=True),
    "nothing": FunctionTransformer(),
    "passthrough": "passthrough",
    "components": PCA(3),
    "whitened components": PCA(3, whiten=True),
    "components by batches": IncrementalPCA(2),
    "singular vectors": TruncatedSVD(3, random_state=0),
    "variance": VarianceThreshold(0.3),
    "best": SelectKBest(k=3),
    "by weight": SelectFromModel(LogisticRegression(max_iter=3000)),
    "several": FeatureUnion(
        [("a", PCA(2)), ("b", "passthrough"), ("c", "drop"), ("d", StandardScaler())],
        transformer_weights={"a": 3.0, "b": 0.5},
    ),
    "writing in place": FeatureUnion(
        [("a", StandardScaler(copy=False)), ("b", MinMaxScaler(copy=False))]
    ),
}


@pytest.mark.parametrize("name", NUMERIC)
def test_every_transformer_of_numbers_is_itself(name):
    steps = [("same", FunctionTransformer()), ("step", NUMERIC[name]), ("last", network())]
    check_same(fitted(Pipeline(steps), people(NUMBERS)), schema_of(), NUMBERS)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_an_encoder_reads_the_frame_that_a_step_returns(library):
    pytest.importorskip(library)
    before = encoded(StandardScaler(), ["height"]).set_output(transform=library)
    columns = ["remainder__job", "remainder__grade"]
    behind = encoded(OneHotEncoder(sparse_output=False), columns, "drop")
    check_same(fitted(make_pipeline(before, behind, LogisticRegression())), schema_of())


@pytest.mark.parametrize(
    "wanted",
    [
        ["height", "age"],
        [1, 0],
        slice(0, 2),
        slice("age", "height"),
        [True, True, *[False] * 7],
        np.array([True, True, *[False] * 7]),
        make_column_selector("height|age"),
        lambda frame: ["age"],
        [],
        [False] * 9,
    ],
    ids=[
        "names",
        "places",
        "slice",
        "named-slice",
        "mask",
        "array",
        "selector",
        "callable",
        "nothing",
        "empty-mask",
    ],
)
@pytest.mark.parametrize("rest", ["drop", "passthrough"])
def test_columns_are_chosen_in_every_way(wanted, rest):
    scaled = make_pipeline(StandardScaler(), MinMaxScaler())
    parts = [("a", scaled, wanted), ("b", "drop", [3]), ("c", OneHotEncoder(), [2, 4])]
    chosen = ColumnTransformer(parts, remainder=rest, transformer_weights={"a": 2.0})
    check_same(fitted(make_pipeline(chosen, LogisticRegression(max_iter=5000))), schema_of())


@settings(max_examples=15)
@given(
    coded=st.lists(st.sampled_from(CODED), min_size=1, unique=True).map(lambda some: [*some]),
    encoder=st.sampled_from(sorted(set(ENCODERS) - {"one-hot in a given order"})),
    scale=st.sampled_from(sorted(NUMERIC)),
    project=st.sampled_from([None, PCA(2), VarianceThreshold(), SelectKBest(k=2)]),
    last=st.sampled_from(sorted(CLASSIFIERS)),
    label=st.sampled_from(["pay", "share"]),
)
def test_random_pipelines_are_themselves(coded, encoder, scale, project, last, label):
    numbers = [name for name in NUMBERS if name not in coded]
    before = ColumnTransformer(
        [("coded", ENCODERS[encoder], coded), ("number", NUMERIC[scale], numbers)],
        sparse_threshold=0,
    )
    model = fitted(make_pipeline(before, project, CLASSIFIERS[last]), label=label)
    check_same(model, schema_of(label), tolerance=1e-6)


def test_a_column_that_a_column_transformer_drops_need_not_be_described():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "case": [f"c{n}" for n in range(60)],
            "income": rng.integers(10, 60, 60),
            "sex": rng.choice(["f", "m"], 60),
        }
    )
    y = (frame["income"] > 30).map({True: "yes", False: "no"})
    columns = make_column_transformer((StandardScaler(), ["income"]), (OneHotEncoder(), ["sex"]))
    model = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    data = rafair.read_test(frame, y, sensitive=["sex"], classes=model.classes_)
    assert data.schema.columns == ("income", "sex")
    wrapped = rafair.wrap(model, data.schema)
    assert wrapped.access == "gradient"
    assert (
        wrapped.scores(data.test.x).argmax(dim=1).tolist()
        == (model.predict(frame) == "yes").astype(int).tolist()
    )
    by_number = make_column_transformer((StandardScaler(), [1]), (OneHotEncoder(), [2]))
    other = make_pipeline(by_number, LogisticRegression()).fit(frame, y)
    with pytest.raises(
        rafair.InvalidInput, match="reads a column 'case' that the data do not have or leave out"
    ):
        rafair.wrap(other, data.schema)
