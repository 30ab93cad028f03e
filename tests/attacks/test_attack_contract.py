"""What every attack owes; a new one is tested here unasked, and so are the repairs."""

import copy
import dataclasses
import functools
import pickle

import pytest
import torch
from torch import nn

import rafair
from brief import brief, short
from rafair.attacks.base import AIMS
from rafair.attacks.registry import (
    attack_classes,
    family_names,
    make_attack,
    variants_of,
)
from rafair.repair import Benign, BenignSearch, Minimax

VARIANTS = [name for attack in attack_classes().values() for name in attack.variants]
REPAIRS = {repair.name: repair for repair in (Benign, BenignSearch, Minimax)}
ASKING = [name for name in VARIANTS if not variants_of(name)[0].gradients] + [BenignSearch.name]
everyone = pytest.mark.parametrize("name", [*VARIANTS, *REPAIRS])
following = pytest.mark.parametrize("name", [n for n in [*VARIANTS, *REPAIRS] if n not in ASKING])


@pytest.fixture(scope="module", autouse=True)
def _brief():
    with brief():
        yield


# Scores that an attack without gradients may ask for.
QUERIES = 300


def proposer(name):
    return short(REPAIRS[name]() if name in REPAIRS else make_attack(name), QUERIES)


@pytest.fixture(scope="module", params=[(2, torch.float64), (3, torch.float32)], ids=str)
def small(request, make_problem):
    k, dtype = request.param
    return make_problem(k, seed=20 + k, n=7, dtype=dtype)


@pytest.fixture(scope="module")
def outcome(small):
    """Run each attack on the small problem once."""
    return functools.cache(lambda name: proposer(name).run(*small.arguments))


@pytest.fixture(scope="module")
def again(small):
    """Run the twin of each attack, made from its pickle, on copies of everything, once.

    Returns the twin, the copies and the result.
    """

    def run(name):
        twin = pickle.loads(pickle.dumps(proposer(name)))
        own = small.but(
            x=small.x.clone(), y=small.y.clone(), counterparts=copy.deepcopy(small.counterparts)
        )
        return twin, own, twin.run(*own.arguments)

    return functools.cache(run)


@everyone
def test_the_result_lies_in_the_space_and_has_xs_shape_and_type(small, outcome, name):
    result = outcome(name)
    assert result.x_adv.shape == small.x.shape
    assert result.x_adv.dtype == small.x.dtype
    assert torch.isfinite(result.x_adv).all()
    assert small.space.contains(result.x_adv, small.x).all()
    if result.trajectory is not None:
        for points in result.trajectory.points:
            assert small.space.contains(points, small.x).all()


@everyone
def test_something_moves_but_no_sensitive_column(small, outcome, name):
    x_adv = outcome(name).x_adv
    columns = list(small.counterparts.columns)
    assert torch.equal(x_adv[:, columns], small.x[:, columns])
    assert not torch.equal(x_adv, small.x)


@everyone
def test_the_result_is_repeatable_and_pickling_changes_nothing(outcome, again, name):
    first, (twin, _, second) = outcome(name), again(name)
    assert twin == proposer(name)
    assert torch.equal(first.x_adv, second.x_adv)
    assert first.n_gradients == second.n_gradients
    assert first.n_forwards == second.n_forwards


@everyone
def test_the_inputs_are_neither_mutated_nor_handed_out(small, again, name):
    _, own, result = again(name)
    assert torch.equal(own.x, small.x)
    assert torch.equal(own.y, small.y)
    assert torch.equal(own.counterparts.grid, small.counterparts.grid)
    assert result.x_adv.untyped_storage().data_ptr() != own.x.untyped_storage().data_ptr()


@everyone
def test_neither_the_batch_size_nor_the_company_of_a_row_matters(small, outcome, name):
    attack = proposer(name)
    expected = outcome(name).x_adv
    if any(field.name == "batch_size" for field in dataclasses.fields(attack)):
        twin = dataclasses.replace(attack, batch_size=3)
        assert torch.equal(twin.run(*small.arguments).x_adv, expected)
    for rows in (slice(2, 3), slice(3, 7)):
        assert torch.equal(attack.run(*small.rows(rows).arguments).x_adv, expected[rows])


@everyone
def test_it_reports_what_it_cost(outcome, name):
    result = outcome(name)
    assert isinstance(result.n_gradients, int)
    assert isinstance(result.n_forwards, int)
    assert result.n_gradients + result.n_forwards > 0


@everyone
def test_the_trajectory_begins_at_the_seed_and_passes_through_the_result(small, outcome, name):
    result = outcome(name)
    points = result.trajectory.points
    assert torch.equal(points[0], small.x)
    assert (points == result.x_adv).all(dim=2).any(dim=0).all()


@everyone
def test_the_pool_holds_points_of_the_trajectory_but_not_the_seeds(small, outcome, name):
    result = outcome(name)
    points, pool = result.trajectory.points, result.pool
    assert pool.shape[1:] == small.x.shape
    if result.trajectory.after_steps is None:
        assert torch.equal(pool, result.x_adv[None])
    else:
        assert torch.equal(pool, points[-len(pool) :])
        assert 0 < len(pool) < len(points)


@everyone
def test_in_the_feasible_setting_it_proposes_possible_people(credit, credit_model, name):
    x, y = credit.test.x[:6], credit.test.y[:6]
    space = rafair.PerturbationSpace.of(credit.schema, 0.3, "feasible")
    counterparts = rafair.Counterparts.of(credit.schema, sample=9)
    x_adv = proposer(name).run(credit_model, x, y, counterparts, space).x_adv
    assert space.contains(x_adv, x).all()
    people = credit.schema.encode(credit.schema.decode(x_adv))
    torch.testing.assert_close(people, x_adv, rtol=0, atol=1e-9)


