import numpy as np
import pandas as pd

from rafair import Schema
from rafair.datasets.derived import derivations


def told(**columns):
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({**columns, "sex": ["f", "m"] * (n // 2), "paid": [0, 1] * (n // 2)})
    schema = Schema.infer(frame, label="paid", sensitive=["sex"])
    return list(derivations(schema, frame))


INCOME = np.random.default_rng(0).uniform(1.0, 90.0, 400).round(3)


def test_squares_logarithms_and_reciprocals_are_named():
    found = told(income=INCOME, squared=INCOME**2, log=np.log(INCOME), share=1 / INCOME)
    pairs = [sentence.split(" with ")[0] for sentence in found]
    assert pairs[:3] == ["squared: rises", "log: rises", "share: falls"]


def test_missing_cells_are_passed_over():
    log = np.log(INCOME)
    log[::7] = np.nan
    [sentence] = told(income=INCOME, log=log)
    assert sentence.startswith("log: rises with income in every row.")


def test_one_exception_in_a_row_that_the_first_look_leaves_out_is_enough():
    many = np.arange(2000.0) + 0.5
    other = many**2
    other[[1, 2]] = other[[2, 1]]
    assert told(number=many, other=other) == []


def test_few_values_and_unrelated_numbers_are_left_alone():
    few = np.arange(400) % 5
    assert told(few=few, doubled=2 * few) == []
    assert told(income=INCOME, other=INCOME[::-1]) == []
