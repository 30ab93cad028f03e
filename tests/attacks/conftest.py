"""What the tests of the searches for discrimination share."""

import pytest
import torch

import rafair


@pytest.fixture(scope="module", params=[2, 3], ids=["k=2", "k=3"])
def wide(request, make_problem):
    """Some seeds discriminatory at once, some later, some never."""
    return make_problem(request.param, seed=8 + request.param, n=20, epsilon=0.2)


def tell_discriminatory(problem, points):
    if points.ndim == 3:
        return torch.stack([tell_discriminatory(problem, rows) for rows in points])
    own, others = rafair.fairness.decide(problem.model, points, problem.counterparts)
    return (others != own.unsqueeze(1)).any(dim=1)


@pytest.fixture(scope="session")
def discriminatory():
    """Which of some points, (n, d) or (points, n, d), are discriminatory."""
    return tell_discriminatory
