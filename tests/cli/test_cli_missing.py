"""Missing cells and unreadable rows on the command line: plans, resumed runs, tables alone."""

import json

import numpy as np
import pandas as pd
import pytest

skops = pytest.importorskip("skops.io")
ASKED = ("--attack", "square", "--queries", "20", "--seeds", "10", "--quiet")


def people(n, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income": rng.integers(10, 60, n).astype(float),
            "home": rng.choice(["own", "rent"], n).astype(object),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    paid = (frame["income"] > 35) ^ (rng.random(n) < 0.25)
    frame.loc[rng.random(n) < 0.2, "income"] = np.nan
    frame.loc[rng.random(n) < 0.2, "home"] = np.nan
    return frame.assign(paid=np.where(paid, "yes", "no"))


@pytest.fixture
def here(tmp_path):
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    train, test = people(200, 1), people(60, 0)
    columns = make_column_transformer(
        (SimpleImputer(), ["income"]), (OneHotEncoder(), ["home", "sex"])
    )
    model = make_pipeline(columns, LogisticRegression())
    skops.dump(model.fit(train.drop(columns="paid"), train["paid"]), tmp_path / "m.skops")
    test.loc[4, ["income", "home"]] = 33, "boat"
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    return tmp_path


def drafted(rafair, here, *options):
    done = rafair("init", "train.csv", "--label", "paid", "--sensitive", "sex", *options)
    assert done.code == 0
    (here / "plan.toml").write_text(done.out)
    return done.out


def test_one_rule_for_all_columns_in_a_drafted_plan(rafair, here):
    text = drafted(rafair, here, "--missing", "keep")
    assert 'missing = "keep"   # of every column that has empty cells' in text
    done = rafair("audit", "plan.toml", "--model", "m.skops", *ASKED, "--out", "run")
    assert (done.code, done.err) == (0, "")
    found = pd.read_parquet(here / "run" / "instances.parquet")
    assert found["income"].isna().any()
    assert "missing" in (here / "run" / "report.html").read_text()


def test_a_column_may_have_another_rule_than_all_others(rafair, here):
    drafted(rafair, here, "--missing", "median")
    done = rafair("check", "plan.toml", "--model", "m.skops")
    assert "'home'" in done.complaint
    assert 'use missing = "most_frequent"' in done.complaint
    text = (here / "plan.toml").read_text()
    head, mark, rest = text.partition("[features.home]\n")
    (here / "plan.toml").write_text(f'{head}{mark}missing = "level"\n{rest}')
    done = rafair("check", "plan.toml", "--model", "m.skops")
    assert done.code == 0
    said = " ".join(done.out.split())
    assert "empty cells of income were filled with" in said
    assert "empty cells of home are a level of their own (level)." in said
    assert "own, rent, missing" in said
    assert "gives gradients" in said


def test_an_unknown_rule_is_one_line(rafair, here):
    done = rafair("init", "train.csv", "--label", "paid", "--sensitive", "sex", "--missing", "drop")
    assert done.code == 2
    assert "unknown rule 'drop' for empty cells; use one of refuse, median," in done.complaint
    drafted(rafair, here)
    text = (here / "plan.toml").read_text().replace("test_share", 'missing = "drop"\ntest_share')
    (here / "plan.toml").write_text(text)
    done = rafair("check", "plan.toml")
    assert done.code == 2
    assert "[data] missing must be one of refuse, median" in done.complaint


def test_a_row_that_the_model_cannot_read_is_left_out_of_tables_too(rafair, here):
    tables = ("--test", "test.csv", "--train", "train.csv", "--label", "paid")
    told = (*tables, "--sensitive", "sex", "--model", "m.skops", "--missing", "keep")
    done = rafair("audit", *told, *ASKED, "--out", "run")
    assert (done.code, done.err) == (0, "")
    manifest = json.loads((here / "run" / "manifest.json").read_text())
    assert manifest["dataset"]["n_test"] == 59
    (note,) = (n for n in manifest["dataset"]["notes"] if "cannot be read by the model" in n)
    assert "(row 4: ValueError: Found unknown categories ['boat'] in column" in note
    assert "cannot be read by the model" in (here / "run" / "report.html").read_text()
    again = rafair("audit", *told, *ASKED, "--out", "run", "--resume")
    assert again.code == 0
    assert rafair("repair", "run", "--quiet").code == 0
