"""Products and smooth functions of columns."""

import numpy as np
import pytest
import torch

from rafair.models.piecewise import Piecewise, Term
from rafair.models.terms import FUNCTIONS, LOWEST, PRODUCT, Terms
from rafair.schema import Feature, Schema

SCHEMA = Schema(
    (
        Feature("a", "numeric", (1.0, 3.0)),
        Feature("b", "integer", (0, 4)),
        Feature("c", "numeric", (0.5, 2.0)),
    ),
    "label",
    (0, 1),
)
LOW, SPAN = torch.tensor([1.0, 0.0, 0.5]).double(), torch.tensor([2.0, 4.0, 1.5]).double()


def rows(n=50):
    x = torch.rand(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x[:, 1] = (x[:, 1] * 4).round() / 4
    return x


def computed(columns, x):
    return torch.nn.Sequential(*columns.layers())(x)


def test_columns_with_and_without_terms_stand_side_by_side():
    a, b, c = (Piecewise.numbers(SCHEMA, place) for place in range(3))
    square = Piecewise.table(SCHEMA, 1, torch.arange(5.0)[:, None] ** 2)
    product, logarithm = Term(PRODUCT, Piecewise.join([a, c])), Term("log", c)
    parts = [square, Piecewise.of_term(logarithm), a, Piecewise.of_term(product), b]
    whole = Piecewise.join([*parts, Piecewise.of_term(product)])
    assert whole.terms == (logarithm, product)
    assert whole.has_terms.tolist() == [False, True, False, True, False, True]
    x = rows()
    n = LOW + x * SPAN
    expected = [n[:, 1] ** 2, n[:, 2].log(), n[:, 0], n[:, 0] * n[:, 2], n[:, 1], n[:, 0] * n[:, 2]]
    torch.testing.assert_close(computed(whole, x), torch.stack(expected, dim=1))
    some = whole.take([3, 0]).affine(torch.tensor([[2.0, -1.0]]), torch.tensor([5.0]))
    torch.testing.assert_close(computed(some, x)[:, 0], 2 * expected[3] - expected[0] + 5)
    plain = whole.take([0, 2])
    assert not any(isinstance(layer, Terms) for layer in plain.layers())


def test_terms_of_terms_are_computed_one_after_the_other():
    c = Piecewise.numbers(SCHEMA, 2)
    logarithm = Piecewise.of_term(Term("log", c)).scaled(torch.tensor([2.0]), torch.tensor([1.0]))
    product = Piecewise.of_term(Term(PRODUCT, Piecewise.join([logarithm, c, logarithm])))
    x = rows()
    n = 0.5 + 1.5 * x[:, 2]
    torch.testing.assert_close(computed(product, x)[:, 0], (2 * n.log() + 1) ** 2 * n)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_numpys(name):
    x = torch.linspace(LOWEST.get(name, -2.0) + 0.01, 3, 40, dtype=torch.float64)
    torch.testing.assert_close(FUNCTIONS[name](x).numpy(), getattr(np, name)(x.numpy()))


def test_the_digest_of_a_model_tells_its_terms_apart():
    assert repr(Terms(1, [("log", 1, 1)])) != repr(Terms(1, [("exp", 1, 1)]))
