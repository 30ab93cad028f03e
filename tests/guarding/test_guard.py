"""``rafair.Guard`` as scikit-learn's users have it."""

import pickle

import numpy as np
import pytest
import torch

import rafair

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

RULES = ("mean", "majority", "own-or-abstain")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", ["mean", "majority"])
@pytest.mark.parametrize("model", [LogisticRegression(), DecisionTreeClassifier(random_state=0)])
def test_check_estimator(model, rule):
    check_estimator(rafair.Guard(model, rule=rule, sensitive={1: [-0.5, 0.5]}))


@pytest.mark.parametrize("rule", RULES)
def test_frames_matrices_and_tensors_get_the_same_answers(rule, credit, credit_model):
    guard = rafair.Guard(credit_model, credit.schema, rule)
    x = credit.test.x[:30]
    frame = credit.schema.decode(x)
    answers = guard.predict(x)
    assert (guard.predict(frame) == answers).all()
    assert (guard.predict(frame.to_numpy()) == answers).all()
    assert guard.predict_proba(frame).shape == (30, 2)
    silent = guard.abstains(frame)
    assert silent.any() == (rule == "own-or-abstain")
    assert set(answers[~silent]) <= set(credit.schema.classes)


def test_where_there_is_no_answer_it_says_so(credit, credit_model):
    guard = rafair.Guard(credit_model, credit.schema, "own-or-abstain")
    x = credit.test.x[:60]
    silent = guard.abstains(x)
    assert all(answer is None for answer in guard.predict(x)[silent])
    guard.set_params(abstention="a person decides")
    assert set(guard.predict(x)[silent]) == {"a person decides"}


def test_a_fitted_model_stays_fitted_in_clones_and_pickles(credit, credit_model):
    guard = rafair.Guard(credit_model, credit.schema)
    frame = credit.schema.decode(credit.test.x[:20])
    again = pickle.loads(pickle.dumps(clone(guard).fit(frame)))
    assert (again.predict(frame) == guard.predict(frame)).all()
    assert isinstance(again, rafair.Classifier)


def test_an_unfitted_model_is_fitted_in_every_fold():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    y = np.where(x[:, 1] + x[:, 2] > 0, "yes", "no")
    guard = rafair.Guard(LogisticRegression(), sensitive={0: [-1.0, 0.0, 1.0]})
    assert cross_val_score(guard, x, y, cv=3).min() > 0.85
    assert not hasattr(guard.model, "coef_")


def test_attacks_judge_and_audit_take_it(credit, credit_model):
    guard = rafair.Guard(credit_model, credit.schema)
    run = rafair.audit(guard, credit, n_seeds=6, steps=2, step_size=0.05, certify=False)
    assert run.metrics["clean"]["if"] == 1
    assert run.metrics["robust"]["r_if"]["at_most"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either a schema or sensitive"),
        ({"sensitive": ["sex"]}, "with names, pass a schema"),
        ({"sensitive": {0: [0.0]}, "schema": "credit"}, "either a schema or sensitive"),
        ({"schema": "credit", "rule": "vote"}, "mean"),
    ],
)
def test_what_cannot_be_used_is_refused(options, message, credit, credit_model):
    options = {n: credit.schema if value == "credit" else value for n, value in options.items()}
    with pytest.raises(rafair.InvalidInput, match=message):
        rafair.Guard(credit_model, **options).predict(torch.zeros(2, 20))


def test_a_table_of_another_width_is_refused(credit, credit_model):
    guard = rafair.Guard(credit_model, credit.schema)
    with pytest.raises(rafair.InvalidInput, match="the schema has 20 columns"):
        guard.predict(np.zeros((2, 3)))
    with pytest.raises(rafair.InvalidInput, match="no model"):
        rafair.Guard().predict(np.zeros((2, 3)))
