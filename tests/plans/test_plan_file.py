"""What a plan says, and what of it reaches data, model and audit."""

import re

import numpy as np
import pandas as pd
import pytest

import rafair
from rafair.plans.options import options_of
from rafair.plans.plan import Plan
from rafair.plans.plan_file import read_plan

N = 60
HEAD = """
relations = ["age >= 18 + years"]
[data]
table = "{table}"
label = "paid"
{data}
[features.age]
kind = "integer"
{age}
[features.years]
{years}
[features.income]
{income}
[features.size]
kind = "ordinal"
levels = ["small", "medium", "large"]
{size}
[features.job]
{job}
[features.sex]
sensitive = true
[audit]
{audit}
"""
PLACES = ("data", "age", "years", "income", "size", "job", "audit")


def people():
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "age": np.r_[20, 70, rng.integers(30, 71, N - 2)],
            "years": np.r_[0, 10, rng.integers(0, 11, N - 2)],
            "income": np.r_[0.5, 100.5, rng.integers(1, 100, N - 2) + 0.25],
            "size": np.tile(["small", "medium", "large"], N // 3),
            "job": np.tile(["cook", "judge", "nurse", "smith"], N // 4),
            "sex": np.tile(["f", "m"], N // 2),
            "paid": np.repeat(["no", "yes"], N // 2),
        }
    )


@pytest.fixture
def planned(tmp_path):
    """Write a plan and its table; return what ``read_plan`` makes of it."""

    def write(table="people.csv", folder=".", **parts):
        people().to_csv(tmp_path / "people.csv", index=False)
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / "plan.toml"
        filled = {place: "\n".join(parts.get(place, "").split("; ")) for place in PLACES}
        path.write_text(HEAD.format(table=table, **filled))
        return read_plan(path)

    return write


def feature(plan, name):
    schema = plan.load().schema
    return schema.features[schema.index(name)]


def test_a_short_plan_leaves_the_rest_to_the_table(planned):
    plan = planned()
    data = plan.load()
    assert data.name == "people"
    assert not data.is_benchmark
    assert data.schema.names == ("age", "years", "income", "size", "job", "sex")
    assert [f.kind for f in data.schema.features] == [
        "integer", "integer", "numeric", "ordinal", "categorical", "categorical",
    ]  # fmt: skip
    assert data.schema.sensitive == ("sex",)
    assert data.schema.classes == ("no", "yes")
    assert data.schema.features[0].domain == (20, 70)
    assert data.schema.features[3].domain == ("small", "medium", "large")
    assert data.schema.relations == ("age >= 18 + years",)
    assert len(data.test) == 18
    assert (plan.model, plan.audit, plan.gates) == (None, {}, {})


def test_the_path_of_a_plan_may_be_a_text(planned):
    plan = planned()
    assert read_plan(str(plan.path)) == plan


def test_paths_are_seen_from_the_plan_whatever_the_working_directory(
    planned, tmp_path, monkeypatch
):
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    plan = planned("../people.csv", "deep")
    assert plan.tables.test == tmp_path / "deep" / ".." / "people.csv"
    assert plan.load().digest() == planned().load().digest()
    assert planned(str(tmp_path / "people.csv"), "deep").load().digest() == plan.load().digest()


def test_the_positive_class_is_the_last(planned):
    assert planned(data='positive = "no"').load().schema.classes == ("yes", "no")


def test_split_and_state_are_those_of_the_plan(planned):
    plain = planned().load()
    assert len(planned(data="test_share = 0.5").load().test) == 30
    other = planned(data="random_state = 4").load()
    assert len(other.test) == len(plain.test)
    assert not other.test.frame.equals(plain.test.frame)


def test_ignored_columns_are_left_out(planned, tmp_path):
    plan = planned(data='ignore = ["id"]')
    people().assign(id=range(N)).to_csv(tmp_path / "people.csv", index=False)
    data = plan.load()
    assert "id" not in data.schema.names
    assert "id" not in data.test.frame.columns


@pytest.mark.parametrize(
    ("what", "expected"),
    [("epsilon = 5", 0.5), ("epsilon = '25%'", 0.25), ("epsilon = ' 2.5 % '", 0.025),
     ("epsilon = 0", 0.0), ("epsilon = '0%'", 0.0), ("epsilon = 20", 2.0), ("", None)],
)  # fmt: skip
def test_epsilon_is_in_the_feature_s_unit_or_a_share(planned, what, expected):
    # years runs from 0 to 10
    found = feature(planned(years=what), "years")
    assert found.epsilon == (None if expected is None else pytest.approx(expected))
    assert found.step is None


def test_a_step_is_in_the_same_units(planned):
    assert feature(planned(income="step = 10"), "income").step == pytest.approx(0.1)
    assert feature(planned(income="step = '10%'"), "income").step == pytest.approx(0.1)
    # A level is one of two steps of the order.
    assert feature(planned(size="epsilon = 1"), "size").epsilon == pytest.approx(0.5)


def test_the_share_is_one_of_the_range_that_is_given(planned):
    found = feature(planned(years="range = [0, 50]; epsilon = 5"), "years")
    assert found.domain == (0, 50)
    assert found.epsilon == pytest.approx(0.1)


def test_a_feature_moves_as_far_as_the_plan_says(planned):
    data = planned(years="epsilon = 2", age="perturbable = false", job="switch = true").load()
    plan = Plan.of(data, "gradient", epsilon=0.2)
    low, high = plan.space(data.schema).bounds(data.test.x)
    reach = (high - low).amax(dim=0)
    places = {name: place for place, name in enumerate(data.schema.names)}
    assert reach[places["age"]] == 0
    assert reach[places["sex"]] == 0
    assert reach[places["job"]] == 1
    assert 0.39 < reach[places["years"]] < 0.51
    assert reach[places["income"]] <= 0.41


def test_bins_are_the_axis_of_a_sensitive_number(planned):
    found = feature(planned(age="sensitive = true; bins = [20, 40, 70]"), "age")
    assert len(found.axis) == 2
    assert not found.movable


def test_counterparts_stay_within_what_the_plan_says(planned):
    data = planned(age="sensitive = true; within = 10").load()
    assert data.schema.features[0].within == 10
    x = data.test.x
    people = rafair.Counterparts.of(data.schema, only="age")
    ages = data.schema.decode(people.rows(x))["age"].to_numpy().reshape(len(x), -1)
    own = data.schema.decode(x)["age"].to_numpy()
    assert np.array_equal(
        people.valid(x).numpy(), (abs(ages - own[:, None]) <= 10) & exist(ages, x)
    )


def exist(ages, x):
    """Whose age the plan's relation, age >= 18 + years, allows."""
    return ages >= 18 + np.rint(x[:, 1].numpy() * 10)[:, None]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"age": "within = 10"}, "within is for I(v), and it is not sensitive"),
        ({"age": "sensitive = true; within = -1"}, "within must be finite and not negative"),
        ({"size": "sensitive = true; within = 1"}, "within is for numbers; it is ordinal"),
        ({"age": "sensitive = true; within = 'ten'"}, "within"),
    ],
)
def test_a_distance_that_means_nothing_is_refused(planned, parts, text):
    with pytest.raises(rafair.InvalidInput, match=re.escape(text)):
        planned(**parts).load()


