"""Networks that look up rows of tables: embeddings and one-hot codes."""

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

import rafair
from rafair.bounds.crown import linear_bound
from rafair.bounds.lookups import Lookup
from rafair.bounds.network import layered_network, no_pattern, why_not_layered
from rafair.bounds.rounding import Rounding


@pytest.fixture(scope="module")
def schema():
    """Two columns of levels, 3 and 5, and two numbers."""
    table = pd.DataFrame(
        {
            "sex": ["f", "m", "x", "f", "m"],
            "job": ["a", "b", "c", "d", "e"],
            "income": [0.0, 1.0, 0.25, 0.5, 0.75],
            "hours": [0.0, 1.0, 0.5, 0.25, 0.75],
            "paid": [0, 1, 0, 1, 0],
        }
    )
    return rafair.read_table(table, label="paid", sensitive=["sex"]).schema


class Several(nn.Module):
    """A table for each column, and one number of each row that skips the layers."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([2.0, 4.0]))
        self.tables = nn.ModuleList([nn.Embedding(3, 2), nn.Embedding(5, 4)])
        self.wide = nn.ModuleList([nn.Embedding(3, 2), nn.Embedding(5, 2)])
        self.inner, self.last = nn.Linear(8, 6), nn.Linear(6, 2)

    def forward(self, x):
        codes = (x[:, :2] * self.scale).round().long()
        rows = [table(codes[:, place]) for place, table in enumerate(self.tables)]
        deep = self.last(torch.relu(self.inner(torch.cat([*rows, x[:, 2:]], dim=-1))))
        return deep + self.wide[0](codes[:, 0]) + self.wide[1](codes[:, 1])


class Shared(nn.Module):
    """One table for both columns, behind one another."""

    def __init__(self):
        super().__init__()
        self.register_buffer("starts", torch.tensor([0, 3]))
        self.table, self.flat, self.off = nn.Embedding(8, 3), nn.Flatten(), nn.Dropout(0.5)
        self.last = nn.Linear(8, 2)

    def forward(self, x):
        codes = (x[:, :2] * torch.tensor([2.0, 4.0]) + 0.5).floor().to(torch.int64) + self.starts
        rows = self.flat(self.off(self.table(codes)))
        _, numbers = x.split([2, 2], dim=1)
        numbers = (numbers - 0.5) / 0.3
        return self.last(torch.relu(torch.cat((rows, numbers), 1)))


class Hot(nn.Module):
    """One-hot codes, one of them counted from the other end."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(9, 2)

    def forward(self, x):
        job = functional.one_hot((4 - x[:, 1] * 4).round().long(), num_classes=5).float()
        is_x = (x[:, 0] > 0.7).long()
        sex = functional.one_hot(is_x, 2).to(x.dtype)
        return self.last(torch.cat([job, sex, x[:, 2].unsqueeze(1), x[:, 3:4]], 1))


class Binned(nn.Module):
    """Looks up a number by the bin that it lies in, and uses it as a number, too."""

    def __init__(self):
        super().__init__()
        self.register_buffer("edges", torch.tensor([0.2, 0.25, 0.9]))
        self.table, self.last = nn.Embedding(4, 3), nn.Linear(7, 2)

    def forward(self, x):
        return self.last(
            torch.cat([self.table(torch.bucketize(x[:, 2].contiguous(), self.edges)), x], 1)
        )


MODULES = (Several, Shared, Hot, Binned)


def module_of(kind, seed=0):
    torch.manual_seed(seed)
    return kind().eval().requires_grad_(False)


@pytest.mark.parametrize("kind", MODULES)
def test_layers_behind_the_lookups_compute_the_same(schema, kind):
    model = rafair.wrap(module_of(kind), schema, output="logits")
    rows = torch.rand(500, 4, generator=torch.Generator().manual_seed(1))
    rows[::2] = (rows[::2] * 4).round() / 4
    ours = layered_network(model).scores(rows.double())
    torch.testing.assert_close(ours, model.scores(rows).double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MODULES)
