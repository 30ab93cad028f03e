import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rafair
from rafair.attacks import Ensemble, MultiAPGD, RAFair, ensemble
from rafair.attacks.linear_corner import LinearCorner
from rafair.certificates import certify

NAMES = [
    "clean",
    "linear corner",
    "multi-apgd, margin",
    "multi-apgd, cross-entropy",
    "rafair-ff",
]
MODES = ("true_biased", "false_fair", "false_biased")
TARGETS = ("accurate_fair", "accurate", "fair")
random_problems = given(
    seed=st.integers(0, 10_000),
    k=st.sampled_from([2, 3]),
    epsilon=st.sampled_from([0.02, 0.1, 0.3]),
    sparse=st.booleans(),
)
few = settings(max_examples=6)


def answered(problem):
    """The problem with labels that are right for most seeds, so that some can be broken."""
    y = problem.model.scores(problem.x).argmax(dim=1)
    y[::4] = problem.y[::4]
    return problem.but(y=y)


def is_broken(problem, points):
    """Which seeds any of the points (…, n, d) breaks, as the judge says."""
    if points.ndim == 3:
        return torch.stack([is_broken(problem, rows) for rows in points]).any(dim=0)
    return rafair.judge(problem.model, points, problem.y, problem.counterparts).cells != 0


class Sine(nn.Module):
    """An activation that has no linear bound here."""

    def forward(self, x):
        return torch.sin(x)


def smooth(problem, activation=None):
    """The problem with a smooth network."""
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 9), activation or nn.Tanh(), nn.Linear(9, 2))
    for weight in module.double().eval().parameters():
        weight.data = 2 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return problem.but(model=rafair.wrap(module, output="logits"))


@random_problems
@few
def test_what_it_calls_broken_the_judge_does_too_and_nothing_else(
    make_problem, seed, k, epsilon, sparse
):
    problem = answered(make_problem(k, seed=seed, n=8, epsilon=epsilon, sparse=sparse))
    result = Ensemble().run(*problem.arguments)
    assert torch.equal(is_broken(problem, result.x_adv), result.broken_by >= 0)
    assert torch.equal(is_broken(problem, problem.x), result.broken_by == 0)
    unmoved = result.broken_by == 0
    assert torch.equal(result.x_adv[unmoved], problem.x[unmoved])
    assert problem.space.contains(result.x_adv, problem.x).all()


@pytest.mark.parametrize("target", ["accurate", "fair"])
def test_each_target_breaks_by_the_judge_what_it_is_named_after(make_problem, target):
    moved = 0
    for seed in range(4):
        problem = answered(make_problem(2, seed=seed, n=20, epsilon=0.1))
        result = Ensemble(target).run(*problem.arguments)
        verdict = rafair.judge(problem.model, result.x_adv, problem.y, problem.counterparts)
        kept = verdict.accurate if target == "accurate" else verdict.fair
        assert torch.equal(~kept, result.broken_by >= 0)
        moved += int((result.broken_by > 0).sum())
    assert moved >= 5


def test_an_unknown_target_is_refused():
    with pytest.raises(rafair.InvalidInput, match="unknown target 'both'; use accurate_fair or"):
        Ensemble("both")


@random_problems
@few
def test_what_its_members_tried_and_broke_adds_up(make_problem, seed, k, epsilon, sparse):
    problem = answered(make_problem(k, seed=seed, n=8, epsilon=epsilon, sparse=sparse))
    result = Ensemble().run(*problem.arguments)
    assert [member.name for member in result.members] == NAMES
    left = len(problem.x)
    for place, member in enumerate(result.members):
        assert member.tried == left
        assert member.broken == int((result.broken_by == place).sum())
        assert member.skipped is None
        if place:
            assert (member.n_gradients > 0) == (left > 0)
        left -= member.broken
    assert left == int((result.broken_by < 0).sum())
    assert result.n_gradients == sum(member.n_gradients for member in result.members)
    assert result.n_forwards == sum(member.n_forwards for member in result.members)


@random_problems
@few
def test_it_is_never_weaker_than_rafair_or_multi_apgd(make_problem, seed, k, epsilon, sparse):
    problem = answered(make_problem(k, seed=seed, n=8, epsilon=epsilon, sparse=sparse))
    whole = Ensemble().run(*problem.arguments).broken_by < 0
    for mode in MODES:
        points = RAFair(mode, epsilon / 20, 20).run(*problem.arguments).trajectory.points
        assert not is_broken(problem, points)[whole].any()
    ends = MultiAPGD(40).run(*problem.arguments).x_adv
    assert not is_broken(problem, ends)[whole].any()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("k", [2, 3])
def test_it_breaks_nearly_all_that_is_not_proved_and_nothing_that_is(make_problem, k, target):
    alike, moved, total = 0, 0, 0
    for seed in range(5):
        problem = answered(make_problem(k, seed=seed, n=16, epsilon=0.1))
        proof = certify(*problem.arguments, claim=target)
        result = Ensemble(target).run(*problem.arguments)
        broken = result.broken_by >= 0
        assert not broken[proof.status == 1].any()
        decided = proof.status != 0
        alike += int((broken == (proof.status == -1))[decided].sum())
        moved += int((result.broken_by > 0).sum())
        total += int(decided.sum())
    assert moved >= 5
    assert total >= 0.98 * 5 * 16
    assert alike >= 0.98 * total