def test_every_option_reaches_the_audit(planned):
    values = {
        "n_seeds": ("7", 7), "random_state": ("3", 3), "steps": ("4", 4),
        "step_size": ("0.02", 0.02), "epsilon": ("0.3", 0.3), "loss": ('"margin"', "margin"),
        "setting": ('"paper"', "paper"), "select": ('"worst"', "worst"),
        "counterparts": ("2", 2), "queries": ("99", 99), "certify": ("false", False),
        "curve": ("true", True), "max_seconds": ("9.5", 9.5),
        "max_nodes": ("12", 12), "batch_size": ("64", 64),
    }  # fmt: skip
    assert set(values) == set(options_of(Plan)) - {"attacks"}
    plan = planned(audit="; ".join(f"{key} = {raw}" for key, (raw, _) in values.items()))
    assert plan.audit == {name: value for name, (_, value) in values.items()}


def test_attacks_reach_the_audit_in_their_order(planned):
    plan = planned(audit='attacks = ["pgd", "rafair-tb"]; n_seeds = 4; steps = 2; select = "worst"')
    data = plan.load()
    run = rafair.audit(rafair.train_fcnn(data, epochs=2), data, **plan.audit)
    assert list(run.metrics["attacks"]) == ["pgd@worst", "rafair-tb@worst"]
    assert run.metrics["n_seeds"] == 4
    assert run.manifest["plan"]["setting"] == "feasible"


def test_all_stands_for_none(planned):
    plan = planned(audit='n_seeds = "all"; counterparts = "all"')
    assert plan.audit == {"n_seeds": None, "counterparts": None}


def test_gates_are_numbers(planned):
    plan = planned(audit="fail_under = { r_af = 0.5, acc = 1 }")
    assert plan.gates == {"r_af": 0.5, "acc": 1.0}
    assert plan.audit == {}


def test_a_model_is_seen_from_the_plan(planned, tmp_path):
    extra = '[model]; path = "models/a.onnx"; inputs = "unit"; output = "logits"; trust = ["a.B"]'
    model = planned(audit=f"n_seeds = 3; {extra}").model
    assert model.path == tmp_path / "models" / "a.onnx"
    assert (model.inputs, model.output, model.trust) == ("unit", "logits", ("a.B",))


