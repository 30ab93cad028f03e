"""A table as files hold it: what is inferred in Python, in a drafted plan and in what it loads."""

import tomllib
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import rafair
from rafair.plans.checking import check_table
from rafair.plans.drafting import draft_plan
from rafair.plans.plan import Plan
from rafair.plans.plan_file import read_plan
from rafair.schema import Column

N = 300
KINDS = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}


@cache
def applicants():
    """Codes, copies, leaks and columns that name people, beside a few that decide."""
    rng = np.random.default_rng(11)
    race, side = rng.integers(0, 3, N), rng.integers(0, 4, N)
    savings = rng.gamma(1.5, 30, N).round()
    late = rng.poisson(2, N)
    granted = (savings / 40 - late / 2 + rng.normal(0, 0.7, N) > 0).astype(int)
    frame = pd.DataFrame(
        {
            "file": [f"F-{number:05d}" for number in rng.permutation(N)],
            "opened": pd.date_range("2023-03-01", periods=N).strftime("%d.%m.%Y"),
            "savings": np.where(np.arange(N) % 50 == 7, 1_000_000.0, savings),
            "late": np.where(np.arange(N) % 40 == 3, 99, late),
            "children": rng.integers(0, 3, N) * 1.0,
            "single": rng.integers(0, 2, N) * 1.0,
            "woman": rng.integers(0, 2, N) * 1.0,
            "asian": (race == 0) * 1,
            "black": (race == 1) * 1,
            "white": (race == 2) * 1,
            **{f"part_{name}": (side == code) * 1 for code, name in enumerate("nesw")},
            "rent": [f"{900 + rent:,} EUR" for rent in rng.integers(0, 900, N)],
            "bank": "B1",
            "refused": 1 - granted,
            "outcome": np.where(granted == 1, rng.integers(1, 3, N), 3),
            "granted": granted,
        }
    )
    frame.loc[5::37, "children"] = np.nan
    frame.loc[9::41, "single"] = np.nan
    return frame


def read(kind="pandas", **options):
    given = {"label": "granted", "sensitive": ["woman", "black", "part_n"], "missing": "median"}
    return rafair.read_table(KINDS[kind](applicants()), **{**given, **options})


KINDS_FOUND = {
    "savings": "integer",
    "late": "integer",
    "children": "integer",
    "single": "categorical",
    "woman": "categorical",
    "asian_black_white": "categorical",
    "part": "categorical",
    "refused": "categorical",
    "outcome": "integer",
}
LINES = [
    "file: left out, nearly every row has a text of its own; an identifier.",
    "opened: left out, it holds dates as text",
    "savings: whole numbers stored as decimal ones",
    "savings: 1000000 in 6 of 300 rows",
    "late: 99 in 8 of 300 rows",
    "woman: only 0 and 1 occur",
    "asian_black_white: taken for one feature of the columns asian, black, white.",
    "asian_black_white: sensitive as a whole, since its column black was named sensitive.",
    "part: sensitive as a whole, since its column part_n was named sensitive.",
    "rent: left out, text such as '",
    "bank: left out, it has the same value in every row.",
    "refused: gives granted away: its value tells it in 300 of 300 rows",
    "outcome: gives granted away: its value tells it in 300 of 300 rows",
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_library_s_table_is_read_alike(kind):
    data = read(kind)
    assert {f.name: f.kind for f in data.schema.features} == KINDS_FOUND
    assert data.schema.sensitive == ("woman", "asian_black_white", "part")
    assert data.digest() == read().digest()
    assert data.notes == read().notes


@pytest.mark.parametrize("line", LINES)
def test_every_inference_is_a_line_of_the_notes(line):
    assert sum(note.startswith(line) for note in read().notes) == 1


@pytest.mark.parametrize("line", LINES)
def test_every_inference_is_a_comment_of_the_drafted_plan(tmp_path, line):
    applicants().to_csv(tmp_path / "a.csv", index=False)
    text = draft_plan(tmp_path / "a.csv", "granted", ["woman", "black", "part_n"])
    assert text.count(f"\n# Look: {line}") == 1


def test_the_drafted_plan_loads_what_was_inferred_and_check_names_the_leaks(tmp_path):
    applicants().to_csv(tmp_path / "a.csv", index=False)
    text = draft_plan(tmp_path / "a.csv", "granted", ["woman", "black", "part_n"])
    content = tomllib.loads(text)
    assert content["data"]["ignore"] == ["file", "opened", "rent", "bank"]
    (tmp_path / "plan.toml").write_text(text.replace('"refuse"', '"median"'))
    data = read_plan(tmp_path / "plan.toml").load()
    assert data.schema == read().schema
    checked = check_table(data, Plan(epsilon=0.1))
    told = "\n".join(checked.lines)
    for word in ("refused: gives", "outcome: gives", "late: 99 in 8", "savings: 1000000 in 6"):
        assert word in told
    domains = {line.name: line.domain for line in checked.features}
    assert domains["late"].startswith("0 to 99 (most: 0 to ")


def test_every_inference_has_an_override():
    data = read(
        sensitive=["woman"],
        one_hot={},
        columns=[
            Column("bank"),
            Column("woman", kind="integer"),
            Column("children", kind="numeric"),
            Column("late", bulk=(0, 99)),
        ],
        ignore=["refused"],
        not_leaks=["outcome"],
        empty={"savings": [1_000_000]},
        written={"rent": "1,234.5"},
    )
    features = {feature.name: feature for feature in data.schema.features}
    kinds = {name: feature.kind for name, feature in features.items()}
    assert kinds["bank"] == "categorical"
    assert (kinds["woman"], kinds["children"], kinds["rent"]) == ("integer", "numeric", "integer")
    assert not any(feature.columns for feature in features.values())
    assert features["late"].bulk_share == 1
    assert features["savings"].bulk is None
    assert "refused" not in features
    assert not any("away" in note for note in data.notes)


def test_the_notes_reach_the_report(tmp_path):
    from rafair.report.page import render_pages

    data = read()
    model = rafair.train_fcnn(data, epochs=1)
    run = rafair.audit(model, data, n_seeds=4, steps=1, certify=False)
    rafair.write_run(run, tmp_path / "run", render_pages)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "refused: gives granted away" in page
    assert "file: left out" in page
