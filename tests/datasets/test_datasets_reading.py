"""``read_table``: files and frames of one's own."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from rafair import InvalidInput, read_table
from rafair.schema import Column


def read(table, **changes):
    return read_table(table, **{"label": "approved", "sensitive": ["sex", "age"], **changes})


def assert_same_data(left, right):
    assert left.digest() == right.digest()
    assert left.schema == right.schema


def test_a_pandas_frame_becomes_a_dataset_with_inferred_kinds(loans):
    data = read(loans)
    kinds = {feature.name: feature.kind for feature in data.schema.features}
    assert kinds == {
        "income": "numeric",
        "age": "integer",
        "sex": "categorical",
        "owner": "categorical",
    }
    assert data.schema.sensitive == ("age", "sex")
    assert data.name == "table"
    assert not data.is_benchmark


def test_the_parts_are_split_by_label_and_decode_to_the_given_rows(loans):
    data = read(loans)
    assert (len(data.train), len(data.test)) == (28, 12)
    assert int(data.test.y.sum()) == 5
    both = pd.concat([data.schema.decode(part.x, part.y) for part in (data.train, data.test)])
    given = loans[[*data.schema.names, "approved"]]
    assert sorted(map(tuple, both.to_numpy())) == sorted(map(tuple, given.to_numpy()))


def test_a_csv_file_gives_the_same_dataset_named_after_it(loans, tmp_path):
    path = tmp_path / "loans.csv"
    loans.to_csv(path, index=False)
    assert_same_data(read(path), read(loans))
    assert read(str(path)).name == "loans"


def test_a_parquet_file_gives_the_same_dataset(loans, tmp_path):
    path = tmp_path / "loans.PARQUET"
    loans.to_parquet(path)
    assert_same_data(read(path), read(loans))


def test_an_arrow_table_gives_the_same_dataset(loans):
    assert_same_data(read(pa.Table.from_pandas(loans)), read(loans))


def test_a_polars_frame_gives_the_same_dataset(loans):
    polars = pytest.importorskip("polars")
    columns = {name: loans[name].tolist() for name in loans.columns}
    assert_same_data(read(polars.DataFrame(columns)), read(loans))


def test_the_index_of_a_frame_does_not_matter(loans):
    assert_same_data(read(loans.set_axis(loans.index + 500)), read(loans))


def test_the_given_frame_is_not_changed(loans):
    before = loans.copy(deep=True)
    read(loans)
    pd.testing.assert_frame_equal(loans, before)


def test_the_positive_value_becomes_class_one(loans):
    data = read(loans, positive="no")
    assert data.schema.classes == ("yes", "no")
    assert int(data.train.y.sum() + data.test.y.sum()) == 24


def test_by_default_the_last_value_in_order_is_positive(loans):
    assert read(loans).schema.classes == ("no", "yes")


def test_three_classes_are_kept_in_order(loans):
    loans["approved"] = ["c", "a", "b", "a"] * 10
    assert read(loans).schema.classes == ("a", "b", "c")


def test_a_constant_column_encodes_to_zero(loans):
    loans["income"] = 7.5
    data = read(loans, columns=[Column("income")])
    column = data.schema.index("income")
    assert torch.equal(data.train.x[:, column], torch.zeros(28, dtype=torch.float64))
    assert data.schema.decode(data.train.x)["income"].tolist() == [7.5] * 28


def test_decimal_places_of_a_numeric_column_are_found(loans):
    schema = read(loans).schema
    assert schema.features[schema.index("income")].decimals == 2


def test_a_name_and_another_share_can_be_given(loans):
    data = read(loans, name="mine", test_share=0.5)
    assert data.name == "mine"
    assert len(data.test) == 20


def refusal(table, **changes):
    with pytest.raises(InvalidInput) as caught:
        read(table, **changes)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


def test_a_missing_label_column_is_named(loans):
    assert "no label column 'paid'" in refusal(loans, label="paid")


def test_a_missing_sensitive_column_is_named(loans):
    assert "'race' is not a feature" in refusal(loans, sensitive=["sex", "race"])


def test_the_label_cannot_be_sensitive(loans):
    assert "'approved' is not a feature" in refusal(loans, sensitive=["approved"])


def test_no_sensitive_column_at_all_is_refused(loans):
    assert "no sensitive column given" in refusal(loans, sensitive=[])


@pytest.mark.parametrize("column", ["income", "sex", "approved"])
def test_an_empty_cell_is_named_with_its_row(loans, column):
    loans[column] = loans[column].astype(object)
    loans.loc[3, column] = None
    text = refusal(loans)
    assert repr(column) in text
    assert "row 3" in text
    assert "empty" in text


def test_an_empty_cell_of_a_file_is_found_too(loans, tmp_path):
    path = tmp_path / "loans.csv"
    loans.loc[5, "income"] = np.nan
    loans.to_csv(path, index=False)
    assert "'income', row 5" in refusal(path)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_named_with_its_row(loans, value):
    loans.loc[2, "income"] = value
    text = refusal(loans)
    assert "'income', row 2" in text
    assert "not a finite number" in text


def test_a_label_of_one_class_is_refused(loans):
    loans["approved"] = "yes"
    assert refusal(loans) == "label 'approved' has 1 class; a classifier needs two"


def test_a_positive_value_that_never_occurs_is_refused(loans):
    assert "never has the positive value 'maybe'" in refusal(loans, positive="maybe")


def test_an_unknown_extension_is_refused(tmp_path):
    path = tmp_path / "loans.xlsx"
    path.write_bytes(b"PK")
    assert "use .csv or .parquet" in refusal(path)


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.parquet"])
def test_a_missing_file_is_named(tmp_path, name):
    assert f"{name}: no such file" in refusal(tmp_path / name)


def test_a_directory_is_no_table(tmp_path):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "no such file" in refusal(folder)


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv"])
def test_garbage_is_refused_with_the_files_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00garbage\x80\x81")
    assert name in refusal(path)


def test_an_empty_csv_file_is_refused(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_bytes(b"")
    assert "not a readable csv file" in refusal(path)


@pytest.mark.parametrize("thing", [None, 3, {"sex": ["m"]}, np.zeros((2, 2))])
def test_something_that_is_no_table_is_refused(thing):
    assert f"cannot read a {type(thing).__name__}" in refusal(thing)


def test_free_text_is_left_out_with_a_note():
    n = 300
    table = pd.DataFrame(
        {
            "approved": ["no", "yes"] * (n // 2),
            "sex": ["f", "m"] * (n // 2),
            "age": range(n),
            "note": [f"note {row}" for row in range(n)],
        }
    )
    data = read(table)
    assert data.schema.names == ("sex", "age")
    assert any(note.startswith("note: left out, nearly every row") for note in data.notes)
    assert "'note' has 300 different values" in refusal(table, columns=[Column("note")])


def test_too_few_rows_of_a_class_are_refused(loans):
    loans["approved"] = ["yes"] + ["no"] * 39
    assert "cannot be split in two" in refusal(loans)


def test_a_constant_and_dates_are_left_out_with_a_note(loans):
    days = pd.date_range("2024-01-01", periods=40)
    data = read(loans.assign(country="US", day=days, filed=days.strftime("%Y-%m-%d")))
    assert data.schema.names == read(loans).schema.names
    told = [note for note in data.notes if ": left out, " in note]
    assert [note.partition(":")[0] for note in told] == ["country", "day", "filed"]


def test_columns_can_be_ignored(loans):
    assert "income" not in read(loans, ignore=["income"]).schema.names
    assert "ignore names 'approved'" in refusal(loans, ignore=["approved"])
    assert "ignore names 'town'" in refusal(loans, ignore=["town"])


def test_one_rule_fills_the_empty_cells_of_all_features(loans):
    loans.loc[[3, 4], "income"] = np.nan
    loans["age"] = loans["age"].astype(float).where(loans.index != 7)
    loans["case"] = [f"c{row}" if row % 3 else None for row in range(40)]
    data = read(loans, missing="median")
    filled = [note for note in data.notes if "were filled" in note]
    assert [note.split()[4] for note in filled] == ["income", "age"]
    loans.loc[5, "sex"] = None
    assert "column 'sex', row 0: 'f' is no number" in refusal(loans, missing="median")
    assert read(loans, missing="most_frequent").schema.names == ("income", "age", "sex", "owner")
    assert "unknown rule 'middle'" in refusal(loans, missing="middle")


def test_codes_for_a_missing_value_are_filled_like_empty_cells(loans):
    loans.loc[[3, 4, 5], "age"] = 999
    told = [note for note in read(loans, sensitive=["sex"]).notes if note.startswith("age: 999")]
    assert "in 3 of 40 rows" in told[0]
    assert "Then empty = [999]" in told[0]
    codes = {"age": [999]}
    data = read(loans, empty=codes, missing="median", sensitive=["sex"])
    age = data.schema.features[data.schema.index("age")]
    assert age.domain[1] < 60
    assert age.bulk is None
    assert any(note.startswith("3 empty cells of age were filled") for note in data.notes)
    assert "row 3: the cell is 999, which stands for an empty one" in refusal(loans, empty=codes)
    assert "empty names 'town'" in refusal(loans, empty={"town": [1]})


def test_columns_named_by_numbers_are_named_by_text(loans):
    frame = loans.rename(columns={"income": 0, "age": 1})
    data = read(frame, sensitive=["1"])
    assert data.schema.names == ("0", "1", "sex", "owner")
    assert list(data.test.frame.columns) == ["0", "1", "sex", "owner", "approved"]
    bare = frame.set_axis(range(5), axis=1)
    data = read(bare, label=4, sensitive=[1, 2])
    assert data.schema.label == "4"
    assert data.schema.sensitive == ("1", "2")
