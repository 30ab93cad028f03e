"""Tables that are wrong: one line that names the file, the column and the reason."""

import datetime
import decimal
import io
import shutil

import numpy as np
import pandas as pd
import plan_texts
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_texts import cell, changed, check_refused, listing, people, plan

N = 200


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """A directory with the good plans, their tables and their model."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "people.csv").write_text(plan_texts.csv())
    people().to_parquet(folder / "people.parquet")
    (folder / "plan.toml").write_text(plan())
    (folder / "parquet.toml").write_text(plan("[data] table = 'people.parquet'"))
    model = folder / "model.safetensors"
    done = plan_texts.run(
        "train", folder / "plan.toml", "--epochs", "40", "--quiet", "--out", model
    )
    assert (done.code, done.err) == (0, "")
    return folder


@pytest.fixture
def refused(rafair, good, tmp_path):
    """Run a verb on the good plan beside another table; return the line."""

    def try_(verb, name, content, *expected):
        shutil.copy(good / "model.safetensors", tmp_path)
        if isinstance(content, pd.DataFrame):
            content = content.to_csv(index=False)
        if isinstance(content, pa.Table):
            pq.write_table(content, tmp_path / name)
        else:
            content = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(content)
        (tmp_path / "plan.toml").write_text(plan(f"[data] table = '{name}'"))
        before = listing(tmp_path)
        line = rafair(verb, "plan.toml").complaint
        for words in (name, *expected):
            assert words in line
        assert len(line) < 600
        assert listing(tmp_path) == before
        return line

    return try_


@pytest.mark.parametrize("name", ["plan.toml", "parquet.toml"])
def test_the_tables_that_all_others_are_made_of_are_good(rafair, good, tmp_path, name):
    for path in good.iterdir():
        shutil.copy(path, tmp_path)
    for verb in ("check", "audit"):
        done = rafair(verb, name)
        assert (done.code, done.err) == (0, "")


TEXT = plan_texts.csv()
HEAD, FIRST, *REST = TEXT.splitlines()
BODY = "\n".join([FIRST, *REST])


def renamed(old, new):
    return TEXT.replace(HEAD, HEAD.replace(old, new))


def with_line(row, line):
    lines = TEXT.splitlines()
    return "\n".join([*lines[: row + 1], line, *lines[row + 1 :]])


CSV = {
    "nothing": ("", "not a readable csv file"),
    "line breaks": ("\n\n\n", "not a readable csv file"),
    "a header alone": (HEAD + "\n", "no row"),
    "a header without its line break": (HEAD, "no row"),
    "a word": ("hello", "no row"),
    "NUL bytes": (bytes(100), ""),
    "bytes": (bytes(range(256)) * 4, ""),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a readable csv file"),
    "a zip": (b"PK\x03\x04" + bytes(60), ""),
    "a gzip": (b"\x1f\x8b\x08" + bytes(60), "not a readable csv file"),
    "UTF-16": (TEXT.encode("utf-16"), "not a readable csv file", "save it as UTF-8"),
    "Latin-1": (TEXT.replace("nurse", "Köchin").encode("latin-1"), "save it as UTF-8"),
    "half a letter": (TEXT.encode() + b"\xc3", "not a readable csv file"),
    "HTML": ("<html>\n<body>no table</body>\n</html>\n", ""),
    "JSON": ('[{"age": 3}]', ""),
    "a plan": (plan(), ""),
    "semicolons": (TEXT.replace(",", ";"), "semicolons: save it with commas"),
    "tabs": (TEXT.replace(",", "\t"), "tabs: save it with commas"),
    "commas in numbers": (HEAD.replace(",", ";") + "\n" + "1;2,5\n" * 9, "semicolons"),
    "an open quote": (with_line(5, '"'), "not a readable csv file"),
    "an open quote at the end": (TEXT + '"', "not a readable csv file"),
    "no header": (BODY, ""),
    "a row too long": (with_line(9, FIRST + ",1,2"), "line 11"),
    "every row too long": (HEAD + "\n" + "\n".join(line + ",1" for line in TEXT.splitlines()[1:]),
                           ""),
    "every row two too long": (HEAD + "\n" + "\n".join(f"{x},1,1" for x in TEXT.splitlines()[1:]),
                               ""),
    "a row too short": (with_line(9, "3,4"), "row 9", "empty"),
    "a row of commas": (with_line(9, "," * 10), "row 9", "empty"),
    "a total below": (TEXT + "total,,,,,,,,,,\n", "empty"),
    "a footnote": (TEXT + "# source: nowhere\n", "empty"),
    "the header twice": (with_line(50, HEAD), ""),
    "a column twice": (renamed("years", "age"), "age.1", "not described"),
    "a column without a name": (renamed("years", ""), "Unnamed: 2", "not described"),
    "an index": (people().to_csv(), "Unnamed: 0", "not described"),
    "a blank in a name": (renamed("years", " years"), "' years'", "not described"),
    "another case": (renamed("years", "Years"), "'Years'", "not described"),
    "a byte order mark inside": (renamed("years", "\ufeffyears"), "years", "not described"),
    "a column lost": (changed(years=None), "'years'", "has no column"),
    "a one-hot column lost": (changed(race_b=None), "'race_b'", "has no column"),
    "the sensitive column lost": (changed(sex=None), "'sex'", "has no column"),
    "the label lost": (changed(paid=None), "'paid'", "no label column"),
    "an ignored column lost": (changed(id=None), "'id'", "ignore names"),
    "a column more": (changed(wealth=3), "'wealth'", "not described"),
    "hostile markup as a column": (changed(**{"<b>": 3}), "'<b>'", "not described"),
    "a line break in a name": (changed(**{"a\nb": 3}), r"'a\nb'", "not described"),
    "an escape sequence in a name": (changed(**{"\x1b[31m": 3}), r"'\x1b[31m'", "not described"),
    "text among numbers": (cell("age", 7, "old"), "'age'", "row 7", "'old'", "not a finite number"),
    "a date among numbers": (cell("age", 7, "2024-01-01"), "'age'", "row 7", "2024-01-01"),
    "dates": (changed(age=["2024-01-01"] * N), "'age'", "row 0", "2024-01-01"),
    "a thousand's comma": (cell("income", 3, "1,000"), "'income'", "row 3", "'1,000'"),
    "a decimal comma": (cell("income", 3, "10,5"), "'income'", "row 3", "'10,5'"),
    "a currency": (cell("income", 3, "$100"), "'income'", "row 3", "'$100'"),
    "a question mark": (cell("age", 11, "?"), "'age'", "row 11", "'?'"),
    "a truth among numbers": (cell("age", 11, "True"), "'age'", "row 11"),
    "infinity": (cell("income", 8, "inf"), "'income'", "row 8", "not a finite number"),
    "minus infinity": (cell("income", 8, "-Infinity"), "'income'", "row 8", "not a finite number"),
    "1e400": (cell("income", 8, "1e400"), "'income'", "row 8", "not a finite number"),
    "a huge number": (cell("age", 8, "1" + "0" * 30), "'age'"),
    "a huger number": (cell("age", 8, "1" + "0" * 400), "'age'", "row 8"),
    "a number of 5000 digits": (cell("age", 8, "9" * 5000), "'age'", "row 8"),
    "huge numbers": (changed(age=[2**63 + i for i in range(N)]), "'age'"),
    "huge numbers of an income": (changed(income=[10**30 + i for i in range(N)]), "'income'"),
    "a fraction": (cell("age", 4, "18.5"), "'age'", "row 4", "not a whole number"),
    "a number too small": (cell("age", 4, 17), "'age'", "18"),
    "a number too large": (cell("income", 4, 9001), "'income'", "row 4", "lies outside 0..9000"),
    "an empty cell": (cell("age", 4, ""), "'age'", "row 4", "empty"),
    "NA": (cell("sex", 4, "NA"), "'sex'", "row 4", "empty"),
    "an empty one-hot cell": (cell("race_a", 4, ""), "'race'", "row 4"),
    "every cell empty": (changed(income=np.nan), "'income'", "every cell is empty"),
    "an empty label": (cell("paid", 4, ""), "'paid'", "row 4", "empty"),
    "an unknown level": (cell("size", 4, "huge"), "'size'", "row 4", "'huge'", "levels"),
    "a level in capitals": (cell("job", 4, "Cook"), "'job'", "row 4", "'Cook'"),
    "a level with a blank": (cell("job", 4, "cook "), "'job'", "row 4", "'cook '"),
    "two 1s": (changed(race_a=1), "'race'", "row 1", "one-hot"),
    "no 1": (changed(race_a=0, race_b=0, race_c=0), "'race'", "row 0", "one-hot"),
    "a 2": (cell("race_a", 0, 2), "'race'", "row 0", "one-hot"),
    "text in one-hot columns": (changed(race_a="no"), "'race'", "row 0", "one-hot"),
    "one class": (changed(paid="yes"), "'paid'", "1 class"),
    "no positive class": (changed(paid=["no", "perhaps"] * (N // 2)), "'paid'", "'yes'"),
    "a class of one row": (cell("paid", 0, "never"), "'paid'", "1 row(s) of 'never'"),
    "two hundred classes": (changed(paid=[f"yes{i}" for i in range(N)]), "'paid'", ""),
    "nobody meets the relation": (changed(years=60).assign(age=70), "age >= 18 + years"),
    "texts beyond counting": (changed(sex=[f"s{i}" for i in range(N)]).pipe(
        lambda frame: pd.concat([frame, frame.assign(sex=frame["sex"] + "x")])), "'sex'", "400"),
}  # fmt: skip


@pytest.mark.parametrize("verb", ["check", "audit"])
@pytest.mark.parametrize("name", CSV)
def test_a_csv_file_that_does_not_fit_is_refused(refused, verb, name):
    content, *words = CSV[name]
    refused(verb, "people.csv", content, *words)


def table(**columns):
    """The good table as pyarrow's, with other columns."""
    found = pa.Table.from_pandas(people(), preserve_index=False)
    for name, values in columns.items():
        array = values if isinstance(values, pa.Array) else pa.array(values)
        place = found.schema.get_field_index(name)
        found = (
            found.set_column(place, name, array) if place >= 0 else found.append_column(name, array)
        )
    return found.replace_schema_metadata({})


