"""The baseline attacks through an audit."""

import dataclasses
import re

import pandas as pd
import pytest

from rafair import InvalidInput, Plan, audit
from rafair.attacks.registry import attack_classes, make_attack
from rafair.plans.attacks import families_of

BASELINES = ("fgsm", "pgd", "apgd", "acg", "adf", "eidig", "dice")
LOSSLESS = ("adf", "eidig", "dice")
DRAWING = ("pgd", "apgd", "acg", "adf", "eidig", "dice")
SMALL = {"n_seeds": 12, "steps": 6, "step_size": 0.03, "counterparts": 12, "certify": False}


@pytest.fixture(scope="module")
def everything(credit, credit_model):
    return audit(credit_model, credit, attacks=[*BASELINES, "rafair"], **SMALL)


def test_every_family_gives_its_row(everything):
    rows = [*BASELINES, "rafair-tb", "rafair-ff", "rafair-fb", "rafair"]
    assert list(everything.metrics["attacks"]) == rows
    assert set(everything.instances["attack"]) == {"clean", *rows}
    for scope in everything.metrics["by_sensitive"].values():
        assert list(scope["attacks"]) == rows


def test_every_attack_has_its_cost(everything):
    cost = everything.manifest["cost"]
    assert list(cost) == [*BASELINES, "rafair-tb", "rafair-ff", "rafair-fb"]
    assert all({*spent} == {"gradients", "forwards", "changed"} for spent in cost.values())
    assert all(spent["gradients"] > 0 for spent in cost.values())
    rows = {name: (spent["gradients"], spent["forwards"]) for name, spent in cost.items()}
    assert rows["fgsm"] == (12, 0)
    assert rows["pgd"] == (12 * 6, 0)
    assert rows["apgd"] == (12 * 6, 12)
    assert rows["dice"] == (12 * 6 * 2, 12 * (7 * 13 + 12))


def test_the_cost_says_of_how_many_seeds_an_attack_changed_the_cell(everything):
    table = everything.instances.pivot(index="seed", columns="attack", values="cell")
    cost = everything.manifest["cost"]
    counted = {name: int((table[name] != table["clean"]).sum()) for name in cost}
    assert {name: spent["changed"] for name, spent in cost.items()} == counted
    assert len({*counted.values()}) > 1


def test_an_attack_on_accuracy_lowers_it_no_less_than_one_on_fairness(everything):
    rates = everything.metrics["attacks"]
    for strong in ("fgsm", "pgd", "apgd", "acg"):
        assert rates[strong]["r_acc"] <= everything.metrics["clean"]["acc"]
        assert all(rates[strong]["r_acc"] <= rates[other]["r_acc"] for other in LOSSLESS)


@pytest.mark.parametrize("name", ["adf", "eidig"])
def test_who_is_treated_alike_after_a_search_for_discrimination_was_so_before(everything, name):
    assert everything.metrics["attacks"][name]["r_if"] <= everything.metrics["clean"]["if"]


def test_the_company_of_other_attacks_does_not_matter(everything, credit, credit_model):
    alone = audit(credit_model, credit, attacks="adf", **SMALL)
    assert alone.metrics["attacks"]["adf"] == everything.metrics["attacks"]["adf"]


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_loss_is_refused_by_an_attack_without_one(credit, credit_model, name):
    message = f"^attack '{name}' has no parameter 'loss'$"
    with pytest.raises(InvalidInput, match=message):
        audit(credit_model, credit, attacks=name, loss="mse", **SMALL)
    with pytest.raises(InvalidInput, match=message):
        audit(credit_model, credit, attacks=["pgd", name], loss="mse", **SMALL)


@pytest.mark.parametrize("name", BASELINES)
def test_without_a_loss_each_attack_keeps_its_own(name):
    attack = families_of(Plan(attacks=(name,)))[name][name]
    expected = make_attack(name)
    for field in dataclasses.fields(attack):
        assert getattr(attack, field.name) == getattr(expected, field.name)
    assert Plan(attacks=(name,)).measure == "mse"


@pytest.mark.parametrize("name", sorted(set(BASELINES) - set(LOSSLESS)))
def test_a_loss_reaches_the_attacks_that_have_one(name):
    plan = Plan(attacks=(name,), loss="mse")
    assert families_of(plan)[name][name].loss == "mse"
    assert Plan(attacks=(name,), loss="margin").measure == "margin"


def test_the_shared_parameters_reach_every_attack_that_knows_them():
    given = {"steps": 7, "step_size": 0.3, "random_state": 11, "batch_size": 5}
    families = families_of(Plan(attacks=BASELINES, **given))
    assert tuple(families) == BASELINES
    for name in BASELINES:
        attack = families[name][name]
        known = {field.name for field in dataclasses.fields(attack)}
        for parameter in known & set(given):
            assert getattr(attack, parameter) == given[parameter]
        assert "batch_size" in known
        assert ("random_state" in known) == (name in DRAWING)


def instances_of(run, name):
    table = run.instances
    return table[table["attack"] == name].drop(columns="attack").reset_index(drop=True)


def drawn_with_states(data, model, name, states):
    """The instances at each random state; of all test rows, so that the seeds are the same ones."""
    given = {"n_seeds": None, "steps": 2, "step_size": 0.05, "certify": False}
    runs = [audit(model, data, attacks=name, random_state=state, **given) for state in states]
    tables = [instances_of(run, name) for run in runs]
    assert all(table["seed"].equals(tables[0]["seed"]) for table in tables)
    return tables


@pytest.mark.parametrize("name", ["apgd", "adf", "eidig", "dice"])
def test_the_random_state_reaches_what_an_attack_draws(credit, credit_model, name):
    one, again, other = drawn_with_states(credit, credit_model, name, (0, 0, 1))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


@pytest.mark.parametrize("name", ["pgd", "acg"])
def test_who_starts_at_the_seed_draws_nothing(credit, credit_model, name):
    pd.testing.assert_frame_equal(*drawn_with_states(credit, credit_model, name, (0, 1)))


def test_fgsm_takes_its_epsilon_from_the_steps(credit, credit_model):
    given = {"n_seeds": 12, "counterparts": 12, "certify": False}
    one = audit(credit_model, credit, attacks="fgsm", steps=1, step_size=0.2, **given)
    many = audit(credit_model, credit, attacks="fgsm", steps=4, step_size=0.05, **given)
    pd.testing.assert_frame_equal(instances_of(one, "fgsm"), instances_of(many, "fgsm"))


@pytest.mark.parametrize("name", BASELINES)
def test_the_worst_iterate_is_no_better_than_the_last(everything, credit, credit_model, name):
    worst = audit(credit_model, credit, attacks=name, select="worst", **SMALL)
    rates = worst.metrics["attacks"][f"{name}@worst"]
    last = everything.metrics["attacks"][name]
    for rate in ("r_acc", "r_if", "r_af"):
        assert rates[rate] <= last[rate]


def test_an_unknown_attack_is_refused_with_every_name_that_exists():
    names = [name for attack in attack_classes().values() for name in attack.variants]
    with pytest.raises(InvalidInput) as caught:
        Plan(attacks=("deepfool",))
    for name in names:
        assert re.search(rf"\b{name}\b", str(caught.value))
