"""The way of somebody with a table and a model: init, check, train, audit, repair, certify."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import plan_texts
import polars as pl
import pyarrow as pa
import pytest
import torch
from plan_texts import plan

import rafair

ATTACK = "rafair"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The good table and plan, and the network that ``rafair train`` made for them."""
    path = tmp_path_factory.mktemp("way")
    (path / "people.csv").write_text(plan_texts.csv())
    (path / "plan.toml").write_text(plan())
    model = path / "model.safetensors"
    done = plan_texts.run("train", path / "plan.toml", "--epochs", "60", "--out", model)
    assert (done.code, done.err) == (0, "")
    assert "balanced accuracy" in done.out
    return path


@pytest.fixture(scope="session")
def run_directory(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("audited") / "run"
    done = plan_texts.run("audit", folder / "plan.toml", "--out", path)
    assert (done.code, done.err) == (0, "")
    return path


@pytest.fixture
def here(folder, tmp_path):
    """The files in a directory of their own; the working directory of ``rafair``."""
    for path in folder.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path


def manifest(path):
    return json.loads((path / "manifest.json").read_text())


def write_plan(here, *edits):
    (here / "plan.toml").write_text(plan(*edits))


def check_narrow(text):
    """No line wider than a terminal."""
    assert max(map(len, text.splitlines())) <= 80


def test_from_a_table_to_a_repaired_and_certified_run(rafair_cli, tmp_path):
    rafair = rafair_cli
    (tmp_path / "people.csv").write_text(plan_texts.csv())
    drafted = rafair("init", "people.csv", "--label", "paid", "--sensitive", "sex,race")
    assert (drafted.code, drafted.err) == (0, "")
    assert "# Look: id: left out, every row has another whole number" in drafted.out
    assert "# Look: income: 3 of 200 cells are empty; name a rule for them." in drafted.out
    assert 'columns = ["race_a", "race_b", "race_c"]' in drafted.out
    (tmp_path / "plan.toml").write_text(drafted.out)
    refused = rafair("check", "plan.toml")
    assert refused.code == 2
    assert "'income', row 5: the cell is empty" in refused.complaint
    text = drafted.out.replace('missing = "refuse"', 'missing = "median"')
    assert 'ignore = ["id"]' in text
    text = text.replace("relations = []", 'relations = ["age >= 18 + years"]')
    (tmp_path / "plan.toml").write_text(text)
    checked = rafair("check", "plan.toml")
    assert checked.code == 0
    assert "I(v) has 6 combinations of race, sex." in checked.out.replace("\n", " ")
    assert "No model is named; give one with --model." in checked.out
    assert rafair("train", "plan.toml", "--epochs", "40", "--quiet").code == 0
    (tmp_path / "plan.toml").write_text(
        text.replace("# [model]", "[model]").replace(
            '# path = "model.skops"', 'path = "plan.safetensors"'
        )
    )
    assert "gives gradients" in rafair("check", "plan.toml").out.replace("\n", " ")
    audited = rafair("audit", "plan.toml", "--seeds", "10", "--steps", "3", "--out", "run")
    assert (audited.code, audited.err) == (0, "")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    repaired = rafair("repair", "run")
    assert (repaired.code, repaired.err) == (0, "")
    assert (tmp_path / "run" / "metrics.json").read_bytes() != before
    people = pd.read_parquet(tmp_path / "run" / "instances.parquet")
    assert set(people["stage"]) == {"clean", "attacked", "repaired"}
    assert people["feasible"].all()
    (tmp_path / "run" / "report.html").unlink()
    assert rafair("report", "run").code == 0
    assert "<title>" in (tmp_path / "run" / "report.html").read_text()
    certified = rafair("certify", "plan.toml", "--seeds", "3", "--max-nodes", "40", "--out", "c")
    assert (certified.code, certified.err) == (0, "")
    assert (tmp_path / "c" / "certificates.json").exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"people.csv", "plan.toml", "plan.safetensors", "run", "c"}


@pytest.fixture
def rafair_cli(rafair):
    """The command line; the name ``rafair`` is the library's here."""
    return rafair


def test_a_plan_may_lie_elsewhere(rafair_cli, here):
    away = here / "away"
    away.mkdir()
    done = rafair_cli("audit", here / "plan.toml", "--quiet", "--out", away / "one")
    assert done.code == 0
    (here / "plans").mkdir()
    moved = plan("[data] table = '../people.csv'", "[model] path = '../model.safetensors'")
    (here / "plans" / "other.toml").write_text(moved)
    assert rafair_cli("audit", "plans/other.toml", "--quiet", "--out", "away/two").code == 0
    one, two = manifest(away / "one"), manifest(away / "two")
    assert one["dataset"]["sha256"] == two["dataset"]["sha256"]
    assert one["model"]["file_sha256"] == two["model"]["file_sha256"]
    assert two["dataset"]["plan"] == str(here / "plans" / "other.toml")


