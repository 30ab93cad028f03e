"""The scorer in scikit-learn's model selection, against audits and metric functions."""

import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rafair
from rafair.metrics import accurate_fairness_score, individual_fairness_score

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
NUMBERS, TEXTS = ["duration", "age"], ["sex", "housing"]
EXACT = {"epsilon": 0.05, "steps": 3, "max_nodes": 300}


@pytest.fixture(scope="module")
def people(credit):
    frame = pd.concat([credit.train.frame, credit.test.frame])[:240]
    return frame[[*NUMBERS, *TEXTS]], frame["risk"]


@pytest.fixture(scope="module")
def pipeline():
    columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), TEXTS))
    return make_pipeline(columns, LogisticRegression())


@pytest.fixture(scope="module")
def fitted(people, pipeline):
    return clone(pipeline).fit(*people)


@pytest.fixture(scope="module")
def audited(people, fitted):
    """An audit of the same rows, put together by hand."""
    x, y = people
    data = rafair.read_test(x, y, sensitive=["sex", "age"])
    model = rafair.wrap(fitted, data.schema)
    return model, data, rafair.audit(model, data, n_seeds=None, **EXACT, max_seconds=600.0)


def test_folds_score_the_same_in_two_processes_as_in_one(people, pipeline):
    x, y = people
    scorers = {
        "proved": rafair.make_scorer("r_af", sensitive=["sex", "age"], n_seeds=20, **EXACT),
        "clean": rafair.make_scorer("af", sensitive=["sex", "age"], reference=x),
    }
    found = [
        cross_validate(
            pipeline, x, y, cv=FOLDS, n_jobs=n_jobs, scoring=scorers, error_score="raise"
        )
        for n_jobs in (1, 2)
    ]
    for name in ("test_proved", "test_clean"):
        assert found[0][name].tolist() == found[1][name].tolist()
        assert ((found[0][name] > 0) & (found[0][name] < 1)).all()


def test_robust_rates_are_those_of_an_audit(people, fitted, audited):
    _, _, run = audited
    clean, robust = ("acc", "if", "af", "af_balanced"), ("r_acc", "r_if", "r_af", "r_af_balanced")
    for bound in ("auto", "at_least", "at_most"):
        score = rafair.make_scorer(clean + robust, sensitive=["sex", "age"], bound=bound, **EXACT)
        found = score(fitted, *people)
        end = "at_most" if bound == "at_most" else "at_least"
        assert found == {
            **{name: run.metrics["clean"][name] for name in clean},
            **{name: run.metrics["robust"][name][end] for name in robust},
        }
    assert found["r_af"] < found["af"] < 1


def test_clean_rates_need_no_attack_and_are_those_of_the_metric_functions(
    people, fitted, audited, monkeypatch
):
    x, y = people
    model, data, _ = audited
    monkeypatch.setattr("rafair.scoring.audit", None)
    rates = ("acc", "if", "af", "neg_dissent")
    found = rafair.make_scorer(rates, sensitive=["sex", "age"])(fitted, x, y)
    everyone = rafair.Counterparts.of(data.schema)
    own, others = rafair.fairness.decide(model, data.test.x, everyone)
    shares = rafair.fairness.dissenting(model, data.test.x, everyone)
    assert found == {
        "acc": fitted.score(x, y),
        "if": individual_fairness_score(own, others),
        "af": accurate_fairness_score(data.test.y, own, others),
        "neg_dissent": pytest.approx(-float(shares.mean())),
    }


def test_frames_of_every_library_and_arrays_score_the_same(people):
    x, y = people
    x = x[NUMBERS].assign(amount=np.arange(len(x)) % 17)
    scorer = rafair.make_scorer(
        ("af", "r_af"), sensitive=["age"], feature_names=list(x), n_seeds=15, **EXACT
    )
    found = []
    for of in (lambda frame: frame, pl.from_pandas, pd.DataFrame.to_numpy):
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(of(x), y)
        found += [scorer(model, of(x), labels) for labels in (y, y.to_numpy(), y.tolist())]
    assert found == found[:1] * 9


def test_a_grid_search_picks_by_it(people, pipeline):
    grid = {"logisticregression__C": [1.0, 1e-6]}
    scorer = rafair.make_scorer(["acc", "r_if"], sensitive=["sex"], n_seeds=20, **EXACT)
    search = GridSearchCV(
        pipeline, grid, scoring=scorer, refit="r_if", cv=FOLDS, error_score="raise"
    )
    search.fit(*people)
    fairest = search.cv_results_["mean_test_r_if"]
    assert fairest[0] < fairest[1] == 1
    assert search.best_params_ == {"logisticregression__C": 1e-6}
    assert (search.cv_results_["mean_test_acc"] > 0.5).all()


