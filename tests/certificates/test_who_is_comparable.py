"""Judge, attacks and certificates against enumeration, where I(v) differs from person to person.

Small tables of whole numbers, ordinal levels, categories and a one-hot group; I(v) is limited by
``within``, relations and bins. Whether a claim holds is counted out in original units, person by
person, without any function of rafair but the schema's and the network's own.
"""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from brief import brief, short
from rafair import Counterparts
from rafair.analysis import explain
from rafair.attacks.registry import attack_classes, make_attack
from rafair.certificates import certify, certify_cells
from rafair.fairness import CELLS
from rafair.repair import Benign, BenignSearch, Minimax
from rafair.schema import Column, Schema

AGES = (18, 21, 25, 26, 30, 41, 44)
TABLE = pd.DataFrame(
    list(itertools.product(range(5), ("low", "middle", "high"), AGES, ("f", "m"), ("a", "b", "c"))),
    columns=["years", "skill", "age", "sex", "race"],
)
TABLE = TABLE.assign(
    **{f"race_{level}": (TABLE["race"] == level).astype(int) for level in "abc"},
    kids=[place % 3 for place in range(len(TABLE))],
).drop(columns="race")
RELATIONS = ("age >= 19 + years", "sex == 'f' or skill != 'low' or age < 30")
BINS = (18, 24, 35, 45)
# What each claim asks of v + δ.
CLAIMS = {
    "accurate_fair": lambda accurate, fair: accurate and fair,
    "accurate": lambda accurate, _: accurate,
    "fair": lambda _, fair: fair,
}
# Few enough queries that a look asks a part of I(v) alone.
FEW = 40
REPAIRS = {repair.name: repair for repair in (Benign(), Minimax(), BenignSearch())}
VARIANTS = [name for attack in attack_classes().values() for name in attack.variants]


def schema(within, relations=(), bins=(), race_is_sensitive=False):
    """The meaning of the table; ``within`` is in years."""
    columns = (
        Column("years", "integer"),
        Column("skill", "ordinal", levels=("low", "middle", "high"), perturbable=True),
        Column("age", "integer", "years", True, within=within, bins=bins),
        Column("sex", "categorical", sensitive=True),
        Column("race", columns=("race_a", "race_b", "race_c"), sensitive=race_is_sensitive),
        Column("kids", "integer", perturbable=False),
    )
    found = Schema.fit(TABLE, columns, "y", (0, 1))
    return Schema(found.features, "y", (0, 1), relations)


SCHEMAS = {
    "within": schema(10),
    "within and bins": schema(7.5, bins=BINS),
    "within and relations": schema(5, RELATIONS),
    "within and a group": schema(3, race_is_sensitive=True),
    "all": schema(12, RELATIONS, BINS, race_is_sensitive=True),
    "nobody but own age": schema(0),
    "bins and relations alone": schema(None, RELATIONS, BINS),
    "no limit": schema(None),
}
RULES = (
    lambda p: p["age"] >= 19 + p["years"],
    lambda p: p["sex"] == "f" or p["skill"] != "low" or p["age"] < 30,
)


def network(meaning, seed):
    """A random network, about balanced on the table."""
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2))
    for weight in module.double().parameters():
        drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        weight.data = 1.5 * drawn / weight.shape[-1] ** 0.5
    with torch.no_grad():
        apart = module(meaning.encode(TABLE)).diff(dim=1)
        module[-1].bias[1] -= apart.quantile(0.7)
    return rafair.wrap(module, meaning, output="logits", inputs="unit")


def problem(name, seed, n=8, epsilon=0.25):
    """Some people of the table who exist, and Δ: years ±1, skill stays or, at ε = .5, moves."""
    meaning = SCHEMAS[name]
    generator = torch.Generator().manual_seed(seed)
    x = meaning.encode(TABLE)
    x = x[meaning.conditions.met(x)]
    x = x[torch.randperm(len(x), generator=generator)[:n]]
    model = network(meaning, seed)
    y = model.scores(x).argmax(dim=1)
    y[::4] = 1 - y[::4]
    space = rafair.PerturbationSpace.of(meaning, epsilon, "feasible")
    return model, x, y, Counterparts.of(meaning), space


