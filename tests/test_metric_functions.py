"""The metric functions on arrays, against the judge and for every kind of array."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rafair
from rafair.fairness import decide
from rafair.metrics import (
    accurate_fairness_score,
    dissent_score,
    fairness_confusion_matrix,
    individual_fairness_score,
)

TRUE = [1, 0, 1, 0, 1]
OWN = [1, 0, 0, 1, 1]
OTHERS = [[1, 1], [0, 1], [0, 0], [1, 0], [1, 1]]
MATRIX = [[2, 1], [1, 1]]
WORDS = np.array(["no", "yes"])


def naive(true, own, others, there):
    matrix = np.zeros((2, 2), dtype=int)
    for v in range(len(true)):
        fair = all(others[v][j] == own[v] for j in range(len(others[v])) if there[v][j])
        matrix[int(true[v] != own[v]), int(not fair)] += 1
    return matrix


def test_the_cells_are_those_of_the_judge(problem):
    own, others = decide(problem.model, problem.x, problem.counterparts)
    verdict = rafair.judge(problem.model, problem.x, problem.y, problem.counterparts)
    rates = verdict.rates()
    cells = torch.bincount(verdict.cells, minlength=4).view(2, 2)
    assert cells.count_nonzero() > 1
    arrays = problem.y, own, others
    assert fairness_confusion_matrix(*arrays).tolist() == cells.tolist()
    shares = fairness_confusion_matrix(*arrays, normalize="all").ravel()
    assert shares.tolist() == [rates[name] for name in ("tfr", "tbr", "ffr", "fbr")]
    assert accurate_fairness_score(*arrays) == rates["af"]
    assert individual_fairness_score(own, others) == rates["if"]


def test_dissent_is_that_of_the_library(problem):
    own, others = decide(problem.model, problem.x, problem.counterparts)
    shares = rafair.fairness.dissenting(problem.model, problem.x, problem.counterparts)
    is_self = problem.counterparts.is_self(problem.x)
    found = dissent_score(own, others, valid=~is_self)
    assert found == pytest.approx(float(shares.mean()))
    assert 0 < found < 1 - individual_fairness_score(own, others)


def test_dissent_of_people_with_different_numbers_of_counterparts():
    others = [["a", "b", "b"], ["a", None, None], [None, None, None]]
    assert dissent_score(["a", "b", "a"], others) == pytest.approx((2 / 3 + 1 + 0) / 3)
    weighed = dissent_score(["a", "b", "a"], others, sample_weight=[3, 0, 1])
    assert weighed == pytest.approx(2 / 4)


def test_impossible_counterparts_do_not_count_for_the_judge_either():
    frame = pd.DataFrame(
        {"age": np.arange(20, 60), "sex": ["f", "m"] * 20, "job": ["a", "b", "b", "a"] * 10}
    )
    frame["paid"] = np.where(frame["age"] % 7 > 2, "yes", "no")
    schema = rafair.Schema.infer(frame, label="paid", sensitive=["sex", "age"])
    schema = rafair.Schema(
        schema.features, schema.label, schema.classes, ("age >= 30 or sex == 'f'",)
    )
    data = rafair.read_table(frame, schema=schema)
    model = rafair.train_fcnn(data, epochs=2)
    people = rafair.Counterparts.of(data.schema)
    x, y = data.train.x, data.train.y
    own, others = decide(model, x.to(model.dtype), people)
    valid = people.valid(x)
    assert not valid.all()
    rates = rafair.judge(model, x, y, people).rates()
    assert accurate_fairness_score(y, own, others, valid=valid) == rates["af"]
    masked = np.ma.MaskedArray(others.numpy(), ~valid.numpy())
    assert individual_fairness_score(own, masked) == rates["if"]


@given(st.data())
def test_every_table_of_predictions_is_counted_as_one_would_by_hand(data):
    n, m = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 4))
    few = st.integers(0, 2)
    true = data.draw(hnp.arrays(np.int64, n, elements=few))
    own = data.draw(hnp.arrays(np.int64, n, elements=few))
    others = data.draw(hnp.arrays(np.int64, (n, m), elements=few))
    there = data.draw(hnp.arrays(np.bool_, (n, m)))
    expected = naive(true, own, others, there)
    with_gaps = np.where(there, others, np.nan)
    for given_, how in ((others, {"valid": there}), (with_gaps, {})):
        found = fairness_confusion_matrix(true, own, given_, **how)
        assert found.tolist() == expected.tolist()
        assert accurate_fairness_score(true, own, given_, **how) == expected[0, 0] / n
        fair = individual_fairness_score(own, given_, **how)
        assert fair == pytest.approx(expected[:, 0].sum() / n)


KINDS = {
    "list": lambda values: np.asarray(values).tolist(),
    "numpy": np.asarray,
    "masked": np.ma.masked_array,
    "pandas": lambda v: pd.Series(v) if np.ndim(v) == 1 else pd.DataFrame(v),
    "nullable": lambda v: (pd.Series(v) if np.ndim(v) == 1 else pd.DataFrame(v)).convert_dtypes(),
    "polars": lambda v: pl.Series(v) if np.ndim(v) == 1 else pl.DataFrame(np.asarray(v)),
    "pyarrow": lambda v: (
        pa.chunked_array([v]) if np.ndim(v) == 1 else pa.Table.from_pandas(pd.DataFrame(v))
    ),
    "torch": torch.as_tensor,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of", ["numbers", "text"])
def test_arrays_of_every_library_give_the_same(kind, of):
    if (kind, of) == ("torch", "text"):
        pytest.skip("tensors hold numbers")
    word = WORDS.__getitem__ if of == "text" else np.asarray
    true, own, others = (KINDS[kind](word(values).tolist()) for values in (TRUE, OWN, OTHERS))
    assert fairness_confusion_matrix(true, own, others).tolist() == MATRIX
    assert accurate_fairness_score(true, own, others) == 2 / 5
    assert individual_fairness_score(own, others) == 3 / 5


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_text_may_have_empty_cells_too(gap):
    others = [["yes", gap], ["no", "yes"], [gap, gap], ["yes", "no"], ["yes", "yes"]]
    for kind in (list, pd.DataFrame, lambda v: pd.DataFrame(v).astype("string")):
        found = fairness_confusion_matrix(WORDS[TRUE], WORDS[OWN], kind(others))
        assert found.tolist() == MATRIX
    nobody = [[gap], [gap]]
    assert individual_fairness_score(["yes", "no"], nobody) == 1


def test_normalisation_divides_by_rows_columns_or_all():
    found = {
        name: fairness_confusion_matrix(TRUE, OWN, OTHERS, normalize=name).tolist()
        for name in ("accuracy", "fairness", "all")
    }
    assert found == {
        "accuracy": [[2 / 3, 1 / 3], [1 / 2, 1 / 2]],
        "fairness": [[2 / 3, 1 / 2], [1 / 3, 1 / 2]],
        "all": [[2 / 5, 1 / 5], [1 / 5, 1 / 5]],
    }
    everyone_right = fairness_confusion_matrix([1], [1], [[1]], normalize="accuracy")
    assert everyone_right.tolist() == [[1, 0], [0, 0]]


def test_weights_count_people_as_often():
    weights = [2, 1, 0, 3, 1]
    rows = np.repeat(np.arange(5), weights)
    again = [np.asarray(values)[rows] for values in (TRUE, OWN, OTHERS)]
    weighted = fairness_confusion_matrix(TRUE, OWN, OTHERS, sample_weight=weights)
    assert weighted.tolist() == fairness_confusion_matrix(*again).tolist()
    assert accurate_fairness_score(
        TRUE, OWN, OTHERS, sample_weight=weights
    ) == accurate_fairness_score(*again)
    assert individual_fairness_score(
        OWN, OTHERS, sample_weight=weights
    ) == individual_fairness_score(*again[1:])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 0], [1], [[1]]), {}, "y_true has 2 labels and y_pred 1"),
        (([[1, 0]], [1], [[1]]), {}, r"y_true has shape \(1, 2\)"),
        (([], [], []), {}, r"y_true has shape \(0,\)"),
        (([1, np.nan], [1, 0], [[1], [0]]), {}, "y_true, row 1: the label is missing"),
        (([1, 0], [1, None], [[1], [0]]), {}, "y_pred, row 1: the label is missing"),
        (([1, 0], [1, 0], [1, 0]), {}, r"y_pred_counterparts has shape \(2,\)"),
        (([1, 0], [1, 0], [[1, 0]]), {}, r"must be \(2, m\)"),
        (([1, 0], [1, 0], [[1], [0, 1]]), {}, "rows of different lengths"),
        ((["yes"], [1], [[1]]), {}, "y_true holds text and y_pred numbers"),
        (([1], [1], [["yes"]]), {}, "y_pred_counterparts holds text and y_pred numbers"),
        (([1], [1], [[1, 0]]), {"valid": [[1, 0]]}, "valid must hold true or false"),
        (([1], [1], [[1, 0]]), {"valid": [[True]]}, "valid must hold true or false"),
        (([1], [1], [[1, np.nan]]), {"valid": [[True, True]]}, "y_pred_counterparts, row 0"),
        (([1], [1], [[1]]), {"sample_weight": [1, 2]}, r"must be \(1,\)"),
        (([1], [1], [[1]]), {"sample_weight": [-1]}, "not negative"),
        (([1], [1], [[1]]), {"sample_weight": [0]}, "not 0 for everybody"),
        (([1], [1], [[1]]), {"sample_weight": ["a"]}, "must hold numbers"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, options, message):
    for score in (accurate_fairness_score, fairness_confusion_matrix):
        with pytest.raises(rafair.InvalidInput, match=message) as caught:
            score(*arguments, **options)
        assert "\n" not in str(caught.value)


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(rafair.InvalidInput, match="accuracy or fairness or all"):
        fairness_confusion_matrix(TRUE, OWN, OTHERS, normalize="true")