def test_a_run_directory_is_named_after_the_plan(rafair_cli, here):
    (here / "plan.toml").rename(here / "loans.toml")
    assert rafair_cli("audit", "loans.toml", "--quiet").code == 0
    (found,) = (here / "runs").iterdir()
    assert found.name.startswith("loans-")


def test_a_run_of_a_plan_can_be_repaired_from_anywhere(
    rafair_cli, run_directory, tmp_path_factory, tmp_path
):
    copy = tmp_path / "copied"
    shutil.copytree(run_directory, copy)
    done = rafair_cli("repair", copy, "--steps", "2", "--quiet")
    assert (done.code, done.err) == (0, "")
    metrics = json.loads((copy / "metrics.json").read_text())
    assert set(metrics["repairs"]) == set(metrics["attacks"])


@pytest.mark.parametrize("lost", ["plan.toml", "people.csv", "model.safetensors"])
def test_a_repair_whose_files_are_gone_says_which(rafair_cli, here, lost):
    assert rafair_cli("audit", "plan.toml", "--quiet", "--out", "run").code == 0
    (here / lost).unlink()
    before = plan_texts.listing(here)
    assert lost in rafair_cli("repair", "run").complaint
    assert plan_texts.listing(here) == before


def test_a_repair_refuses_a_plan_that_was_changed_since(rafair_cli, here):
    assert rafair_cli("audit", "plan.toml", "--quiet", "--out", "run").code == 0
    write_plan(here, "[data] random_state = 1")
    before = plan_texts.listing(here)
    assert rafair_cli("repair", "run").code == 2
    assert plan_texts.listing(here) == before


def test_the_manifest_says_what_was_audited(run_directory, folder):
    found = manifest(run_directory)
    model = found["model"]
    assert model["access"] == "gradient"
    assert model["kind"]
    assert model["reads"] == "unit"
    assert model["path"] == str(folder / "model.safetensors")
    assert found["dataset"]["plan"] == str(folder / "plan.toml")
    assert found["dataset"]["notes"] == [
        "3 empty cells of income were filled with 4491.2 (median)."
    ]
    assert found["schema"]["relations"] == ["age >= 18 + years"]
    assert found["schema"]["sensitive"] == ["age", "race", "sex"]
    plan_ = found["plan"]
    assert (plan_["n_seeds"], plan_["steps"], plan_["epsilon"]) == (8, 2, 0.1)
    assert (plan_["setting"], plan_["queries"], plan_["loss"]) == ("feasible", 60, "mse")
    json.dumps(found, allow_nan=False)


def test_every_instance_is_a_possible_person(run_directory, folder):
    people_ = pd.read_parquet(run_directory / "instances.parquet")
    assert people_["feasible"].all()
    data = rafair.plans.plan_file.read_plan(folder / "plan.toml").load()
    points = torch.from_numpy(np.stack(people_["x"].tolist()))
    assert data.schema.possible(points).all()
    frame = data.decode(points)
    assert (frame["age"] >= 18 + frame["years"]).all()
    assert (frame[["race_a", "race_b", "race_c"]].sum(axis=1) == 1).all()
    origin = people_[people_["stage"] == "clean"].set_index("seed")
    for _, row in people_.iterrows():
        first = origin.loc[row["seed"]]
        assert abs(row["years"] - first["years"]) <= 2
        assert abs(row["income"] - first["income"]) <= 0.05 * 9000 + 0.01
        assert (row["age"], row["sex"], row["race"]) == (first["age"], first["sex"], first["race"])


def test_the_report_has_the_notes(rafair_cli, here):
    frame = plan_texts.people().copy()
    frame.loc[0, ["age", "years"]] = [18, 9]
    (here / "people.csv").write_text(frame.to_csv(index=False))
    done = rafair_cli("audit", "plan.toml", "--out", "run")
    assert done.code == 0
    page = (here / "run" / "report.html").read_text()
    for note in (
        "3 empty cells of income were filled with",
        "1 of 200 rows break the relation 'age &gt;= 18 + years' and are left out.",
    ):
        assert note in page.replace("&#39;", "'")
    assert "Note: 1 of 200 rows break the relation" in done.out


