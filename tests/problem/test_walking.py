import dataclasses
import pickle

import pytest
import torch

import rafair
import reference
from rafair.attacks import RAFair
from rafair.problem import counterpart_gradient_norms, gradient_rows, make_loss
from rafair.problem.walking import ZERO_GRADIENT
from rafair.repair import Benign
from rafair.repair.benign import _down_both

PARTS = ("points", "losses", "counterparts", "still")
WALKS = [
    RAFair(mode="true_biased", steps=5, step_size=0.03),
    RAFair(mode="false_fair", steps=5, step_size=0.03),
    RAFair(mode="false_biased", steps=5, step_size=0.03),
    Benign(steps=5, step_size=0.03),
]
walks = pytest.mark.parametrize("walk", WALKS, ids=["tb", "ff", "fb", "benign"])


def with_nan(x):
    x = x.clone()
    x[3, 2] = float("nan")
    return x


def outside(x):
    x = x.clone()
    x[4, 0] = 1.25
    return x


@walks
def test_a_trajectory_starts_at_x_and_ends_at_x_adv(problem, walk):
    result = walk.run(*problem.arguments)
    trajectory = result.trajectory
    assert trajectory.points.shape == (6, *problem.x.shape)
    assert torch.equal(trajectory.points[0], problem.x)
    assert torch.equal(trajectory.points[-1], result.x_adv)
    assert trajectory.losses.shape == (5, len(problem.x), 2)
    assert trajectory.losses.dtype == torch.float64
    assert trajectory.counterparts.shape == (5, len(problem.x))
    assert trajectory.still.shape == (5,)


@walks
def test_no_steps_return_x_and_cost_nothing(problem, walk):
    result = dataclasses.replace(walk, steps=0).run(*problem.arguments)
    assert torch.equal(result.x_adv, problem.x)
    assert result.n_gradients == 0
    assert result.trajectory.points.shape == (1, *problem.x.shape)
    assert result.trajectory.losses.shape == (0, len(problem.x), 2)


def moving(result):
    """How many seeds are still under way before each step; whoever once stays put is not."""
    moved = (result.trajectory.points.diff(dim=0) != 0).any(dim=2)
    before = torch.cat([torch.ones_like(moved[:1]), moved[:-1]]).cumprod(dim=0)
    return before.sum(dim=1).tolist()


@walks
def test_the_number_of_gradients_counts_search_and_both_people(problem, walk):
    n, m = len(problem.x), len(problem.counterparts)
    for attack in (walk, dataclasses.replace(walk, step_size=0.001)):
        result = attack.run(*problem.arguments)
        assert result.n_gradients == sum(moving(result)) * (m + 2)
        once = dataclasses.replace(attack, counterpart="first").run(*problem.arguments)
        assert once.n_gradients == n * m + sum(moving(once)) * 2


@pytest.fixture(scope="module", params=[(2, 14), (3, 20)], ids=["k=2", "k=3"])
def stopping(request, make_problem):
    """Seeds that stop at once, on the way, and never."""
    k, seed = request.param
    return make_problem(k, seed=seed, n=40, sparse=True, epsilon=0.2)


def plain_loop(walk, problem):
    """The same walk, with every seed in every step."""
    model, x, y, counterparts, space = problem.arguments
    loss, choose = make_loss(walk.loss), getattr(walk, "_direction", _down_both)
    points, losses, chosen, still = [x], [], [], []
    for _ in range(walk.steps):
        here = points[-1]
        norms = counterpart_gradient_norms(model, here, y, counterparts, loss)
        norms = norms.clamp_min(ZERO_GRADIENT).masked_fill(counterparts.is_self(here), -torch.inf)
        nearest = norms.argmax(dim=1)
        if walk.counterpart == "first" and chosen:
            nearest = chosen[0]
        other = counterparts.take(here, nearest)
        own, others = (gradient_rows(model, people, y, loss) for people in (here, other))
        direction = choose(own.direction.sign(), others.direction.sign()).to(x.dtype)
        direction = direction * space.perturbable
        points.append(space.project(here + walk.step_size * direction, x))
        losses.append(torch.stack([own.loss, others.loss], dim=1))
        chosen.append(nearest)
        still.append((direction == 0).all(dim=1).double().mean())
    return [torch.stack(part) for part in (points, losses, chosen, still)]


@walks
@pytest.mark.parametrize("counterpart", ["every_step", "first"])
def test_a_seed_that_stays_put_leaves_the_batch_and_nothing_else_changes(
    stopping, walk, counterpart
):
    walk = dataclasses.replace(walk, counterpart=counterpart, steps=6)
    result = walk.run(*stopping.arguments)
    trajectory = result.trajectory
    assert torch.equal(trajectory.after_steps, trajectory.points[1:])
    found = [getattr(trajectory, name) for name in PARTS]
    for one, other in zip(found, plain_loop(walk, stopping), strict=True):
        assert torch.equal(one, other)
    under_way = moving(result)
    assert under_way[0] == len(stopping.x)
    assert under_way == sorted(under_way, reverse=True)
    assert 0 < under_way[-1] < under_way[1]


