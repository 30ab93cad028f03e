"""Drafted plans: they can be read, and say of any table what ``Schema.infer`` says."""

import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rafair
from rafair.plans.drafting import draft_plan
from rafair.plans.plan_file import read_plan
from rafair.schema import Schema

HOSTILE = [
    'a"b', "a'b", "a\\b", "a\nb", "a\r\nb", "a\tb", "a\x00b", "a\x7fb", "a\x1b[31mb", "a\u2028b",
    "a\u0085b", "a#b", "# [data]", "[data]", "a = 1", "a.b", "a b", " a", "a ", "", "é", "日本",
    "😀", '"""', "'''", "\\u0041", "{", "]", "=", "1", "1.5", "true", "nan", "data", "<b>",
    "\ufeffa", "a: b", "kind", "\u202eabc", "x" * 200,
]  # fmt: skip
NAMES = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
N = 24


def level_lists():
    texts = st.lists(NAMES, min_size=2, max_size=4, unique=True)
    whole = st.lists(st.integers(-(2**50), 2**50), min_size=2, max_size=4, unique=True)
    numbers = st.lists(
        st.floats(-1e300, 1e300, allow_nan=False), min_size=2, max_size=4, unique=True
    )
    return texts | whole | numbers | st.just([False, True])


def column(levels):
    return pd.Series([levels[i % len(levels)] for i in range(N)])


