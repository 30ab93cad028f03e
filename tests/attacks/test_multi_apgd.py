import pytest
import torch
from torch import nn

import naive
import rafair
from rafair.attacks import APGD, MultiAPGD, RAFair, multi_apgd
from rafair.problem import Noise
from reference import loss_at, people

LOSSES = ("margin", "cross_entropy", "mse")


def largest_loss(problem, v, label, loss):
    everyone = people(v, problem.counterparts.columns, problem.grid)
    return max(loss_at(problem.module, person, label, loss) for person in everyone)


def largest_losses(problem, points, loss):
    """The largest loss over I(v) of (n, d) or (points, n, d), person by person."""
    if points.ndim == 3:
        return torch.stack([largest_losses(problem, rows, loss) for rows in points])
    rows = zip(points, problem.y.tolist(), strict=True)
    losses = [largest_loss(problem, v, label, loss) for v, label in rows]
    return torch.tensor(losses, dtype=torch.float64)


class Worst(nn.Module):
    """The logits of whoever in I(v) has the largest loss."""

    def __init__(self, problem, label, loss):
        super().__init__()
        self.problem, self.label, self.loss = problem, label, loss

    def forward(self, x):
        problem, (v,) = self.problem, x
        everyone = people(v, problem.counterparts.columns, problem.grid)
        losses = [loss_at(problem.module, w.detach(), self.label, self.loss) for w in everyone]
        return problem.module(everyone[losses.index(max(losses))].unsqueeze(0))


def follow(problem, attack, epsilon):
    """Auto-PGD's points on the worst of I(v), seed by seed, and the ends."""
    noise, paths, ends = Noise.of(problem.x, problem.y, attack.random_state), [], []
    for i, (seed, label) in enumerate(zip(problem.x, problem.y.tolist(), strict=True)):
        low, high = naive.corners(seed, epsilon, problem.counterparts.columns)
        path, found = [seed], []
        for run in range(attack.restarts):
            start = seed
            if run or attack.random_start:
                start = naive.between(low, high, naive.draws(noise, i)(run, len(seed)))
            points, best = naive.adaptive(
                "apgd",
                Worst(problem, label, attack.loss),
                seed,
                start,
                label,
                attack.loss,
                low,
                high,
                steps=attack.steps,
                rho=attack.rho,
                alpha=attack.alpha,
            )
            path += points
            found.append(best)
        paths.append(path)
        ends.append(max(found, key=lambda v: largest_loss(problem, v, label, attack.loss)))
    return naive.stacked(paths), torch.stack(ends)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("random_start", [False, True])
def test_it_is_auto_pgd_on_whoever_fares_worst(make_problem, loss, random_start):
    problem = make_problem(3, seed=9, n=5, epsilon=0.3)
    attack = MultiAPGD(9, loss, random_start=random_start, random_state=4, leaky=False)
    naive.assert_same(attack.run(*problem.arguments), *follow(problem, attack, 0.3))


def test_it_is_auto_pgd_with_other_parameters(make_problem):
    problem = make_problem(2, seed=3, n=5, epsilon=0.3)
    attack = MultiAPGD(6, alpha=0.4, rho=0.3, restarts=3, leaky=False)
    naive.assert_same(attack.run(*problem.arguments), *follow(problem, attack, 0.3))


@pytest.mark.parametrize("parameters", [{}, {"random_start": True, "restarts": 3}], ids=str)
@pytest.mark.parametrize("k", [2, 3])
def test_where_i_of_v_holds_only_v_it_is_apgd_with_the_margin(make_problem, k, parameters):
    problem = make_problem(k, seed=k, n=12, epsilon=0.3)
    problem.x[:, list(problem.counterparts.columns)] = torch.tensor([0.45, 1.0]).double()
    alone = rafair.Counterparts.product(problem.counterparts.columns, [[0.45], [1.0]])
    problem = problem.but(counterparts=alone)
    found = MultiAPGD(12, leaky=False, **parameters).run(*problem.arguments)
    expected = APGD(12, "margin", **{"random_start": False, **parameters}).run(*problem.arguments)
    assert torch.equal(found.x_adv, expected.x_adv)
    assert torch.equal(found.trajectory.points, expected.trajectory.points)
    assert found.n_gradients == expected.n_gradients


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("leaky", [False, True])
def test_its_end_is_the_best_point_of_all_for_whoever_fares_worst(make_problem, loss, leaky):
    problem = make_problem(3, seed=9, n=6, epsilon=0.5)
    result = MultiAPGD(12, loss, restarts=2, leaky=leaky).run(*problem.arguments)
    visited = largest_losses(problem, result.trajectory.points, loss)
    reached = largest_losses(problem, result.x_adv, loss)
    torch.testing.assert_close(reached, visited[1:].amax(dim=0), rtol=0, atol=1e-12)
    assert (visited[-1] < reached).any()
    assert (visited[0] < reached).all()