def twice():
    found = table()
    return found.append_column("age", found["age"])


def written(found):
    out = io.BytesIO()
    pq.write_table(found, out)
    return out.getvalue()


def times(days):
    return pa.array([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)] * days)


PARQUET = {
    "nothing": (lambda: b"", "not a readable parquet file"),
    "text": (lambda: b"hello", "not a readable parquet file"),
    "a csv file": (lambda: TEXT.encode(), "not a readable parquet file"),
    "its beginning alone": (lambda: b"PAR1", "not a readable parquet file"),
    "beginning and end alone": (lambda: b"PAR1PAR1", "not a readable parquet file"),
    "a long foot": (lambda: b"PAR1\xff\xff\xff\x7fPAR1", "not a readable parquet file"),
    "its first half": (lambda: written(table())[:2000], "not a readable parquet file"),
    "its last half": (lambda: written(table())[-2000:], "not a readable parquet file"),
    "one byte less": (lambda: written(table())[:-1], "not a readable parquet file"),
    "zeros": (lambda: bytes(300), "not a readable parquet file"),
    "encrypted": (lambda: b"PARE" + bytes(60) + b"PARE", "not a readable parquet file"),
    "an Arrow file": (lambda: b"ARROW1\x00\x00" + bytes(60), "not a readable parquet file"),
    "no columns": (lambda: pa.table({}), ""),
    "no rows": (lambda: table().slice(0, 0), "no row"),
    "a column twice": (twice, "age"),
    "lists": (lambda: table(job=[["cook"]] * N), "'job'"),
    "lists as numbers": (lambda: table(age=[[18]] * N), "'age'"),
    "structs": (lambda: table(job=[{"a": 1}] * N), "'job'"),
    "structs as an income": (lambda: table(income=[{"a": 1.0}] * N), "'income'"),
    "maps": (lambda: table(sex=pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64()))),
             "'sex'"),
    "bytes as text": (lambda: table(sex=[b"f", b"m"] * (N // 2)), "'sex'", "bytes"),
    "decimals as text": (lambda: table(sex=[decimal.Decimal("1.5")] * N), "'sex'", "Decimal"),
    "days": (lambda: table(sex=[datetime.date(2024, 1, 1)] * N), "'sex'", "date"),
    "times": (lambda: table(sex=times(N)), "'sex'", "Timestamp"),
    "times as an age": (lambda: table(age=times(N)), "'age'"),
    "times as an income": (lambda: table(income=times(N)), "'income'"),
    "durations as an income": (lambda: table(income=[datetime.timedelta(0, 1)] * N), "'income'"),
    "hours": (lambda: table(sex=[datetime.time(3)] * N), "'sex'", "time"),
    "nulls": (lambda: table(age=pa.nulls(N)), "'age'", "empty"),
    "nulls among truths": (lambda: table(sex=[True, None] * (N // 2)), "'sex'", "empty"),
    "infinities": (lambda: table(income=[float("inf")] * N), "'income'", "row 0", "inf"),
    "unsigned numbers": (lambda: table(age=pa.array([2**64 - 1] * N, pa.uint64())), "'age'"),
    "text as numbers": (lambda: table(age=["18"] * (N - 1) + ["x"]), "'age'", f"row {N - 1}"),
    "a nested label": (lambda: table(paid=[["yes"], ["no"]] * (N // 2)), "'paid'"),
    "a label of structs": (lambda: table(paid=[{"a": 1}, {"a": 2}] * (N // 2)), "'paid'"),
    "a label of days": (lambda: table(paid=[datetime.date(2024, 1, 1)] * N), "'paid'", "date"),
    "a column more": (lambda: table(wealth=range(N)), "'wealth'", "not described"),
    "a column without a name": (lambda: table(**{"": range(N)}), "''", "not described"),
    "an own index": (lambda: pa.Table.from_pandas(people().set_index("years")), "'years'"),
    "pandas' words without meaning": (
        lambda: table().replace_schema_metadata({b"pandas": b"{}"}), ""),
    "pandas' words that are not JSON": (
        lambda: table().replace_schema_metadata({b"pandas": b"\xff{"}), ""),
    "pandas' words that are a list": (
        lambda: table().replace_schema_metadata({b"pandas": b"[1]"}), ""),
}  # fmt: skip


@pytest.mark.parametrize("verb", ["check", "audit"])
@pytest.mark.parametrize("name", PARQUET)
def test_a_parquet_file_that_does_not_fit_is_refused(refused, verb, name):
    make, *words = PARQUET[name]
    refused(verb, "people.parquet", make(), *words)


@pytest.mark.parametrize(
    "values", [times(N), pa.array([datetime.timedelta(0, i) for i in range(N)])], ids=["at", "for"]
)
@pytest.mark.parametrize("kind", ["", "[features.income] kind = 'numeric'"])
def test_times_are_not_taken_for_numbers_of_nanoseconds(rafair, tmp_path, values, kind):
    pq.write_table(table(income=values), tmp_path / "people.parquet")
    lost = ["no [model]", "[features.income] range", "[features.income] missing"]
    lost += ["[features.income] epsilon", "[features.income] step", "[features.income] kind"]
    content = plan(*lost, "[data] table = 'people.parquet'", *([kind] if kind else []))
    (tmp_path / "plan.toml").write_text(content)
    assert "'income'" in rafair("check", "plan.toml").complaint


@pytest.mark.parametrize("verb", ["check", "audit", "train", "certify"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder.csv", "no such file"),
        ("folder.parquet", "no such file"),
        ("loop.csv", "no such file"),
        ("dangling.csv", "no such file"),
        ("pipe.csv", "no such file"),
        ("gone.csv", "no such file"),
        ("people.csv.gz", "use .csv or .parquet"),
        ("people.feather", "use .csv or .parquet"),
        ("people", "use .csv or .parquet"),
        ("people.csv/people.csv", "no such file"),
        ("../nowhere/people.csv", "no such file"),
    ],
)
def test_what_is_no_table_is_refused(rafair, tmp_path, verb, name, words):
    import os

    for folder in ("folder.csv", "folder.parquet"):
        (tmp_path / folder).mkdir()
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe.csv")
    for other in ("people.csv", "people.csv.gz", "people.feather", "people"):
        (tmp_path / other).write_text(TEXT)
    (tmp_path / "plan.toml").write_text(plan(f"[data] table = '{name}'"))
    before = sorted(path.name for path in tmp_path.iterdir())
    line = rafair(verb, "plan.toml").complaint
    assert name in line
    assert words in line
    assert sorted(path.name for path in tmp_path.iterdir()) == before


INIT = {
    "no rows": (HEAD + "\n", "no row"),
    "nothing": ("", "not a readable csv file"),
    "two 'classes' of which one is empty": (cell("paid", 3, ""), "'paid'", "row 3", "empty"),
    "one class": (changed(paid="yes"), "'paid'", "1 class"),
    "a sensitive identifier": (changed(sex=[f"s{i}" for i in range(N)]), "'sex'"),
    "a sensitive column without a cell": (changed(sex=np.nan), "'sex'"),
    "a label beyond counting": (
        pd.concat([changed(paid=np.linspace(i, i + 0.9, N)) for i in (0, 1)]),
        "'paid'",
        "400",
    ),
}


@pytest.mark.parametrize("name", INIT)
def test_init_refuses_a_table_that_it_cannot_describe(rafair, tmp_path, name):
    content, *words = INIT[name]
    content = content if isinstance(content, str) else content.to_csv(index=False)
    (tmp_path / "people.csv").write_text(content)
    line = rafair("init", "people.csv", "--label", "paid", "--sensitive", "sex").complaint
    for part in ("people.csv", *words):
        assert part in line


def test_columns_are_not_shifted_where_every_row_ends_in_a_comma(rafair, tmp_path):
    # pandas takes the first column for an index then, and every other for its neighbour.
    rows = "".join(f"{i % 2},{i % 3},{20 + i},\n" for i in range(40))
    (tmp_path / "people.csv").write_text("paid,sex,age\n" + rows)
    done = rafair("init", "people.csv", "--label", "paid", "--sensitive", "sex")
    if done.code:
        assert "people.csv" in check_refused(done)
    else:
        assert "range = [20, 59]" in done.out.partition("[features.age]")[2]


PIECES = [b"\x00", b"\xff", b"\n", b'"', b",", b"nan", b"-", b"1e400", b"inf", b"x", b"\r", b"\t"]


@st.composite
def mutations(draw, content):
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)) | st.integers(0, len(HEAD)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3))
        taken = draw(st.sampled_from([0, 1, 1, 2, 5, 40]))
        content[at : at + taken] = piece
    return bytes(content)


@given(content=mutations(TEXT.encode()), verb=st.sampled_from(["check", "train"]))
@settings(max_examples=40, deadline=None)
def test_a_csv_file_with_a_few_other_bytes_is_read_or_refused(good, content, verb):
    folder = good / "mutated"
    folder.mkdir(exist_ok=True)
    (folder / "people.csv").write_bytes(content)
    (folder / "plan.toml").write_text(plan("no [model]"))
    before = listing(folder)
    more = ["--epochs", "1", "--out", good / "other.safetensors"] if verb == "train" else []
    done = plan_texts.run(verb, folder / "plan.toml", *more)
    if done.code == 0:
        assert done.err == ""
    else:
        assert "people.csv" in check_refused(done)
    assert listing(folder) == before


@given(content=st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-8")))
@settings(max_examples=40, deadline=None)
def test_init_describes_or_refuses_any_bytes(good, content):
    (good / "bytes.csv").write_bytes(content)
    done = plan_texts.run("init", good / "bytes.csv", "--label", "0", "--sensitive", "1")
    assert "bytes.csv" in check_refused(done)
