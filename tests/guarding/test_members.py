"""Who is asked: the same people whichever of them asks, also where I(v) differs."""

import torch

from rafair.guarding.members import Members
from rafair.problem import Counterparts
from rafair.schema.gaps import MISSING


def people(n=20, width=4, seed=0):
    return torch.rand(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_everybody_in_a_product_has_one_representative():
    grid = Counterparts.product([0, 2], [[0.0, 0.3, 1.0], [0.0, 1.0]])
    members, x = Members(grid), people()
    everyone = members.representative(grid.rows(x)).view(len(x), len(grid), -1)
    assert everyone.eq(members.representative(x).unsqueeze(1)).all()
    assert members.asked(x).all()
    assert members.covers(x, grid).all()


def test_a_chain_of_near_people_is_one_and_a_gap_ends_it():
    grid = Counterparts.product([1], [[0.0, 0.1, 0.2, 0.8, 0.9]], within=[0.15])
    members, x = Members(grid), people(5)
    x[:, 1] = torch.tensor([0.0, 0.1, 0.2, 0.8, 0.9], dtype=torch.float64)
    asked = members.asked(members.representative(x))
    assert asked.int().tolist() == [[1, 1, 1, 0, 0]] * 3 + [[0, 0, 0, 1, 1]] * 2
    assert members.covers(x, grid).all()
    far = Counterparts.product([1], [[0.0, 0.9]])
    assert not members.covers(x, far).any()


def test_people_outside_the_grid_belong_to_the_nearest_chain():
    grid = Counterparts.product([1], [[0.0, 0.1, 0.8]], within=[0.2])
    x = people(3)
    x[:, 1] = torch.tensor([0.25, 0.7, 1.0], dtype=torch.float64)
    assert Members(grid).chains(x)[:, 0].tolist() == [0, 1, 1]


def test_whoever_misses_what_counterparts_keep_is_asked_about_as_such():
    grid = Counterparts(
        (0, 1), Counterparts.product([0, 1], [[0.0, 1.0], [0.0, 0.5, 1.0]]).grid, kept=(1,)
    )
    members, x = Members(grid), people(2)
    x[0, 1] = MISSING
    found = members.representative(x)
    assert found[0, 1] == MISSING
    assert found[1, 1] == 0.0
    assert members.covers(x, grid).all()