def test_bounds_over_boxes_are_below_every_point(schema, kind):
    model = rafair.wrap(module_of(kind, 3), schema, output="logits")
    network, generator = layered_network(model), torch.Generator().manual_seed(2)
    low = torch.rand(60, 4, generator=generator, dtype=torch.float64)
    high = torch.minimum(low + 0.4 * torch.rand(60, 4, generator=generator).double(), low * 0 + 1)
    y = torch.zeros(60, dtype=torch.int64)
    bound = linear_bound(network, low, high, y, no_pattern(network, 60))
    for _ in range(40):
        points = low + torch.rand(60, 4, generator=generator).double() * (high - low)
        scores = model.scores(points.float()).double()
        margin = scores[:, 0] - scores[:, 1]
        line = bound.lower + (bound.slope * (points - torch.where(bound.slope > 0, low, high))).sum(
            1
        )
        assert (line <= margin + 1e-5).all()
    slack = Rounding.around(network, low, high, torch.float32, torch.float64).slack(
        low, low, torch.arange(60)
    )
    alone = linear_bound(network, low, low, y, no_pattern(network, 60)).lower
    scores = model.scores(low.float()).double()
    assert ((alone - (scores[:, 0] - scores[:, 1])).abs() <= slack).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_code_changes_where_the_module_itself_changes_it(schema, dtype):
    module = module_of(Several).to(dtype)
    lookups = layered_network(rafair.wrap(module, schema, output="logits")).lookups
    assert [column for column, *_ in lookups.cuts] == [0, 1]
    for column, before, after in lookups.cuts:
        for side, step in ((before, 0), (after, 1)):
            codes = (side.to(dtype) * (2, 4)[column]).round()
            assert codes.tolist() == [place + step for place in range(len(side))]
        assert torch.equal(torch.nextafter(before.to(dtype), after.to(dtype)), after.to(dtype))


def test_a_range_of_codes_holds_the_rows_of_all_of_them():
    rows = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    starts = torch.linspace(0, 1.2, 7, dtype=torch.float64)
    lookup = Lookup.of(0, starts, rows, torch.cat([rows, torch.full((1, 3), 9.0)]))
    for first in range(1, 7):
        for last in range(first, 7):
            least, most = lookup.range(torch.tensor([first]), torch.tensor([last]))
            assert torch.equal(least[0], rows[first - 1 : last].amin(0))
            assert torch.equal(most[0], rows[first - 1 : last].amax(0))
    outside = lookup.places(torch.tensor([-0.1, 1.3], dtype=torch.float64))
    assert (lookup.range(outside, outside)[1] == 9).all()


class Mixed(nn.Module):
    """Looks up by two columns at once."""

    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(7, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(self.table((2 * x[:, 0] + 4 * x[:, 1]).round().long()))


class Wavy(Mixed):
    def forward(self, x):
        return self.last(self.table((6 * torch.sin(3 * x[:, 0])).round().long()))


class Overwritten(Mixed):
    def forward(self, x):
        x = 1 * x
        x.clamp_(0.0, 0.5)
        return self.last(self.table((2 * x[:, 0]).round().long()))


class Renormed(Mixed):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 3, max_norm=1.0)

    def forward(self, x):
        return self.last(self.table((2 * x[:, 0]).round().long()))


class Indexed(Mixed):
    def forward(self, x):
        return self.last(self.table.weight[(2 * x[:, 0]).round().long()])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Mixed, "one column each"),
        (Wavy, "one column each"),
        (Overwritten, "writes over"),
        (Renormed, "max_norm"),
        (Indexed, "has round"),
    ],
)
def test_other_lookups_are_refused_with_the_reason(schema, kind, reason):
    assert reason in why_not_layered(rafair.wrap(module_of(kind), schema, output="logits"))


@pytest.mark.parametrize("kind", [Several, Hot])
def test_lookups_without_a_schema_are_refused(kind):
    assert "schema" in why_not_layered(rafair.wrap(module_of(kind), output="logits"))


class InPlace(nn.Module):
    """Adds what the activation has already written over."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.first(x)
        return self.last(functional.relu(hidden, inplace=True) + hidden)


def test_a_number_that_is_written_over_while_it_is_used_is_refused():
    assert "writes over" in why_not_layered(rafair.wrap(module_of(InPlace), output="logits"))
