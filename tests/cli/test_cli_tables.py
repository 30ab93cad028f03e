"""Tables on the command line, without a plan: one is drafted and lies in the run directory."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rafair as library

skops = pytest.importorskip("skops.io")
SMALL = ("--seeds", "6", "--steps", "2", "--attack", "pgd")
TABLES = ("--test", "test.csv", "--label", "paid", "--sensitive", "sex", "--model", "m.skops")


def people(n, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.integers(10, 60, n),
            "debt": rng.integers(0, 30, n) / 2,
            "sex": rng.choice(["f", "m"], n),
        }
    )
    paid = (frame["income"] - frame["debt"] > 25) ^ (rng.random(n) < 0.25)
    return frame.assign(paid=np.where(paid, "yes", "no"))


@pytest.fixture(scope="module")
def model():
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough")
    train = people(120, 1)
    return make_pipeline(columns, LogisticRegression()).fit(
        train.drop(columns="paid"), train["paid"]
    )


@pytest.fixture
def here(tmp_path, model):
    people(50, 0).to_csv(tmp_path / "test.csv", index=False)
    people(120, 1).to_csv(tmp_path / "train.csv", index=False)
    skops.dump(model, tmp_path / "m.skops")
    return tmp_path


def test_an_audit_of_tables_is_that_of_python_and_of_its_own_plan(rafair, here, model):
    done = rafair("audit", *TABLES, "--train", "train.csv", *SMALL, "--out", "run")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "Plan: run/plan.toml, as drafted"
    found = json.loads((here / "run" / "metrics.json").read_text())
    test, train = people(50, 0), people(120, 1)
    same = library.audit(
        model,
        test.drop(columns="paid"),
        test["paid"],
        sensitive=["sex"],
        reference=train.drop(columns="paid"),
        n_seeds=6,
        steps=2,
        step_size=0.01,
        attacks="pgd",
    )
    for part in ("clean", "attacks", "robust"):
        assert found[part] == same.metrics[part]
    again = rafair("audit", "run/plan.toml", "--quiet", "--out", "again")
    assert (again.code, again.out) == (0, "")
    assert json.loads((here / "again" / "metrics.json").read_text())["robust"] == found["robust"]
    assert rafair("repair", "run", "--quiet").code == 0
    resumed = rafair("audit", *TABLES, "--train", "train.csv", *SMALL, "--out", "run", "--resume")
    assert resumed.code == 0


def test_certify_and_check_take_tables_too(rafair, here):
    few = ("--seeds", "4", "--claim", "accurate")
    assert rafair("certify", *TABLES, *few, "--out", "proofs", "--quiet").code == 0
    assert (here / "proofs" / "plan.toml").is_file()
    checked = rafair("check", *TABLES)
    assert checked.code == 0
    assert "test: 0 rows to train, 50 to test" in checked.out
    assert not (here / "plan.toml").exists()


NEAR = (*TABLES[:5], "sex,income", *TABLES[6:], "--within", "income=5")


def test_people_are_compared_within_a_distance_without_a_plan(rafair, here):
    assert rafair("audit", *NEAR, *SMALL, "--out", "run", "--quiet").code == 0
    found = json.loads((here / "run" / "metrics.json").read_text())
    assert found["comparable"] == ["income within 5 of own"]
    assert "within = 5" in (here / "run" / "plan.toml").read_text()
    few = ("--seeds", "2", "--claim", "fair", "--quiet")
    assert rafair("certify", *NEAR, *few, "--out", "proofs").code == 0
    found = json.loads((here / "proofs" / "certificates.json").read_text())
    assert found["comparable"] == ["income within 5 of own"]
    assert "income within 5 of own" in rafair("check", *NEAR).out
    # Over a plan, and over a benchmark.
    assert "income within 2 of own" in rafair("check", "run/plan.toml", "--within", "income=2").out
    assert "age within 5 years of own" in rafair("check", "credit", "--within", "age=5").out
    refused = rafair("audit", *TABLES, "--within", "income=5")
    assert "within is for I(v), and it is not sensitive" in refused.complaint


def test_a_plan_that_cannot_be_read_yet_stays_to_be_corrected(rafair, here):
    test = people(50, 0)
    test.loc[4, "income"] = np.nan
    test.to_csv(here / "test.csv", index=False)
    refused = rafair("audit", *TABLES, *SMALL, "--out", "run")
    assert refused.code == 2
    first, advice = refused.err.splitlines()
    assert "column 'income', row 4: the cell is empty" in first
    assert advice == "correct run/plan.toml, and give it instead of the tables"
    plan = here / "run" / "plan.toml"
    plan.write_text(plan.read_text().replace('missing = "refuse"', 'missing = "median"'))
    other = rafair("audit", *TABLES, *SMALL, "--out", "run")
    assert "run/plan.toml is another plan, or was corrected; run it" in other.complaint
    assert rafair("audit", "run/plan.toml", "--out", "run", "--quiet").code == 0
    filled = rafair("audit", *TABLES, *SMALL, "--missing", "median", "--quiet", "--out", "other")
    assert filled.code == 0
    assert 'missing = "median"' in Path("other/plan.toml").read_text()


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ((), "name a dataset (adult, bank, compas, credit) or a plan, or give tables"),
        (("test.csv",), "test.csv: a table, neither a dataset nor a plan; audit its rows with"),
        (("credit", "--label", "paid"), "--label is for tables without a plan; leave it or"),
        (("--train", "train.csv"), "tables without a plan need --test too"),
        (("--test", "test.csv"), "tables without a plan need --label too"),
        (TABLES[:4], "tables without a plan need --sensitive too"),
        (TABLES[:6], "no model is named; give its file with --model"),
        ((*TABLES, "--train", "no.csv"), "no.csv: no such file"),
        ((*TABLES[:3], "payed", *TABLES[4:]), "no label column 'payed'"),
        ((*TABLES, "--missing", "guess"), "unknown rule 'guess' for empty cells"),
    ],
)
def test_what_is_missing_or_wrong_is_said_in_one_line(rafair, here, typed, complaint):
    refused = rafair("audit", *typed)
    assert refused.code == 2
    assert complaint in refused.complaint
    assert not (here / "runs").exists()


def test_a_plan_does_not_stay_where_a_command_was_interrupted_at_once(rafair, here, monkeypatch):
    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("rafair.cli.sources.Source.model", stop)
    stopped = rafair("audit", *TABLES, "--out", "run")
    assert (stopped.code, stopped.err) == (130, "error: interrupted; nothing was written\n")
    assert not (here / "run").exists()