@pytest.mark.parametrize("bound", ["1", "0.999"])
def test_a_gate_of_the_plan_fails(rafair_cli, here, bound):
    write_plan(here, f"[audit.fail_under] r_af = {bound}", "[audit.fail_under] acc = 0.01")
    done = rafair_cli("audit", "plan.toml", "--out", "run")
    assert done.code == 1
    assert "Gate failed: r_af is" in done.out
    assert "Gate failed: acc" not in done.out
    assert (here / "run" / "report.html").exists()


def test_a_gate_on_the_command_line_replaces_the_plan_s(rafair_cli, here):
    write_plan(here, "[audit.fail_under] r_af = 1")
    done = rafair_cli("audit", "plan.toml", "--fail-under", "r_af=0", "--out", "run")
    assert done.code == 0


def test_options_on_the_command_line_replace_the_plan_s(rafair_cli, here):
    options = ("--seeds", "3", "--steps", "1", "--epsilon", "0.02", "--attack", "pgd")
    assert rafair_cli("audit", "plan.toml", *options, "--quiet", "--out", "run").code == 0
    found = manifest(here / "run")["plan"]
    assert (found["n_seeds"], found["steps"], found["epsilon"]) == (3, 1, 0.02)
    assert found["attacks"] == ["pgd"]
    assert found["queries"] == 60


def constant(width=7):
    """A network that answers alike for everybody, whatever it is given."""
    layer = torch.nn.Linear(width, 2)
    torch.nn.init.zeros_(layer.weight)
    layer.bias.data = torch.tensor([0.0, 3.0])
    return torch.nn.Sequential(layer).eval()


def save_constant(path):
    if path.suffix == ".pt":
        torch.save(constant(), path)
    elif path.suffix == ".pt2":
        rows = torch.export.Dim("rows")
        exported = torch.export.export(constant(), (torch.rand(4, 7),), dynamic_shapes=({0: rows},))
        torch.export.save(exported, path)
    else:
        skops = pytest.importorskip("skops.io")
        from sklearn.dummy import DummyClassifier

        frame = plan_texts.people().drop(columns=["paid", "id"])
        model = DummyClassifier(strategy="constant", constant="yes")
        skops.dump(model.fit(frame, plan_texts.people()["paid"]), path)


@pytest.mark.parametrize("suffix", [".pt", ".pt2", ".skops"])
def test_an_audit_of_a_constant_model_is_inconclusive(rafair_cli, here, suffix, monkeypatch):
    save_constant(here / f"constant{suffix}")
    keys = ["path", "inputs", "output"] if suffix == ".skops" else ["path"]
    edits = [f"[model] {key}" for key in keys]
    edits += [f"[model] path = 'constant{suffix}'", "[audit] attacks", "[audit] loss"]
    write_plan(here, *edits)
    monkeypatch.setenv("COLUMNS", "80")
    checked = rafair_cli("check", "plan.toml")
    assert checked.code == 0
    assert "accuracy 0.500, majority share 0.500" in checked.out.replace("\n", " ")
    done = rafair_cli("audit", "plan.toml", "--out", "run")
    assert done.code == 3
    text = " ".join(done.out.split())
    assert "changed no seed's cell: it shows nothing about the model." in text
    assert "Nor does it with all of the domain within reach." in text
    assert "predicts one class for everybody" in text
    found = manifest(here / "run")
    assert found["inconclusive"] is True
    assert set(found["controls"].values()) == {0}
    assert found["model"]["access"] == ("scores" if suffix == ".skops" else "gradient")
    assert "shows nothing about the model" in (here / "run" / "report.html").read_text()
    check_narrow(re.sub(r"Report: .*", "", done.out))


def test_a_gate_that_fails_counts_more_than_an_inconclusive_audit(rafair_cli, here):
    save_constant(here / "constant.pt")
    write_plan(here, "[model] path = 'constant.pt'", "[audit.fail_under] r_af = 0.9")
    done = rafair_cli("audit", "plan.toml", "--quiet", "--out", "run")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Gate failed: r_af is ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("columns", [None, "40", "80"])
