"""A plan is checked before anything runs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rafair import InvalidInput, Plan
from rafair.attacks import RAFair
from rafair.plans.attacks import families_of

BAD = [
    {"attacks": ()},
    {"attacks": ("deepfool",)},
    {"attacks": ("rafair", "")},
    {"n_seeds": 0},
    {"n_seeds": -1},
    {"n_seeds": 2.0},
    {"n_seeds": True},
    {"n_seeds": "8"},
    {"random_state": -1},
    {"random_state": 0.5},
    {"steps": -1},
    {"steps": 1.5},
    {"steps": False},
    {"step_size": -0.01},
    {"step_size": math.nan},
    {"step_size": math.inf},
    {"step_size": "0.1"},
    {"step_size": True},
    {"epsilon": -0.1},
    {"epsilon": math.nan},
    {"epsilon": math.inf},
    {"loss": "hinge"},
    {"loss": ""},
    {"setting": "possible"},
    {"setting": ""},
    {"select": "best"},
    {"counterparts": 0},
    {"counterparts": -3},
    {"counterparts": 1.0},
    {"batch_size": 0},
    {"batch_size": -1},
    {"batch_size": 2.5},
    {"batch_size": "large"},
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_value_is_refused_in_one_line(bad):
    with pytest.raises(InvalidInput) as caught:
        Plan(**bad)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("bad", BAD[3:], ids=str)
def test_the_complaint_names_the_parameter_or_the_value(bad):
    ((name, value),) = bad.items()
    with pytest.raises(InvalidInput) as caught:
        Plan(**bad)
    text = str(caught.value)
    assert name.removeprefix("n_") in text
    assert str(value) in text


def test_an_unknown_attack_is_refused_with_the_names_that_exist():
    with pytest.raises(InvalidInput, match="rafair, rafair-tb, rafair-ff, rafair-fb"):
        Plan(attacks=("deepfool",))


@given(st.integers(0, 50), st.floats(0, 0.5))
def test_without_an_epsilon_the_radius_is_as_far_as_the_steps_reach(steps, step_size):
    assert Plan(steps=steps, step_size=step_size).radius == steps * step_size


@given(st.floats(0, 2))
def test_a_given_epsilon_is_the_radius(epsilon):
    plan = Plan(epsilon=epsilon)
    assert plan.radius == epsilon
    assert plan.as_dict()["epsilon"] == epsilon


def test_a_family_stands_for_its_variants_in_order():
    assert list(families_of(Plan())["rafair"]) == ["rafair-tb", "rafair-ff", "rafair-fb"]


def test_every_variant_is_run_once_however_often_it_is_named():
    plan = Plan(attacks=("rafair-ff", "rafair", "rafair-ff"))
    assert sorted(families_of(plan)["rafair"]) == ["rafair-fb", "rafair-ff", "rafair-tb"]


def test_the_attacks_get_the_plans_parameters():
    plan = Plan(steps=7, step_size=0.3, loss="margin", batch_size=5)
    attack = families_of(plan)["rafair"]["rafair-ff"]
    assert attack == RAFair("false_fair", 0.3, 7, "margin", batch_size=5)


def test_the_counterparts_are_all_or_a_sample(credit):
    assert len(Plan().people(credit.schema)) == 106
    assert len(Plan(counterparts=12).people(credit.schema)) == 12
    assert len(Plan(counterparts=10**6).people(credit.schema)) == 106
    assert len(Plan(counterparts=12).people(credit.schema, "sex")) == 2


def test_a_plan_rebuilds_from_its_dictionary():
    plan = Plan(attacks=("rafair-tb",), epsilon=0.25, setting="feasible", select="worst")
    described = plan.as_dict()
    assert Plan(**{**described, "attacks": tuple(described["attacks"])}) == plan


@pytest.mark.parametrize(("n_seeds", "seconds"), [(1, 10.0), (200, 60.0)])
def test_proofs_get_time_for_each_seed_and_some_for_few(n_seeds, seconds):
    assert Plan().proof_seconds(n_seeds) == pytest.approx(seconds)
    assert Plan(max_seconds=2.5).proof_seconds(n_seeds) == 2.5
