"""A problem in two features that move, small enough for a grid over all of Δ."""

import torch
from torch import nn

import rafair


def planar(seed=1, k=2, n=40, epsilon=0.1):
    """People with two features that move and one sensitive feature of three values."""
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, k))
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=generator)
    model = rafair.wrap(module.double(), output="logits")
    people = rafair.Counterparts.product([2], [[0.0, 0.3, 1.0]])
    x = torch.rand(n, 3, generator=generator, dtype=torch.float64)
    x[:, 2] = 0.3
    y = model.scores(x).argmax(dim=1)
    y[::3] = (y[::3] + 1) % k
    return model, x, y, people, rafair.PerturbationSpace(epsilon, [True, True, False])


def cells_on_a_grid(model, x, y, people, space, points=31):
    """Which cells a grid over Δ meets, shape (n, 4), bool."""
    low, high = space.bounds(x)
    axis = torch.linspace(0, 1, points).double()
    share = torch.cartesian_prod(axis, axis, torch.zeros(1).double()).unsqueeze(1)
    everywhere = (low + share * (high - low)).flatten(0, 1)
    cells = rafair.judge(model, everywhere, y.repeat(points**2), people).cells.view(-1, len(x))
    return torch.nn.functional.one_hot(cells, 4).any(dim=0)
