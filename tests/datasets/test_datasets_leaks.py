"""Features that give the label away, and copies of sensitive ones."""

import numpy as np
import pandas as pd
import pytest

import rafair
from rafair.datasets.leaks import is_suspicion, suspicions
from rafair.schema import Schema

N = 200


def people(**columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 70, N),
            "income": rng.normal(3000, 500, N).round(2),
            "sex": rng.choice(["f", "m"], N),
            "paid": rng.integers(0, 2, N),
        }
    )
    return frame.assign(**columns)


def told(frame, sensitive=("sex",), **options):
    schema = Schema.infer(frame, label="paid", sensitive=sensitive)
    return suspicions(schema, frame, **options)


def test_a_fair_table_has_no_leak():
    assert told(people()) == ()


def test_a_sensitive_column_of_one_value_is_named():
    (text,) = told(people(sex="f"))
    assert text.startswith("sex: it is sensitive and has one value")
    assert is_suspicion(text)


@pytest.mark.parametrize("wrong", [0, 3])
def test_a_copy_of_the_label_and_levels_that_follow_it_are_leaks(wrong):
    frame = people()
    paid = frame["paid"].where(frame.index >= wrong, 1 - frame["paid"])
    frame["denied"] = 1 - paid
    frame["action"] = np.where(paid == 1, frame.index % 2 + 1, 3)
    frame["same"] = np.where(paid == 1, "yes", "no")
    found = told(frame)
    assert [text.partition(":")[0] for text in found] == ["denied", "action", "same"]
    for text in found:
        assert f"gives paid away: its value tells it in {N - wrong} of {N} rows" in text


def test_a_threshold_that_tells_the_label_is_a_leak():
    rng = np.random.default_rng(1)
    frame = people()
    frame["debt"] = (rng.uniform(0, 10, N) + 10 * frame["paid"]).round(3)
    frame["late"] = np.where(frame["debt"].rank() % 60 == 1, np.nan, -frame["debt"])
    found = told(frame)
    assert [text.partition(":")[0] for text in found] == ["debt", "late"]
    limit = frame.loc[frame["paid"] == 1, "debt"].min()
    assert f"whether it is below {limit} tells it in {N} of {N} rows" in found[0]


def test_a_value_of_its_own_in_every_row_is_no_leak():
    assert told(people(number=np.random.default_rng(2).permutation(N))) == ()
    few = people().iloc[:15].assign(same=lambda frame: frame["paid"])
    assert told(few) == ()


def test_a_rare_class_alone_is_no_leak():
    frame = people(paid=(np.arange(N) % 20 == 0).astype(int), kind=np.arange(N) % 7)
    assert told(frame) == ()


def test_what_is_meant_to_tell_the_label_can_be_named():
    frame = people()
    frame["score"] = np.where(frame["paid"] == 1, "a", "b")
    assert told(frame, not_leaks=["score"]) == ()
    data = rafair.read_table(frame, label="paid", sensitive=["sex"])
    assert any(note.startswith("score: gives paid away") for note in data.notes)
    with pytest.raises(rafair.InvalidInput, match="not_leaks names 'town', which is no feature"):
        told(frame, not_leaks=["town"])


def test_copies_of_a_sensitive_feature_are_named():
    frame = people()
    frame["sex_male"] = (frame["sex"] == "m").astype(int)
    frame["title"] = np.where(frame["sex"] == "m", "Mr", "Ms")
    frame["nearly"] = frame["title"].where(frame.index != 3, "Dr")
    found = told(frame)
    assert [text.partition(":")[0] for text in found] == ["sex_male", "title"]
    assert "sex_male: equals the sensitive sex in every row" in found[0]
    assert told(frame.drop(columns="sex_male"), ["sex", "title"]) == ()


def test_numbers_are_copies_only_where_values_repeat_or_are_equal():
    frame = people(age=np.arange(N), months=np.arange(N) * 12, number=np.arange(N)[::-1])
    found = told(frame, ["age"])
    assert [text.partition(":")[0] for text in found] == ["months"]