@pytest.mark.parametrize("seed", range(4))
def test_where_every_gradient_is_zero_it_breaks_what_can_be_and_rafair_nothing(make_masked, seed):
    problem = make_masked(seed=seed)
    proof = certify(*problem.arguments)
    assert {*proof.status.tolist()} == {1, -1}
    result = Ensemble().run(*problem.arguments)
    assert torch.equal(result.broken_by >= 0, proof.status == -1)
    for mode in MODES:
        points = RAFair(mode, 0.005, 20).run(*problem.arguments).trajectory.points
        assert not is_broken(problem, points).any()


def test_a_model_without_a_linear_bound_skips_one_member_and_says_why(make_problem):
    problem = smooth(make_problem(2, seed=3, n=12, epsilon=0.1), Sine())
    problem = problem.but(y=problem.model.scores(problem.x).argmax(dim=1))
    result = Ensemble().run(*problem.arguments)
    reasons = {member.name: member.skipped for member in result.members}
    assert "this network has sin" in reasons.pop("linear corner")
    assert list(reasons) == [name for name in NAMES if name != "linear corner"]
    assert set(reasons.values()) == {None}
    skipped = result.members[1]
    assert (skipped.tried, skipped.broken, skipped.n_gradients, skipped.n_forwards) == (0,) * 4
    assert 0 < (result.broken_by == 2).sum() < 12
    assert torch.equal(is_broken(problem, result.x_adv), result.broken_by >= 0)


def test_who_nobody_breaks_ends_where_the_first_member_ended(make_problem):
    problem = make_problem(2, seed=3, n=16, epsilon=0.02)
    for some, first in ((problem, LinearCorner()), (smooth(problem, Sine()), MultiAPGD(40))):
        some = some.but(y=some.model.scores(some.x).argmax(dim=1))
        result = Ensemble().run(*some.arguments)
        whole = result.broken_by < 0
        assert whole.any()
        ends = first.run(*some.arguments).x_adv
        assert torch.equal(result.x_adv[whole], ends[whole])
        assert (ends[whole] != some.x[whole]).any(dim=1).all()


def test_where_everything_is_broken_before_nobody_has_anything_to_do(make_problem):
    problem = make_problem(2, seed=3, n=10)
    wrong = problem.but(y=1 - problem.model.scores(problem.x).argmax(dim=1))
    result = Ensemble().run(*wrong.arguments)
    assert (result.broken_by == 0).all()
    assert torch.equal(result.x_adv, problem.x)
    assert [member.tried for member in result.members] == [10] + [0] * 4
    assert (result.n_gradients, result.n_forwards) == (0, 10 * 7)


def test_every_iterate_of_a_walk_counts_and_the_first_that_breaks_is_kept(
    make_problem, monkeypatch
):
    walk = RAFair("false_biased", 0.2, 12)
    monkeypatch.setattr(Ensemble, "_members", lambda self, reach: {"walk": walk})
    problem = answered(make_problem(3, seed=1, n=60, epsilon=0.5))
    result = Ensemble().run(*problem.arguments)
    points = walk.run(*problem.arguments).trajectory.points
    broken = torch.stack([is_broken(problem, rows) for rows in points])
    assert torch.equal(result.broken_by >= 0, broken.any(dim=0))
    assert (broken.any(dim=0) & ~broken[0] & ~broken[-1]).any()
    first = broken.to(torch.int8).argmax(dim=0)
    rows = broken.any(dim=0).nonzero()[:, 0]
    assert first.max() > 1
    assert torch.equal(result.x_adv[rows], points[first[rows], rows])


def test_its_trajectory_is_the_seed_and_the_end(problem):
    result = Ensemble().run(*problem.arguments)
    assert torch.equal(result.trajectory.points, torch.stack([problem.x, result.x_adv]))


def test_the_first_point_that_the_judge_rejects_is_kept(make_problem):
    problem = answered(make_problem(2, seed=3, n=40, epsilon=0.1))
    result = Ensemble().run(*problem.arguments)
    by_corner = result.broken_by == 1
    assert by_corner.any()
    corners = LinearCorner().run(*problem.rows(result.broken_by != 0).arguments).x_adv
    assert torch.equal(result.x_adv[by_corner], corners[by_corner[result.broken_by != 0]])


def test_its_forward_rows_count_the_judge(make_problem, monkeypatch):
    problem = answered(make_problem(2, seed=3, n=12, epsilon=0.1))
    judged = []
    judge = ensemble.judge

    def counted(model, x, *rest, **options):
        judged.append(len(x) * (len(problem.counterparts) + 1))
        return judge(model, x, *rest, **options)

    monkeypatch.setattr(ensemble, "judge", counted)
    result = Ensemble().run(*problem.arguments)
    corner, margin, entropy, *_ = (7 * member.tried for member in result.members[1:])
    assert entropy > 0
    looks = 4 * corner + 41 * margin + 2 * 42 * entropy
    assert result.n_forwards == sum(judged) + looks
    assert result.members[0].n_forwards == judged[0] == 12 * 7


def test_the_random_state_reaches_its_random_starts(make_problem, monkeypatch):
    states = []
    run = MultiAPGD.run

    def noting(self, *problem):
        states.append((self.random_state, self.random_start, self.restarts))
        return run(self, *problem)

    monkeypatch.setattr(MultiAPGD, "run", noting)
    problem = answered(make_problem(2, seed=3, n=12, epsilon=0.1))
    Ensemble(random_state=5).run(*problem.arguments)
    assert states == [(5, False, 1), (5, True, 2)]