def test_a_positive_margin_at_its_end_means_that_the_judge_calls_it_broken(make_problem):
    problem = make_problem(2, seed=3, n=25, epsilon=0.1)
    problem = problem.but(y=problem.model.scores(problem.x).argmax(dim=1))
    x_adv = MultiAPGD().run(*problem.arguments).x_adv
    verdict = rafair.judge(problem.model, x_adv, problem.y, problem.counterparts)
    broken = largest_losses(problem, x_adv, "margin") > 0
    assert torch.equal(verdict.cells != 0, broken)
    assert 0 < broken.sum() < 25


@pytest.mark.parametrize("deep", [False, True])
def test_where_every_gradient_is_zero_only_leaks_move_it(make_masked, deep):
    problem = make_masked(seed=1, deep=deep)
    points = problem.x.clone().requires_grad_()
    assert not torch.autograd.grad(problem.model.scores(points)[:, 1].sum(), points)[0].any()
    blind = MultiAPGD(40, leaky=False).run(*problem.arguments)
    assert (blind.trajectory.points == problem.x).all()
    seeing = MultiAPGD(40).run(*problem.arguments)
    free = problem.space.perturbable
    assert (seeing.trajectory.points != problem.x)[:, :, free].any(dim=0).any(dim=1).all()


@pytest.mark.parametrize("deep", [False, True])
def test_leaks_break_seeds_whose_gradients_are_zero_and_rafair_does_not(make_masked, deep):
    problem = make_masked(seed=1, deep=deep)

    def broken(attack):
        points = attack.run(*problem.arguments).trajectory.points
        verdicts = [
            rafair.judge(problem.model, rows, problem.y, problem.counterparts) for rows in points
        ]
        return torch.stack([verdict.cells != 0 for verdict in verdicts]).any(dim=0)

    for mode in ("true_biased", "false_fair", "false_biased"):
        for rule in ("still", "counterpart"):
            assert not broken(RAFair(mode, 0.01, 10, zero_gradient=rule)).any()
    assert not broken(MultiAPGD(40, leaky=False)).any()
    assert broken(MultiAPGD(40)).sum() >= 3


@pytest.mark.parametrize("steps", [0, 1, 8])
@pytest.mark.parametrize("restarts", [1, 3])
def test_its_cost_counts_every_look_at_all_of_i_of_v(problem, monkeypatch, steps, restarts):
    looks, differentiated = [], []
    look, differentiate = multi_apgd.worst_of_all, multi_apgd.gradient_rows

    def counted_look(model, x, *rest):
        looks.append(len(x) * (len(problem.counterparts) + 1))
        return look(model, x, *rest)

    def counted_differentiate(model, x, *rest):
        differentiated.append(len(x))
        return differentiate(model, x, *rest)

    monkeypatch.setattr(multi_apgd, "worst_of_all", counted_look)
    monkeypatch.setattr(multi_apgd, "gradient_rows", counted_differentiate)
    result = MultiAPGD(steps, restarts=restarts).run(*problem.arguments)
    assert result.n_forwards == sum(looks) > 0
    assert result.n_gradients == sum(differentiated) > 0


def test_every_other_gradient_goes_through_leaks(problem, monkeypatch):
    kinds = []
    differentiate = multi_apgd.gradient_rows

    def noting(model, *rest):
        kinds.append(type(model).__name__)
        return differentiate(model, *rest)

    monkeypatch.setattr(multi_apgd, "gradient_rows", noting)
    MultiAPGD(5).run(*problem.arguments)
    assert kinds == ["TorchClassifier", "LeakyGradient"] * 2 + ["TorchClassifier"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": -1}, "steps must be a whole number, 0 or more, not -1"),
        ({"alpha": 1.5}, "alpha must lie in [0, 1], not 1.5"),
        ({"rho": float("nan")}, "rho must lie in [0, 1], not nan"),
        ({"restarts": 0}, "restarts must be a whole number, 1 or more, not 0"),
        ({"loss": "hinge"}, "unknown loss 'hinge'; use one of mse, cross_entropy, margin"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(problem, parameters, message):
    with pytest.raises(rafair.InvalidInput) as caught:
        MultiAPGD(**parameters).run(*problem.arguments)
    assert str(caught.value) == message


def test_a_space_without_bounds_is_refused(make_problem):
    problem = make_problem(2, n=4)
    space = rafair.PerturbationSpace(lower=-torch.inf, perturbable=problem.space.perturbable)
    with pytest.raises(rafair.InvalidInput, match="MultiAPGD needs a bounded Δ"):
        MultiAPGD().run(*problem.but(space=space).arguments)
