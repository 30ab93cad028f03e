"""Every measured fact about the four benchmarks."""

import pytest
import torch

from rafair.datasets import benchmark

ROWS = {"adult": 45222, "bank": 45211, "compas": 6172, "credit": 1000}
POSITIVES = {"adult": 11208, "bank": 5289, "compas": 2809, "credit": 700}
LABELS = {
    "adult": ("income", ("<=50K", ">50K")),
    "bank": ("y", ("no", "yes")),
    "compas": ("two_year_recid", ("no", "yes")),
    "credit": ("risk", ("bad", "good")),
}
SENSITIVE = {
    "adult": {"age": 74, "race": 5, "sex": 2},
    "bank": {"age": 77},
    "compas": {"sex": 2, "age": 65, "race": 6},
    "credit": {"sex": 2, "age": 53},
}
AGES = {"adult": (17, 90), "bank": (18, 95), "compas": (18, 96), "credit": (19, 75)}
LEVEL_COUNTS = [
    ("adult", "sex", {"Male": 30527, "Female": 14695}),
    (
        "adult",
        "race",
        {
            "White": 38903,
            "Black": 4228,
            "Asian-Pac-Islander": 1303,
            "Amer-Indian-Eskimo": 435,
            "Other": 353,
        },
    ),
    ("credit", "sex", {"male": 690, "female": 310}),
    ("compas", "sex", {"Male": 4997, "Female": 1175}),
    (
        "compas",
        "race",
        {
            "African-American": 3175,
            "Caucasian": 2103,
            "Hispanic": 509,
            "Other": 343,
            "Asian": 31,
            "Native American": 11,
        },
    ),
]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_cleaned_data_is_there(whole_frames, name):
    assert len(whole_frames[name]) == ROWS[name]


@pytest.mark.parametrize("name", ROWS)
def test_the_label_has_the_documented_classes_with_the_positive_one_last(loaded, name):
    schema = loaded[name].schema
    assert (schema.label, schema.classes) == LABELS[name]
    assert schema.positive == LABELS[name][1][1]


@pytest.mark.parametrize("name", ROWS)
def test_the_positives_are_counted_as_documented(loaded, whole_frames, name):
    data = loaded[name]
    column = whole_frames[name][data.schema.label]
    assert int((column == data.schema.positive).sum()) == POSITIVES[name]
    assert int(data.train.y.sum() + data.test.y.sum()) == POSITIVES[name]


@pytest.mark.parametrize("name", ROWS)
def test_sensitive_attributes_have_the_observed_number_of_values(loaded, whole_frames, name):
    schema = loaded[name].schema
    assert set(schema.sensitive) == set(SENSITIVE[name])
    for feature, values in SENSITIVE[name].items():
        assert len(schema.features[schema.index(feature)].axis) == values
        assert whole_frames[name][feature].nunique() == values


@pytest.mark.parametrize("name", AGES)
def test_ages_span_the_documented_range(loaded, whole_frames, name):
    schema = loaded[name].schema
    assert schema.features[schema.index("age")].domain == AGES[name]
    ages = whole_frames[name]["age"]
    assert (ages.min(), ages.max()) == AGES[name]


@pytest.mark.parametrize(("name", "feature", "counts"), LEVEL_COUNTS)
def test_sensitive_levels_are_counted_as_documented(whole_frames, name, feature, counts):
    assert whole_frames[name][feature].value_counts().to_dict() == counts


def test_adult_keeps_the_official_split(loaded):
    assert (len(loaded["adult"].train), len(loaded["adult"].test)) == (30162, 15060)


@pytest.mark.parametrize("name", ["bank", "compas", "credit"])
def test_the_test_part_holds_three_tenths_of_each_class(loaded, name):
    data = loaded[name]
    for label in (0, 1):
        test, train = (int((part.y == label).sum()) for part in (data.test, data.train))
        assert abs(test - 0.3 * (test + train)) < 1


@pytest.mark.parametrize("name", ROWS)
def test_no_cell_is_missing_unknown_or_padded(loaded, whole_frames, name):
    frame = whole_frames[name]
    assert not frame.isna().to_numpy().any()
    for column in frame.columns[[not kind for kind in frame.dtypes.map(_is_number)]]:
        values = frame[column]
        assert not values.isin(["?", "", "nan"]).any()
        assert (values == values.str.strip()).all()


