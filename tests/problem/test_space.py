import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair import PerturbationSpace

INF = math.inf
unit = st.floats(0, 1, width=32)
columns = st.tuples(
    st.floats(0, 1.2),  # epsilon
    st.booleans(),  # perturbable
    st.sampled_from([0.0, 0.0, 0.5, 1 / 3, 0.1, 1 / 73]),  # lattice
)


@st.composite
def spaces(draw):
    """A space, an origin on its lattice, and a point anywhere."""
    width = draw(st.integers(1, 5))
    epsilon, movable, lattice = zip(
        *draw(st.lists(columns, min_size=width, max_size=width)), strict=True
    )
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    origin = torch.tensor([draw(st.lists(unit, min_size=width, max_size=width))], dtype=dtype)
    steps = torch.tensor(lattice, dtype=torch.float64)
    safe = torch.where(steps > 0, steps, torch.ones_like(steps))
    snapped = (torch.round(origin.double() / safe) * safe).to(dtype)
    origin = torch.where(steps > 0, snapped, origin)
    anywhere = st.lists(st.floats(-1, 2, width=32), min_size=width, max_size=width)
    x = torch.tensor([draw(anywhere)], dtype=dtype)
    return PerturbationSpace(epsilon, movable, lattice=lattice), origin, x


@given(case=spaces())
def test_projection_is_idempotent_and_stays_in_the_ball_and_the_domain(case):
    space, origin, x = case
    once = space.project(x, origin)
    assert torch.equal(space.project(once, origin), once)
    epsilon = space.epsilon.to(x.dtype)
    assert ((once - origin).abs() <= epsilon + 1e-6).all()
    assert (once >= 0).all()
    assert (once <= 1).all()


@given(case=spaces())
def test_projection_moves_no_further_than_needed(case):
    space, origin, x = case
    low, high = space.bounds(origin)
    expected = torch.where(x < low, low, torch.where(x > high, high, x))
    assert torch.equal(space.project(x, origin), expected)


@given(case=spaces())
def test_a_projected_and_rounded_point_is_contained(case):
    space, origin, x = case
    assert space.contains(space.round(space.project(x, origin), origin), origin).all()


@given(case=spaces())
def test_without_a_lattice_a_projected_point_is_contained(case):
    space, origin, x = case
    free = PerturbationSpace(space.epsilon, space.perturbable)
    assert free.contains(free.project(x, origin), origin).all()
    assert torch.equal(free.round(x, origin), x)


@given(case=spaces())
def test_rounding_lands_on_the_lattice_inside_the_ball(case):
    space, origin, x = case
    rounded = space.round(space.project(x, origin), origin)
    low, high = space.bounds(origin)
    assert (rounded >= low).all()
    assert (rounded <= high).all()
    on_lattice = space.movable(x) & (space.lattice > 0)
    multiples = rounded.double()[:, on_lattice] / space.lattice[on_lattice]
    assert ((multiples - multiples.round()).abs() < 1e-4).all()


@given(case=spaces())
def test_rounding_takes_the_nearest_lattice_point_of_the_ball(case):
    space, origin, x = case
    inside = space.project(x, origin)
    rounded = space.round(inside, origin)
    low, high = space.bounds(origin)
    for i in range(x.shape[1]):
        step = float(space.lattice[i])
        if step == 0 or not bool(space.movable(x)[i]):
            continue
        points = [place * step for place in range(round(1 / step) + 1)]
        allowed = [p for p in points if float(low[0, i]) - 1e-9 <= p <= float(high[0, i]) + 1e-9]
        away = abs(float(rounded[0, i] - inside[0, i]))
        assert all(away <= abs(p - float(inside[0, i])) + 1e-5 for p in allowed)


@given(case=spaces())
def test_only_perturbable_columns_move(case):
    space, origin, x = case
    fixed = ~space.movable(x)
    moved = space.round(space.project(x, origin), origin)
    assert torch.equal(moved[:, fixed], origin[:, fixed])


def test_a_point_that_moved_a_fixed_column_is_not_contained():
    space = PerturbationSpace(0.2, [True, False])
    origin = torch.tensor([[0.5, 0.5]])
    points = torch.tensor([[0.7, 0.5], [0.71, 0.5], [0.5, 0.501], [0.3, 0.5]])
    assert space.contains(points, origin.expand(4, 2)).tolist() == [True, False, False, True]


def test_a_point_off_the_lattice_is_not_contained():
    space = PerturbationSpace(lattice=0.25)
    origin = torch.tensor([[0.5], [0.5]])
    assert space.contains(torch.tensor([[0.75], [0.8]]), origin).tolist() == [True, False]


def test_the_origins_value_stays_where_the_ball_holds_no_lattice_point():
    space = PerturbationSpace(epsilon=0.05, lattice=0.5)
    origin = torch.tensor([[0.3]], dtype=torch.float64)
    assert torch.equal(space.round(origin + 0.04, origin), origin)


def test_rounding_inside_a_narrow_ball_does_not_leave_it():
    space = PerturbationSpace(epsilon=0.3, lattice=0.25)
    origin = torch.tensor([[0.5]], dtype=torch.float64)
    assert space.round(torch.tensor([[0.8]], dtype=torch.float64), origin).item() == 0.75


