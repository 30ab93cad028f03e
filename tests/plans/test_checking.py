"""What ``rafair check`` says of a table, a plan and a model."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from rafair.datasets.described import Described, Description, make_dataset
from rafair.plans.checking import check_model, check_table
from rafair.plans.plan import Plan
from rafair.schema import Column

N = 60


def people():
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "age": np.r_[20, 60, rng.integers(20, 61, N - 2)],
            "income": np.r_[0.5, 200.5, rng.integers(1, 200, N - 2) + 0.25],
            "grade": np.tile([1, 2, 3, 4], N // 4),
            "size": np.tile(["s", "m", "l"], N // 3),
            "job": np.tile(["a", "b", "c", "d", "e", "f"], N // 6),
            "sex": np.tile(["f", "m"], N // 2),
            "race": np.tile(["x", "x", "y", "y", "z"], N // 5),
            "paid": np.r_[["yes"] * 40, ["no"] * 20],
        }
    )


def dataset(relations=(), **changes):
    known = {
        "age": Described(Column("age", unit="years")),
        "income": Described(Column("income", unit="EUR")),
        "grade": Described(Column("grade", "integer")),
        "size": Described(Column("size", "ordinal", levels=("s", "m", "l"), perturbable=True)),
        "job": Described(Column("job")),
        "sex": Described(Column("sex", sensitive=True)),
        "race": Described(Column("race", sensitive=True)),
    } | changes
    description = Description("paid", tuple(known.values()), relations=tuple(relations))
    return make_dataset(people(), description, "people", "pandas")


@pytest.fixture(scope="module")
def data():
    return dataset()


def facts(data, **options):
    found = check_table(data, Plan.of(data, "gradient", **options))
    return {f.name: f for f in found.features}, " ".join(found.lines)


def moves(data, name, **options):
    return facts(data, **options)[0][name].moves


def test_every_feature_has_a_line_in_the_table_s_order(data):
    found, _ = facts(data)
    assert tuple(found) == data.schema.names
    assert found["age"].domain == "20 to 60 years"
    assert found["income"].domain == "0.5 to 200.5 EUR"
    assert found["size"].domain == "s, m, l"
    assert found["job"].domain == "a, b, c, d, e, f"


@pytest.mark.parametrize(
    ("name", "epsilon", "expected"),
    [
        ("age", 0.1, "±4 years"),
        ("age", 0.01, "nowhere: ε is too small"),
        ("income", 0.1, "±20 EUR"),
        ("grade", 0.34, "±1.02"),
        ("grade", 0.3, "nowhere: ε is too small"),
        ("size", 0.5, "±1 levels"),
        ("size", 1.0, "±2 levels"),
        ("size", 0.4, "nowhere: ε is too small"),
        ("job", 0.5, "fixed"),
        ("sex", 0.5, "sensitive, 2 values"),
        ("race", 0.5, "sensitive, 3 values"),
        ("age", 0.0, "fixed"),
    ],
)
def test_moves_are_told_in_original_units(data, name, epsilon, expected):
    assert moves(data, name, epsilon=epsilon) == expected


def test_nowhere_is_said_just_where_nothing_moves(data):
    for epsilon in (0.0, 0.01, 0.024, 0.025, 0.03, 0.3, 0.3334, 0.49, 0.5, 1.0):
        plan = Plan.of(data, "gradient", epsilon=epsilon)
        low, high = plan.space(data.schema).hull(data.test.x)
        for place, feature in enumerate(data.schema.features):
            text = moves(data, feature.name, epsilon=epsilon)
            still = text == "fixed" or text.startswith(("nowhere", "sensitive"))
            away = (high - low)[:, place] > 1e-6
            assert bool(away.any()) is not still, (feature.name, epsilon, text)


def test_own_limits_and_switches_are_told():
    own = dataset(
        age=Described(Column("age", unit="years"), epsilon=7),
        income=Described(Column("income", unit="EUR"), epsilon="5%"),
        job=Described(Column("job"), switch=True),
        grade=Described(Column("grade", perturbable=False)),
    )
    found, _ = facts(own, epsilon=0.5)
    assert found["age"].moves == "±7 years"
    assert found["income"].moves == "±10 EUR"
    assert found["job"].moves == "to any level"
    assert found["grade"].moves == "fixed"


def test_the_setting_of_the_paper_speaks_of_shares(data):
    assert moves(data, "age", epsilon=0.1, setting="paper") == "±0.1 of the range"
    assert moves(data, "sex", epsilon=0.1, setting="paper") == "sensitive, 2 values"


def test_the_lines_tell_rows_classes_and_counterparts(data):
    _, text = facts(data)
    assert "people: 42 rows to train, 18 to test" in text
    assert "label paid is no or yes, the last one positive." in text
    assert "I(v) has 6 combinations of sex, race." in text
    _, text = facts(data, counterparts=4)
    assert "I(v) has 4 sampled of 6 combinations of sex, race." in text


def test_relations_are_told_with_the_counterparts_they_leave():
    data = dataset(relations=["race != 'z' or sex == 'f'", "age >= 20"])
    _, text = facts(data)
    assert "Relation: race != 'z' or sex == 'f'" in text
    assert "Relation: age >= 20" in text
    assert "That leaves each person 5 of them." in text
    assert "rows break the relation \"race != 'z' or sex == 'f'\"" in text


def test_relations_that_depend_on_the_person_leave_more_to_some():
    data = dataset(relations=["race != 'z' or income >= 100"])
    _, text = facts(data)
    assert "That leaves each person 4 to 6 of them." in text


def test_who_is_comparable_is_told_with_the_counterparts_that_it_leaves():
    data = dataset(age=Described(Column("age", unit="years", sensitive=True, within=5)))
    found, text = facts(data)
    assert found["age"].moves.endswith("values, within 5 years")
    assert "Comparable: age within 5 years of own." in text
    assert "That leaves each person" in text


class Linear(nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.layer = nn.Linear(7, 2)
        nn.init.zeros_(self.layer.weight)
        self.layer.bias.data = torch.tensor(bias)

    def forward(self, x):
        return self.layer(x)


def said(model, data, **options):
    plan = Plan.of(data, model.access, **{"n_seeds": None, **options})
    return " ".join(check_model(model, data, plan))


def test_a_model_is_told_with_the_majority_beside_it(data):
    text = said(rafair.wrap(Linear([0.0, 1.0]), data.schema), data)
    assert "Model: torch module; it reads rows of unit space and gives gradients." in text
    assert "accuracy 0.667, majority share 0.667, balanced accuracy 0.500." in text
    assert "worse than" not in text


def test_a_model_that_is_worse_than_the_majority_is_doubted(data):
    text = said(rafair.wrap(Linear([1.0, 0.0]), data.schema), data)
    assert "accuracy 0.333" in text
    assert "That is worse than always answering the most frequent class" in text


def asked(data, answer):
    def predict(frame):
        return np.where(frame["income"] > 50, *answer)

    return rafair.wrap(predict, data.schema)


def test_blind_attacks_are_named_and_cost_nothing(data):
    model = rafair.wrap(lambda frame: np.full((len(frame), 2), 0.5), data.schema)
    assert model.access == "scores"
    text = said(model, data, attacks=["rafair", "square", "pgd"])
    assert "rafair, pgd need gradients; use the attack square." in text
    assert "Cost" not in text


def test_a_model_of_labels_is_asked(data):
    model = asked(data, ("yes", "no"))
    assert model.access == "labels"
    text = said(model, data, n_seeds=10, queries=300)
    assert "it reads frames in original units and gives decisions alone." in text
    assert "Cost: square" in text
    assert "queries" in text


def test_the_cost_counts_seeds_people_steps_and_attacks(data):
    model = rafair.wrap(Linear([0.0, 1.0]), data.schema)
    text = said(model, data, attacks=["rafair"], n_seeds=10, steps=1000)
    # 10 seeds, 6 counterparts and 2 more, 1000 steps, 3 modes
    assert "on 10 seeds take at most 0.2 million gradient rows" in text
    text = said(model, data, attacks=["pgd"], n_seeds=None, steps=100_000)
    assert "pgd on 18 seeds take at most 14.4 million gradient rows" in text


def test_more_seeds_than_rows_are_not_promised(data):
    # An audit refuses them: "1000 seeds asked for, but the test split has 18 rows".
    model = rafair.wrap(Linear([0.0, 1.0]), data.schema)
    with pytest.raises(rafair.InvalidInput, match="1000 seeds"):
        said(model, data, n_seeds=1000)


def test_a_model_with_other_classes_is_refused(data):
    model = rafair.wrap(nn.Sequential(nn.Linear(7, 3)), output="logits")
    with pytest.raises(rafair.InvalidInput, match="3 classes, the data 2"):
        check_model(model, data, Plan.of(data, "gradient"))


def test_where_epsilon_is_too_small_the_check_says_what_to_write(data):
    _, text = facts(data, epsilon=0.01)
    assert (
        "age: ε = 0.01 is less than a step of 1; write epsilon = 1 in its section of a plan, or "
        "ε = 0.025 for all features."
    ) in text
    assert "size: ε = 0.01 is less than one level; write epsilon = 1 in its section" in text
    assert "income: ε" not in text
    own = dataset(age=Described(Column("age"), epsilon=0.5))
    _, text = facts(own, epsilon=0.5)
    assert "age: its own ε is less than a step of 1; write epsilon = 1 in its section of a" in text
    found, text = facts(dataset(age=Described(Column("age"), epsilon=1)), epsilon=0.025)
    assert found["age"].moves == "±1"
    assert "age: " not in text


def test_a_check_prints_as_a_table_with_its_lines_below(data):
    model = torch.nn.Linear(len(data.schema.features), 2)
    found = rafair.check(model, data, attacks="pgd", steps=2)
    lines = repr(found).splitlines()
    assert lines[0] == "Features and what may change"
    assert lines[2].split() == ["age", "integer", "±4", "years", "20", "to", "60", "years"]
    assert not any(line != line.rstrip() for line in lines)
    assert lines[-1].startswith("Cost: pgd on 18 seeds take at most ")
    assert "<table>" in found._repr_html_()
    blind = rafair.check(None, data)
    assert blind.features == found.features
    assert not any(line.startswith(("Model:", "Cost:")) for line in blind.lines)


def test_a_check_takes_frames_as_an_audit_does():
    frame = people()
    found = rafair.check(
        lambda rows: (rows["age"] > 40).astype(int),
        frame.drop(columns="paid"),
        frame["paid"],
        sensitive=["sex"],
        n_seeds=5,
    )
    assert "I(v) has 2 combinations of sex." in found.lines
    assert "square-if on 5 seeds take at most" in found.lines[-1]
