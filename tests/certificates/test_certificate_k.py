"""Certificates at K > 0 against brute force and the judge, on Δ with few points."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rafair
from rafair.attacks.registry import make_attack
from rafair.certificates import certify, certify_cells, certify_curve
from rafair.fairness import CELLS, TF, Lipschitz

PROVED, BROKEN, UNDECIDED = 1, -1, 0
STEP = 1 / 16
VALUES = ([0.0, 0.125, 0.5, 1.0], [0.0, 0.5])
# 2, 4 and 8 times a distance of two people is 1, exactly.
CONSTANTS = [0.0, 0.3, 1.0, 1.6, 2.0, math.nextafter(2, 0), 4.0, 8.0, 50.0]


def lattice_problem(seed, k, n=6, dtype=torch.float64):
    """People with two features that move on a lattice, and 4 · 2 combinations of values."""
    generator = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, k)]
    module = nn.Sequential(*layers)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator)
    model = rafair.wrap(module.to(dtype), output="logits")
    people = rafair.Counterparts.product([1, 3], VALUES)
    x = torch.randint(17, (n, 4), generator=generator).to(dtype) * STEP
    own = torch.randint(len(people), (n,), generator=generator)
    x[: n - 2, [1, 3]] = people.grid[own[: n - 2]].to(dtype)  # the last two are not in the grid
    y = model.scores(x).argmax(dim=1)
    y[::3] = (y[::3] + 1) % k
    mask = [True, False, True, False]
    space = rafair.PerturbationSpace(2 * STEP, mask, lattice=STEP)
    return model, x, y, people, space


def verdicts(problem, condition):
    """The judge's verdicts on every point of Δ: accurate, fair, cells, (25, n) each."""
    model, x, y, people, _ = problem
    found = []
    for a, b in itertools.product(range(-2, 3), repeat=2):
        step = torch.tensor([a, 0, b, 0], dtype=x.dtype) * STEP
        inside = ((x + step >= 0) & (x + step <= 1)).all(dim=1, keepdim=True)
        point = torch.where(inside, x + step, x)
        found.append(rafair.judge(model, point, y, people, *condition.parameters))
    names = ("accurate", "fair", "cells")
    return [torch.stack([getattr(verdict, name) for verdict in found]) for name in names]


def options(condition):
    return condition.as_dict()


conditions = st.builds(
    Lipschitz,
    st.sampled_from(CONSTANTS),
    st.sampled_from(["discrete", "absolute"]),
    st.sampled_from(["l1", "l2", "linf"]),
)


@given(seed=st.integers(0, 10_000), k=st.sampled_from([2, 3]), condition=conditions)
def test_the_claims_equal_brute_force(seed, k, condition):
    problem = lattice_problem(seed, k)
    accurate, fair, cells = verdicts(problem, condition)
    truths = {"accurate": accurate, "fair": fair, "accurate_fair": cells == TF}
    for claim, holds in truths.items():
        found = certify(*problem, claim=claim, **options(condition))
        everywhere = holds.all(dim=0)
        assert everywhere[found.status == PROVED].all()
        assert not everywhere[found.status == BROKEN].any()
        if claim != "fair":
            assert (found.status != UNDECIDED).all()
        broken = found.status == BROKEN
        if broken.any():
            model, _, y, people, _ = problem
            witness = found.witness[broken]
            verdict = rafair.judge(model, witness, y[broken], people, *condition.parameters)
            right = {"accurate": verdict.accurate, "fair": verdict.fair}
            assert not right.get(claim, verdict.cells == TF).any()


@given(seed=st.integers(0, 10_000), k=st.sampled_from([2, 3]), condition=conditions)
@settings(max_examples=4)
def test_the_cells_equal_brute_force(seed, k, condition):
    problem = lattice_problem(seed, k)
    *_, cells = verdicts(problem, condition)
    found = certify_cells(*problem, 500, **options(condition))
    for cell in range(4):
        assert torch.equal(found.status[:, cell] == 1, (cells == cell).any(dim=0)), CELLS[cell]
    assert (found.status != UNDECIDED).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_counterpart_at_the_distance_one_over_k_is_left_out_and_none_nearer(dtype):
    layer = nn.Linear(2, 2, dtype=dtype)
    layer.weight.data = torch.tensor([[0.0, 0.0], [0.0, -8.0]], dtype=dtype)
    layer.bias.data = torch.tensor([0.0, 3.0], dtype=dtype)  # 1 below 0.375, else 0
    model = rafair.wrap(nn.Sequential(layer), output="logits")
    people = rafair.Counterparts.product([1], [[0.25, 0.5]])
    x, y = torch.tensor([[0.3, 0.5]], dtype=dtype), torch.tensor([0])
    problem = (model, x, y, people, rafair.PerturbationSpace(0.1, [True, False]))
    for K, status, cells in (
        (4.0, PROVED, [1, -1, -1, -1]),
        (math.nextafter(4.0, 0.0), BROKEN, [-1, 1, -1, -1]),
    ):
        assert certify(*problem, K=K).status.item() == status
        assert certify(*problem, K=K, claim="fair").status.item() == status
        assert certify(*problem, K=K, claim="accurate").status.item() == PROVED
        assert certify_cells(*problem, K=K).status.tolist() == [cells]