@st.composite
def tables(draw):
    """Three columns of any kind; the last is the label, the first sensitive."""
    names = draw(st.lists(NAMES, min_size=3, max_size=3, unique=True))
    first = column(draw(level_lists()))
    second = column(draw(level_lists()))
    classes = draw(level_lists())[:2]
    label = pd.Series([classes[i // 2 % 2] for i in range(N)])
    return pd.DataFrame(dict(zip(names, (first, second, label), strict=True)))


@given(frame=tables())
@settings(max_examples=30, deadline=None)
def test_any_drafted_plan_is_read_and_loads_what_was_inferred(tmp_path_factory, frame):
    folder = tmp_path_factory.getbasetemp()
    frame.to_parquet(folder / "drafted.parquet")
    frame = pd.read_parquet(folder / "drafted.parquet")
    first, _, label = frame.columns
    try:
        inferred = Schema.infer(frame, label=label, sensitive=[first])
    except rafair.InvalidInput:
        assume(False)
    text = draft_plan(folder / "drafted.parquet", label, [first])
    (folder / "drafted.toml").write_text(text, encoding="utf-8")
    content = tomllib.loads(text)
    assert set(content) == {"relations", "data", "audit", "features"}
    assert list(content["features"]) == list(inferred.names)
    assert content["data"]["table"] == str(folder / "drafted.parquet")
    plan = read_plan(folder / "drafted.toml")
    data = plan.load()
    assert data.schema == inferred
    assert data.schema.encode(frame).equal(inferred.encode(frame))
    assert plan.audit == {"epsilon": 0.1, "step_size": 0.01, "steps": 20}


def people(**columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 70, N),
            "sex": np.tile(["f", "m"], N // 2),
            "paid": np.repeat([0, 1], N // 2),
        }
    )
    return frame.assign(**columns)


def drafted(tmp_path, frame, name="people.parquet", label="paid", sensitive=("sex",), **more):
    frame.to_parquet(tmp_path / name)
    text = draft_plan(tmp_path / name, label, sensitive, **more)
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_breaks_out_of_a_comment_or_a_string(tmp_path, hostile):
    # As a class, a level, and a column with a doubt about it, and one that is left out.
    frame = people(
        paid=np.repeat([hostile, "other"], N // 2),
        sex=np.tile([hostile, "other"], N // 2),
        **{f"{hostile}1": np.arange(N) % 3, f"{hostile}2": [f"{hostile} {i}" for i in range(N)]},
    )
    text = drafted(tmp_path, frame)
    plain = drafted(tmp_path, people(paid=np.repeat(["a", "other"], N // 2), c1=np.arange(N) % 3,
                                     c2=[f"c {i}" for i in range(N)]))  # fmt: skip
    assert len(text.split("\n")) == len(plain.split("\n"))
    content = tomllib.loads(text)
    assert list(content["features"]) == ["age", "sex", f"{hostile}1"]
    assert content["data"]["ignore"] == [f"{hostile}2"]
    assert all(ord(c) >= 32 and ord(c) != 127 for line in text.split("\n") for c in line)


@pytest.mark.parametrize("name", ['it\'s "it".csv', "a b.csv", "日本.csv", "a#b.csv", "a\nb.csv"])
def test_a_table_of_any_name_is_found_again(tmp_path, monkeypatch, name):
    people().to_csv(tmp_path / name, index=False)
    monkeypatch.chdir(tmp_path)
    text = draft_plan(name, "paid", ["sex"])
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    assert len(read_plan("plan.toml").load().test)


def test_a_distance_from_ones_own_value_is_written(tmp_path):
    frame = people(age=list(range(20, 20 + N)))
    drafted(tmp_path, frame, sensitive=("sex", "age"), within={"age": 7.5})
    features = read_plan(tmp_path / "plan.toml").load().schema.features
    age = next(feature for feature in features if feature.name == "age")
    assert (age.within, age.kind, age.unit) == (7.5, "integer", "years")
    with pytest.raises(rafair.InvalidInput, match="'age': within is for I"):
        drafted(tmp_path, frame, within={"age": 7.5})
    with pytest.raises(rafair.InvalidInput, match="within is for numbers; it is categorical"):
        drafted(tmp_path, frame, within={"sex": 1})


def test_the_positive_class_is_written(tmp_path):
    drafted(tmp_path, people(), positive=0)
    assert read_plan(tmp_path / "plan.toml").load().schema.classes == (1, 0)
    text = drafted(tmp_path, people(paid=np.repeat([False, True], N // 2)), positive=False)
    assert "positive = false" in text
    assert read_plan(tmp_path / "plan.toml").load().schema.classes == (True, False)


def test_doubts_stand_before_what_they_are_about(tmp_path):
    grade = np.arange(N) % 4
    text = drafted(tmp_path, people(grade=grade, same=1, row=[f"r{i}" for i in range(N)]))
    lines = text.split("\n")
    place = lines.index("[features.grade]")
    assert lines[place + 1].startswith("# Look: grade: whole numbers with 4 different values")
    assert "# Look: same: left out, it has the same value in every row." in lines
    assert any(line.startswith("# Look: row: left out, nearly every row") for line in lines)
    assert 'ignore = ["same", "row"]' in lines


def test_empty_cells_are_refused_until_somebody_names_a_rule(tmp_path):
    income = np.r_[np.nan, np.arange(N - 1.0)]
    text = drafted(tmp_path, people(income=income))
    assert text.count('missing = "refuse"') == 1
    with pytest.raises(rafair.InvalidInput, match="'income', row 0: the cell is empty"):
        read_plan(tmp_path / "plan.toml").load()
    (tmp_path / "plan.toml").write_text(text.replace('"refuse"', '"median"'))
    found = read_plan(tmp_path / "plan.toml").load().schema
    assert found.features[-1].kind == "integer"


def test_a_one_hot_group_becomes_one_feature(tmp_path):
    hot = {f"race_{name}": (np.arange(N) % 3 == code) * 1 for code, name in enumerate("abc")}
    text = drafted(tmp_path, people(**hot), sensitive=("race", "sex"))
    assert 'columns = ["race_a", "race_b", "race_c"]' in text
    assert "# Look: race: taken for one feature of the columns race_a, race_b, race_c." in text
    found = read_plan(tmp_path / "plan.toml").load().schema
    assert found.sensitive == ("sex", "race")
    assert found.features[-1].domain == ("a", "b", "c")


def test_a_group_that_begins_like_the_label_does_not_take_its_name(tmp_path):
    pairs = {"paid_cash": np.arange(N) % 2, "paid_card": 1 - np.arange(N) % 2}
    drafted(tmp_path, people(**pairs))
    assert len(read_plan(tmp_path / "plan.toml").load().test)


def test_a_doubt_stands_with_its_own_column_whatever_their_names(tmp_path):
    text = drafted(tmp_path, people(**{"age: b": 1}))
    section = text.partition("[features.age]")[2].partition("[features")[0]
    assert "same value" not in section