@pytest.mark.parametrize("epsilon", [0.1, [0.1] * 3, (0.1, 0.1, 0.1), torch.full((3,), 0.1)])
@pytest.mark.parametrize("movable", [True, [True] * 3, torch.ones(3, dtype=torch.bool)])
def test_scalars_and_sequences_mean_the_same(epsilon, movable):
    space = PerturbationSpace(epsilon, movable, lower=[0.0] * 3, upper=1)
    origin = torch.tensor([[0.05, 0.5, 0.95]], dtype=torch.float64)
    low, high = space.bounds(origin)
    expected_low = torch.tensor([[0.0, 0.4, 0.85]], dtype=torch.float64)
    expected_high = torch.tensor([[0.15, 0.6, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(low, expected_low, rtol=0, atol=1e-8)
    torch.testing.assert_close(high, expected_high, rtol=0, atol=1e-8)


def test_each_feature_has_its_own_radius_and_domain():
    space = PerturbationSpace([0.1, INF], lower=[0.45, -1.0], upper=[1.0, 3.0])
    low, high = space.bounds(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
    assert low.tolist() == [[0.45, -1.0]]
    assert high.tolist() == [[0.6, 3.0]]


def test_the_paper_setting_moves_everything_that_is_not_sensitive(credit):
    space = PerturbationSpace.of(credit.schema, epsilon=0.2)
    expected = [not feature.sensitive for feature in credit.schema.features]
    assert space.movable(credit.test.x).tolist() == expected
    assert not space.lattice.any()
    assert float(space.epsilon) == 0.2


def test_the_feasible_setting_moves_numbers_to_possible_people(credit):
    space = PerturbationSpace.of(credit.schema, epsilon=0.2, setting="feasible")
    numbers = [f.kind == "integer" and not f.sensitive for f in credit.schema.features]
    x = credit.test.x[:40]
    assert space.movable(x).tolist() == numbers
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype) - 0.5
    moved = space.round(space.project(x + noise, x), x)
    people = credit.schema.decode(moved)
    torch.testing.assert_close(credit.schema.encode(people), moved, rtol=0, atol=1e-9)
    assert space.contains(moved, x).all()
    assert (moved != x).any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epsilon": -0.1}, "epsilon must not be negative"),
        ({"epsilon": math.nan}, "epsilon must not be negative or NaN"),
        ({"epsilon": [0.1, -0.1]}, "epsilon must not be negative"),
        ({"lattice": -1.0}, "lattice must not be negative"),
        ({"lower": 0.6, "upper": 0.5}, "lower bound lies above"),
        ({"lower": math.nan}, "lower bound lies above its upper bound or is NaN"),
        ({"epsilon": [0.1] * 2, "perturbable": [True] * 3}, r"different lengths \[2, 3\]"),
        ({"epsilon": [[0.1]]}, r"epsilon has shape \(1, 1\)"),
        ({"epsilon": "wide"}, "epsilon must be a number or one number per feature"),
    ],
)
def test_a_space_without_meaning_is_refused(parameters, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        PerturbationSpace(**parameters)


def test_an_unknown_setting_is_refused(credit):
    with pytest.raises(rafair.InvalidInput, match="unknown setting 'loose'; use paper or feasible"):
        PerturbationSpace.of(credit.schema, setting="loose")


@given(case=spaces())
def test_nobody_moves_further_than_the_reach(case):
    space, origin, _ = case
    low, high = space.bounds(origin)
    reach = space.reach(origin)
    assert reach.shape == (origin.shape[1],)
    assert reach.dtype == origin.dtype
    assert (torch.maximum(high - origin, origin - low) <= reach + 1e-6).all()


@given(case=spaces())
def test_somebody_at_an_end_of_the_domain_moves_as_far_as_the_reach(case):
    space, origin, _ = case
    free = PerturbationSpace(space.epsilon, space.perturbable)
    bottom = torch.zeros_like(origin)
    assert torch.equal(free.reach(origin), free.bounds(bottom)[1][0])


def test_the_reach_is_the_radius_or_the_width_of_the_domain_and_none_where_nothing_moves():
    space = PerturbationSpace(
        [0.1, INF, 0.5, 0.2], [True, True, True, False], lower=-1.0, upper=[1.0, 3.0, -0.75, 1.0]
    )
    assert space.reach(torch.zeros(2, 4).double()).tolist() == [0.1, 4.0, 0.25, 0.0]


def test_an_origin_off_the_lattice_leaves_no_empty_hull():
    # No multiple of 0.25 lies within 0.05 of 0.33.
    space = PerturbationSpace(0.05, lattice=0.25)
    origin = torch.tensor([[0.33]], dtype=torch.float64)
    assert space.spacing(origin).item() == 0
    low, high = space.hull(origin)
    assert low.item() == pytest.approx(0.28)
    assert high.item() == pytest.approx(0.38)
    assert torch.equal(space.round(origin + 0.02, origin), origin)


def test_the_setting_is_by_default_that_of_the_data(credit):
    x = credit.test.x
    paper, feasible = (PerturbationSpace.of(credit.schema, 0.1, s) for s in ("paper", "feasible"))
    assert torch.equal(PerturbationSpace.of(credit.schema, 0.1).reach(x), paper.reach(x))
    assert not torch.equal(paper.reach(x), feasible.reach(x))
    own = replace(credit.schema, setting="feasible")
    assert torch.equal(PerturbationSpace.of(own, 0.1).reach(x), feasible.reach(x))
