import pytest
import torch

from rafair.attacks import Square
from rafair.attacks.square import ALL_FEATURES
from rafair.problem.searching import Draw

WIDTH, MOVABLE = 12, 10
# Features that the source's schedule changes of ten, by the share of the budget that is spent.
SCHEDULE = {0.0: 8, 0.001: 4, 0.004: 4, 0.005: 2, 0.02: 1, 0.9: 1}


def drawn(spent, n=400):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(n, 3 * WIDTH + 1, generator=generator, dtype=torch.float64)
    here = torch.full((n, WIDTH), 0.5, dtype=torch.float64)
    movable = torch.arange(WIDTH) < MOVABLE
    low, high = torch.where(movable, 0.2, here), torch.where(movable, 0.9, here)
    share = torch.full((n, 1), spent, dtype=torch.float64)
    return Draw(here, low, high, movable, numbers, share)


@pytest.mark.parametrize("spent", SCHEDULE)
def test_ever_fewer_features_change_but_now_and_then_all_do(spent):
    draw = drawn(spent)
    changed = (Square().propose(draw) != draw.here).sum(dim=1)
    everything = draw.numbers[:, 0] < ALL_FEATURES
    assert 50 < everything.sum() < 150
    assert (changed[everything] == MOVABLE).all()
    assert (changed[~everything] == SCHEDULE[spent]).all()


def test_values_are_ends_of_the_range_as_often_as_they_lie_between():
    draw = drawn(0.0)
    points = Square().propose(draw)
    assert ((points >= draw.low) & (points <= draw.high)).all()
    changed = points != draw.here
    ends = (points == draw.low) | (points == draw.high)
    assert (ends & changed).sum() / changed.sum() == pytest.approx(0.5, abs=0.03)
    assert (points[changed] == 0.2).any()
    assert (points[changed] == 0.9).any()


def test_every_movable_feature_is_as_likely_as_the_next():
    draw = drawn(0.9, n=4000)
    share = (Square().propose(draw) != draw.here).double().mean(dim=0)
    expected = ALL_FEATURES + (1 - ALL_FEATURES) / MOVABLE
    assert share[:MOVABLE].tolist() == pytest.approx([expected] * MOVABLE, abs=0.03)
    assert (share[MOVABLE:] == 0).all()
