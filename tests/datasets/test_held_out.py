"""Test people and their labels, as one has them at hand: every row is test data."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import rafair
from rafair import InvalidInput, Schema, read_test


def people(n=60, seed=0, index=None):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.integers(10, 60, n),
            "sex": rng.choice(["f", "m"], n),
            "job": rng.choice(["clerk", "cook", "none"], n),
        }
    )
    # Not by income alone: that would be a leak.
    approved = (frame["income"] > 30) ^ (rng.random(n) < 0.25)
    approved = pd.Series(np.where(approved, "yes", "no"), name="approved")
    if index is not None:
        frame.index, approved.index = index, index
    return frame, approved


@pytest.fixture
def train():
    return people(200, seed=1)[0]


def test_every_row_is_test_data_in_the_order_given():
    x, y = people()
    data = read_test(x, y, sensitive=["sex"])
    assert (len(data.train), len(data.test)) == (0, 60)
    assert data.schema.label == "approved"
    assert data.schema.sensitive == ("sex",)
    assert data.test.frame["income"].tolist() == x["income"].tolist()
    assert [data.schema.classes[place] for place in data.test.y.tolist()] == y.tolist()


def test_rows_keep_the_names_that_the_users_frame_gives_them():
    index = [f"case {n}" for n in range(60)]
    x, y = people(index=index)
    assert read_test(x, y, sensitive=["sex"]).test.rows.tolist() == index


@pytest.mark.parametrize("as_table", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize(
    "as_column", [list, np.asarray, pd.Series, lambda y: pl.Series("approved", list(y))]
)
def test_tables_and_columns_of_every_library_give_the_same(as_table, as_column):
    x, y = people()
    usual, found = (
        read_test(x, y, sensitive=["sex"]),
        read_test(as_table(x), as_column(y), sensitive=["sex"]),
    )
    assert torch.equal(usual.test.x, found.test.x)
    assert torch.equal(usual.test.y, found.test.y)


def test_an_array_takes_names_for_its_columns():
    x = np.random.default_rng(0).integers(0, 9, (40, 3))
    y = torch.arange(40) % 2
    data = read_test(x, y, sensitive=["b"], feature_names=["a", "b", "c"])
    assert data.schema.names == ("a", "b", "c")
    assert torch.equal(data.test.y, y)
    with pytest.raises(InvalidInput, match="3 columns without names; pass as many names in feat"):
        read_test(x, y, sensitive=["b"])


def test_without_a_reference_a_note_says_what_the_ranges_rest_on():
    (note,) = read_test(*people(), sensitive=["sex"]).notes
    assert note.startswith("Ranges and levels come from the test rows alone; pass the training")


def test_a_reference_gives_ranges_and_levels(train):
    x, y = people()
    data = read_test(x.head(30), y.head(30), sensitive=["sex"], reference=train)
    income = data.schema.features[data.schema.index("income")]
    assert income.domain == (train["income"].min(), train["income"].max())
    assert data.notes == ()


def test_rows_beyond_the_reference_are_kept_and_named(train):
    x, y = people(index=[f"case {n}" for n in range(60)])
    x.loc["case 7", "income"] = 900
    x.loc["case 9", "job"] = "pope"
    data = read_test(x, y, sensitive=["sex"], reference=train)
    widened = "its domain was widened to hold them."
    beyond = "1 of 60 test rows lies beyond the reference in"
    assert {*data.notes} >= {
        f"{beyond} income (row case 7: 900); {widened}",
        f"{beyond} job (row case 9: 'pope'); {widened}",
    }
    assert data.test.frame["income"].max() == 900


def test_classes_that_no_test_row_has_are_known_from_the_model():
    x, y = people()
    alone = y == "yes"
    data = read_test(x[alone], y[alone], sensitive=["sex"], classes=np.array(["no", "yes"]))
    assert data.schema.classes == ("no", "yes")
    with pytest.raises(InvalidInput, match="'yes' is no class that the model knows"):
        read_test(x[alone], y[alone], sensitive=["sex"], classes=["a", "b"])


def test_one_rule_fills_all_empty_cells():
    x, y = people()
    x = x.astype({"income": float})
    x.loc[3, "income"] = np.nan
    with pytest.raises(InvalidInput, match=r"column 'income', row 3: the cell is empty.*missing ="):
        read_test(x, y, sensitive=["sex"])
    data = read_test(x, y, sensitive=["sex"], missing="median")
    assert data.notes[0].startswith("1 empty cells of income were filled with")
    assert read_test(x, y, sensitive=["sex"], missing={"income": "median"}).notes == data.notes


def test_a_schema_says_all_that_the_columns_mean():
    x, y = people()
    schema = Schema.infer(x.assign(approved=y), label="approved", sensitive=["sex"])
    data = read_test(x, y, schema=schema)
    assert data.schema is schema
    with pytest.raises(InvalidInput, match="give a schema, or sensitive"):
        read_test(x, y, schema=schema, sensitive=["sex"])


def test_leaks_and_what_was_inferred_are_notes():
    x, y = people()
    x = x.assign(denied=(y == "no").astype(int), country="US")
    notes = read_test(x, y, sensitive=["sex"], reference=x).notes
    assert any(note.startswith("denied: ") and "gives approved away" in note for note in notes)
    assert any(note.startswith("country: left out") for note in notes)
    given = {"ignore": ["country"], "not_leaks": ["denied"]}
    (note,) = read_test(x, y, sensitive=["sex"], reference=x, **given).notes
    assert note.startswith("denied: only 0 and 1 occur; taken for a category")


def test_rows_that_break_a_relation_are_left_out_with_their_names():
    x, y = people(index=range(100, 160))
    data = read_test(x, y, sensitive=["sex"], relations=["income >= 20"])
    assert data.test.rows.tolist() == x.index[x["income"] >= 20].tolist()
    assert "break the relation 'income >= 20'" in data.notes[-1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"y": None}, "x comes without its true labels; pass them as y"),
        ({"y": ["yes"] * 59}, "x has 60 rows and y 59 labels"),
        ({"x": "people.csv"}, "cannot read a str"),
        ({"sensitive": []}, "no sensitive column given"),
        ({"sensitive": ["race"]}, "sensitive column 'race' is not a feature of the table"),
        ({"missing": {"race": "mean"}}, "missing names 'race'"),
        ({"missing": "magic"}, "unknown rule 'magic' for empty cells"),
        ({"reference": pd.DataFrame({"income": [1]})}, "the reference lacks the column 'sex'"),
        ({"y": people(index=range(1, 61))[1]}, "x and y have different indexes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(given, says):
    x, y = people()
    given = {"x": x, "y": y, "sensitive": ["sex"], **given}
    with pytest.raises(InvalidInput) as refused:
        read_test(given.pop("x"), given.pop("y"), **given)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_dataset_of_test_people_can_be_audited_again(train):
    x, y = people()
    data = rafair.read_test(x, y, sensitive=["sex"], reference=train)
    assert data.digest() == read_test(x, y, sensitive=["sex"], reference=train).digest()


@pytest.mark.parametrize("rule", ["median", "keep"])
def test_codes_for_missing_and_numbers_in_text_are_read_as_told(rule):
    x, y = people()
    reference = people(200, seed=1)[0]
    clean, known = x.assign(rate=x["income"] * 100.5), reference.assign(rate=3.0)
    messy = clean.assign(rate=[f"{rate:,.1f} €" for rate in clean["rate"]])
    told = known.assign(rate="3.0 €")
    messy.loc[[2, 5], "income"] = 999
    clean["income"] = clean["income"].where(clean.index.isin([2, 5]) == 0)
    options = {"sensitive": ["sex"], "missing": {"income": rule}}
    expected = read_test(clean, y, reference=known, **options)
    found = read_test(
        messy, y, reference=told, empty={"income": [999]}, written={"rate": "1,234.5"}, **options
    )
    assert torch.equal(found.test.x.nan_to_num(-1), expected.test.x.nan_to_num(-1))
    assert found.schema.features == expected.schema.features
    with pytest.raises(InvalidInput, match="empty names 'wage', which is"):
        read_test(x, y, sensitive=["sex"], empty={"wage": [0]})


def test_a_single_name_is_a_name():
    x, y = people()
    data = read_test(x, y, sensitive="sex", ignore="job", relations="income >= 0")
    assert (data.schema.names, data.schema.sensitive) == (("income", "sex"), ("sex",))
    assert data.with_sensitive("income").schema.sensitive == ("income",)
    table = x.assign(approved=y)
    read = rafair.read_table(table, label="approved", sensitive="sex", ignore="job")
    assert read.schema.names == ("income", "sex")
    assert Schema.infer(table, label="approved", sensitive="sex").sensitive == ("sex",)
