import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rafair
from rafair import Counterparts

VALUES = ([0.0, 0.5, 1.0], [0.25, 0.75])


@pytest.fixture(scope="module")
def people():
    return torch.rand(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_last_column_of_a_product_runs_fastest():
    grid = Counterparts.product([3, 0], VALUES).grid
    assert [tuple(row) for row in grid.tolist()] == list(itertools.product(*VALUES))


def test_of_a_schema_takes_every_observed_value(credit):
    counterparts = Counterparts.of(credit.schema)
    sex, age = credit.schema.index("sex"), credit.schema.index("age")
    assert counterparts.columns == (sex, age)
    assert len(counterparts) == counterparts.total == 106
    frame = credit.schema.decode(counterparts.expand(credit.test.x[:1])[0])
    seen = set(credit.train.frame["age"]) | set(credit.test.frame["age"])
    assert set(frame["age"]) == seen
    assert set(frame["sex"]) == {"male", "female"}
    assert not frame.duplicated(["sex", "age"]).any()


def test_of_a_schema_can_vary_one_feature_alone(credit):
    counterparts = Counterparts.of(credit.schema, only="sex")
    assert counterparts.columns == (credit.schema.index("sex"),)
    assert counterparts.grid.tolist() == [[0.0], [1.0]]


def test_every_person_of_a_benchmark_is_among_their_counterparts(credit):
    is_self = Counterparts.of(credit.schema).is_self(credit.test.x)
    assert (is_self.sum(dim=1) == 1).all()


def test_expand_replaces_the_sensitive_columns_alone(people):
    counterparts = Counterparts.product([2, 0], VALUES)
    expanded = counterparts.expand(people)
    assert expanded.shape == (5, 6, 4)
    for i, j in itertools.product(range(5), range(6)):
        expected = people[i].clone()
        expected[2], expected[0] = counterparts.grid[j]
        assert torch.equal(expanded[i, j], expected)


def test_rows_and_take_agree_with_expand(people):
    counterparts = Counterparts.product([2, 0], VALUES)
    expanded = counterparts.expand(people)
    assert torch.equal(counterparts.rows(people), expanded.flatten(0, 1))
    part = counterparts.rows(people, slice(1, 4))
    assert torch.equal(part, expanded[:, 1:4].flatten(0, 1))
    for j in range(6):
        taken = counterparts.take(people, torch.full((5,), j))
        assert torch.equal(taken, expanded[:, j])


def test_taking_minus_one_is_v_itself(people):
    counterparts = Counterparts.product([2, 0], VALUES)
    taken = counterparts.take(people, torch.tensor([-1, 3, -1, 0, -1]))
    assert torch.equal(taken[[0, 2, 4]], people[[0, 2, 4]])
    assert torch.equal(taken[[1, 3]], counterparts.expand(people)[[1, 3], [3, 0]])


def test_nothing_mutates_the_people(people):
    counterparts, before = Counterparts.product([2, 0], VALUES), people.clone()
    counterparts.expand(people).zero_()
    counterparts.take(people, torch.arange(5)).zero_()
    assert torch.equal(people, before)


def test_counterparts_have_the_type_of_the_people(people):
    counterparts = Counterparts.product([2, 0], VALUES)
    assert counterparts.expand(people.float()).dtype == torch.float32
    assert counterparts.expand(people).dtype == torch.float64


@given(n=st.integers(1, 9), rows=st.integers(1, 80))
def test_tiles_cover_every_row_once_and_in_order(n, rows):
    counterparts = Counterparts.product([0, 1], VALUES)
    numbers = torch.arange(n * len(counterparts)).view(n, -1)
    pieces = [numbers[tile].flatten() for tile in counterparts.tiles(n, rows)]
    assert torch.equal(torch.cat(pieces), numbers.flatten())
    assert max(len(piece) for piece in pieces) <= max(rows, 1)


@given(n=st.integers(1, 50), rows=st.integers(1, 100))
def test_blocks_cover_every_seed_once(n, rows):
    blocks = Counterparts.product([0, 1], VALUES).blocks(n, rows)
    assert torch.equal(torch.cat([torch.arange(n)[block] for block in blocks]), torch.arange(n))


@pytest.mark.parametrize(
    ("off", "same"), [(0.0, True), (9e-7, True), (-9e-7, True), (1.1e-6, False)]
)
def test_a_person_is_known_by_value_within_a_millionth(off, same):
    counterparts = Counterparts.product([0], [[0.0, 0.5, 1.0]])
    v = torch.tensor([[0.5 + off, 0.3]], dtype=torch.float64)
    assert counterparts.is_self(v).tolist() == [[False, same, False]]


def test_a_person_in_float32_is_still_known():
    axis = [value / 73 for value in range(74)]
    v = torch.tensor([[value] for value in axis], dtype=torch.float32)
    assert torch.equal(Counterparts.product([0], [axis]).is_self(v), torch.eye(74).bool())


def test_all_sensitive_values_must_agree_for_a_person_to_be_v():
    counterparts = Counterparts.product([0, 1], [[0.0, 1.0], [0.0, 1.0]])
    v = torch.tensor([[0.0, 1.0], [0.0, 0.4]], dtype=torch.float64)
    assert counterparts.is_self(v).tolist() == [[False, True, False, False], [False] * 4]


def test_everyone_is_a_valid_person(people):
    assert Counterparts.product([2, 0], VALUES).valid(people).tolist() == [[True] * 6] * 5


@given(size=st.integers(1, 24), random_state=st.integers(0, 10))
def test_a_sample_is_a_subset_of_the_product_without_repetition(size, random_state):
    axes = [np.linspace(0, 1, 5), np.linspace(0, 1, 5)]
    sample = Counterparts.product([0, 1], axes, sample=size, random_state=random_state)
    everyone = [tuple(row) for row in Counterparts.product([0, 1], axes).grid.tolist()]
    chosen = [tuple(row) for row in sample.grid.tolist()]
    assert len(chosen) == len(set(chosen)) == size
    assert sample.total == 25
    assert chosen == [row for row in everyone if row in chosen]


def test_a_sample_depends_on_the_random_state_alone(credit):
    def sample(random_state):
        return Counterparts.of(credit.schema, sample=12, random_state=random_state).grid

    assert torch.equal(sample(1), sample(1))
    assert not torch.equal(sample(1), sample(2))


def test_a_sample_larger_than_the_product_is_the_product():
    assert len(Counterparts.product([0, 1], VALUES, sample=99)) == 6


def test_a_sample_of_a_huge_product_is_drawn_without_enumerating_it():
    axis = np.linspace(0, 1, 1000)
    sample = Counterparts.product(range(5), [axis] * 5, sample=20)
    assert len(sample) == 20
    assert sample.total == 10**15


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Counterparts.product([], []), "one list of values per sensitive column"),
        (lambda: Counterparts.product([0, 1], [[0.0]]), "one list of values per sensitive column"),
        (lambda: Counterparts.product([0, 1], [[0.0], []]), "has no value"),
        (lambda: Counterparts.product([0], [[0.0]], sample=0), "at least 1 combination"),
        (lambda: Counterparts.product([0, 1], [range(1001)] * 2), "1,002,001 combinations; sample"),
        (lambda: Counterparts.product([0, 0], VALUES), "must be different and not negative"),
        (lambda: Counterparts.product([-1], [[0.0]]), "must be different and not negative"),
        (lambda: Counterparts((0,), torch.zeros(3)), r"shape \(3,\)"),
        (lambda: Counterparts((0, 1), torch.zeros(3, 1)), r"\(combinations, 2\)"),
        (lambda: Counterparts((0,), torch.zeros(0, 1)), r"shape \(0, 1\)"),
        (lambda: Counterparts((0,), torch.tensor([[float("nan")]])), "NaN or infinity"),
    ],
)
def test_counterparts_without_meaning_are_refused(make, message):
    with pytest.raises(rafair.InvalidInput, match=message):
        make()