@given(seed=st.integers(0, 10_000), k=st.sampled_from([2, 3]))
@settings(max_examples=2)
def test_a_k_too_small_to_allow_anything_is_k_0_bit_for_bit(make_problem, seed, k):
    problem = make_problem(k, seed=seed, n=8, epsilon=0.1)
    for claim in ("accurate_fair", "accurate", "fair"):
        strict, tiny = (certify(*problem.arguments, 100, claim=claim, K=K) for K in (0.0, 1e-9))
        for name, tensor in vars(strict).items():
            assert torch.equal(tensor.nan_to_num(), getattr(tiny, name).nan_to_num())
    strict, tiny = (
        certify_cells(*problem.arguments, 5, cells=["TB", "FF"], K=K) for K in (0.0, 1e-9)
    )
    assert torch.equal(strict.status, tiny.status)
    assert torch.equal(strict.nodes, tiny.nodes)


@given(seed=st.integers(0, 10_000), k=st.sampled_from([2, 3]))
@settings(max_examples=8)
def test_verdicts_are_monotone_in_k(make_problem, seed, k):
    problem = make_problem(k, seed=seed, n=8, epsilon=0.1)
    for claim in ("accurate_fair", "fair"):
        found = [
            certify(*problem.arguments, 500, claim=claim, K=K).status for K in (0, 0.7, 1.4, 3, 99)
        ]
        decided = torch.stack(found)
        for small, large in itertools.combinations(decided, 2):
            assert (large[small == PROVED] != BROKEN).all()
            assert (small[large == BROKEN] != PROVED).all()
        if claim == "accurate_fair":
            assert (decided.diff(dim=0) >= 0).all()


def test_where_everybody_may_get_any_class_only_v_itself_matters(make_problem):
    problem = make_problem(2, seed=7, n=12, epsilon=0.05)
    columns = list(problem.counterparts.columns)
    problem.x[:, columns] = 0.5  # not in the grid, so that nobody in it is near
    free, alone = (
        certify(*problem.arguments, **how) for how in ({"K": 1e3}, {"claim": "accurate"})
    )
    assert torch.equal(free.status, alone.status)
    assert set(alone.status.tolist()) == {PROVED, BROKEN}
    fair = certify(*problem.arguments, claim="fair", K=1e3)
    assert (fair.status == PROVED).all()
    assert (fair.nodes == 0).all()
    cells = certify_cells(*problem.arguments, K=1e3)
    assert (cells.status[:, [CELLS.index("TB"), CELLS.index("FB")]] == -1).all()


def test_no_attack_breaks_what_is_proved_at_the_same_k(credit, credit_model):
    x, y = credit.test.x[:30], credit.test.y[:30]
    people = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.03)
    problem, K = (credit_model, x, y, people, space), 2.0
    joint, fair = (certify(*problem, K=K, claim=claim) for claim in ("accurate_fair", "fair"))
    cells = certify_cells(*problem, 5, K=K)
    strict = certify(*problem)
    assert (joint.status >= strict.status).all()
    assert (joint.status == PROVED).sum() > (strict.status == PROVED).sum()
    for name in ("multi-apgd", "rafair-ff", "rafair-tb", "cell-tb", "cell-fb"):
        points = make_attack(name).run(*problem).trajectory.points
        everyone = torch.arange(len(x)).repeat(len(points))
        verdict = rafair.judge(credit_model, points.flatten(0, 1), y[everyone], people, K=K)
        assert (verdict.cells[joint.status[everyone] == PROVED] == TF).all()
        assert verdict.fair[fair.status[everyone] == PROVED].all()
        assert (cells.status[everyone, verdict.cells] != -1).all()


def test_a_curve_says_the_same_as_each_epsilon_alone():
    model, x, y, people, space = lattice_problem(3, 2, n=12)
    spaces = [rafair.PerturbationSpace(n * STEP, space.perturbable) for n in (1, 2, 4)]
    curve = certify_curve(model, x, y, people, spaces, K=1.6)
    for found, one in zip(curve, spaces, strict=True):
        alone = certify(model, x, y, people, one, K=1.6)
        assert torch.equal(found.status, alone.status)


def test_a_sample_of_counterparts_need_not_be_a_product():
    model, x, y, people, space = lattice_problem(5, 2, n=12)
    some = rafair.Counterparts(people.columns, people.grid[[0, 3, 4, 6]])
    condition = Lipschitz(1.6)
    *_, cells = verdicts((model, x, y, some, space), condition)
    found = certify(model, x, y, some, space, K=1.6)
    assert torch.equal(found.status == PROVED, (cells == TF).all(dim=0))
    assert torch.equal(found.status == BROKEN, (cells != TF).any(dim=0))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"K": -1.0}, "K must be finite and not negative"),
        ({"d": "cosine"}, "unknown d 'cosine'"),
        ({"d": lambda v, w: (v - w).abs().sum(dim=-1)}, "certificates need d by name"),
        ({"D": lambda a, b: (a + b + 1).abs().double()}, "a D that is 0 for two equal classes"),
    ],
)
def test_what_cannot_be_certified_is_refused(problem, how, says):
    for function in (certify, certify_cells):
        with pytest.raises(rafair.InvalidInput, match=says):
            function(*problem.arguments, **how)
