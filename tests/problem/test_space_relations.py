"""Δ in the feasible setting: every point that ``round`` returns is a possible person."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rafair import PerturbationSpace
from rafair.schema import Feature, Schema

FEATURES = (
    Feature("rate", "numeric", (0.0, 4.0), decimals=1),
    Feature("months", "integer", (0, 12)),
    Feature("debt", "numeric", (0.0, 40.0)),
    Feature("grade", "ordinal", ("a", "b", "c", "d")),
    Feature("job", "categorical", ("none", "clerk", "boss", "own"), switch=True),
    Feature("home", "categorical", ("rent", "own")),
    Feature("kids", "integer", (0, 6), perturbable=False),
    Feature("age", "integer", (18, 60), sensitive=True, observed=(18, 30, 60)),
)
TEXTS = (
    "rate * months >= debt - 12",
    "job != 'boss' or grade >= 'b'",
    "months <= 12 - kids",
    "grade != 'd' or job in ['boss', 'own'] or debt < 5",
    "age >= 18 + months",
    "home == 'own' or rate > 0.4",
    "not (rate == 2 and months == 6)",
)
shares = st.lists(st.floats(0, 1), min_size=8, max_size=8)
epsilons = st.one_of(
    st.floats(0, 1.5), st.lists(st.floats(0, 1.2), min_size=8, max_size=8), st.just(float("inf"))
)


def schema_of(texts, features=FEATURES):
    return Schema(tuple(features), "y", (0, 1), tuple(texts))


def possible_origins(schema, seed, n):
    """Random possible people: rows that break a relation are drawn anew."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(60 * n, 8, generator=generator, dtype=torch.float64)
    x = schema.encode(schema.decode(drawn))
    return x[schema.conditions.met(x)][:n]


@st.composite
def cases(draw):
    schema = schema_of(draw(st.lists(st.sampled_from(TEXTS), unique=True, max_size=7)))
    space = PerturbationSpace.of(schema, draw(epsilons), "feasible")
    origin = possible_origins(schema, draw(st.integers(0, 10_000)), 12)
    noise = torch.rand(
        origin.shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99)))
    )
    x = space.project(origin + 2 * noise.to(origin) - 1, origin)
    return schema, space, origin, x


@given(case=cases())
def test_a_rounded_point_is_a_possible_person_in_reach(case):
    schema, space, origin, x = case
    found = space.round(x, origin)
    low, high = space.bounds(origin)
    assert schema.conditions.met(found).all()
    assert schema.possible(found).all()
    assert (found >= low).all()
    assert (found <= high).all()
    assert space.contains(found, origin).all()
    people = schema.encode(schema.decode(found))
    torch.testing.assert_close(people, found, rtol=0, atol=1e-9)


@given(case=cases())
def test_a_point_that_meets_everything_is_rounded_as_without_relations(case):
    schema, space, origin, x = case
    free = PerturbationSpace(
        space.epsilon, space.perturbable, space.lower, space.upper, space.lattice
    )
    nearest = free.round(x, origin)
    met = schema.conditions.met(nearest)
    found = space.round(x, origin)
    assert torch.equal(found[met], nearest[met])
    assert torch.equal(space.round(found, origin), found)


@given(case=cases())
def test_only_columns_of_broken_relations_go_back(case):
    schema, space, origin, x = case
    free = PerturbationSpace(
        space.epsilon, space.perturbable, space.lower, space.upper, space.lattice
    )
    nearest, found = free.round(x, origin), space.round(x, origin)
    back = (found - origin).abs() <= (nearest - origin).abs() + 1e-9
    assert back.all()
    silent = ~schema.conditions.spoken_of(x.device).any(dim=0)
    whole = (found != origin).any(dim=1)  # a row may go back altogether
    assert torch.equal(found[whole][:, silent], nearest[whole][:, silent])


@given(case=cases())
def test_the_origin_is_always_possible_and_stays(case):
    _, space, origin, _ = case
    assert space.contains(origin, origin).all()
    torch.testing.assert_close(space.round(origin, origin), origin, rtol=0, atol=1e-12)


@given(case=cases())
def test_what_may_not_move_never_does(case):
    schema, space, origin, x = case
    fixed = [schema.index(name) for name in ("home", "kids", "age")]
    assert torch.equal(space.round(x, origin)[:, fixed], origin[:, fixed])
    assert not space.movable(origin)[fixed].any()


@given(case=cases(), rows=st.permutations(range(12)))
def test_the_company_of_a_row_does_not_matter(case, rows):
    _, space, origin, x = case
    rows = [row for row in rows if row < len(x)][:5]
    assert torch.equal(space.round(x[rows], origin[rows]), space.round(x, origin)[rows])