@walks
@pytest.mark.parametrize("counterpart", ["every_step", "first"])
def test_with_seeds_that_stop_the_points_are_those_of_the_naive_loop(stopping, walk, counterpart):
    walk = dataclasses.replace(walk, counterpart=counterpart, steps=6)
    points = walk.run(*stopping.arguments).trajectory.points
    for i, (seed, label) in enumerate(zip(stopping.x, stopping.y.tolist(), strict=True)):
        expected = reference.walk(
            getattr(walk, "mode", "benign"),
            stopping.module,
            seed,
            label,
            stopping.counterparts.columns,
            stopping.grid,
            steps=6,
            step_size=0.03,
            counterpart=counterpart,
            epsilon=0.2,
            fixed=stopping.counterparts.columns,
        )
        assert torch.equal(points[:, i], torch.stack(expected))


@walks
def test_seeds_that_stop_save_gradients(stopping, walk):
    n, m = len(stopping.x), len(stopping.counterparts)
    assert dataclasses.replace(walk, steps=6).run(*stopping.arguments).n_gradients < n * 6 * (m + 2)
    fixed = stopping.but(space=rafair.PerturbationSpace(perturbable=False))
    assert walk.run(*fixed.arguments).n_gradients == n * (m + 2)
    assert dataclasses.replace(walk, step_size=0.0).run(*stopping.arguments).n_gradients == n * (
        m + 2
    )


@walks
def test_where_everyone_has_stopped_the_rest_of_the_way_is_recorded_all_the_same(stopping, walk):
    fixed = stopping.but(space=rafair.PerturbationSpace(perturbable=False))
    trajectory = walk.run(*fixed.arguments).trajectory
    for part in (trajectory.losses, trajectory.counterparts, trajectory.points[1:]):
        assert torch.equal(part, part[:1].expand_as(part))


@walks
def test_a_step_of_zero_leaves_everyone_where_they_are(problem, walk):
    result = dataclasses.replace(walk, step_size=0.0).run(*problem.arguments)
    assert torch.equal(result.x_adv, problem.x)


@walks
def test_the_model_is_used_as_it_is(make_problem, walk):
    problem = make_problem(2)
    module = problem.module.train()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    flags = [parameter.requires_grad for parameter in module.parameters()]
    before = problem.model.digest()
    walk.run(*problem.arguments)
    assert module.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert all(tensor.device.type == "cpu" for tensor in module.parameters())
    assert [parameter.requires_grad for parameter in module.parameters()] == flags
    assert all(parameter.grad is None for parameter in module.parameters())
    assert problem.model.digest() == before


@walks
def test_a_row_alone_ends_where_it_ends_in_company(problem, walk):
    together = walk.run(*problem.arguments)
    for i in range(len(problem.x)):
        alone = walk.run(*problem.rows(slice(i, i + 1)).arguments)
        assert torch.equal(alone.x_adv[0], together.x_adv[i])
        assert torch.equal(alone.trajectory.losses[:, 0], together.trajectory.losses[:, i])
        assert torch.equal(
            alone.trajectory.counterparts[:, 0], together.trajectory.counterparts[:, i]
        )


@walks
def test_the_order_of_the_rows_does_not_matter(problem, walk):
    order = torch.randperm(len(problem.x), generator=torch.Generator().manual_seed(0))
    shuffled = walk.run(*problem.rows(order).arguments)
    assert torch.equal(shuffled.x_adv, walk.run(*problem.arguments).x_adv[order])


@walks
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_batch_size_does_not_matter(make_problem, walk, dtype):
    problem = make_problem(3, dtype=dtype)
    results = [
        dataclasses.replace(walk, batch_size=size).run(*problem.arguments)
        for size in ("auto", 1, 7, 64)
    ]
    for result in results[1:]:
        assert torch.equal(result.trajectory.points, results[0].trajectory.points)
        assert torch.equal(result.trajectory.losses, results[0].trajectory.losses)
        assert torch.equal(result.trajectory.counterparts, results[0].trajectory.counterparts)


@walks
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_number_of_threads_does_not_matter(make_problem, walk, dtype):
    problem = make_problem(2, n=150, dtype=dtype)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(walk.run(*problem.arguments).trajectory)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0].points, results[1].points)
    assert torch.equal(results[0].losses, results[1].losses)


@walks
def test_a_float32_model_ends_where_its_float64_twin_does(make_problem, walk):
    long = make_problem(2, seed=11)
    short = make_problem(2, seed=11, dtype=torch.float32)
    assert short.model.dtype == torch.float32
    difference = walk.run(*long.arguments).x_adv - walk.run(*short.arguments).x_adv
    assert difference.abs().max() < 1e-5


@walks
def test_the_result_has_the_type_of_x(make_problem, walk):
    problem = make_problem(2)
    result = walk.run(*problem.but(x=problem.x.float()).arguments)
    assert result.x_adv.dtype == torch.float32
    torch.testing.assert_close(
        result.x_adv.double(), walk.run(*problem.arguments).x_adv, rtol=0, atol=1e-5
    )


