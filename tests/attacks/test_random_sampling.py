import pytest
import torch

from rafair.attacks import RandomSampling
from rafair.problem.searching import Draw


def test_it_proposes_uniform_points_of_the_space():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(2000, 10, generator=generator, dtype=torch.float64)
    here = torch.full((2000, 3), 0.5, dtype=torch.float64)
    low, high = here - torch.tensor([0.1, 0.3, 0.0]), here + torch.tensor([0.2, 0.5, 0.0])
    movable, spent = torch.tensor([True, True, False]), torch.zeros(2000, 1).double()
    points = RandomSampling().propose(Draw(here, low, high, movable, numbers, spent))
    assert torch.equal(points[:, 2], here[:, 2])
    share = ((points - low) / (high - low))[:, :2]
    assert ((share >= 0) & (share <= 1)).all()
    for part in (0.1, 0.5, 0.9):
        found = (share < part).double().mean(dim=0).tolist()
        assert found == pytest.approx([part] * 2, abs=0.03)
