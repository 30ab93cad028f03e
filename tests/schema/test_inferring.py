"""What ``Schema.infer`` proposes, and the way of frames with one-hot groups to unit space."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair.schema import Column, Schema, as_kind, as_pandas, kind_of
from rafair.schema.one_hot import one_hot_groups

N = 24
RACES = ("asian", "black", "white")


def hot(levels, prefix, n=N, kind=np.int64, first=0):
    """One-hot columns that run through the levels, the first ones left out."""
    places = np.arange(n) % len(levels)
    columns = {f"{prefix}{level}": (places == i).astype(kind) for i, level in enumerate(levels)}
    return dict(list(columns.items())[first:])


def people(**more):
    rng = np.random.default_rng(0)
    frame = {
        "age": rng.integers(18, 80, N),
        "income": rng.normal(3000, 500, N).round(2),
        **more,
        "sex": ["f", "m"] * (N // 2),
        "y": ["no"] * (N // 2) + ["yes"] * (N // 2),
    }
    return pd.DataFrame(frame)


def infer(frame, sensitive=("sex",), label="y", **options):
    return Schema.infer(frame, label=label, sensitive=sensitive, **options)


def feature(schema, name):
    return schema.features[schema.index(name)]


def doubts_about(schema, name):
    return [doubt for doubt in schema.doubts if doubt.startswith(f"{name}: ")]


def test_kinds_follow_the_types_of_the_columns():
    frame = people(owner=np.arange(N) % 3 == 0, rate=np.arange(N) * 0.5, town=["x", "y", "z"] * 8)
    schema = infer(frame)
    kinds = {f.name: f.kind for f in schema.features}
    assert kinds == {
        "age": "integer",
        "income": "numeric",
        "owner": "categorical",
        "rate": "numeric",
        "town": "categorical",
        "sex": "categorical",
    }
    assert feature(schema, "income").decimals == 2
    assert feature(schema, "owner").domain == (False, True)
    assert feature(schema, "age").domain == (frame["age"].min(), frame["age"].max())
    assert schema.classes == ("no", "yes")
    assert schema.sensitive == ("sex",)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("age", "years"),
        ("AGE", "years"),
        ("age_at_start", "years"),
        ("mean age", "years"),
        ("wage", ""),
        ("agent", ""),
        ("years_employed", "years"),
        ("duration_months", "months"),
        ("days_late", "days"),
        ("hours_per_week", "hours"),
        ("pct_used", "%"),
        ("share_of_income", "%"),
        ("shared", ""),
        ("amount_usd", "USD"),
        ("housing_euros", "EUR"),
        ("neural", ""),
        ("holiday", ""),
    ],
)
def test_a_name_tells_the_unit_of_a_number(name, unit):
    assert feature(infer(people(**{name: np.arange(N)})), name).unit == unit


def test_text_has_no_unit():
    assert feature(infer(people(months=["may", "june"] * 12)), "months").unit == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, 2, 3] * 8, "codes of categories"),
        (list(range(N)), "is it an identifier"),
        (["1", "2", "x"] + ["3"] * 40, "text that reads like numbers"),
        (["low", "high", "mid"] * 8, "look ordered"),
        (["1-2", "3-4", "5+"] * 8, "look ordered"),
    ],
)
def test_what_is_doubtful_is_said_of_the_column(values, words):
    values = (values * 2)[:N] if len(values) < N else values
    frame = people()
    frame = pd.concat([frame] * 2, ignore_index=True).iloc[: len(values)].assign(what=values)
    frame["y"] = ["no", "yes"] * (len(values) // 2) + ["no"] * (len(values) % 2)
    (doubt,) = doubts_about(infer(frame), "what")
    assert words in doubt
    assert "\n" not in doubt


def test_a_clear_table_leaves_no_doubt():
    frame = people(town=["x", "y", "z"] * 8)
    frame.loc[1, "age"] = frame.loc[0, "age"]
    assert infer(frame).doubts == ()


def test_empty_cells_are_passed_over_and_named():
    holes = pd.Series(np.arange(N) % 5, dtype="float64").where(np.arange(N) != 3)
    schema = infer(people(late=holes, flag=[True, None, False] * 8, nothing=[None] * N))
    assert feature(schema, "late").kind == "integer"
    assert feature(schema, "late").domain == (0, 4)
    assert feature(schema, "flag").domain == (False, True)
    assert "1 of 24 cells are empty" in doubts_about(schema, "late")[0]
    assert "nothing" not in schema.names
    assert any("every cell is empty" in doubt for doubt in doubts_about(schema, "nothing"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([f"person {i}" for i in range(201)], "left out"),
        ([np.inf] + [1.0] * 200, "not a finite number"),
        ([[1], [2]] + [[3]] * 199, "lists or objects"),
        (["a", 1] * 100 + ["b"], "mixes"),
        (list(pd.date_range("2020-01-01", periods=3)) * 67, "left out"),
        ([1 + 2j, 2j, 3j] * 67, "complex"),
        ([2**60 + i for i in range(201)], "identifiers"),
    ],
)
def test_a_column_that_cannot_be_used_is_left_out_and_named(values, words):
    frame = pd.DataFrame({"sex": ["f", "m", "m"] * 67, "what": values, "y": [0, 1, 1] * 67})
    schema = infer(frame)
    assert schema.names == ("sex",)
    assert any(words in doubt and "left out" in doubt for doubt in doubts_about(schema, "what"))


def test_a_sensitive_column_that_cannot_be_used_is_refused_with_its_own_reason():
    frame = people(code=[1, 2, 3] * 8, nothing=[None] * N, late=[1, 2, 4] * 8)
    with pytest.raises(rafair.InvalidInput, match="'nothing' cannot be used: nothing: left out"):
        infer(frame, ["nothing"])


@pytest.mark.parametrize("kind", [np.int64, np.float64, bool, np.uint8])
def test_a_one_hot_group_is_one_feature_where_its_first_column_was(kind):
    schema = infer(people(**hot(RACES, "race_", kind=kind)))
    assert schema.names == ("age", "income", "race", "sex")
    race = feature(schema, "race")
    assert (race.kind, race.domain) == ("categorical", RACES)
    assert race.columns == tuple(f"race_{level}" for level in RACES)
    assert "taken for one feature" in doubts_about(schema, "race")[0]


@pytest.mark.parametrize("sign", ["_", "=", ".", " "])
def test_names_are_cut_at_any_separator(sign):
    schema = infer(people(**hot(RACES, f"race{sign}")))
    assert feature(schema, "race").domain == RACES


def test_a_separator_may_be_part_of_the_level_or_of_the_name():
    levels = ("some_college", "high_school", "none")
    schema = infer(people(**hot(levels, "edu_level_")))
    (name,) = set(schema.names) - {"age", "income", "sex"}
    assert name in ("edu", "edu_level")
    assert len(feature(schema, name).domain) == 3


def test_two_groups_that_begin_alike_are_two_features():
    shape = hot(("x", "y"), "cap_shape_")
    color = {name: values[::-1].copy() for name, values in hot("rgb", "cap_color_").items()}
    schema = infer(people(**shape, **color))
    assert {"cap_shape", "cap_color"} < set(schema.names)


@pytest.mark.parametrize(
    "change",
    [
        {"race_white": np.zeros(N, dtype=int)},  # rows without a 1
        {"race_white": np.ones(N, dtype=int)},  # rows with two
        {"race_white": np.arange(N) % 3},  # a 2
    ],
)
def test_columns_without_just_one_1_in_each_row_are_no_group(change):
    columns = {**hot(RACES, "race_"), **change}
    schema = infer(people(**columns))
    varying = {name for name, values in columns.items() if len(np.unique(values)) > 1}
    assert varying <= set(schema.names)
    assert all(not f.columns for f in schema.features)


def test_a_group_needs_rows_enough_to_be_believed():
    frame = people(**hot(RACES, "race_"))
    few, enough = (pd.concat([frame[: n // 2], frame[-(n - n // 2) :]]) for n in (9, 10))
    assert "race" not in infer(few).names
    assert "race" not in infer(enough).names or feature(infer(enough), "race").columns


def test_a_group_is_not_made_where_its_name_is_taken():
    columns = hot(RACES, "race_")
    schema = infer(people(race=["u", "v"] * 12, **columns))
    assert {"race", *columns} <= set(schema.names)


def test_a_group_is_not_made_where_its_name_is_the_labels():
    frame = people(**hot(("yes", "no"), "y_"))
    schema = infer(frame)
    assert {"y_yes", "y_no"} <= set(schema.names)


def test_a_dropped_level_is_the_first_one():
    columns = hot(RACES, "race_", first=1)
    schema = infer(people(**columns), one_hot={"race": list(columns)})
    race = feature(schema, "race")
    assert race.domain == ("no race", "black", "white")
    assert race.read(people(**columns)).tolist() == ["no race", "black", "white"] * 8
    assert not doubts_about(schema, "race")


def test_a_single_column_can_be_a_group():
    columns = hot(("f", "m"), "gender_", first=1)
    schema = infer(people(**columns), one_hot={"gender": ["gender_m"]}, sensitive=["gender"])
    assert feature(schema, "gender").domain == ("no gender", "m")
    assert schema.sensitive == ("gender",)


def test_groups_given_by_hand_keep_the_names_of_columns_that_begin_otherwise():
    columns = hot(("is_cat", "has_dog"), "")
    schema = infer(people(**columns), one_hot={"pet": list(columns)})
    assert feature(schema, "pet").domain == ("is_cat", "has_dog")


def test_no_groups_by_hand_means_no_groups():
    assert "race" not in infer(people(**hot(RACES, "race_")), one_hot={}).names


@pytest.mark.parametrize(
    ("one_hot", "message"),
    [
        ({"race": ["race_asian", "race_red"]}, "no column 'race_red'"),
        ({"race": ["race_asian", "race_asian"]}, "race"),
        ({"race": ["race_asian", "age"]}, "are not 0 and 1 with one 1"),
        ({"sex": ["race_asian", "race_black", "race_white"]}, "'sex' occurs more than once"),
        ({"a": ["race_asian"], "b": ["race_asian"]}, "'race_asian' occurs more than once"),
    ],
)
def test_groups_that_cannot_be_are_refused(one_hot, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        infer(people(**hot(RACES, "race_")), one_hot=one_hot)


@pytest.mark.parametrize("bad", [(0, 0, 0), (1, 1, 0), (2, 0, 0), (0.5, 0.5, 0), (np.nan, 1, 0)])
def test_a_row_without_just_one_1_is_refused_by_its_number(bad):
    schema = infer(people(**hot(RACES, "race_")))
    frame = people(**hot(RACES, "race_", kind=np.float64))
    frame.loc[5, [f"race_{level}" for level in RACES]] = bad
    with pytest.raises(rafair.InvalidInput, match="feature 'race', row 5"):
        schema.encode(frame)


KINDS = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}


@pytest.mark.parametrize("kind", KINDS)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(18, 79)), min_size=1, max_size=8
    ),
    first=st.integers(0, 1),
)
def test_frames_with_groups_survive_the_way_to_unit_space_and_back(kind, places, first):
    columns = hot(RACES, "race_", first=first)
    fitted = people(**columns).assign(age=[18, 79] * (N // 2))
    schema = infer(fitted.drop(columns="income"), one_hot={"race": list(columns)})
    race, sex, age = (np.array(column) for column in zip(*places, strict=True))
    frame = pd.DataFrame(
        {
            "age": age,
            **{f"race_{r}": (race == i).astype(np.int64) for i, r in enumerate(RACES)},
            "sex": np.array(["f", "m"])[sex],
        }
    )
    frame = frame[list(schema.columns)]
    table = KINDS[kind](frame)
    x = schema.encode(table)
    assert x.shape == (len(places), 3)
    back = as_kind(schema.decode(x), kind_of(table))
    assert type(back) is type(table)
    assert as_pandas(back).to_dict("list") == frame.to_dict("list")
    names = schema.decode_features(x)["race"].tolist()
    levels = ("no race", *RACES[1:]) if first else RACES
    assert names == [levels[place] for place in race]
    expected = [schema.features[1].axis[place] for place in race]
    assert x[:, schema.index("race")].tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_is_inferred_alike(kind):
    frame = people(town=["x", "y", None] * 8, **hot(RACES, "race_", kind=bool))
    schema = infer(KINDS[kind](frame))
    assert schema == infer(frame)
    assert schema.doubts == infer(frame).doubts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "z"}, "no label column 'z'"),
        ({"sensitive": ["z"]}, "sensitive column 'z' is not a feature"),
        ({"sensitive": ["y"]}, "sensitive column 'y' is not a feature"),
        ({"sensitive": []}, "no sensitive column given"),
        ({"positive": "maybe"}, "never has the positive value 'maybe'"),
    ],
)
def test_a_label_or_a_sensitive_column_that_is_none_is_refused(options, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        infer(people(), **options)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["yes"] * N, "has 1 class"),
        (["yes", None] * 12, "row 1: the cell is empty"),
        (["yes", 1] * 12, "mixes"),
        ([[1], [2]] * 12, "lists or objects"),
    ],
)
def test_a_label_that_is_none_is_refused(labels, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        infer(people().assign(y=labels))


def test_the_positive_class_is_the_second():
    assert infer(people(), positive="no").classes == ("yes", "no")
    assert infer(people(), positive="no").positive == "no"


def test_no_row_is_refused_and_what_is_no_table_too():
    with pytest.raises(rafair.InvalidInput, match="no row"):
        infer(people().iloc[:0])
    for thing in (3, "people", {"a": [1]}, pl.LazyFrame({"a": [1]}), people()["age"]):
        with pytest.raises(rafair.InvalidInput, match="cannot read a"):
            infer(thing)


def test_names_of_columns_that_are_numbers_become_text():
    frame = people().rename(columns={"age": 0})
    schema = infer(frame)
    assert schema.names == ("0", "income", "sex")
    assert schema.encode(frame).shape == (N, 3)
    with pytest.raises(rafair.InvalidInput, match="two columns of the same name '0'"):
        infer(frame.rename(columns={"income": "0"}))


def test_a_name_that_two_columns_have_is_refused():
    frame = people()
    frame.columns = ["age", "age", "sex", "y"]
    with pytest.raises(rafair.InvalidInput, match="same name"):
        infer(frame)


def test_the_given_frame_is_not_written_to():
    frame = people(**hot(RACES, "race_"))
    before = frame.copy()
    schema = infer(frame)
    schema.decode(torch.zeros(2, len(schema.names)))
    pd.testing.assert_frame_equal(frame, before)


def test_the_features_stay_in_the_order_of_the_columns():
    orders = itertools.permutations(["a", "g_1", "g_2", "sex"])
    columns = {"a": np.arange(N) % 11, **hot("12", "g_"), "sex": ["f", "m"] * 12}
    for order in itertools.islice(orders, 0, 24, 5):
        frame = pd.DataFrame({name: columns[name] for name in order} | {"y": [0, 1] * 12})
        expected = list(dict.fromkeys("g" if name[0] == "g" else name for name in order))
        assert list(infer(frame).names) == expected


def test_whole_numbers_stored_as_decimal_ones_are_whole_numbers():
    frame = people(lines=np.arange(N) % 12 * 1.0, married=np.arange(N) % 2 * 1.0)
    schema = infer(frame)
    lines, married = feature(schema, "lines"), feature(schema, "married")
    assert (lines.kind, lines.domain) == ("integer", (0, 11))
    assert (married.kind, married.domain) == ("categorical", (0, 1))
    assert "stored as decimal ones" in doubts_about(schema, "lines")[0]
    (only,) = doubts_about(schema, "married")
    assert "only 0 and 1 occur" in only
    back = schema.decode(schema.encode(frame))
    assert back["married"].tolist() == frame["married"].tolist()


def test_what_is_said_of_a_column_replaces_what_is_inferred():
    frame = people(married=np.arange(N) % 2, country="US", code=[f"c{i}" for i in range(N)])
    said = [Column("married", kind="integer"), Column("country"), Column("code", sensitive=True)]
    schema = infer(frame, columns=said)
    assert feature(schema, "married").kind == "integer"
    assert feature(schema, "country").domain == ("US",)
    assert set(schema.sensitive) == {"sex", "code"}
    assert not doubts_about(schema, "married")
    with pytest.raises(rafair.InvalidInput, match="'town' is described that the table does not"):
        infer(frame, columns=[Column("town")])


RACE = {"white": [1, 0, 0] * 8, "black": [0, 1, 0] * 8, "hispanic": [0, 0, 1] * 8}


def test_a_one_hot_group_is_found_from_the_values_alone():
    schema = infer(people(**RACE), sensitive=["black", "sex"])
    group = feature(schema, "white_black_hispanic")
    assert (group.domain, group.columns) == (tuple(RACE), tuple(RACE))
    assert set(schema.sensitive) == {"white_black_hispanic", "sex"}
    told = doubts_about(schema, "white_black_hispanic")
    assert any("taken for one feature of the columns white, black, hispanic" in t for t in told)
    assert any("since its column black was named" in t for t in told)


def test_a_column_of_a_named_group_stands_for_the_group():
    schema = infer(people(**hot("nsw", "region_")), sensitive=["region_n"])
    assert schema.sensitive == ("region",)
    assert any("its column region_n was named" in doubt for doubt in schema.doubts)


def test_two_possible_groups_are_a_question():
    frame = people(**RACE, other=RACE["white"])
    schema = infer(frame)
    assert {*RACE, "other"} <= set(schema.names)
    told = " ".join(schema.doubts)
    assert "exactly one of white, black, hispanic is 1 in every row, but another group" in told
    by_hand = infer(frame, one_hot={"race": list(RACE)})
    assert by_hand.names == ("age", "income", "race", "other", "sex")


def test_a_rare_column_that_fills_a_gap_is_a_question():
    rare = np.arange(N) == 3
    schema = infer(people(most=(~rare).astype(int), rare=rare.astype(int)))
    assert {"most", "rare"} <= set(schema.names)
    assert any("fewer than 5 ones" in doubt for doubt in schema.doubts)


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=10, max_size=14))
def test_groups_from_values_are_those_of_brute_force(rows):
    table = np.array(rows, dtype=int)
    frame = pd.DataFrame(table, columns=list("abcdef"))
    vary = [place for place in range(6) if 0 < table[:, place].sum() < len(table)]
    subsets = itertools.chain(*(itertools.combinations(vary, k) for k in range(2, 7)))
    exact = [s for s in subsets if (table[:, list(s)].sum(axis=1) == 1).all()]
    sure = [
        s
        for s in exact
        if not any(set(s) & set(o) for o in exact if o != s)
        and table[:, list(s)].sum(axis=0).min() >= 5
    ]
    found = one_hot_groups(frame)
    expected = {tuple("abcdef"[place] for place in s) for s in sure}
    assert set(found.sure.values()) == expected
    assert len(found.doubts) == len(exact) - len(sure)


def test_a_search_without_end_finds_no_group():
    rng = np.random.default_rng(0)
    flags = rng.random((400, 150)) < 0.01
    frame = pd.DataFrame(flags.astype(int), columns=[f"f{i}" for i in range(150)])
    assert one_hot_groups(frame).sure == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([7] * N, "the same value in every row"),
        ([f"2024-01-{i + 1:02d}" for i in range(N)], "dates as text"),
        (["01.02.2024", "3/4/24", "2024/1/1 10:30"] * 8, "dates as text"),
        ([f"the payment number {i} came late" for i in range(N)], "free text"),
        ([f"C{i}" for i in range(N)], "an identifier"),
    ],
)
def test_what_is_no_feature_is_left_out_with_the_reason(values, words):
    schema = infer(people(what=values))
    assert "what" not in schema.names
    (doubt,) = doubts_about(schema, "what")
    assert doubt.startswith("what: left out, ")
    assert words in doubt


def test_a_column_named_id_that_numbers_the_rows_is_left_out():
    schema = infer(people(case_id=np.arange(N), visits=np.arange(N)))
    assert "case_id" not in schema.names
    assert "visits" in schema.names


def test_a_column_of_a_group_can_be_made_sensitive_later():
    schema = infer(people(**RACE)).with_sensitive(["black", "hispanic"])
    assert schema.sensitive == ("white_black_hispanic",)


def test_an_only_negative_value_may_be_a_code():
    days = np.where(np.arange(N) % 2, -1, np.arange(N))
    (doubt, *_) = doubts_about(infer(people(last=days)), "last")
    assert "-1 is its only negative value, in 12 of 24 rows" in doubt
    assert "Then empty = [-1]" in doubt
    assert not doubts_about(infer(people(last=np.arange(N) % 12 - 6)), "last")
