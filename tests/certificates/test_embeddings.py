"""Certificates of networks with embeddings against brute force, the judge and attacks."""

import itertools
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from rafair.attacks.registry import make_attack
from rafair.certificates import certify, certify_cells
from rafair.fairness import CELLS
from rafair.guarding import GuardedClassifier

LEVELS = (3, 4)
HALF = [0.0, 0.5, 1.0]


def schema_of(kinds=str, **options):
    """Two columns of levels or codes, and three numbers of 0, 1 and 2."""
    columns = {f"c{at}": [kinds(row % n) for row in range(12)] for at, n in enumerate(LEVELS)}
    numbers = {f"n{at}": [(row + at) % 3 for row in range(12)] for at in range(3)}
    table = pd.DataFrame({**columns, **numbers, "y": [row % 2 for row in range(12)]})
    return rafair.read_table(table, label="y", sensitive=["c0", "n0"], **options).schema


class Network(nn.Module):
    """Looks up both columns of levels."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.tables = nn.ModuleList([nn.Embedding(n, 3) for n in LEVELS])
        self.layers = nn.Sequential(nn.Linear(9, 10), nn.ReLU(), nn.Linear(10, 2))

    def forward(self, x):
        codes = [self.tables[at](self.code(x[:, at], n - 1)) for at, n in enumerate(LEVELS)]
        return self.layers(torch.cat([x[:, 2:] / self.scale, *codes], dim=1))

    def code(self, column, last):
        """Read codes, or columns of unit space."""
        return column.long() if self.scale > 1 else (last * column).round().long()


def model_of(seed, dtype, *, original=False):
    torch.manual_seed(seed)
    module = Network(2.0 if original else 1.0).to(dtype)
    for weight in module.parameters():
        weight.data *= 2
    inputs = "original" if original else "unit"
    schema = schema_of(int if original else str)
    return rafair.wrap(module.eval(), schema, output="logits", inputs=inputs)


def people_of(dtype, n=10):
    generator = torch.Generator().manual_seed(4)
    codes = [torch.randint(m, (n, 1), generator=generator) / (m - 1) for m in LEVELS]
    numbers = torch.randint(3, (n, 3), generator=generator) / 2
    return torch.cat([*codes, numbers], dim=1).to(dtype)


MOVING = [False, True, False, True, True]
FEW = rafair.Counterparts.product([0], [HALF])
EVERYBODY = rafair.Counterparts.product([0, 2], [HALF, HALF])
SPACES = {
    "levels": rafair.PerturbationSpace(
        [0, 1, 0, 0.5, 0.5], MOVING, lattice=[0, 1 / 3, 0, 0.5, 0.5]
    ),
    "codes move by anything": rafair.PerturbationSpace(
        [0, 0.25, 0, 0.5, 0.5], MOVING, lattice=[0, 0, 0, 0.5, 0.5]
    ),
    "codes move up to a tie": rafair.PerturbationSpace(
        [0, 0.5, 0, 0.5, 0.5], MOVING, lattice=[0, 0, 0, 0.5, 0.5]
    ),
}


def points_of(x, space):
    """All of Δ, as far as a lookup can tell, (n, d) each."""
    low, high = space.bounds(x)
    for shares in itertools.product(torch.linspace(0, 1, 13), HALF, HALF):
        share = torch.tensor([0, shares[0], 0, *shares[1:]], dtype=x.dtype)
        yield space.round(low + share * (high - low), x)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("kind", ["single", "double", "reads codes"])
def test_verdicts_equal_brute_force(name, kind):
    original, single = kind == "reads codes", kind == "single"
    model = model_of(1, torch.float64 if kind == "double" else torch.float32, original=original)
    x, space = people_of(torch.float32 if single else torch.float64), SPACES[name]
    y = model.scores(x.to(model.dtype)).argmax(dim=1)
    y[::4] = 1 - y[::4]
    cells = torch.stack(
        [rafair.judge(model, point, y, EVERYBODY).cells for point in points_of(x, space)]
    )
    found = certify(model, x, y, EVERYBODY, space)
    right = (cells == CELLS.index("TF")).all(dim=0)
    assert torch.equal(found.status == 1, right)
    assert torch.equal(found.status == -1, ~right)
    broken = found.status == -1
    assert space.contains(found.witness[broken], x[broken]).all()
    assert rafair.judge(model, found.witness[broken], y[broken], EVERYBODY).cells.ne(0).all()
    reached = certify_cells(model, x, y, EVERYBODY, space, max_nodes=2000).status
    for place in range(len(CELLS)):
        seen = (cells == place).any(dim=0)
        assert torch.equal(reached[:, place] == 1, seen), CELLS[place]
        assert torch.equal(reached[:, place] == -1, ~seen), CELLS[place]


@pytest.mark.parametrize("kind", ["reads codes in double precision", "finer than the codes"])
def test_nothing_is_contradicted_where_possible_values_and_codes_differ(kind):
    fine = kind.startswith("finer")
    model = model_of(1, torch.float64, original=not fine)
    x, space = people_of(torch.float64), SPACES["levels"]
    if fine:
        space = replace(space, lattice=torch.tensor([0, 1 / 24, 0, 0.5, 0.5]))
    y = model.scores(x).argmax(dim=1)
    found = certify(model, x, y, EVERYBODY, space)
    cells = [rafair.judge(model, point, y, EVERYBODY).cells for point in points_of(x, space)]
    assert torch.equal(found.status == 1, (torch.stack(cells) == 0).all(dim=0))
    assert (found.status != 0).all()


@pytest.mark.parametrize("name", ["rafair-tb", "multi-apgd", "square-af", "ensemble-af"])
def test_no_attack_breaks_what_is_proved(name):
    model, x = model_of(7, torch.float32), people_of(torch.float32, 60)
    space = rafair.PerturbationSpace([0, 0.3, 0, 0.1, 0.1], MOVING)
    y = model.scores(x).argmax(dim=1)
    proved = certify(model, x, y, FEW, space).status == 1
    assert proved.any()
    problem = (model, x[proved], y[proved], FEW, space)
    moved = make_attack(name).run(*problem).x_adv
    assert (rafair.judge(model, moved, y[proved], FEW).cells == 0).all()


@pytest.mark.parametrize("rule", ["mean", "majority"])
def test_guards_are_proved_as_brute_force_says(rule):
    model, x = model_of(9, torch.float64), people_of(torch.float64, 40)
    space = replace(SPACES["levels"], epsilon=[0, 0.4, 0, 0, 0.5])
    guard = GuardedClassifier(model, FEW, rule)
    y = model.scores(x).argmax(dim=1)
    found = certify(guard, x, y, FEW, space)
    right = [rafair.judge(guard, point, y, FEW).accurate for point in points_of(x, space)]
    right = torch.stack(right).all(dim=0)
    assert not ((found.status == 1) & ~right).any()
    assert not ((found.status == -1) & right).any()
    assert (found.status == 1).any()
    assert rule != "mean" or (found.status != 0).all()


def test_who_breaks_a_relation_is_left_out():
    related = schema_of(relations=["c0 != '2' or n1 < 2"])
    model, x = model_of(0, torch.float64), people_of(torch.float64, 40)
    x = x[related.conditions.met(x)]
    people = rafair.Counterparts.of(related)
    space = rafair.PerturbationSpace.of(related, 0.5, "feasible")
    y = model.scores(x).argmax(dim=1)
    cells = [rafair.judge(model, point, y, people).cells for point in points_of(x, space)]
    right = (torch.stack(cells) == CELLS.index("TF")).all(dim=0)
    found = certify(model, x, y, people, space)
    assert torch.equal(found.status == 1, right)
    assert torch.equal(found.status == -1, ~right)
    free = rafair.Counterparts.of(schema_of())
    freely = certify(model, x, y, free, replace(space, conditions=None))
    assert (freely.status != found.status).any()
