import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rafair.problem import Noise

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def table(n=200, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, d, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (n,), generator=generator)


def mixed(z):
    """SplitMix64's finaliser on a Python integer."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


states = st.integers(0, 2**32 - 1)
finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(random_state=states, stream=st.integers(0, 10_000), width=st.integers(1, 9))
def test_numbers_lie_between_zero_and_one(random_state, stream, width):
    drawn = Noise.of(*table(50), random_state).uniform(stream, width)
    assert drawn.shape == (50, width)
    assert drawn.dtype == torch.float64
    assert (drawn >= 0).all()
    assert (drawn < 1).all()


@given(random_state=states, stream=st.integers(0, 10_000))
def test_a_draw_is_splitmix64_in_long_arithmetic(random_state, stream):
    x, y = table(3)
    drawn = Noise.of(x, y, random_state).uniform(stream, 4)
    bits = x.view(torch.int64).tolist()
    for i, (row, label) in enumerate(zip(bits, y.tolist(), strict=True)):
        key = sum(mixed((b + place * GAMMA) & MASK) for place, b in enumerate(row, 1)) & MASK
        key = mixed(mixed((key + label) & MASK) ^ random_state)
        start = mixed(mixed(key) ^ stream)
        expected = [mixed((start + place * GAMMA) & MASK) >> 11 for place in range(1, 5)]
        assert drawn[i].tolist() == [number / 2**53 for number in expected]


@given(order=st.permutations(range(20)), cut=st.integers(0, 20))
def test_a_row_draws_the_same_in_any_order_and_company(order, cut):
    x, y = table(20)
    together = Noise.of(x, y, 3).uniform(5, 3)
    for rows in (order[:cut], order[cut:]):
        chosen = torch.tensor(rows, dtype=torch.int64)
        assert torch.equal(Noise.of(x[chosen], y[chosen], 3).uniform(5, 3), together[chosen])


def test_equal_values_of_either_type_draw_the_same():
    x, y = table()
    short = x.float()
    assert torch.equal(Noise.of(short, y, 0).keys, Noise.of(short.double(), y, 0).keys)
    assert not torch.equal(Noise.of(short, y, 0).keys, Noise.of(x, y, 0).keys)


def test_both_zeros_are_one_number():
    x = torch.tensor([[0.0, 0.5], [-0.0, 0.5]], dtype=torch.float64)
    keys = Noise.of(x, torch.tensor([1, 1]), 0).keys
    assert keys[0] == keys[1]


@given(values=st.lists(finite, min_size=2, max_size=6), place=st.integers(0, 5))
def test_the_smallest_difference_gives_other_numbers(values, place):
    x = torch.tensor([values, values], dtype=torch.float64)
    place %= len(values)
    x[1, place] = torch.nextafter(x[1, place], torch.tensor(torch.inf).double())
    drawn = Noise.of(x, torch.zeros(2, dtype=torch.int64), 0).uniform(0, 3)
    assert (drawn[0] != drawn[1]).any()


def test_the_place_of_a_value_counts():
    x = torch.tensor([[0.25, 0.5], [0.5, 0.25], [0.25, 0.25], [0.5, 0.5]]).double()
    assert len(set(Noise.of(x, torch.zeros(4, dtype=torch.int64), 0).keys.tolist())) == 4


@pytest.mark.parametrize(
    "other",
    [
        lambda x, y: Noise.of(x, y, 1).uniform(0, 4),
        lambda x, y: Noise.of(x, y, 2**32 - 1).uniform(0, 4),
        lambda x, y: Noise.of(x, y + 1, 0).uniform(0, 4),
        lambda x, y: Noise.of(x, y, 0).uniform(1, 4),
        lambda x, y: Noise.of(x.flip(0), y.flip(0), 0).uniform(0, 4),
        lambda x, y: Noise.of(x, y, 0).uniform(0, 4).roll(1, dims=1),
    ],
    ids=["random_state", "a large one", "label", "stream", "row", "column"],
)
def test_whatever_differs_draws_otherwise(other):
    x, y = table(4000)
    one, two = Noise.of(x, y, 0).uniform(0, 4), other(x, y)
    assert (one != two).all()
    centred = (one - 0.5) * (two - 0.5) * 12
    assert centred.mean(dim=0).abs().max() < 5 / 4000**0.5


def test_the_numbers_are_spread_evenly():
    drawn = Noise.of(*table(8000), 0).uniform(2, 5)
    counts = torch.stack([column.histc(50, 0, 1) for column in drawn.float().unbind(1)])
    chi_square = ((counts - 160) ** 2 / 160).sum(dim=1)
    assert (chi_square < 49 + 5 * (2 * 49) ** 0.5).all()
    assert (drawn.mean(dim=0) - 0.5).abs().max() < 0.02


def test_streams_and_columns_of_one_row_are_spread_evenly():
    noise = Noise.of(*table(1), 0)
    along = torch.cat([noise.uniform(stream, 1) for stream in range(4000)])[:, 0]
    across = noise.uniform(0, 4000)[0]
    for numbers in (along, across):
        assert len(numbers.unique()) == 4000
        counts = numbers.float().histc(20, 0, 1)
        assert ((counts - 200) ** 2 / 200).sum() < 19 + 5 * (2 * 19) ** 0.5
        assert abs(float((numbers[1:] - 0.5) @ (numbers[:-1] - 0.5)) * 12 / 4000) < 0.08


def test_the_same_stream_gives_the_same_numbers_again():
    noise = Noise.of(*table(), 0)
    assert torch.equal(noise.uniform(7, 3), noise.uniform(7, 3))
    assert torch.equal(noise.uniform(7, 5)[:, :3], noise.uniform(7, 3))


def test_the_table_is_left_as_it_was():
    x, y = table()
    before = x.clone(), y.clone()
    Noise.of(x, y, 0).uniform(0, 3)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