def test_filled_cells_are_noted(planned, tmp_path):
    plan = planned(income="missing = 'mean'", job="fill = 'cook'")
    frame = people()
    frame.loc[3, "income"] = np.nan
    frame.loc[[4, 5], "job"] = None
    frame.to_csv(tmp_path / "people.csv", index=False)
    first, second = plan.load().notes
    assert first.startswith("1 empty cells of income were filled with")
    assert first.endswith("(mean).")
    assert second == "2 empty cells of job were filled with cook (the value given)."


def test_rows_that_break_a_relation_are_left_out_and_counted(planned, tmp_path):
    plan = planned()
    frame = people()
    frame.loc[[0, 30], "years"] = 10
    frame.loc[[0, 30], "age"] = 20
    frame.to_csv(tmp_path / "people.csv", index=False)
    data = plan.load()
    assert data.notes == ("2 of 60 rows break the relation 'age >= 18 + years' and are left out.",)
    assert len(data.train) + len(data.test) == N - 2


def test_an_unused_feature_section_is_not_passed_over(planned):
    with pytest.raises(rafair.InvalidInput, match=r"plan.toml: \[features.years\] 'steps' is u"):
        planned(years="steps = 3")


def test_a_plan_says_how_numbers_are_written_and_what_the_bulk_is(tmp_path):
    n = 60
    debt = [f"{1000 + row:,} USD" for row in range(n)]
    frame = pd.DataFrame(
        {
            "debt": debt,
            "lines": [999, 999, *(row % 9 for row in range(n - 2))],
            "sex": ["f", "m", "m"] * (n // 3),
            "paid": [0, 1] * (n // 2),
        }
    )
    frame.to_csv(tmp_path / "people.csv", index=False)
    text = """
[data]
table = "people.csv"
label = "paid"
[features.debt]
written = "1,234.5"
[features.lines]
empty = [999]
missing = "median"
bulk = [0, 5]
[features.sex]
sensitive = true
"""
    (tmp_path / "plan.toml").write_text(text)
    debt, lines, _ = read_plan(tmp_path / "plan.toml").load().schema.features
    assert debt.domain == (1000, 1059)
    assert (lines.domain, lines.bulk) == ((0, 8), (0, 5))
    for wrong, right, message in (
        ("1,234.5", "1_0", "written must be one of"),
        ("bulk = [0, 5]", "bulk = [5, 50]", "the bulk must be"),
        ('missing = "median"', "", "row 0: the cell is 999, which stands for an empty one"),
    ):
        (tmp_path / "plan.toml").write_text(text.replace(wrong, right))
        with pytest.raises(rafair.InvalidInput, match=message):
            read_plan(tmp_path / "plan.toml").load()


def test_a_plan_that_names_no_kind_takes_it_from_the_values_and_says_so(tmp_path):
    n = 60
    flags = [row % 2 * 1.0 for row in range(n)]
    frame = pd.DataFrame({"flag": flags, "sex": ["f", "m", "m"] * 20, "paid": [0, 1, 1, 0] * 15})
    frame["debt"] = [row % 17 * 1.0 for row in range(n)]
    frame.to_csv(tmp_path / "people.csv", index=False)
    text = """
[data]
table = "people.csv"
label = "paid"
[features.flag]
[features.debt]
[features.sex]
sensitive = true
"""
    (tmp_path / "plan.toml").write_text(text)
    data = read_plan(tmp_path / "plan.toml").load()
    assert [f.kind for f in data.schema.features] == ["categorical", "integer", "categorical"]
    assert [note.partition(":")[0] for note in data.notes] == ["flag", "debt"]
    (tmp_path / "plan.toml").write_text(
        text.replace("[features.debt]", '[features.debt]\nkind = "numeric"')
    )
    data = read_plan(tmp_path / "plan.toml").load()
    assert data.schema.features[1].kind == "numeric"
    assert [note.partition(":")[0] for note in data.notes] == ["flag"]


def test_a_plan_may_name_test_and_training_rows_instead_of_one_table(planned, tmp_path):
    plan = planned()
    people()[::3].to_csv(tmp_path / "unseen.csv", index=False)
    text = plan.path.read_text()
    two = text.replace('table = "people.csv"', 'test = "unseen.csv"\ntrain = "people.csv"')
    plan.path.write_text(two)
    data = read_plan(plan.path).load()
    assert (data.name, len(data.train), len(data.test)) == ("unseen", N, N // 3)
    for extra, complaint in {
        'table = "people.csv"': r"\[data\] has table beside test or train",
        "test_share = 0.5": r"\[data\] test_share has no effect beside test",
        "random_state = 1": r"\[data\] random_state has no effect beside test",
    }.items():
        plan.path.write_text(two.replace("[data]\n", f"[data]\n{extra}\n"))
        with pytest.raises(rafair.InvalidInput, match=complaint):
            read_plan(plan.path)
    plan.path.write_text(text.replace('table = "people.csv"', 'train = "people.csv"'))
    with pytest.raises(rafair.InvalidInput, match=r"\[data\] table is missing; or test, the table"):
        read_plan(plan.path)
