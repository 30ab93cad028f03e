"""Tables as files hold them, and models as people have them: what each trait must lead to.

``messy-train.csv`` and ``messy-test.csv`` hold 400 and 150 synthetic applicants, no person.
"""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rafair
from rafair.cli.app import main
from rafair.plans.drafting import draft_plan
from rafair.report import render_pages
from rafair.report.cautions import warnings as cautions_of

HERE = Path(__file__).parent
TRAIN, TEST = HERE / "messy-train.csv", HERE / "messy-test.csv"
SENSITIVE = ["female", "black"]
TOLD = {"sensitive": SENSITIVE, "missing": "median"}
BRIEF = {"steps": 2, "step_size": 0.05, "max_nodes": 30}
NUMBERS = ["income", "debt_share", "credit_lines", "liquid_assets", "dependants", "married"]
READ = [*NUMBERS, "female", "white", "black", "hispanic"]
# No row of theirs is empty, unseen or beyond a range.
LEAKS = [
    "denied: gives approved away: its value tells it in 400 of 400 rows",
    "action: gives approved away: its value tells it in 400 of 400 rows",
]


def halves(path):
    frame = pd.read_csv(path)
    return frame.drop(columns="approved"), frame["approved"]


@pytest.fixture(scope="module")
def train():
    return halves(TRAIN)


@pytest.fixture(scope="module")
def held_out():
    return halves(TEST)


def pipeline(model, numbers=READ):
    steps = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = make_column_transformer(
        (steps, numbers), (OneHotEncoder(handle_unknown="ignore"), ["history"])
    )
    return make_pipeline(columns, model)


@pytest.fixture(scope="module")
def logistic(train):
    return pipeline(LogisticRegression(max_iter=1000)).fit(*train)


@pytest.fixture(scope="module")
def run(logistic, train, held_out):
    """The audit of a fitted pipeline on the held-out file, in one line."""
    return rafair.audit(
        logistic, *held_out, certify=False, **TOLD, reference=train[0], steps=2, step_size=0.05
    )


@pytest.fixture(scope="module")
def data():
    return rafair.read_table(TRAIN, label="approved", sensitive=SENSITIVE, missing="median")


@pytest.fixture(scope="module")
def features(data):
    return {feature.name: feature for feature in data.schema.features}