def test_a_schema_without_this_sensitive_feature_is_refused(credit):
    with pytest.raises(rafair.InvalidInput, match="no column 'income'"):
        Counterparts.of(credit.schema, only="income")


def test_only_values_within_reach_of_ones_own_are_counterparts(people):
    counterparts = Counterparts.product([2, 0], VALUES, within=[0.3, None])
    near = (people[:, 2, None] - counterparts.grid[None, :, 0]).abs() <= 0.3
    assert torch.equal(counterparts.valid(people), near)
    origins = people.repeat_interleave(len(counterparts), 0)
    assert torch.equal(counterparts.exist(counterparts.rows(people), origins), near.flatten())
    least, greatest = counterparts.hull(people)
    assert (people[:, 2] - least[:, 0]).amax() <= 0.31
    assert torch.equal(greatest[:, 1], torch.full_like(greatest[:, 1], 0.75))
    assert not near.all()


def test_whoever_is_within_reach_stays_so_in_parts_and_samples():
    values = [[place / 40 for place in range(41)], [0.0, 1.0], [0.0, 0.5, 1.0]]
    counterparts = Counterparts.product([0, 1, 2], values, within=[0.1, None, None])
    x = torch.rand(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    sizes = sum(part.valid(x).sum(dim=1) for part in counterparts.parts)
    assert torch.equal(sizes, counterparts.valid(x).sum(dim=1))
    assert len(counterparts.parts) == 2


@pytest.mark.parametrize("within", [[0.1], [-0.1, None], [float("nan"), None]])
def test_distances_that_do_not_fit_are_refused(within):
    with pytest.raises(rafair.InvalidInput, match="within must have 2 distances"):
        Counterparts.product([2, 0], VALUES, within=within)
