"""Reachable cells against brute force and the judge."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rafair
from planar import cells_on_a_grid, planar
from rafair.certificates import certify, certify_cells
from rafair.certificates.verdicts import IMPOSSIBLE, OPEN, REACHABLE
from rafair.fairness import CELLS


def judged(problem, points, rows=slice(None)):
    return rafair.judge(problem.model, points, problem.y[rows], problem.counterparts).cells


def judged_each(problem, points):
    """The cells at some points of every seed, (points, n), from (points, n, d)."""
    everyone = torch.arange(points.shape[1]).repeat(len(points))
    return judged(problem, points.flatten(0, 1), everyone).view(points.shape[:2])


def check_witnesses(problem, found):
    """Each witness lies inside Δ and in its cell; there is none for any other."""
    assert torch.equal(found.witness.isnan().any(dim=2), found.status != REACHABLE)
    for cell in range(4):
        rows = (found.status[:, cell] == REACHABLE).nonzero()[:, 0]
        if len(rows):
            points = found.witness[rows, cell]
            assert problem.space.contains(points, problem.x[rows]).all()
            assert (judged(problem, points, rows) == cell).all()


def points_of(problem, n=60, seed=0):
    """Corners and random points of Δ around every seed, (n, seeds, d)."""
    generator = torch.Generator().manual_seed(seed)
    low, high = problem.space.bounds(problem.x)
    share = torch.rand(n, *low.shape, generator=generator, dtype=low.dtype)
    share[::2] = share[::2].round()
    return low + share * (high - low)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 10_000),
    k=st.sampled_from([2, 3]),
    epsilon=st.sampled_from([0.01, 0.1, 0.4]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_no_point_of_a_random_network_contradicts_a_verdict(make_problem, seed, k, epsilon, dtype):
    problem = make_problem(k, seed=seed, n=8, epsilon=epsilon, dtype=dtype)
    found = certify_cells(*problem.arguments, 200)
    check_witnesses(problem, found)
    everyone = torch.arange(8)
    assert (found.status[everyone, judged(problem, problem.x)] == REACHABLE).all()
    assert (found.status[everyone, judged_each(problem, points_of(problem))] != IMPOSSIBLE).all()


@pytest.mark.parametrize("k", [2, 3])
def test_two_features_equal_brute_force(k):
    problem = planar(k=k)
    met = cells_on_a_grid(*problem, points=41)
    found = certify_cells(*problem, 5_000)
    assert (found.status[met] == REACHABLE).all()
    assert (found.status != OPEN).all()
    # What a fine grid does not meet can only lie between its points.
    assert int(((found.status == REACHABLE) & ~met).sum()) <= 1
    assert (met.sum(dim=0) > 5).all()
    assert (~met).sum() > 50


def test_the_verdicts_agree_with_those_on_the_claims(make_problem):
    for seed in range(3):
        problem = make_problem(2, seed=seed, n=12, epsilon=0.1)
        cells = certify_cells(*problem.arguments).status
        true_fair, false = cells[:, CELLS.index("TF")], cells[:, [2, 3]]
        stays = certify(*problem.arguments).status == 1
        assert (cells[stays][:, 1:] != REACHABLE).all()
        assert (true_fair[stays] == REACHABLE).all()
        accurate = certify(*problem.arguments, claim="accurate").status
        assert ((false == REACHABLE).any(dim=1) <= (accurate == -1)).all()
        assert ((false == IMPOSSIBLE).all(dim=1) <= (accurate != -1)).all()


def test_a_small_budget_leaves_cells_undecided_and_says_nothing_wrong(make_problem):
    undecided = 0
    for seed in range(3):
        problem = make_problem(2, seed=seed, n=6, epsilon=0.2)
        small, large = certify_cells(*problem.arguments, 1), certify_cells(*problem.arguments)
        check_witnesses(problem, small)
        decided = small.status != OPEN
        both = decided & (large.status != OPEN)
        assert torch.equal(small.status[both], large.status[both])
        undecided += int((~decided).sum())
    assert undecided > 0


def test_only_the_asked_cells_are_searched(make_problem):
    problem = make_problem(2, seed=1, n=12, epsilon=0.1)
    found = certify_cells(*problem.arguments, cells=["FF"])
    assert (found.nodes[:, [0, 1, 3]] == 0).all()
    assert (found.status[:, [0, 1, 3]] != IMPOSSIBLE).all()
    rates = found.rates("FF")
    assert sum(rates[name] for name in ("reachable", "impossible", "undecided")) == 1
    assert set(rates["ci"]) == {"reachable", "impossible", "undecided"}


def test_witnesses_on_a_lattice_are_possible_people(make_problem):
    problem = make_problem(2, seed=4, n=20, epsilon=0.3)
    x = (problem.x * 8).round() / 8
    x[:, [1, 4]] = problem.x[:, [1, 4]]
    space = rafair.PerturbationSpace(0.3, problem.space.perturbable, lattice=0.125)
    problem = problem.but(x=x, space=space)
    found = certify_cells(*problem.arguments)
    check_witnesses(problem, found)
    rounded = torch.stack([space.round(points, x) for points in points_of(problem)])
    assert (found.status[torch.arange(20), judged_each(problem, rounded)] != IMPOSSIBLE).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [({"max_nodes": 0}, "max_nodes must be a whole number"), ({"cells": ["XX"]}, "unknown cell")],
)
def test_a_question_without_meaning_is_refused(make_problem, options, text):
    with pytest.raises(rafair.InvalidInput, match=text):
        certify_cells(*make_problem(2).arguments, **options)


def test_a_model_without_bounds_is_refused(make_problem):
    problem = make_problem(2)
    module = nn.Sequential(nn.Linear(6, 4), nn.Softshrink(0.01), nn.Linear(4, 2)).double()
    model = rafair.wrap(module, output="logits")
    with pytest.raises(rafair.InvalidInput, match="certificates need"):
        certify_cells(*problem.but(model=model).arguments)