@given(case=cases())
def test_float32_points_are_possible_people_too(case):
    schema, space, origin, x = case
    origin, x = origin.float(), x.float()
    origin = origin[schema.conditions.met(origin)]
    found = space.round(x[: len(origin)], origin)
    assert found.dtype == torch.float32
    assert schema.conditions.met(found).all()
    assert space.contains(found, origin).all()


def test_a_point_that_breaks_a_relation_is_not_contained():
    schema = schema_of(["rate * months >= debt - 12"])
    space = PerturbationSpace.of(schema, 1.0, "feasible")
    origin = possible_origins(schema, 0, 1)
    wrong = origin.clone()
    wrong[:, :3] = torch.tensor([0.0, 0.0, 1.0])
    assert not space.contains(wrong, origin).any()
    assert PerturbationSpace.of(schema, 1.0, "paper").contains(wrong, origin).all()


def test_going_back_stops_where_the_relation_is_met():
    features = (Feature("a", "integer", (0, 80)), Feature("b", "integer", (0, 80)))
    schema = schema_of(["a + b <= 40"], features)
    space = PerturbationSpace.of(schema, 1.0, "feasible")
    origin = torch.zeros(1, 2, dtype=torch.float64)
    found = space.round(torch.ones(1, 2, dtype=torch.float64), origin) * 80
    assert found.tolist() == [[20.0, 20.0]]


def test_a_repair_that_breaks_the_next_relation_is_repaired_again():
    features = tuple(Feature(name, "integer", (0, 8)) for name in "abc")
    schema = schema_of(["a <= b", "b <= c"], features)
    space = PerturbationSpace.of(schema, 1.0, "feasible")
    origin = torch.tensor([[1, 1, 1]], dtype=torch.float64) / 8
    for point in ((8, 4, 0), (8, 8, 0), (0, 8, 4), (8, 0, 8)):
        found = space.round(torch.tensor([point], dtype=torch.float64) / 8, origin)
        assert schema.conditions.met(found).all()


@given(own=st.one_of(st.none(), st.floats(0, 1)), shared=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_feature_has_its_own_epsilon_in_the_feasible_setting_alone(own, shared, seed):
    features = (Feature("a", "numeric", (0.0, 10.0), epsilon=own), *FEATURES[1:])
    schema = schema_of([], features)
    x = torch.rand(5, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    low, high = PerturbationSpace.of(schema, shared, "feasible").bounds(x)
    radius = shared if own is None else own
    torch.testing.assert_close(low[:, 0], (x[:, 0] - radius).clamp_min(0), rtol=0, atol=1e-15)
    torch.testing.assert_close(high[:, 1], (x[:, 1] + shared).clamp_max(1), rtol=0, atol=1e-15)
    low, high = PerturbationSpace.of(schema, shared, "paper").bounds(x)
    torch.testing.assert_close(high[:, 0], (x[:, 0] + shared).clamp_max(1), rtol=0, atol=1e-15)


@pytest.mark.parametrize("epsilon", [0.01, 0.5])
def test_a_category_that_may_switch_reaches_every_level(epsilon):
    schema = schema_of([])
    space = PerturbationSpace.of(schema, epsilon, "feasible")
    origin = possible_origins(schema, 1, 4)
    place = schema.index("job")
    for code in range(4):
        x = origin.clone()
        x[:, place] = code / 3 + 0.1
        found = space.round(x, origin)
        assert found[:, place].tolist() == pytest.approx([code / 3] * 4, abs=1e-12)
        assert space.contains(found, origin).all()


@given(case=cases())
def test_ordered_levels_and_whole_numbers_stay_on_their_lattice(case):
    schema, space, origin, x = case
    found = space.round(x, origin)
    for name, steps in (("rate", 40), ("months", 12), ("grade", 3), ("job", 3)):
        values = found[:, schema.index(name)] * steps
        assert ((values - values.round()).abs() < 1e-9).all()


def test_the_paper_setting_knows_no_relation():
    schema = schema_of(TEXTS)
    space = PerturbationSpace.of(schema, 1.0, "paper")
    x = torch.rand(9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert space.conditions is None
    assert not space.has_gaps
    assert torch.equal(space.round(x, x), x)


def test_has_gaps_tells_whether_rounding_is_needed():
    numeric = (Feature("a", "numeric", (0.0, 1.0)), Feature("b", "numeric", (0.0, 1.0)))
    assert PerturbationSpace.of(schema_of(["a <= b"], numeric), 0.1, "feasible").has_gaps
    plain = schema_of([], numeric)
    # a range without decimals has no lattice
    assert not PerturbationSpace.of(plain, 0.1, "feasible").has_gaps


def test_rounding_does_not_write_to_its_arguments():
    schema = schema_of(TEXTS)
    space = PerturbationSpace.of(schema, 1.0, "feasible")
    origin = possible_origins(schema, 5, 6)
    x = torch.rand(origin.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    before, start = x.clone(), origin.clone()
    space.round(x, origin).add_(1)
    assert torch.equal(x, before)
    assert torch.equal(origin, start)