def _is_number(dtype):
    return dtype.kind in "iufb"


def test_adult_labels_of_the_test_part_carry_no_dot(loaded):
    assert set(loaded["adult"].test.frame["income"]) == {"<=50K", ">50K"}


def test_adult_drops_the_sampling_weight(loaded):
    assert "fnlwgt" not in loaded["adult"].schema.names
    assert len(loaded["adult"].schema.features) == 13


def test_adult_education_is_ordered_as_its_number_is(loaded, whole_frames):
    schema = loaded["adult"].schema
    levels = schema.features[schema.index("education")].domain
    frame = whole_frames["adult"]
    numbers = frame["education"].map({level: i + 1 for i, level in enumerate(levels)})
    assert (numbers == frame["education_num"]).all()


def test_bank_keeps_unknown_as_a_level_of_four_columns(loaded):
    with_unknown = {f.name for f in loaded["bank"].schema.features if "unknown" in f.domain}
    assert with_unknown == {"job", "education", "contact", "poutcome"}


def test_bank_has_its_sixteen_features_and_months_in_calendar_order(loaded):
    schema = loaded["bank"].schema
    assert len(schema.features) == 16
    assert schema.features[schema.index("month")].domain[:4] == ("jan", "feb", "mar", "apr")


def test_credit_has_twenty_features_and_no_code_left(loaded, whole_frames):
    assert len(loaded["credit"].schema.features) == 20
    text = whole_frames["credit"].select_dtypes(exclude="number")
    assert not text.apply(lambda column: column.str.fullmatch(r"A\d+").any()).any()


def test_compas_ships_no_identifying_and_no_leaking_column(loaded):
    assert set(loaded["compas"].test.frame.columns) == {
        "sex",
        "age",
        "race",
        "juv_fel_count",
        "juv_misd_count",
        "juv_other_count",
        "priors_count",
        "c_charge_degree",
        "two_year_recid",
    }


def test_the_embedded_compas_file_holds_no_further_column():
    import pyarrow.parquet

    names = set(pyarrow.parquet.read_schema(benchmark("compas").path()).names)
    columns = {column.name for column in benchmark("compas").columns}
    assert names == {*columns, "two_year_recid", "split"}


def test_compas_priors_are_numbers_not_the_repeated_column(whole_frames):
    assert whole_frames["compas"]["priors_count"].max() == 38
    assert "priors_count.1" not in whole_frames["compas"].columns


def test_the_embedded_tables_stay_below_one_megabyte_together():
    sizes = [benchmark(name).path().stat().st_size for name in ROWS]
    assert min(sizes) > 10_000
    assert sum(sizes) < 1_000_000


@pytest.mark.parametrize("name", ROWS)
def test_both_splits_lie_in_the_unit_cube_with_one_column_per_feature(loaded, name):
    data = loaded[name]
    for part in (data.train, data.test):
        assert part.x.shape == (len(part.frame), len(data.schema.features))
        assert part.x.dtype == torch.float64
        assert part.y.dtype == torch.int64
        assert float(part.x.min()) == 0.0
        assert float(part.x.max()) == 1.0


@pytest.mark.parametrize("name", ROWS)
def test_a_benchmark_says_that_it_is_one_and_where_it_comes_from(loaded, name):
    data = loaded[name]
    assert data.is_benchmark
    assert data.name == name
    assert benchmark(name).source in data.provenance
    assert "Split:" in data.provenance


def test_digests_tell_the_benchmarks_apart_and_stay_the_same(loaded):
    from rafair import load_dataset

    digests = {data.digest() for data in loaded.values()}
    assert len(digests) == 4
    assert load_dataset("credit").digest() == loaded["credit"].digest()


def test_a_digest_changes_with_one_label(loaded):
    from dataclasses import replace

    data = loaded["credit"]
    flipped = data.test.y.clone()
    flipped[0] = 1 - flipped[0]
    other = replace(data, test=replace(data.test, y=flipped))
    assert other.digest() != data.digest()


def test_other_sensitive_columns_take_the_place_of_the_documented_ones(loaded):
    data = loaded["credit"].with_sensitive(["housing"])
    assert data.schema.sensitive == ("housing",)
    age = data.schema.features[data.schema.index("age")]
    assert age.perturbable
    assert not data.schema.features[data.schema.index("housing")].perturbable
