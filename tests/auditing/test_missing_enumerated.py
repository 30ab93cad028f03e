"""Missing cells that stay, groups and relations: Δ, judge, attacks and certificates by enumeration.

1,440 person-claims of the judge, 360 of an attack, 600 of certificates.
"""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn

import rafair
from enumerated import C, Decisions, G, K, N, S, Table
from rafair.certificates import certify
from rafair.datasets import read_test

RULES = [
    {"n": "keep", "c": "keep", "s": "keep"},
    {"n": "keep", "c": "level", "s": "level"},
    {"n": "keep", "c": "keep", "s": "level"},
    {"n": "keep", "c": "level", "s": "keep"},
]
RELATED = [
    (),
    ("n + s <= 5", "s >= 1 or g == 'u'"),
    ("c != 'b' or k >= 1", "not (n > 3 and s == 0)"),
    ("k >= s or c == 'a'",),
]
SEEDS = 30
CLAIMS = ("accurate", "fair", "accurate_fair")


def prepared(table, labels, relations):
    """The table as the package reads it; n and k move by one, c may switch."""
    told = {"sensitive": ["g", "s"], "one_hot": {"g": [f"g_{level}" for level in G]}}
    told |= {"missing": table.rules, "relations": relations}
    schema = read_test(table.frame(), labels, **told, columns=[]).schema
    change = {
        "n": {"epsilon": 1 / (len(N) - 1)},
        "k": {"epsilon": 1 / (len(K) - 1)},
        "c": {"switch": table.switch},
        "s": {"within": table.within},
    }
    features = tuple(replace(f, **change.get(f.name, {})) for f in schema.features)
    return read_test(table.frame(), labels, schema=replace(schema, features=features))


def around(schema):
    return rafair.Counterparts.of(schema), rafair.PerturbationSpace.of(schema)


def labelled(table, decide):
    """Mostly what is decided, so that not everybody is inaccurate from the start."""
    decided = [decide(person) for person in table.people]
    return [1 - label if place % 7 == 3 else label for place, label in enumerate(decided)]


@pytest.mark.parametrize("relations", RELATED, ids=len)
@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(rules.values()))
def test_the_judge_agrees_with_enumeration_at_every_point_of_delta(rules, relations):
    within = 1 if len(relations) == 1 else None
    table, model = Table(len(relations), rules, relations, within=within), Decisions(5)
    labels = labelled(table, model.of)
    data = prepared(table, labels, relations)
    people, y = table.people[:SEEDS], torch.tensor(labels)
    counterparts, space = (
        rafair.Counterparts.of(data.schema),
        rafair.PerturbationSpace.of(data.schema),
    )
    wrapped = rafair.wrap(model, data.schema)
    moved = [table.moved(person) for person in people]
    owner = torch.tensor([place for place, each in enumerate(moved) for _ in each])
    points = data.schema.encode(table.frame(list(itertools.chain(*moved))))
    assert space.contains(points, data.test.x[owner]).all()
    verdict = rafair.judge(wrapped, points, y[owner], counterparts)
    expected = [
        table.judged(point, labels[place], model.of)
        for place, each in enumerate(moved)
        for point in each
    ]
    accurate, fair = map(torch.tensor, zip(*expected, strict=True))
    assert torch.equal(verdict.accurate, accurate)
    assert torch.equal(verdict.fair, fair)
    robust = [
        [bool(side[owner == place].all()) for side in (accurate, fair, accurate & fair)]
        for place in range(SEEDS)
    ]
    assert robust == [
        list(table.claims(person, labels[place], model.of)) for place, person in enumerate(people)
    ]
    assert 0 < sum(map(sum, robust)) < 3 * SEEDS


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(rules.values()))
def test_delta_holds_nothing_else(rules):
    table = Table(1, rules, RELATED[2])
    data = prepared(table, labelled(table, Decisions(5).of), RELATED[2])
    space = rafair.PerturbationSpace.of(data.schema)
    axes = [[*N, None], K, [*C, None] if rules["c"] == "level" else C]
    for place, person in enumerate(table.people[:SEEDS]):
        values = [*axes[:2], axes[2] if person[2] is not None else [*axes[2], None]]
        everyone = [(*each, *person[3:]) for each in dict.fromkeys(itertools.product(*values))]
        x = data.schema.encode(table.frame(everyone))
        inside = space.contains(x, data.test.x[place].expand_as(x)) & data.schema.possible(x)
        assert {p for p, fits in zip(everyone, inside, strict=True) if fits} == set(
            table.moved(person)
        )


@pytest.mark.parametrize("relations", RELATED[:2], ids=len)
@pytest.mark.parametrize("rules", RULES[:2], ids=lambda rules: "-".join(rules.values()))
def test_an_attack_breaks_exactly_what_can_be_broken(rules, relations):
    table, model = Table(3, rules, relations), Decisions(9, unfair=0.3)
    labels = labelled(table, model.of)
    data = prepared(table, labels, relations)
    wrapped = rafair.wrap(model.logits, data.schema, output="logits")
    found = rafair.audit(wrapped, data, attacks="square", n_seeds=SEEDS, queries=300)
    assert found.instances["feasible"].all()
    broken, breakable = [], []
    for seed, rows in found.instances.groupby("seed"):
        cells = set(rows["cell"])
        truths = table.claims(table.people[seed], labels[seed], model.of)
        breakable += [not truth for truth in truths]
        broken += [
            not cells.isdisjoint(("FF", "FB")),
            not cells.isdisjoint(("TB", "FB")),
            cells != {"TF"},
        ]
    assert broken == breakable
    assert 0 < sum(broken) < len(broken)


def network(seed, d):
    """A random ReLU network of unit-space rows."""
    generator = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(d, 6), nn.ReLU(), nn.Linear(6, 2)]
    for layer in layers[::2]:
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator)
        layer.bias.data = torch.randn(layer.bias.shape, generator=generator) * 0.3
    layers[0].weight.data[:, -2:] *= 0.15  # g and s tell little
    return nn.Sequential(*layers).double().eval()


@pytest.mark.parametrize("relations", RELATED[:2], ids=len)
@pytest.mark.parametrize("seed", range(4))
def test_certificates_agree_with_enumeration_where_missing_is_a_level(seed, relations):
    table = Table(seed, {"c": "level"}, relations, within=1 if seed % 2 else None)
    table.rules = {"c": "level", "s": "refuse", "n": "refuse"}
    data = prepared(table, [0, 1] * 30, relations)
    model = rafair.wrap(network(seed, 5), data.schema, output="logits")
    everyone = list(itertools.product(N, K, [*C, None], G, S))
    x = data.schema.encode(table.frame(everyone))
    decided = dict(zip(everyone, model.scores(x).argmax(dim=1).tolist(), strict=True))
    labels = labelled(table, decided.get)
    rows = slice(0, 25)
    problem = (model, data.test.x[rows], torch.tensor(labels[rows]))
    counterparts, space = (
        rafair.Counterparts.of(data.schema),
        rafair.PerturbationSpace.of(data.schema),
    )
    truths = [
        table.claims(person, label, decided.get)
        for person, label in zip(table.people[rows], labels[rows], strict=True)
    ]
    for place, claim in enumerate(CLAIMS):
        found = certify(*problem, counterparts, space, 20_000, claim=claim)
        expected = [1 if truth[place] else -1 for truth in truths]
        assert found.status.tolist() == expected