def test_a_model_without_certificates_gets_an_upper_bound_unless_told_otherwise(people):
    x, y = people[0][NUMBERS], people[1]
    model = KNeighborsClassifier(5).fit(x, y)
    options = {"sensitive": ["age"], "epsilon": 0.05, "queries": 60, "n_seeds": 12}
    found = {
        bound: rafair.make_scorer(("af", "r_af"), bound=bound, **options)(model, x, y)
        for bound in ("auto", "at_most")
    }
    assert found["auto"] == found["at_most"]
    assert found["auto"]["r_af"] <= found["auto"]["af"]
    with pytest.raises(rafair.InvalidInput, match="certificates need a torch network"):
        rafair.make_scorer("r_af", bound="at_least", **options)(model, x, y)


def test_a_fold_may_lack_a_class_and_be_smaller_than_the_seeds(people, fitted):
    x, y = people
    few = np.flatnonzero(y == "good")[:6]
    scorer = rafair.make_scorer(("acc", "r_af"), sensitive=["sex"], n_seeds=50, **EXACT)
    found = scorer(fitted, x.iloc[few], y.iloc[few])
    assert found["acc"] == fitted.score(x.iloc[few], y.iloc[few])


def test_a_schema_or_a_reference_gives_every_fold_the_same_ranges(people, fitted):
    x, y = people
    part = x[:80], y[:80]
    schema = rafair.Schema.infer(x.assign(risk=y), label="risk", sensitive=["sex", "age"])
    by_schema = rafair.make_scorer("r_af", schema=schema, n_seeds=20, **EXACT)
    by_reference = rafair.make_scorer(
        "r_af", sensitive=["sex", "age"], reference=x, n_seeds=20, **EXACT
    )
    assert by_schema(fitted, *part) == by_reference(fitted, *part)


def test_it_can_be_pickled_and_shows_what_was_asked_for(people, fitted):
    scorer = rafair.make_scorer(
        "r_af", sensitive=("sex",), reference=people[0], bound="at_most", n_seeds=9, **EXACT
    )
    assert repr(rafair.make_scorer("af", sensitive="sex")) == "make_scorer('af', sensitive=['sex'])"
    again = pickle.loads(pickle.dumps(scorer))
    assert again(fitted, *people) == scorer(fitted, *people)
    assert (
        repr(again)
        == repr(scorer)
        == (
            "make_scorer('r_af', sensitive=['sex'], reference=<DataFrame>, bound='at_most', "
            "epsilon=0.05, steps=3, max_nodes=300, n_seeds=9)"
        )
    )


def test_it_takes_the_options_of_a_plan_and_documents_them():
    taken = inspect.signature(rafair.make_scorer).parameters
    assert set(rafair.Plan.__dataclass_fields__) <= set(taken)
    assert "Radius of Δ" in rafair.make_scorer.__doc__


@pytest.mark.parametrize(
    ("rate", "options", "message"),
    [
        ("accuracy", {"sensitive": ["sex"]}, "unknown rate 'accuracy'"),
        ((), {"sensitive": ["sex"]}, "unknown rate ''"),
        (None, {"sensitive": ["sex"]}, "unknown rate None"),
        ("r_af", {}, "no sensitive column given"),
        ("r_af", {"sensitive": ["sex"], "bound": "exact"}, "unknown bound"),
        ("r_af", {"sensitive": ["sex"], "bound": "at_least", "certify": False}, "certify=False"),
        ("r_af", {"sensitive": ["sex"], "epsilon": -1}, "epsilon must be"),
        ("r_af", {"sensitive": ["sex"], "n_seeds": 0}, "seeds must be"),
        ("r_af", {"sensitive": ["sex"], "attacks": "deepfool"}, "unknown attack"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_fitted(rate, options, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        rafair.make_scorer(rate, **options)


def test_a_schema_and_what_it_says_already_are_not_taken_together(people):
    x, y = people
    schema = rafair.Schema.infer(x.assign(risk=y), label="risk", sensitive=["sex"])
    with pytest.raises(rafair.InvalidInput, match="not both"):
        rafair.make_scorer("af", schema=schema, sensitive=["sex"])
    with pytest.raises(TypeError, match="epsilom"):
        rafair.make_scorer("af", schema=schema, epsilom=0.1)


def test_rows_and_labels_that_do_not_fit_are_refused(people, fitted):
    x, y = people
    scorer = rafair.make_scorer("af", sensitive=["age"])
    with pytest.raises(rafair.InvalidInput, match="240 rows and y 3 labels"):
        scorer(fitted, x, y[:3])
    assert scorer(fitted, x, y) == scorer(fitted, x, y.set_axis(range(1000, 1240)))
    with pytest.raises(rafair.InvalidInput, match="feature_names"):
        scorer(fitted, x.to_numpy(), y)


def test_no_library_warns(people, pipeline):
    scorer = rafair.make_scorer("r_af", sensitive=["sex"], n_seeds=5, **EXACT)
    with warnings.catch_warnings(action="error"):
        cross_validate(pipeline, *people, cv=FOLDS, scoring=scorer, error_score="raise")
