"""Described tables: ranges, bins, sizes, relations, and the way back to the rows."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import rafair
from rafair import Counterparts, PerturbationSpace
from rafair.datasets import read_table
from rafair.datasets.described import Described, Description, make_dataset
from rafair.datasets.missing import Fill
from rafair.schema import Column, Schema

N = 40


def loans():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": range(N),
            "age": np.r_[20, 60, rng.integers(20, 61, N - 2)],
            "credit": np.r_[500.0, 4500.0, rng.integers(5, 46, N - 2) * 100.0],
            "grade": np.tile([3, 10, 1, 2], N // 4),
            "job": np.tile(["clerk", "none", "boss", "clerk"], N // 4),
            "sex": np.tile(["f", "m"], N // 2),
            "y": np.tile(["bad", "good"], N // 2),
        }
    )


def describe(*, label="y", ignore=("id",), relations=(), test_share=0.3, **changes):
    known = {
        "age": Described(Column("age", sensitive=True)),
        "credit": Described(Column("credit")),
        "grade": Described(Column("grade")),
        "job": Described(Column("job")),
        "sex": Described(Column("sex", sensitive=True)),
    }
    known |= changes
    columns = tuple(described for described in known.values() if described is not None)
    return Description(
        label, columns, ignore=tuple(ignore), relations=tuple(relations), test_share=test_share
    )


def about_rows(data):
    """The notes without those about features: here sex and grade tell the label."""
    return [note for note in data.notes if not re.match(r"\w+: ", note)]


def dataset(frame=None, **changes):
    frame = loans() if frame is None else frame
    return make_dataset(frame, describe(**changes), "loans", "pandas")


def feature(name, **changes):
    schema = dataset(**changes).schema
    return schema.features[schema.index(name)]


def whole(data):
    return torch.cat([data.train.x, data.test.x])


def test_a_range_may_be_wider_than_what_was_seen():
    credit = feature("credit", credit=Described(Column("credit", range=(0, 10_000))))
    assert credit.domain == (0, 10_000)
    data = dataset(credit=Described(Column("credit", range=(0, None))))
    assert data.schema.features[1].domain == (0, 4500)
    assert float(whole(data)[:, 1].min()) == pytest.approx(500 / 4500)
    assert float(whole(data)[:, 1].max()) == 1.0


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((600, None), r"column 'credit', row 0: 500.0 lies outside 600..4500.0"),
        ((None, 4000), r"row 1: 4500.0 lies outside"),
        ((9000, 8000), "low <= high"),
        ((None, float("inf")), "two finite numbers"),
    ],
)
def test_a_range_that_does_not_hold_the_values_is_refused(bounds, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        dataset(credit=Described(Column("credit", range=bounds)))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("credit", Column("credit", range=(450.05, 5000))),
        ("age", Column("age", range=(17.5, 80))),
        ("age", Column("age", range=(None, 60.5))),
    ],
)
def test_a_range_whose_ends_are_no_possible_values_keeps_the_others_possible(name, column):
    try:
        data = dataset(**{name: Described(column), "sex": Described(Column("sex", sensitive=True))})
    except rafair.InvalidInput:
        return
    schema = data.schema.with_sensitive(["sex"])
    x = data.test.x
    place = schema.index(name)
    space = PerturbationSpace.of(schema, 0.3, "feasible")
    assert schema.possible(x).all()
    moved = x.clone()
    moved[:, place] += 0.2 - 0.4 * (moved[:, place] > 0.5)
    moved = space.round(space.project(moved, x), x)
    assert schema.possible(moved).all()
    assert space.contains(moved, x).all()


def test_bins_stand_in_the_counterparts_as_values_that_were_seen():
    edges = (20, 30, 45, 61)
    age = feature("age", age=Described(Column("age", sensitive=True, bins=edges)))
    seen = sorted(set(loans()["age"]))
    assert len(age.observed) == 3
    for low, high, value in zip(edges[:-1], edges[1:], age.observed, strict=True):
        inside = [a for a in seen if low <= a < high]
        assert value in inside
        assert abs(inside.index(value) - (len(inside) - 1) / 2) <= 1
    data = dataset(age=Described(Column("age", sensitive=True, bins=edges)))
    people = Counterparts.of(data.schema)
    assert len(people) == 3 * 2
    frame = data.schema.decode(people.expand(data.test.x[:1])[0])
    assert sorted(set(frame["age"])) == list(age.observed)


def test_the_last_bin_holds_its_upper_edge_and_an_empty_bin_nobody():
    edges = (0, 10, 20, 60)
    assert feature("age", age=Described(Column("age", sensitive=True, bins=edges))).observed
    described = Described(Column("age", sensitive=True, bins=edges))
    assert len(feature("age", age=described).observed) == 1


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Column("age", bins=(30, 61)), "values run from 20 to 60, the bins from 30 to 61"),
        (Column("age", bins=(20, 50)), "the bins from 20 to 50"),
        (Column("age", bins=(20, 20, 61)), "growing edges"),
        (Column("age", bins=(61, 20)), "growing edges"),
        (Column("age", bins=(20,)), "two or more"),
        (Column("age", kind="categorical", bins=(20, 61)), "have levels, no range or bins"),
        (Column("age", kind="ordinal", range=(0, 99)), "have levels, no range or bins"),
        (Column("age", levels=(1, 2), kind="ordinal"), "is not one of its levels"),
        (Column("age", kind="weird"), "unknown kind"),
        (Column("job", kind="numeric"), "is not a finite number"),
        (Column("job", kind="integer"), "is not a finite number"),
    ],
)
def test_a_column_that_cannot_be_so_is_refused(column, message):
    name = column.name if column.name in ("age", "job") else "age"
    with pytest.raises(rafair.InvalidInput, match=message) as caught:
        dataset(**{name: Described(column)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("size", "share"),
    [(400, 0.1), (400.0, 0.1), ("10%", 0.1), (" 2.5 % ", 0.025), (0, 0.0), ("0%", 0.0)],
)
@pytest.mark.parametrize("what", ["epsilon", "step"])
def test_sizes_are_original_units_or_percent_of_the_range(what, size, share):
    credit = feature("credit", credit=Described(Column("credit"), **{what: size}))
    assert getattr(credit, what) == pytest.approx(share, abs=1e-15)


def test_an_epsilon_of_its_own_limits_a_feature_in_original_units():
    data = dataset(credit=Described(Column("credit"), epsilon=300))
    space = PerturbationSpace.of(data.schema, 1.0, "feasible")
    low, high = space.bounds(data.test.x)
    reach = (high - low)[:, 1] * 4000
    assert float(reach.max()) == pytest.approx(600)
    assert PerturbationSpace.of(data.schema, 1.0, "paper").reach(data.test.x)[1] == 1.0


@pytest.mark.parametrize("size", ["5", "%", "-5%", "5%%", "1.2.3%", ".%", "five", "", "1e1%"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(rafair.InvalidInput, match="neither a number in original units"):
        dataset(credit=Described(Column("credit"), epsilon=size))


@pytest.mark.parametrize("size", [-1, float("nan"), float("inf")])
def test_a_size_must_be_finite_and_not_negative(size):
    with pytest.raises(rafair.InvalidInput, match="finite and not negative"):
        dataset(credit=Described(Column("credit"), step=size))


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (Described(Column("age", sensitive=True), epsilon=3), "has epsilon, but it is sensitive"),
        (Described(Column("age", perturbable=False), step=3), "step, but it is not perturbable"),
        (Described(Column("age"), switch=True), "switch is for categorical features"),
    ],
)
def test_what_does_not_move_has_no_size(described, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        dataset(age=described)


def test_a_category_that_does_not_switch_has_no_size():
    with pytest.raises(rafair.InvalidInput, match="'job' has epsilon, but it is not perturbable"):
        dataset(job=Described(Column("job"), epsilon=1))


def test_a_category_that_switches_may_have_a_step_of_its_own():
    assert feature("job", job=Described(Column("job"), switch=True, step="50%")).step == 0.5


def test_a_switch_moves_a_category_in_the_feasible_setting_alone():
    fixed, free = dataset(), dataset(job=Described(Column("job"), switch=True))
    x, place = free.test.x, free.schema.index("job")
    for data, moves in ((fixed, False), (free, True)):
        space = PerturbationSpace.of(data.schema, 0.01, "feasible")
        assert bool(space.movable(x)[place]) is moves
    assert float(PerturbationSpace.of(free.schema, 0.01, "feasible").reach(x)[place]) == 1.0


def test_an_immutable_feature_does_not_move():
    data = dataset(credit=Described(Column("credit", perturbable=False)))
    assert not PerturbationSpace.of(data.schema, 0.3, "feasible").movable(data.test.x)[1]


def test_ordinal_levels_that_are_numbers_are_in_the_order_of_numbers():
    assert feature("grade", grade=Described(Column("grade", kind="ordinal"))).domain == (
        1,
        2,
        3,
        10,
    )


def test_ordinal_levels_keep_the_order_they_are_given_in():
    levels = ("none", "clerk", "boss")
    job = feature("job", job=Described(Column("job", kind="ordinal", levels=levels)))
    assert job.domain == levels
    assert not job.perturbable
    free = Described(Column("job", kind="ordinal", levels=levels, perturbable=True))
    assert feature("job", job=free).movable


def test_a_column_that_does_not_exist_is_refused():
    with pytest.raises(rafair.InvalidInput, match="no column 'lost'"):
        dataset(lost=Described(Column("lost")))


def test_a_column_that_nobody_described_is_refused_and_one_to_be_ignored_is_left_out():
    with pytest.raises(rafair.InvalidInput, match="column 'id' is not described"):
        dataset(ignore=())
    with pytest.raises(rafair.InvalidInput, match="ignore names 'ID', which is no column"):
        dataset(ignore=("id", "ID"))
    assert "id" not in dataset().test.frame


def test_a_table_needs_a_sensitive_column_and_a_row():
    with pytest.raises(rafair.InvalidInput, match="no sensitive column"):
        dataset(age=Described(Column("age")), sex=Described(Column("sex")))
    with pytest.raises(rafair.InvalidInput, match="the table has no row"):
        dataset(loans().iloc[:0])


def test_rows_that_break_a_relation_are_left_out_with_a_note():
    relation = "credit <= 100 * age"
    frame = loans()
    keep = frame["credit"] <= 100 * frame["age"]
    assert 5 < keep.sum() < N - 3
    data = dataset(relations=(relation, "age > 0"), test_share=0.25)
    assert len(data.train) + len(data.test) == keep.sum()
    assert about_rows(data) == [
        f"{(~keep).sum()} of 40 rows break the relation {relation!r} and are left out."
    ]
    people = pd.concat([data.train.frame, data.test.frame])
    assert (people["credit"] <= 100 * people["age"]).all()
    assert data.schema.conditions.met(whole(data)).all()
    # ranges and observed values are those of all rows
    assert data.schema.features[0].domain == (20, 60)


def test_nobody_left_is_refused_by_the_relation():
    with pytest.raises(rafair.InvalidInput, match=r"40 of 40 rows break .*'age > 99'.*Nobody"):
        dataset(relations=("age > 99",))


def test_a_relation_that_cannot_be_read_is_refused():
    with pytest.raises(rafair.InvalidInput, match="there is no feature 'salary'"):
        dataset(relations=("salary > 3",))


def test_fills_come_before_everything_else():
    frame = loans()
    frame["credit"] = frame["credit"].where(frame.index % 9 != 4)
    data = dataset(frame, credit=Described(Column("credit"), Fill("median")))
    assert len(about_rows(data)) == 1
    assert len(data.train) + len(data.test) == N
    with pytest.raises(rafair.InvalidInput, match="column 'credit', row 4: the cell is empty"):
        dataset(frame)


def read(frame, **options):
    return read_table(frame, label="y", sensitive=["sex"], **options)


def test_read_table_takes_relations_and_keeps_them():
    data = read(loans(), relations=["credit <= 100 * age"])
    assert data.schema.relations == ("credit <= 100 * age",)
    assert len(about_rows(data)) == 1


def test_a_schema_stands_for_all_other_words():
    schema = Schema.infer(loans(), label="y", sensitive=["sex"])
    data = read_table(loans(), schema=schema)
    assert data.schema == schema
    assert data.digest() == read(loans()).digest()
    for more in (
        {"label": "y"},
        {"sensitive": ["sex"]},
        {"positive": "bad"},
        {"one_hot": {"a": ["b"]}},
        {"relations": ["age > 3"]},
    ):
        with pytest.raises(rafair.InvalidInput, match="not both"):
            read_table(loans(), schema=schema, **more)


def test_columns_that_a_schema_does_not_name_are_left_out():
    schema = Schema.infer(loans()[["age", "sex", "y"]], label="y", sensitive=["sex"])
    data = read_table(loans(), schema=schema)
    assert list(data.test.frame.columns) == ["age", "sex", "y"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="y"), "label"),
        (lambda f: f.drop(columns="age"), "lacks the column 'age'"),
        (lambda f: f.iloc[:0], "no row"),
        (lambda f: f.assign(y="maybe"), "'maybe' is not one of"),
        (lambda f: f.assign(age=99), "lies outside"),
        (lambda f: f.assign(y=None), "label"),
    ],
)
def test_a_table_that_does_not_fit_its_schema_is_refused(change, message):
    schema = Schema.infer(loans(), label="y", sensitive=["sex"])
    with pytest.raises(rafair.InvalidInput, match=message):
        read_table(change(loans()), schema=schema)


def test_a_label_is_needed_where_no_schema_is_given():
    with pytest.raises(rafair.InvalidInput, match="no label given"):
        read_table(loans(), sensitive=["sex"])


def hot_loans(kind=np.int64):
    frame = loans().drop(columns="id")
    for job in ("boss", "clerk", "none"):
        frame[f"job_{job}"] = (frame["job"] == job).astype(kind)
    return frame.drop(columns="job")


KINDS = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}
GROUPS = {"job": ["job_boss", "job_clerk", "job_none"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hot", [np.int64, bool])
def test_decoding_gives_the_rows_that_went_in_as_the_same_kind_of_table(kind, hot):
    frame = hot_loans(hot)
    table = KINDS[kind](frame)
    data = read(table, one_hot=GROUPS)
    for split in (data.train, data.test):
        back = data.decode(split.x, split.y)
        assert type(back) is type(table)
        expected = KINDS[kind](split.frame)
        if kind == "pandas":
            pd.testing.assert_frame_equal(back, split.frame)
        else:
            assert back.equals(expected)
    original = frame.sort_values(list(frame.columns)).reset_index(drop=True)
    rows = pd.concat([data.train.frame, data.test.frame])[list(frame.columns)]
    rows = rows.sort_values(list(frame.columns)).reset_index(drop=True)
    assert rows.to_dict("list") == original.to_dict("list")


def test_decoding_without_labels_leaves_the_label_out():
    data = read(hot_loans(), one_hot=GROUPS)
    back = data.decode(data.test.x[:2])
    assert list(back.columns) == [c for c in data.test.frame.columns if c != "y"]


def test_a_group_is_one_column_of_unit_space_and_can_be_sensitive():
    data = read_table(hot_loans(), label="y", sensitive=["job"], one_hot=GROUPS)
    assert data.schema.names == ("age", "credit", "grade", "sex", "job")
    assert data.test.x.shape[1] == 5
    assert len(Counterparts.of(data.schema)) == 3


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_are_read_and_named_in_messages(tmp_path, suffix):
    path = tmp_path / f"loans{suffix}"
    frame = loans()
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    data = read(path, relations=["credit <= 100 * age"])
    assert (data.name, data.kind) == ("loans", "pandas")
    assert data.digest() == read(frame, relations=["credit <= 100 * age"]).digest()
    with pytest.raises(rafair.InvalidInput, match=rf"loans\{suffix}: .*'wage'"):
        read(path, relations=["wage > 1"])
