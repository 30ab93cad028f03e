"""A table of test rows that a plan describes, with the training rows or without."""

import numpy as np
import pandas as pd
import pytest
import torch

import rafair
from rafair.datasets.described import Described, Description
from rafair.datasets.two_tables import make_tested
from rafair.schema import Column

DESCRIPTION = Description(
    "paid",
    (
        Described(Column("income", kind="integer")),
        Described(Column("job")),
        Described(Column("sex", sensitive=True)),
    ),
)


def people(n, seed, most=60):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.integers(10, most, n),
            "job": rng.choice(["clerk", "cook"], n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    paid = (frame["income"] > 30) ^ (rng.random(n) < 0.25)
    return frame.assign(paid=np.where(paid, "yes", "no"))


def dataset_of(test, train=None, description=DESCRIPTION):
    return make_tested(test, train, description, "people", "pandas")


@pytest.mark.parametrize("label", ["with", "without"])
def test_tables_of_a_plan_are_read_as_frames_in_python_are(label):
    test, train = people(40, 0, most=70), people(90, 1)
    test.loc[3, "job"] = "diver"
    known = train if label == "with" else train.drop(columns="paid")
    data = dataset_of(test, known)
    same = rafair.read_test(
        test.drop(columns="paid"),
        test["paid"],
        sensitive=["sex"],
        reference=train.drop(columns="paid"),
    )
    assert torch.equal(data.test.x, same.test.x)
    assert torch.equal(data.test.y, same.test.y)
    assert data.test.rows.tolist() == same.test.rows.tolist() == list(range(40))
    assert [f.domain for f in data.schema.features] == [f.domain for f in same.schema.features]
    beyond = [note.replace("the reference", "the training rows") for note in same.notes]
    assert {note for note in beyond if " beyond the training rows in " in note} <= set(data.notes)
    assert any("row 3: 'diver'" in note for note in data.notes)
    assert len(data.train) == (90 if label == "with" else 0)


def test_without_training_rows_the_test_rows_give_the_domain_and_a_note_says_so():
    test = people(40, 0)
    data = dataset_of(test)
    assert (len(data.train), len(data.test)) == (0, 40)
    assert data.schema.features[0].domain == (test["income"].min(), test["income"].max())
    assert any(note.startswith("Ranges and levels come from the test rows") for note in data.notes)


@pytest.mark.parametrize(
    ("test", "train", "complaint"),
    [
        (people(40, 0), people(40, 1).drop(columns="job"), "lacks the column 'job'"),
        (people(40, 0).drop(columns="paid"), None, "no label column 'paid'"),
        (people(40, 0).iloc[:0], None, "the table has no row"),
    ],
)
def test_what_cannot_be_used_is_refused(test, train, complaint):
    with pytest.raises(rafair.InvalidInput, match=complaint):
        dataset_of(test, train)


@pytest.mark.parametrize(("lost", "told"), [("train", "training row 4"), ("test", "test row 2")])
def test_a_row_that_an_error_names_is_counted_in_its_own_table(lost, told):
    tables = {"test": people(40, 0), "train": people(90, 1)}
    tables[lost]["income"] = tables[lost]["income"].astype(float)
    tables[lost].loc[int(told[-1]), "income"] = np.inf
    with pytest.raises(rafair.InvalidInput, match=f"^column 'income', {told}: inf is not a finite"):
        dataset_of(**tables)