@walks
def test_each_feature_can_have_its_own_step(problem, walk):
    steps = torch.tensor([0.01, 0.5, 0.02, 0.0, 0.5, 0.03], dtype=torch.float64)
    result = dataclasses.replace(walk, steps=1, step_size=steps.tolist()).run(*problem.arguments)
    moved = (result.x_adv - problem.x).abs()
    assert (moved <= torch.where(problem.space.perturbable, steps, 0.0) + 1e-12).all()
    assert (moved[:, [0, 2, 5]].amax(dim=0) > 0.009).all()


@walks
def test_a_lattice_rounds_the_points_but_not_the_walk(problem, walk):
    lattice = rafair.PerturbationSpace(0.5, problem.space.perturbable, lattice=0.1)
    free = rafair.PerturbationSpace(0.5, problem.space.perturbable)
    people = problem.but(x=torch.round(problem.x * 10) / 10)
    rounded = walk.run(*people.but(space=lattice).arguments)
    exact = walk.run(*people.but(space=free).arguments)
    assert torch.equal(rounded.trajectory.losses, exact.trajectory.losses)
    assert torch.equal(rounded.x_adv, lattice.round(exact.x_adv, people.x))
    assert not torch.equal(rounded.x_adv, exact.x_adv)
    assert lattice.contains(rounded.x_adv, people.x).all()


@walks
def test_a_walk_survives_pickling(problem, walk):
    twin = pickle.loads(pickle.dumps(walk))
    assert twin == walk
    assert torch.equal(twin.run(*problem.arguments).x_adv, walk.run(*problem.arguments).x_adv)


def test_the_share_of_still_seeds_counts_those_that_no_feature_may_move(make_problem):
    problem = make_problem(2)
    fixed = rafair.PerturbationSpace(perturbable=False)
    result = WALKS[0].run(*problem.but(space=fixed).arguments)
    assert result.trajectory.still.tolist() == [1.0] * 5
    opposite = [
        walk.run(*problem.arguments).trajectory.still[0].item() for walk in (WALKS[1], WALKS[3])
    ]
    assert opposite[0] == opposite[1] < 1.0


@walks
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"x": with_nan(p.x)}, "x, row 3, column 2: nan is not finite"),
        (lambda p: {"x": outside(p.x)}, "x, row 4, column 0: 1.25 lies outside the domain"),
        (lambda p: {"x": p.x[0]}, r"floating-point tensor of shape \(n, d\)"),
        (lambda p: {"x": p.x.long()}, "floating-point tensor"),
        (lambda p: {"x": p.x[:0], "y": p.y[:0]}, "x has no row"),
        (lambda p: {"y": p.y[:-1]}, r"y must be an int64 tensor of shape \(12,\)"),
        (lambda p: {"y": p.y.int()}, "y must be an int64 tensor"),
        (lambda p: {"y": p.y + 3}, "y holds labels outside 0..[12]"),
        (lambda p: {"y": p.y - 3}, "y holds labels outside 0..[12]"),
        (
            lambda p: {"space": rafair.PerturbationSpace(0.1)},
            "lets the sensitive column 1 move",
        ),
        (
            lambda p: {"space": rafair.PerturbationSpace(0.1, [True] * 4 + [False])},
            "not made for x's 6 columns",
        ),
        (
            lambda p: {"counterparts": rafair.Counterparts.product([6], [[0.0, 1.0]])},
            "sensitive column 6 does not exist; x has 6 columns",
        ),
    ],
)
def test_a_problem_without_meaning_is_refused(problem, walk, change, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        walk.run(*problem.but(**change(problem)).arguments)


@walks
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "hinge"}, "unknown loss 'hinge'"),
        ({"counterpart": "last"}, "unknown counterpart 'last'; use every_step or first"),
        ({"steps": -1}, "steps must be a whole number"),
        ({"steps": 2.0}, "steps must be a whole number"),
        ({"steps": True}, "steps must be a whole number"),
        ({"step_size": -0.1}, "step_size must be finite and not negative"),
        ({"step_size": float("nan")}, "step_size must be finite"),
        ({"step_size": float("inf")}, "step_size must be finite"),
        ({"step_size": [0.1] * 5}, "step_size has 5 numbers for 6 features"),
        ({"step_size": "far"}, "step_size must be a number or one number per feature"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_parameters_without_meaning_are_refused(problem, walk, parameters, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        dataclasses.replace(walk, **parameters).run(*problem.arguments)


@walks
def test_a_bare_module_is_refused_with_the_remedy(problem, walk):
    with pytest.raises(rafair.InvalidInput, match=r"call rafair\.wrap\(model\)"):
        walk.run(problem.module, *problem.arguments[1:])


@walks
def test_a_model_without_gradients_is_refused(problem, walk):
    labels_only = dataclasses.replace(problem.model, access="labels")
    with pytest.raises(rafair.InvalidInput, match="needs gradients, but this model gives labels"):
        walk.run(labels_only, *problem.arguments[1:])