def possible(person, name):
    return ("relations" not in name and name != "all") or all(rule(person) for rule in RULES)


def ages_near(own, name):
    """The ages of counterparts, in years: what was seen, or of each bin the upper median."""
    within = SCHEMAS[name].features[2].within
    ages = AGES
    if "bins" in name or name == "all":
        groups = [
            [age for age in AGES if low <= age < high] for low, high in itertools.pairwise(BINS)
        ]
        ages = [group[len(group) // 2] for group in groups]
    return [age for age in ages if within is None or abs(age - own) <= within]


def counterparts_of(person, name):
    """I(v) without v, in original units, counted out."""
    races = ("race_a", "race_b", "race_c")
    race_varies = SCHEMAS[name].features[4].sensitive
    levels = SCHEMAS[name].features[4].domain if race_varies else [person["race"]]
    assert not race_varies or len(levels) == len(races)
    others = [
        {**person, "age": age, "sex": sex, "race": race}
        for age in ages_near(person["age"], name)
        for sex in ("f", "m")
        for race in levels
    ]
    return [other for other in others if other != person and possible(other, name)]


def perturbed(person, name, epsilon):
    """Every v + δ, in original units."""
    skills, far = ("low", "middle", "high"), math.floor(epsilon * 2 + 1e-9)
    at = skills.index(person["skill"])
    years = [y for y in range(5) if abs(y - person["years"]) <= math.floor(epsilon * 4 + 1e-9)]
    points = [
        {**person, "years": y, "skill": skill}
        for y in years
        for skill in skills[max(0, at - far) : at + far + 1]
    ]
    return [point for point in points if possible(point, name)]


def unit(people, name):
    """The rows of people in original units."""
    meaning = SCHEMAS[name]
    columns = []
    for feature in meaning.features:
        values = [person[feature.name] for person in people]
        raw = [feature.domain.index(v) for v in values] if feature.has_levels else values
        columns.append([(value - feature.low) / max(feature.span, 1) for value in raw])
    return torch.tensor(columns, dtype=torch.float64).T


def people_of(x, name):
    return SCHEMAS[name].decode_features(x).to_dict("records")


def distance(person, other, name):
    """‖v − v'‖₁ in unit space."""
    return float((unit([person], name) - unit([other], name)).abs().sum())


def enumerate_claims(model, x, y, name, epsilon, K):
    """For each person: what is said of v itself, and of every claim and cell over all δ."""
    found = []
    for person, label in zip(people_of(x, name), y.tolist(), strict=True):
        verdicts = []
        for point in perturbed(person, name, epsilon):
            others = counterparts_of(point, name)
            decided = model.scores(unit([point, *others], name)).argmax(dim=1).tolist()
            limit = [K * distance(point, other, name) + 1e-12 for other in others]
            fair = all((d != decided[0]) <= far for d, far in zip(decided[1:], limit, strict=True))
            verdicts.append((decided[0] == label, fair))
            if point == person:
                clean = verdicts[-1]
                share = sum(d != decided[0] for d in decided[1:]) / max(len(others), 1)
        found.append((clean, verdicts, share))
    return found


def cell(accurate, fair):
    return CELLS.index(("T" if accurate else "F") + ("F" if fair else "B"))


def agreeing_cells(given, truth, K):
    """Compare reachable cells with enumeration; return on how many both have a verdict."""
    status, agree = certify_cells(*given, K=K).status, 0
    for row, (_, each, _) in enumerate(truth):
        reached = {cell(*at) for at in each}
        for place in range(4):
            if status[row, place]:
                assert (status[row, place] == 1) == (place in reached)
                agree += 1
    return agree


def agreeing_claims(given, truth, K):
    """Compare claims with enumeration; return on how many both have a verdict."""
    agree = 0
    for claim, event in CLAIMS.items():
        holds = torch.tensor([all(event(*at) for at in each) for _, each, _ in truth])
        status = certify(*given, claim=claim, K=K).status
        sure = status != 0
        assert sure.all() or claim == "fair"
        assert torch.equal((status == 1)[sure], holds[sure])
        agree += int(sure.sum())
    return agree


def compare(name, seed, epsilon, n, K=0.0, cells=False):
    """Compare judge, claims and cells with enumeration; return the verdicts that agree."""
    model, x, y, everyone, _ = given = problem(name, seed, n, epsilon)
    truth = enumerate_claims(model, x, y, name, epsilon, K)
    verdict = rafair.judge(model, x, y, everyone, K)
    judged = [*zip(verdict.accurate.tolist(), verdict.fair.tolist(), strict=True)]
    assert judged == [clean for clean, *_ in truth]
    if K == 0:
        shares = rafair.fairness.dissenting(model, x, everyone)
        assert shares.tolist() == pytest.approx([share for *_, share in truth])
    agree = 2 * n + agreeing_claims(given, truth, K)
    return agree + (agreeing_cells(given, truth, K) if cells else 0)


def test_every_verdict_equals_enumeration_in_a_thousand_person_claims():
    agree = sum(
        compare(name, seed, (0.25, 0.5)[seed % 2], n=32) for seed, name in enumerate(SCHEMAS)
    )
    assert agree >= 1_000


@pytest.mark.parametrize(("name", "K"), [("within", 0.0), ("all", 2.5)])
def test_cells_and_the_lipschitz_condition_equal_enumeration(name, K):
    assert compare(name, 11, 0.5, n=6, K=K, cells=True) >= 6 * 7


def own_problem(given, row):
    """The same problem for one person alone, whose grid holds I(v) and nobody else."""
    model, x, y, everyone, space = given
    v = x[row : row + 1]
    near = everyone.valid(v)[0] | everyone.is_self(v)[0]
    alone = Counterparts(everyone.columns, everyone.grid[near])
    return model, v, y[row : row + 1], alone, space


@pytest.mark.parametrize("name", [*VARIANTS, *REPAIRS])
def test_attacks_and_repairs_heed_nobody_out_of_reach(name):
    """With ``within`` they do what they do where nobody else exists at all."""
    given = problem("within", 5, n=2)
    search = short(REPAIRS[name] if name in REPAIRS else make_attack(name), queries=FEW)
    with brief():
        together = search.run(*given).x_adv
        for row in range(2):
            alone = search.run(*own_problem(given, row)).x_adv
            torch.testing.assert_close(together[row : row + 1], alone)


def test_a_model_that_uses_age_is_unfair_only_within_reach():
    """Everybody above 28 is accepted: at 10 years that concerns who is 18 to 38."""
    meaning = SCHEMAS["within"]

    def older(x):
        return np.stack([0.385 - x[:, 2], x[:, 2] - 0.385], axis=1)

    model = rafair.wrap(older, meaning, inputs="unit", output="logits")
    x = meaning.encode(TABLE)
    y = model.scores(x).argmax(dim=1)
    limited, all_ages = (Counterparts.of(SCHEMAS[n]) for n in ("within", "no limit"))
    age = TABLE["age"].to_numpy()
    near = torch.tensor(
        [min(abs(a - own) for a in AGES if (a > 28) != (own > 28)) <= 10 for own in age]
    )
    assert not rafair.judge(model, x, y, all_ages).fair.any()
    assert torch.equal(rafair.judge(model, x, y, limited).fair, ~near)


@pytest.mark.parametrize("name", ["within", "within and relations", "all"])
def test_explanations_name_counterparts_within_reach(name):
    model, x, y, everyone, _ = problem(name, 2, n=20)
    found = explain(model, x, y, everyone)
    for index in (found.flip, found.worst):
        rows = (index >= 0).nonzero()[:, 0]
        others = people_of(everyone.take(x[rows], index[rows]), name)
        for person, other in zip(people_of(x[rows], name), others, strict=True):
            assert other == person or other in counterparts_of(person, name)
