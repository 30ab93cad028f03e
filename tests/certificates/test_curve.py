"""Certificates at several ε against those of each ε alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rafair
from rafair.certificates import Certificate, certify, certify_curve

PROVED, BROKEN, UNDECIDED = 1, -1, 0
EPSILONS = (0.01, 0.05, 0.2)


def answered(problem):
    """The problem with labels that are right for most seeds, so that something can be proved."""
    y = problem.model.scores(problem.x).argmax(dim=1)
    y[::4] = problem.y[::4]
    return problem.but(y=y)


def spaces_of(problem, epsilons=EPSILONS):
    movable = problem.space.perturbable
    return [rafair.PerturbationSpace(epsilon, movable) for epsilon in epsilons]


def curve_of(problem, spaces, *rest, **options):
    return certify_curve(
        problem.model, problem.x, problem.y, problem.counterparts, spaces, *rest, **options
    )


@pytest.fixture(scope="module")
def mixed(make_problem):
    """A problem of which some seeds break at every ε, some at none, some in between."""
    problem = answered(make_problem(2, seed=3, n=40))
    statuses = [set(seed) for seed in statuses_of(curve_of(problem, spaces_of(problem))).T.tolist()]
    assert all(kind in statuses for kind in ({PROVED}, {BROKEN}, {PROVED, BROKEN}))
    return problem


def statuses_of(curve):
    return torch.stack([found.status for found in curve])


@given(
    seed=st.integers(0, 10_000),
    k=st.sampled_from([2, 3]),
    claim=st.sampled_from(["accurate_fair", "accurate", "fair"]),
    max_nodes=st.sampled_from([3, 300]),
)
@settings(max_examples=8)
def test_it_says_what_each_epsilon_says_alone_and_what_is_proved_stays_so_below(
    make_problem, seed, k, claim, max_nodes
):
    problem = answered(make_problem(k, seed=seed, n=10))
    spaces = spaces_of(problem)
    curve = curve_of(problem, spaces, max_nodes, claim=claim)
    assert (statuses_of(curve).diff(dim=0) <= 0).all()
    for found, space in zip(curve, spaces, strict=True):
        alone = certify(*problem.but(space=space).arguments, max_nodes, claim=claim)
        decided = alone.status != UNDECIDED
        assert torch.equal(found.status[decided], alone.status[decided])
        if max_nodes == 300 and claim != "fair":
            assert decided.all()


@pytest.mark.parametrize("claim", ["accurate_fair", "accurate", "fair"])
def test_a_witness_lies_in_the_smallest_space_in_which_somebody_is_broken(mixed, claim):
    spaces = spaces_of(mixed)
    curve = curve_of(mixed, spaces, claim=claim)
    statuses = statuses_of(curve)
    between = (statuses[-1] == BROKEN) & (statuses[0] != BROKEN)
    assert between.any()
    for place, (found, space) in enumerate(zip(curve, spaces, strict=True)):
        broken = statuses[place] == BROKEN
        assert space.contains(found.witness[broken], mixed.x[broken]).all()
        assert torch.equal(found.witness.isnan().any(dim=1), ~broken)
        assert torch.equal(found.witness_counterpart.isnan().any(dim=1), ~broken)
    first = (statuses == BROKEN).to(torch.int8).argmax(dim=0)
    broken = (statuses == BROKEN).any(dim=0).nonzero()[:, 0]
    smallest = torch.stack([found.witness for found in curve])[first[broken], broken]
    verdict = rafair.judge(mixed.model, smallest, mixed.y[broken], mixed.counterparts)
    right = {"accurate_fair": verdict.cells == 0, "accurate": verdict.accurate}
    assert not right.get(claim, verdict.fair).any()


def test_a_verdict_that_is_used_again_costs_nothing(mixed):
    small, middle, large = curve_of(mixed, spaces_of(mixed))
    assert (large.nodes > 0).all()
    proved = large.status == PROVED
    assert torch.equal(small.nodes == 0, proved)
    assert torch.equal(middle.nodes == 0, proved | (small.status == BROKEN))
    used = (small.status == BROKEN) & ~proved
    assert used.any()
    assert torch.equal(middle.witness[used], small.witness[used])


def test_two_passes_over_the_same_space_cost_one(mixed):
    first, again = curve_of(mixed, spaces_of(mixed, (0.05, 0.05)))
    assert torch.equal(first.status, again.status)
    assert (again.nodes > 0).all()
    assert torch.equal(first.nodes == 0, again.status == PROVED)


@pytest.mark.parametrize("status", [PROVED, BROKEN])
def test_what_is_known_is_kept_and_not_worked_on(mixed, status):
    spaces = spaces_of(mixed)
    whole = curve_of(mixed, spaces)
    known = [found.only(status) for found in whole]
    for found, some in zip(whole, known, strict=True):
        kept = found.status == status
        assert kept.any()
        assert torch.equal(some.status, torch.where(kept, status, UNDECIDED))
        assert torch.equal(some.witness.isnan(), found.witness.isnan() | ~kept.unsqueeze(1))
        assert (some.nodes == 0).all()
    again = curve_of(mixed, spaces, known=known)
    for found, some in zip(whole, again, strict=True):
        assert torch.equal(some.status, found.status)
        kept = found.status == status
        assert (some.nodes[kept] == 0).all()
        torch.testing.assert_close(
            some.witness[kept], found.witness[kept], rtol=0, atol=0, equal_nan=True
        )
    assert sum(int(found.nodes.sum()) for found in again) > 0


def test_a_single_space_is_certified_as_usual(mixed):
    (found,) = curve_of(mixed, spaces_of(mixed, (0.05,)))
    alone = certify(*mixed.but(space=spaces_of(mixed, (0.05,))[0]).arguments)
    for name in Certificate.__dataclass_fields__:
        one, other = getattr(found, name), getattr(alone, name)
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_spaces_that_do_not_lie_inside_one_another_are_refused(mixed):
    fixed = [False] * 6
    free = mixed.space.perturbable
    unordered = (
        spaces_of(mixed, (0.2, 0.1)),
        spaces_of(mixed, (0.1, 0.3, 0.2)),
        [rafair.PerturbationSpace(0.1, free), rafair.PerturbationSpace(0.2, fixed)],
        [rafair.PerturbationSpace(0.1, free), rafair.PerturbationSpace(0.2, free, upper=0.98)],
    )
    for spaces in unordered:
        with pytest.raises(rafair.InvalidInput, match="each lies inside the next"):
            curve_of(mixed, spaces)


def test_no_space_and_spaces_with_other_possible_values_are_refused(mixed):
    with pytest.raises(rafair.InvalidInput, match="at least one space"):
        curve_of(mixed, [])
    free = mixed.space.perturbable
    on_lattice = rafair.PerturbationSpace(0.25, free, lattice=[0.3] * 6)
    x = torch.where(free, (mixed.x / 0.3).round().clamp_max(3) * 0.3, mixed.x)
    with pytest.raises(rafair.InvalidInput, match="the same possible values"):
        curve_of(mixed.but(x=x), [rafair.PerturbationSpace(0.2, free), on_lattice])


def test_what_certify_refuses_is_refused_here_too(mixed):
    spaces = spaces_of(mixed)
    with pytest.raises(rafair.InvalidInput, match="unknown claim 'kind'"):
        curve_of(mixed, spaces, claim="kind")
    with pytest.raises(rafair.InvalidInput, match="max_nodes must be a positive whole number"):
        curve_of(mixed, spaces, 0)
    with pytest.raises(rafair.InvalidInput, match="sensitive column 1"):
        curve_of(mixed, [rafair.PerturbationSpace(0.1)])