@pytest.fixture(scope="module")
def plan():
    return draft_plan(TRAIN, "approved", SENSITIVE)


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """Call the command line in an empty directory; return its code and its standard output."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return ended.value.code, capsys.readouterr().out

    return call


def notes_on(data, name):
    return [note for note in data.notes if note.startswith(f"{name}: ")]


# The table.


def test_whole_numbers_that_were_floats_are_a_category_of_two_values(features, run):
    assert (features["female"].kind, features["female"].domain) == ("categorical", (0, 1))
    assert set(run.instances["female"]) == {0, 1}


def test_exclusive_columns_without_a_common_prefix_are_one_feature(data, features, run):
    group = features["white_black_hispanic"]
    assert (group.kind, group.columns) == ("categorical", ("white", "black", "hispanic"))
    assert group.sensitive
    assert any("since its column black was named" in note for note in data.notes)
    people = rafair.Counterparts.of(data.schema).expand(data.test.x[:5]).flatten(0, 1)
    races = data.schema.decode(people)[list(group.columns)]
    assert len(people) == 5 * 2 * 3
    assert (races.sum(axis=1) == 1).all()
    assert set(run.instances["white_black_hispanic"]) == {"white", "black", "hispanic"}


def test_one_column_of_a_group_stands_for_the_group(command):
    code, text = command("init", TRAIN, "--label", "approved", "--sensitive", "region_n")
    assert code == 0
    says = "region: sensitive as a whole, since its column region_n was named sensitive."
    assert f"# Look: {says}" in text
    region = tomllib.loads(text)["features"]["region"]
    assert region["columns"] == ["region_n", "region_s", "region_w"]
    assert region["sensitive"]
    told = rafair.read_table(TRAIN, label="approved", sensitive=["region_n"], missing="median")
    assert says in told.notes


@pytest.mark.parametrize("leak", LEAKS)
def test_leaks_are_named_everywhere(leak, data, plan, command, run):
    assert any(note.startswith(leak) for note in data.notes)
    assert f"# Look: {leak}" in plan
    Path("plan.toml").write_text(plan.replace('"refuse"', '"median"'))
    assert leak in " ".join(command("check", "plan.toml")[1].split())
    told = leak.replace("400 of 400", "150 of 150")
    assert any(text.startswith(told) for text in cautions_of(run))
    assert told in render_pages(run)["report.html"].decode()


def test_a_constant_is_left_out_with_a_note(data, features, plan):
    assert "country" not in features
    assert notes_on(data, "country") == ["country: left out, it has the same value in every row."]
    assert "# Look: country: left out" in plan


def test_identifiers_and_dates_are_proposed_under_ignore_with_the_reason(features, plan):
    assert not {"case_id", "filed_on"} & set(features)
    assert tomllib.loads(plan)["data"]["ignore"] == ["case_id", "filed_on", "country"]
    assert "# Look: case_id: left out, nearly every row has a text of its own" in plan
    assert "# Look: filed_on: left out, it holds dates as text" in plan


def test_codes_for_missing_stretch_no_range(data, features, plan):
    for name, code, high in (("credit_lines", 999, 9), ("liquid_assets", 1_000_000, 323)):
        feature = features[name]
        assert feature.domain[1] == code
        assert feature.bulk == (0, high)
        (note,) = (note for note in notes_on(data, name) if "a code for a missing value" in note)
        assert f"empty = [{code}]" in note
        assert f"# Look: {note}" in plan
    rows = data.schema.encode(data.test.frame)
    at = data.schema.names.index("credit_lines")
    assert rows[:, at].max() == 1  # 999 stays a person's value
    space = rafair.PerturbationSpace.of(data.schema, epsilon=0.2)
    few = rows[rows[:, at] == 2 / 999]
    for lines, is_near in ((3, True), (4, False)):  # 0.2 of 9 lines are 1.8
        moved = few.clone()
        moved[:, at] = lines / 999
        assert (space.contains(moved, few) == is_near).all()


def test_empty_cells_are_refused_until_a_rule_is_named():
    with pytest.raises(rafair.InvalidInput, match="dependants") as refused:
        rafair.read_table(TRAIN, label="approved", sensitive=SENSITIVE)
    assert all(rule in str(refused.value) for rule in ("median", "keep", "level"))


def test_empty_cells_may_stay_empty_or_be_a_level(train, held_out):
    trees = HistGradientBoostingClassifier(max_iter=5).fit(train[0][NUMBERS], train[1])
    x, y = held_out[0][NUMBERS], held_out[1]
    rules = {"dependants": "keep", "married": "level"}
    found = rafair.audit(
        trees, x, y, sensitive=["married"], missing=rules, n_seeds=60, certify=False, queries=50
    )
    assert found.metrics["n_counterparts"] == 3  # 0, 1 and missing
    attacked = found.instances[found.instances["stage"] == "attacked"]
    own = x.loc[attacked["row"], "dependants"].isna().to_numpy()
    assert own.any()
    assert (attacked["dependants"].isna().to_numpy() == own).all()


def test_rows_beyond_the_training_table_are_audited_and_named(run):
    assert run.metrics["n_seeds"] == 150
    clean = run.instances[run.instances["stage"] == "clean"].set_index("row")
    assert clean.loc[3, "history"] == "bankrupt"
    assert clean.loc[5, "income"] == 400
    page = render_pages(run)["report.html"].decode()
    assert "beyond the reference in history (row 3: &#39;bankrupt&#39;)" in page
    assert "beyond the reference in income (row 5: 400.0," in page
    assert "its domain was widened to hold them" in page


# Code.


def test_one_rule_fills_every_column_with_empty_cells(data):
    filled = [note.partition(" (")[0] for note in data.notes if "empty cells of" in note]
    assert [note.split()[4] for note in filled] == ["dependants", "married"]
    with pytest.raises(rafair.InvalidInput) as refused:
        rafair.read_table(TRAIN, label="approved", sensitive=SENSITIVE, missing="middle")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("name", [0, "0"])
def test_numbers_are_names_of_columns_as_text(name):
    rng = np.random.default_rng(0)
    x = pd.DataFrame(np.column_stack([rng.integers(0, 2, 60), rng.normal(size=60).round(2)]))
    y = (x[1] + x[0] > 0).astype(int)
    model = LogisticRegression().fit(x.to_numpy(), y)
    found = rafair.audit(model, x, y, sensitive=[name], n_seeds=10, **BRIEF)
    assert {"0", "1", "flip_0"} <= set(found.instances)
    read = rafair.read_table(x.assign(**{"2": y}), label=2, sensitive=[name])
    assert read.schema.names == ("0", "1")


def test_a_fitted_pipeline_is_audited_in_one_line(run, logistic, held_out):
    x, y = held_out
    assert run.metrics["clean"]["acc"] == pytest.approx(logistic.score(x, y))
    assert run.manifest["model"]["access"] == "gradient"
    proved = rafair.audit(logistic, x[:5], y[:5], **TOLD, **BRIEF)
    assert proved.metrics["robust"]["r_af"]["at_least"] is not None


def test_catboost_reads_frames_with_its_own_types(train, held_out):
    catboost = pytest.importorskip("catboost")
    columns = ["income", "debt_share", "history", "female"]
    x = train[0][columns].astype({"female": int})
    options = {"iterations": 5, "depth": 3, "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoostClassifier(cat_features=["history", "female"], **options)
    model.fit(x, train[1])
    shown = held_out[0][columns].astype({"female": int})
    found = rafair.audit(
        model, shown, held_out[1], sensitive=["female"], n_seeds=5, certify=False, queries=50
    )
    assert found.manifest["model"]["reads"] == "frame"
    assert found.manifest["model"]["accuracy"] == pytest.approx(model.score(shown, held_out[1]))


SELECTED = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    (OneHotEncoder(), make_column_selector(dtype_exclude="number")),
)
HARMLESS = {
    "MLPClassifier": pipeline(MLPClassifier((4,), max_iter=20, random_state=0), NUMBERS),
    "make_column_selector": make_pipeline(SELECTED, LogisticRegression()),
}


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few steps are enough
def test_a_file_with_harmless_types_needs_no_trust(name, train, tmp_path):
    skops = pytest.importorskip("skops.io")
    x = train[0][[*NUMBERS, "history"]].dropna()
    model = HARMLESS[name].fit(x, train[1][x.index])
    skops.dump(model, tmp_path / "model.skops")
    table = x.assign(approved=train[1])
    schema = rafair.Schema.infer(table, label="approved", sensitive=["married"])
    found = rafair.load_model(tmp_path / "model.skops", schema)
    decided = found.scores(schema.encode(table)).argmax(dim=1)
    assert (decided.numpy() == model.predict(x)).all()


THRESHOLDS = {
    "fixed": FixedThresholdClassifier(pipeline(LogisticRegression(max_iter=1000)), threshold=0.3),
    "tuned": TunedThresholdClassifierCV(pipeline(LogisticRegression(max_iter=1000)), cv=2),
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_decision_threshold_is_converted_with_its_pipeline(name, train, data):
    model = THRESHOLDS[name].fit(*train)
    found = rafair.wrap(model, data.schema)
    assert found.access == "gradient"
    people = data.schema.decode(data.test.x)
    decided = found.scores(data.test.x).argmax(dim=1)
    assert (decided.numpy() == model.predict(people)).all()
    assert (decided.numpy() != model.estimator_.predict(people)).any()


def test_a_model_that_reads_a_copy_of_a_sensitive_column_is_told_of(train, held_out):
    columns = ["income", "debt_share"]
    rows = []
    for people, _ in (train, held_out):
        sex = people["female"].map({0: "m", 1: "f"})
        rows.append(people[columns].assign(sex=sex, sex_male=sex == "m"))
    model = make_pipeline(
        make_column_transformer((StandardScaler(), [*columns, "sex_male"])), LogisticRegression()
    ).fit(rows[0], train[1])
    found = rafair.audit(model, rows[1], held_out[1], sensitive=["sex"], n_seeds=30, **BRIEF)
    assert found.metrics["clean"]["if"] == 1
    told = cautions_of(found)
    assert any(text.startswith("The model does not read sex: no score changes") for text in told)
    assert any(text.startswith("sex_male: equals the sensitive sex in every row") for text in told)


def test_columns_that_are_left_out_stay_where_the_model_reads_them(
    train, held_out, tmp_path, command
):
    skops = pytest.importorskip("skops.io")
    columns = ["income", "debt_share", "female", "history", "country"]
    rows, shown = train[0][columns], held_out[0][columns]
    model = make_pipeline(
        make_column_transformer(
            (StandardScaler(), make_column_selector(dtype_include="number")),
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        ),
        LogisticRegression(),
    ).fit(rows, train[1])
    found = rafair.audit(
        model, shown, held_out[1], sensitive=["female"], reference=rows, n_seeds=5, **BRIEF
    )
    assert found.manifest["model"]["access"] == "gradient"
    told = "country: kept, since the model reads it, as a feature that nothing moves; it has the"
    assert any(note.startswith(told) for note in found.manifest["dataset"]["notes"])
    skops.dump(model, tmp_path / "model.skops")
    shown.assign(approved=held_out[1]).to_csv(tmp_path / "test.csv", index=False)
    tables = ("--test", "test.csv", "--label", "approved", "--sensitive", "female")
    brief = ("--n-seeds", "5", "--steps", "2", "--max-nodes", "30", "--out", "run")
    assert command("audit", "--model", "model.skops", *tables, *brief)[0] == 0
    text = Path("run/plan.toml").read_text()
    assert tomllib.loads(text)["features"]["country"]["perturbable"] is False
    assert f"# Look: {told}" in text


def test_an_identifier_that_the_model_reads_is_refused_with_what_to_do(train):
    x = train[0][["case_id", "income", "female"]]
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["income"]), (OneHotEncoder(), ["case_id"])),
        LogisticRegression(),
    ).fit(x, train[1])
    with pytest.raises(rafair.InvalidInput, match=r"reads 'case_id', but column .* without that"):
        rafair.audit(model, x, train[1], sensitive=["female"])


def test_a_feature_that_equals_the_label_is_a_leak(train, held_out):
    rows = [half[0][["income", "female"]].assign(same=half[1]) for half in (train, held_out)]
    model = LogisticRegression(max_iter=1000).fit(rows[0], train[1])
    found = rafair.audit(model, rows[1], held_out[1], sensitive=["female"], n_seeds=30, **BRIEF)
    told = "same: gives approved away: its value tells it in 150 of 150 rows"
    assert any(text.startswith(told) for text in cautions_of(found))


def test_results_and_data_sets_are_shown_in_a_few_lines(run, data):
    for shown in (run, data):
        text, page = repr(shown), shown._repr_html_()
        assert len(text.splitlines()) <= 12
        assert len(text) < 1000
        assert page.startswith("<div><table>")
    assert "150 seeds" in repr(run)
