"""``rafair.audit(model, X_test, y_test, sensitive=…)`` with what one has at hand."""

import inspect

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rafair
from rafair.report import render_pages

BRIEF = {"steps": 2, "step_size": 0.05, "max_nodes": 50, "queries": 50}


def applicants(n, seed):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(
        {
            "income": rng.integers(10, 60, n),
            "debt": rng.integers(0, 50, n),
            "sex": rng.choice(["f", "m"], n),
        },
        index=[f"case {place}" for place in range(n)],
    )
    y = np.where(x["income"] - x["debt"] + 4 * (x["sex"] == "m") > 12, "yes", "no")
    return x, pd.Series(y, index=x.index, name="approved")


@pytest.fixture(scope="module")
def train():
    return applicants(300, 0)


@pytest.fixture(scope="module")
def held_out():
    return applicants(50, 1)


@pytest.fixture(scope="module")
def pipeline(train):
    columns = make_column_transformer(
        (StandardScaler(), ["income", "debt"]), (OneHotEncoder(handle_unknown="ignore"), ["sex"])
    )
    return make_pipeline(columns, LogisticRegression()).fit(*train)


@pytest.fixture(scope="module")
def run(pipeline, held_out, train):
    x, y = held_out
    return rafair.audit(pipeline, x, y, sensitive=["sex"], reference=train[0], **BRIEF)


def test_a_fitted_pipeline_is_audited_on_the_users_own_test_rows(run, pipeline, held_out):
    x, y = held_out
    assert run.metrics["n_seeds"] == len(x)
    assert run.metrics["clean"]["acc"] == pytest.approx((pipeline.predict(x) == y).mean())
    assert run.manifest["plan"]["setting"] == "feasible"
    assert run.metrics["robust"]["r_af"]["at_least"] is not None


def test_instances_and_cards_name_the_rows_as_the_user_does(run, held_out):
    clean = run.instances[run.instances["stage"] == "clean"]
    assert clean["row"].tolist() == held_out[0].index.tolist()
    page = render_pages(run)["report.html"].decode()
    broken = run.instances[(run.instances["stage"] == "attacked") & (run.instances["cell"] != "TF")]
    assert any(f"Test row {row} " in page for row in broken["row"])


def test_it_is_the_audit_of_the_wrapped_model_on_the_dataset(run, pipeline, held_out, train):
    x, y = held_out
    data = rafair.read_test(x, y, sensitive=["sex"], reference=train[0])
    again = rafair.audit(rafair.wrap(pipeline, data.schema), data, **BRIEF)
    assert again.metrics == run.metrics


def test_a_bare_model_goes_with_a_dataset_too(pipeline, held_out, train):
    x, y = held_out
    data = rafair.read_test(x, y, sensitive=["sex"], reference=train[0])
    assert rafair.audit(pipeline, data, **BRIEF).metrics["n_seeds"] == len(x)


def test_any_function_of_frames_is_a_model(held_out):
    x, y = held_out

    def decide(frame):
        return (frame["income"] > 30).to_numpy()

    run = rafair.audit(lambda frame: decide(frame).astype(float), x, y == "yes",
                       sensitive=["sex"], **BRIEF)  # fmt: skip
    assert run.metrics["robust"]["r_if"]["at_most"] == 1


def test_a_model_without_gradients_gets_upper_bounds(train, held_out):
    numbers = ["income", "debt"]
    neighbours = KNeighborsClassifier(5).fit(train[0][numbers], train[1])
    x, y = held_out
    run = rafair.audit(neighbours, x[numbers], y, sensitive=["debt"], **BRIEF)
    assert run.manifest["proofs"]["why_not"]
    assert run.metrics["robust"]["r_acc"]["at_least"] is None


def test_what_belongs_to_a_table_is_refused_beside_a_dataset(pipeline, held_out, train):
    x, y = held_out
    data = rafair.read_test(x, y, sensitive=["sex"])
    for given in ({"y": y}, {"reference": train[0]}, {"missing": "mean"}):
        with pytest.raises(rafair.InvalidInput, match=f"{next(iter(given))} belongs to a table"):
            rafair.audit(pipeline, data, **given)


def test_what_is_inferred_of_a_table_can_be_said(run, pipeline, held_out, train):
    x, y = held_out
    messy, reference = (
        table.assign(note="n", income=[f"{i}.0 €" for i in table["income"]], debt=table["debt"])
        for table in (x, train[0])
    )
    messy.loc["case 3", "debt"] = -9
    told = {
        "ignore": ["note"],
        "written": {"income": "1234.5"},
        "columns": [rafair.Column("income", kind="integer")],
        "empty": {"debt": [-9]},
        "missing": {"debt": "median"},
        "relations": ["debt >= 0"],
        "not_leaks": ["income"],
        "one_hot": {},
    }
    said = rafair.check(pipeline, messy, y, sensitive="sex", reference=reference, **told)
    assert any("debt >= 0" in line for line in said.lines)
    found = rafair.audit(pipeline, messy, y, sensitive="sex", reference=reference, **told, **BRIEF)
    assert found.metrics["clean"].keys() == run.metrics["clean"].keys()
    assert [f["name"] for f in found.manifest["schema"]["features"]] == ["income", "debt", "sex"]
    assert found.manifest["schema"]["relations"] == ["debt >= 0"]
    assert any("empty cells of debt" in note for note in found.manifest["dataset"]["notes"])


def test_a_column_that_only_the_model_reads_goes_with_what_is_said_of_others(train, held_out):
    x, y = (side.copy() for side in held_out)
    known = train[0].assign(country="US")
    columns = make_column_transformer(
        (StandardScaler(), ["income", "debt"]),
        (OneHotEncoder(handle_unknown="ignore"), ["sex", "country"]),
    )
    model = make_pipeline(columns, LogisticRegression()).fit(known, train[1])
    told = [rafair.Column("income", unit="euro")]
    found = rafair.audit(model, x.assign(country="US"), y, sensitive="sex", columns=told, **BRIEF)
    units = {f["name"]: f["unit"] for f in found.manifest["schema"]["features"]}
    assert units == {"income": "euro", "debt": "", "sex": "", "country": ""}


def test_a_table_without_labels_or_sensitive_columns_is_refused(pipeline, held_out):
    x, y = held_out
    with pytest.raises(rafair.InvalidInput, match="without its true labels; pass them as y"):
        rafair.audit(pipeline, x, sensitive=["sex"])
    with pytest.raises(rafair.InvalidInput, match="no sensitive column given"):
        rafair.audit(pipeline, x, y)


def test_the_default_number_of_seeds_is_200_or_all_there_are(held_out, pipeline):
    assert inspect.signature(rafair.audit).parameters["n_seeds"].default == 200
    x, y = held_out
    with pytest.raises(rafair.InvalidInput, match="51 seeds asked for, but the test split has 50"):
        rafair.audit(pipeline, x, y, sensitive=["sex"], n_seeds=51)
