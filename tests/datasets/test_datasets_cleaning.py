"""The cleaning functions, on raw files of a few lines."""

import gzip

import pandas as pd
import pytest

from rafair.datasets.benchmarks import adult, bank, compas, credit

ADULT_TRAIN = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, "
    "Male, 2174, 0, 40, United-States, <=50K\n"
    "50, ?, 83311, Bachelors, 13, Married-civ-spouse, ?, Husband, White, Male, 0, 0, 13, "
    "United-States, >50K\n"
    "\n"
)
ADULT_TEST = (
    "|1x3 Cross validator\n"
    "25, Private, 226802, 11th, 7, Never-married, Machine-op-inspct, Own-child, Black, Male, 0, "
    "0, 40, United-States, <=50K.\n"
    "44, Private, 160323, Some-college, 10, Married-civ-spouse, Machine-op-inspct, Husband, "
    "Black, Male, 7688, 0, 40, ?, >50K.\n"
    "28, Local-gov, 336951, Assoc-acdm, 12, Married-civ-spouse, Protective-serv, Husband, White, "
    "Male, 0, 0, 40, United-States, >50K.\n"
    "\n"
)


@pytest.fixture
def adult_frame(tmp_path):
    train, test = tmp_path / "adult.data", tmp_path / "adult.test"
    train.write_text(ADULT_TRAIN)
    test.write_text(ADULT_TEST)
    return adult.clean(train, test)


def test_adult_drops_rows_with_an_unknown_cell_of_either_file(adult_frame):
    assert adult_frame["age"].tolist() == [39, 25, 28]


def test_adult_skips_the_comment_line_and_the_blank_ones(adult_frame):
    assert not adult_frame.astype(str).apply(lambda column: column.str.contains("1x3")).any().any()
    assert adult_frame["split"].tolist() == ["train", "test", "test"]


def test_adult_takes_the_dot_off_the_test_labels(adult_frame):
    assert adult_frame["income"].tolist() == ["<=50K", "<=50K", ">50K"]


def test_adult_strips_the_space_after_the_commas_and_drops_the_weight(adult_frame):
    assert adult_frame["workclass"].tolist() == ["State-gov", "Private", "Local-gov"]
    assert "fnlwgt" not in adult_frame


def credit_line(sex, label):
    return (
        f"A11 6 A34 A43 1169 A65 A75 4 {sex} A101 4 A121 67 A143 A152 2 A173 1 A192 A201 {label}\n"
    )


@pytest.fixture
def credit_frame(tmp_path):
    pytest.importorskip("sklearn")
    sexes = ["A91", "A92", "A93", "A94", "A92"] * 4
    lines = [credit_line(sex, 1 + (row % 4 == 0)) for row, sex in enumerate(sexes)]
    path = tmp_path / "german.data"
    path.write_text("".join(lines))
    return credit.clean(path)


def test_credit_reads_the_sex_out_of_attribute_nine(credit_frame):
    assert credit_frame["sex"].tolist() == ["male", "female", "male", "male", "female"] * 4


def test_credit_spells_its_codes_out(credit_frame):
    first = credit_frame.iloc[0]
    assert first["checking_status"] == "below 0 DM"
    assert first["credit_history"] == "critical"
    assert first["purpose"] == "radio or TV"
    assert first["savings"] == "unknown or none"
    assert first["foreign_worker"] == "yes"
    assert not credit_frame.isna().any().any()


def test_credit_calls_one_good_and_two_bad(credit_frame):
    assert credit_frame["risk"].value_counts().to_dict() == {"good": 15, "bad": 5}


def test_the_stored_split_is_stratified_by_label(credit_frame):
    test = credit_frame[credit_frame["split"] == "test"]
    assert set(credit_frame["split"]) == {"train", "test"}
    assert len(test) == 6
    assert int((test["risk"] == "bad").sum()) in (1, 2)


def compas_row(**changes):
    row = {
        "id": 1,
        "name": "miguel hernandez",
        "dob": "1947-04-18",
        "sex": "Male",
        "age": 34,
        "race": "Other",
        "juv_fel_count": 0,
        "juv_misd_count": 1,
        "juv_other_count": 2,
        "priors_count": 3,
        "days_b_screening_arrest": -1,
        "c_charge_degree": "F",
        "is_recid": 0,
        "score_text": "Low",
        "decile_score": 1,
        "two_year_recid": 0,
    }
    return {**row, **changes}


KEPT = [
    compas_row(age=20, days_b_screening_arrest=30, two_year_recid=row % 2, is_recid=row % 2)
    for row in range(10)
]
LEFT_OUT = [
    compas_row(age=91, days_b_screening_arrest=31),
    compas_row(age=92, days_b_screening_arrest=-31),
    compas_row(age=93, days_b_screening_arrest=None),
    compas_row(age=94, is_recid=-1),
    compas_row(age=95, c_charge_degree="O"),
    compas_row(age=96, score_text="N/A"),
]


@pytest.fixture
def compas_frame(tmp_path):
    pytest.importorskip("sklearn")
    path = tmp_path / "compas.csv"
    last = compas_row(age=40, c_charge_degree="M", days_b_screening_arrest=-30)
    pd.DataFrame([*LEFT_OUT[:3], *KEPT, *LEFT_OUT[3:], last]).to_csv(path, index=False)
    return compas.clean(path)


def test_compas_applies_propublicas_filter_and_nothing_else(compas_frame):
    assert compas_frame["age"].tolist() == [20] * 10 + [40]


def test_compas_keeps_neither_names_nor_leaking_columns(compas_frame):
    lost = {"id", "name", "dob", "is_recid", "score_text", "decile_score"}
    assert lost.isdisjoint(compas_frame.columns)


def test_compas_spells_the_charge_and_the_label_out(compas_frame):
    assert compas_frame["c_charge_degree"].tolist() == ["felony"] * 10 + ["misdemeanor"]
    assert compas_frame["two_year_recid"].tolist() == ["no", "yes"] * 5 + ["no"]


def test_bank_keeps_every_row_and_unknown_as_it_is(tmp_path):
    pytest.importorskip("sklearn")
    lines = ["age,job,y"] + [f"{20 + row},unknown,{'yes' if row % 3 else 'no'}" for row in range(9)]
    path = tmp_path / "bank.csv.gz"
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    frame = bank.clean(path)
    assert frame["age"].tolist() == list(range(20, 29))
    assert set(frame["job"]) == {"unknown"}
    assert set(frame["y"]) == {"yes", "no"}