@everyone
def test_a_row_that_is_no_number_is_refused(small, name):
    x = small.x.clone()
    x[0, 0] = float("nan")
    with pytest.raises(rafair.InvalidInput, match="row 0, column 0"):
        proposer(name).run(*small.but(x=x).arguments)


@everyone
def test_a_space_that_moves_a_sensitive_column_is_refused(small, name):
    space = rafair.PerturbationSpace(0.1)
    with pytest.raises(rafair.InvalidInput, match="sensitive column 1"):
        proposer(name).run(*small.but(space=space).arguments)


class Rootless(nn.Module):
    """Finite scores with a gradient that is NaN everywhere."""

    def forward(self, x):
        root = (x[:, :1] * 0).sqrt() + x[:, 1:2]
        return torch.cat([root, -root], dim=1)


@following
def test_a_gradient_that_is_no_number_is_refused(make_problem, name):
    problem = make_problem(2, n=5).but(model=rafair.wrap(Rootless(), output="logits"))
    with pytest.raises(rafair.InvalidInput, match="NaN"):
        proposer(name).run(*problem.arguments)


@everyone
def test_a_model_without_gradients_and_a_bare_module_are_refused(small, name):
    labels_only = dataclasses.replace(small.model, access="labels")
    if name in ASKING:
        found = proposer(name).run(*small.but(model=labels_only).arguments)
        assert found.n_gradients == 0
        assert found.n_forwards > 0
    else:
        with pytest.raises(rafair.InvalidInput, match="needs gradients, but this model gives lab"):
            proposer(name).run(*small.but(model=labels_only).arguments)
    with pytest.raises(rafair.InvalidInput, match=r"call rafair\.wrap\(model\)"):
        proposer(name).run(small.module, *small.arguments[1:])


@everyone
def test_a_label_that_does_not_exist_is_refused(small, name):
    with pytest.raises(rafair.InvalidInput, match="y holds labels outside"):
        proposer(name).run(*small.but(y=small.y + 3).arguments)


@everyone
def test_its_run_is_documented_where_every_attacks_is(name):
    line, *rest = type(proposer(name)).run.__doc__.splitlines()
    assert "see ``Attack.run``" in line
    assert not rest or name == Minimax.name


BASELINES = ("fgsm", "pgd", "apgd", "acg", "adf", "eidig", "dice")


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_one_row_under_its_own_name(name):
    attack, rows = variants_of(name)
    assert (attack.family, rows) == (name, (name,))
    assert attack is getattr(rafair.attacks, name.upper())
    assert make_attack(name) == attack()


def aiming_at(aim):
    names = [name for name in BASELINES if attack_classes()[name].aim == aim]
    assert names
    return pytest.mark.parametrize("name", names)


@aiming_at("fairness")
def test_an_attack_on_fairness_needs_no_label(small, name):
    ends = [
        make_attack(name).run(*small.but(y=y).arguments).x_adv
        for y in (small.y, torch.zeros_like(small.y), 1 - small.y.clamp_max(1))
    ]
    assert all(torch.equal(end, ends[0]) for end in ends)


@aiming_at("accuracy")
def test_an_attack_on_accuracy_looks_at_v_alone(small, name):
    others = rafair.Counterparts.product(small.counterparts.columns, [[0.3], [0.1, 0.2]])
    ends = [
        make_attack(name).run(*problem.arguments).x_adv
        for problem in (small, small.but(counterparts=others))
    ]
    assert torch.equal(*ends)


def test_attacks_are_listed_by_access_aim_and_year():
    places = [
        (not attack.gradients, AIMS.index(attack.aim), attack.year)
        for attack in attack_classes().values()
    ]
    assert places == sorted(places)
    assert family_names()[0] == "rafair"


def test_the_families_are_the_papers_attack_its_baselines_and_ours():
    ours = {"rafair", "cell", "multi-apgd", "ensemble", "adaptive", "square", "random", "boxes"}
    assert set(family_names()) == {*ours, *BASELINES}


def test_rafair_is_registered_with_its_three_modes():
    assert "rafair" in family_names()
    attack, rows = variants_of("rafair")
    assert attack is rafair.attacks.RAFair
    assert rows == ("rafair-tb", "rafair-ff", "rafair-fb")
    assert [make_attack(row).mode for row in rows] == ["true_biased", "false_fair", "false_biased"]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_found_by_its_name_and_frozen(name):
    attack = make_attack(name)
    assert variants_of(name) == (type(attack), (name,))
    assert type(attack) is getattr(rafair.attacks, type(attack).__name__)
    with pytest.raises(dataclasses.FrozenInstanceError):
        attack.family = "other"


def test_a_row_takes_the_parameters_of_its_attack():
    attack = make_attack("rafair-ff", steps=3, step_size=0.5)
    assert (attack.mode, attack.steps, attack.step_size) == ("false_fair", 3, 0.5)


def test_unknown_attacks_and_parameters_are_refused():
    with pytest.raises(rafair.InvalidInput, match=r"unknown attack 'rafiar'; use one of .*rafair"):
        make_attack("rafiar")
    with pytest.raises(rafair.InvalidInput, match="'rafair-tb' has no parameter 'speed'"):
        make_attack("rafair-tb", speed=3)
    with pytest.raises(AttributeError, match="Nobody"):
        _ = rafair.attacks.Nobody