def test_no_line_is_wider_than_the_terminal_and_a_pipe_has_no_width(
    rafair_cli, here, monkeypatch, columns
):
    monkeypatch.delenv("COLUMNS", raising=False)  # set where pytest's own workers begin
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    long = "the_column_that_somebody_called_by_its_question_what_do_you_earn_in_a_month_at_most"
    (here / "people.csv").write_text(plan_texts.csv().replace("income", long))
    text = plan().replace("features.income", f"features.{long}")
    text = re.sub(r"\[model\].*?\n\n", "", text, flags=re.DOTALL)
    (here / "plan.toml").write_text(text)
    done = rafair_cli("train", "plan.toml", "--epochs", "2", "--quiet")
    assert done.code == 0
    for verb in ("check", "audit"):
        done = rafair_cli(verb, "plan.toml", "--model", "plan.safetensors")
        assert done.code in (0, 3)
        lines = re.sub(r"Report: .*", "", done.out).splitlines()
        if columns is None:
            assert not any(line != line.rstrip() for line in lines)
            assert any(len(line) > 100 for line in lines)
            assert verb == "audit" or any(line.startswith(long) for line in lines)
        else:
            assert max(map(len, lines)) <= int(columns)


KINDS = {
    "pandas": (lambda frame: frame, pd.DataFrame),
    "polars": (pl.from_pandas, pl.DataFrame),
    "pyarrow": (lambda frame: pa.Table.from_pandas(frame, preserve_index=False), pa.Table),
}


@pytest.mark.parametrize("kind", KINDS)
def test_people_are_of_the_kind_of_frame_that_went_in(folder, kind):
    convert, expected = KINDS[kind]
    frame = plan_texts.people().drop(columns="id")
    data = rafair.read_table(
        convert(frame),
        label="paid",
        sensitive=["race", "sex"],
        one_hot={"race": ["race_a", "race_b", "race_c"]},
        missing={"income": "median"},
        relations=["age >= 18 + years"],
    )
    model = rafair.train_fcnn(data, epochs=3)
    found = rafair.audit(model, data, attacks="pgd", n_seeds=4, steps=2, step_size=0.05)
    for stage in ("clean", "attacked"):
        people_ = found.people(data, stage)
        assert type(people_) is expected
        names = people_.column_names if kind == "pyarrow" else people_.columns
        assert list(names) == list(frame.columns)
        assert len(people_) == 4
        again = people_.to_pandas() if kind != "pandas" else people_
        assert set(again["paid"]) <= {"yes", "no"}
        assert data.schema.possible(data.schema.encode(people_)).all()
    clean = found.people(data, "clean")
    clean = clean if kind == "pandas" else clean.to_pandas()
    seeds = found.instances[found.instances["stage"] == "clean"]["seed"]
    truth = data.test.frame.iloc[seeds].reset_index(drop=True)[list(frame.columns)]
    pd.testing.assert_frame_equal(clean, truth, check_dtype=False)
    with pytest.raises(rafair.InvalidInput, match="stage 'repaired' has no attack"):
        found.people(data, "repaired")


def test_certify_takes_the_plan_s_options(rafair_cli, here):
    write_plan(here, "[audit] n_seeds = 3", "[audit] epsilon = 0.03", "[audit] random_state = 7",
               "[audit] counterparts = 5", "[audit] max_nodes = 11")  # fmt: skip
    assert rafair_cli("certify", "plan.toml", "--quiet", "--out", "c").code == 0
    found = manifest(here / "c")
    assert found["plan"]["n_seeds"] == 3
    assert found["plan"]["epsilon"] == 0.03
    assert found["plan"]["random_state"] == 7
    assert found["counterparts"]["checked"] == 5
    assert found["max_nodes"] == 11


def test_a_positive_number_can_be_named_on_the_command_line(rafair_cli, tmp_path):
    frame = plan_texts.people().assign(paid=(plan_texts.people()["paid"] == "yes").astype(int))
    (tmp_path / "people.csv").write_text(frame.to_csv(index=False))
    done = rafair_cli(
        "init", "people.csv", "--label", "paid", "--sensitive", "sex", "--positive", "0"
    )
    assert done.code == 0, done.err
    assert "positive = 0" in done.out


def test_names_and_levels_cannot_steer_the_terminal(rafair_cli, here):
    name, level = "a\x1b[31mred\x07", "r\x1b[0m"
    frame = plan_texts.people().assign(**{name: np.tile(["p", level], 100)})
    frame.to_csv(here / "people.csv", index=False)
    edit = '[features."a\\u001b[31mred\\u0007"] kind = "categorical"'
    write_plan(here, edit, "no [model]")
    done = rafair_cli("check", "plan.toml")
    assert done.code == 0
    assert rafair_cli("train", "plan.toml", "--epochs", "1", "--quiet").code == 0
    audited = rafair_cli("audit", "plan.toml", "--model", "plan.safetensors", "--out", "run")
    for text in (done.out, audited.out):
        assert all(c.isprintable() or c == "\n" for c in text)
