"""Audits of tables with missing cells that stay missing, from the user's rows to the report."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rafair
from rafair.report.explorer import people_shown
from rafair.runs import write_run

BRIEF = {"steps": 2, "queries": 16, "n_seeds": 14}
NUMBERS, TEXTS = ["income", "age"], ["home"]
SOME = {"income": "keep", "home": "level", "age": "level"}


def applicants(n, seed):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(
        {
            "income": rng.integers(10, 60, n).astype(float),
            "home": rng.choice(["own", "rent"], n).astype(object),
            "age": rng.choice([25.0, 40.0, 55.0], n),
            "sex": rng.integers(0, 2, n),
        }
    )
    decided = x["income"] + 0.2 * x["age"] + 9 * x["sex"] + rng.normal(0, 6, n) > 48
    for name in ("income", "home", "age"):
        x.loc[rng.random(n) < 0.2, name] = np.nan
    return x, pd.Series(np.where(decided, "yes", "no"), name="approved")


@pytest.fixture(scope="module")
def train():
    return applicants(300, 0)


@pytest.fixture(scope="module")
def held_out():
    return applicants(40, 1)


@pytest.fixture(scope="module")
def trees(train):
    columns = make_column_transformer((OneHotEncoder(), TEXTS), remainder="passthrough")
    last = HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=6, early_stopping=False)
    return make_pipeline(columns, last).fit(*train)


def audited(model, held_out, train, **options):
    x, y = held_out
    told = {"sensitive": ["sex", "age"], "reference": train[0], "missing": SOME}
    return rafair.audit(model, x, y, **{**told, **BRIEF, **options})


@pytest.fixture(scope="module")
def run(trees, held_out, train):
    return audited(trees, held_out, train)


def test_a_missing_cell_that_is_kept_stays_missing(trees, held_out, train):
    found = audited(trees, held_out, train, missing="keep").instances
    assert found["feasible"].all()
    clean = found[found["stage"] == "clean"].set_index("seed")
    for name in ("income", "home", "age"):
        missing = found["seed"].map(clean[name].isna())
        assert found[name].isna().equals(missing)
        assert 0 < missing.sum() < len(found)
    # Who is of no known age has counterparts of none.
    assert found.loc[found["age"].isna(), "worst_age"].isna().all()


def test_missing_is_a_value_of_a_sensitive_number_where_it_is_a_level(run):
    assert run.metrics["n_counterparts"] == 2 * 4
    ages = run.instances["worst_age"]
    assert set(ages.dropna()) <= {25, 40, 55}
    both = run.instances["age"].isna() != ages.isna()
    assert both.any()  # people of known age compared with people of none, or the other way round


def test_the_run_the_report_and_its_files_say_missing(run, tmp_path):
    said = " ".join(run.manifest["dataset"]["notes"])
    assert "empty cells of income stay empty (keep): Δ does not move them" in said
    assert "empty cells of home are a level of their own (level)." in said
    people = people_shown(run)
    assert any("missing" in row[1] for row in people.rows)
    gap = people.data["values"].index(None)
    features = [feature["name"] for feature in people.data["features"]]
    own = [values for _, _, _, values, _, _ in people.data["people"]]
    assert any(values[features.index("income")] == gap for values in own)
    for values, person in zip(own, people.data["people"], strict=True):
        for *_, changed, _, _ in person[5]:
            assert all(values[place] != value for place, value in changed)
    write_run(run, tmp_path / "run")
    assert rafair.load_run(tmp_path / "run").instances["income"].isna().any()


@pytest.mark.parametrize(
    "as_table", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"]
)
def test_tables_of_other_libraries_give_the_same(run, as_table, trees, held_out, train):
    x, y = held_out
    found = audited(trees, (as_table(x), y), (as_table(train[0]), None))
    assert found.metrics == run.metrics


def test_an_array_with_nan_is_audited(train, held_out):
    names = [*NUMBERS, "sex"]
    model = HistGradientBoostingClassifier(max_iter=5).fit(train[0][names].to_numpy(), train[1])
    x, y = held_out[0][names].to_numpy(), held_out[1]
    told = {"feature_names": names, "sensitive": ["sex"], "missing": "keep"}
    found = rafair.audit(model, x, y, reference=train[0][names].to_numpy(), **told, **BRIEF)
    assert found.manifest["model"]["reads"] == "original"
    assert found.instances["income"].isna().any()


def test_a_pipeline_that_imputes_is_asked_with_keep_and_converted_with_level(train, held_out):
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), NUMBERS),
        (OneHotEncoder(), TEXTS),
        remainder="passthrough",
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(*train)
    kept = audited(pipeline, held_out, train, missing="keep", sensitive=["sex"])
    assert kept.manifest["model"]["access"] == "scores"
    assert "cells of 'income' may be missing" in kept.manifest["model"]["kind"]
    rules = {"income": "median", "age": "median", "home": "level"}
    found = audited(pipeline, held_out, train, missing=rules, sensitive=["sex"])
    assert found.manifest["model"]["access"] == "gradient"
    assert found.metrics["robust"]["r_af"]["at_least"] is not None  # proved


def network(d):
    return torch.nn.Sequential(torch.nn.Linear(d, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("model", "missing", "says"),
    [
        (network(4), "keep", "column 'income' keeps missing cells, and this model, a network"),
        (network(4), {**SOME, "income": "mean"}, "column 'age' keeps missing cells, and this"),
        (network(4), "level", 'missing = "level" is for categories and sensitive columns'),
        (None, "keep", "ValueError: Input X contains NaN"),
        (None, None, '"keep" (the model reads missing values itself) or "level" (missing is a'),
    ],
)
def test_what_cannot_be_is_one_clear_line(model, missing, says, train, held_out):
    if model is None:
        filled = train[0][NUMBERS].fillna(0)
        model = make_pipeline(
            make_column_transformer(("passthrough", NUMBERS)), LogisticRegression()
        ).fit(filled, train[1])
    with pytest.raises(rafair.InvalidInput) as refused:
        audited(model, held_out, train, missing=missing)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_tensors_with_missing_cells_are_refused_for_a_network_too(held_out):
    x, y = held_out
    data = rafair.read_test(x, y, sensitive=["sex"], missing="keep")
    people, space = rafair.Counterparts.of(data.schema), rafair.PerturbationSpace.of(data.schema)
    model = rafair.wrap(network(4))
    for call in (
        lambda: rafair.judge(model, data.test.x, data.test.y, people),
        lambda: rafair.certify(model, data.test.x, data.test.y, people, space),
        lambda: rafair.attacks.RAFair().run(model, data.test.x, data.test.y, people, space),
    ):
        with pytest.raises(rafair.InvalidInput, match="column 0 keeps missing cells"):
            call()


def test_a_row_with_a_level_that_the_model_cannot_read_is_left_out_and_named(
    trees, held_out, train
):
    x, y = (part.set_axis([f"case {n}" for n in range(40)]) for part in held_out)
    x.loc["case 3", "home"] = "boat"
    x.loc["case 5", "income"] = 900.0
    found = audited(trees, (x, y), train, n_seeds=39)
    notes = found.manifest["dataset"]["notes"]
    (note,) = (note for note in notes if "cannot be read by the model" in note)
    assert note.startswith("1 of 40 test rows cannot be read by the model and are left out")
    assert "(row case 3: ValueError: Found unknown categories ['boat']" in note
    assert "case 3" not in found.instances["row"].tolist()
    assert "case 5" in found.instances["row"].tolist()
    assert any("row case 5: 900" in note for note in notes)


def test_a_model_that_reads_a_new_level_is_audited_on_it(held_out, train):
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS),
        remainder="passthrough",
    )
    model = make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5)).fit(*train)
    x, y = held_out[0].copy(), held_out[1]
    x.loc[3, "home"] = "boat"
    found = audited(model, (x, y), train, n_seeds=40)
    assert "boat" in found.instances["home"].tolist()
    assert any("row 3: 'boat'" in note for note in found.manifest["dataset"]["notes"])
