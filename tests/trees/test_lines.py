"""Verdicts on trees beside linear models, against everybody in I(v) × Δ, one by one."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import rafair
from everybody import (
    boosted,
    check,
    everywhere,
    forest,
    one_hot,
    ordinal,
    people_table,
    schema_of,
    voting,
)
from rafair.certificates import certify_cells, prover_of
from rafair.trees import tree_ensemble, why_no_trees

PEOPLE = 4


MODELS = {
    "soft votes": lambda: one_hot(voting(forest(), LogisticRegression(), voting="soft")),
    "weighted votes of pipelines": lambda: voting(
        ordinal(boosted()),
        one_hot(LogisticRegression(C=0.1)),
        one_hot(LogisticRegression(C=10.0)),
        voting="soft",
        weights=[1, 2, 1.5],
    ),
    "hard votes": lambda: one_hot(voting(forest(), boosted(), LogisticRegression())),
    "stacking": lambda: one_hot(
        StackingClassifier([("a", forest()), ("b", LogisticRegression()), ("c", LinearSVC())], cv=2)
    ),
    "bagging of columns": lambda: voting(
        ordinal(forest()),
        one_hot(BaggingClassifier(LogisticRegression(), 3, max_features=5, random_state=0)),
        voting="soft",
    ),
}


def wrapped(make, n_classes=2):
    frame = people_table(n_classes)
    schema = schema_of(frame)
    model = make().fit(frame[list(schema.columns)], frame["label"])
    return rafair.wrap(model, schema), schema, frame


@pytest.mark.parametrize("name", MODELS)
def test_verdicts_are_those_of_everybody_asked(name):
    model, schema, frame = wrapped(MODELS[name])
    assert prover_of(model).certainty == "exact"
    check(model, schema, schema.encode(frame)[:PEOPLE], schema.encode_label(frame)[:PEOPLE])


def check_claims(model, schema, x, y, epsilon):
    """Compare the three claims with the judge's verdict on everybody."""
    people = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, epsilon, "feasible")
    verdicts = [
        rafair.judge(model, points, label.expand(len(points)), people)
        for points, label in zip((everywhere(schema, v, space) for v in x), y, strict=True)
    ]
    seen = set()
    for claim in ("accurate", "accurate_fair", "fair"):
        found = rafair.certify(model, x, y, people, space, claim=claim)
        truth = [-1 if bool(verdict.breaks(claim).any()) else 1 for verdict in verdicts]
        assert found.status.tolist() == truth
        seen |= set(truth)
    assert seen == {-1, 1}


def test_possible_values_decide_where_a_matrix_could_hold_others():
    frame = people_table()
    schema = schema_of(frame)
    x, y = schema.encode(frame), schema.encode_label(frame)
    votes = voting(forest(), LogisticRegression(), boosted(), voting="soft")
    model = rafair.wrap(votes.fit(x.numpy(), y.numpy()), schema, inputs="unit")
    assert prover_of(model).certainty == "sound"  # of a Δ without a lattice
    check_claims(model, schema, x[:20], y[:20], 0.15)


def test_values_that_are_too_many_to_be_listed_are_decided_at_the_ends_of_boxes():
    drawn = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"income": drawn.integers(0, 5_001, 300), "sex": drawn.choice(["f", "m"], 300)}
    )
    score = rows["income"] / 2_500 + (rows["sex"] == "m") + drawn.normal(0, 0.5, 300)
    label = (score > score.median()).astype(int)
    features = (
        rafair.Feature("income", "integer", (0, 5_000)),
        rafair.Feature("sex", "categorical", ("f", "m"), sensitive=True),
    )
    schema = rafair.Schema(features, "label", (0, 1))
    columns = make_column_transformer((OneHotEncoder(), ["sex"]), (StandardScaler(), ["income"]))
    votes = voting(forest(), LogisticRegression(), LogisticRegression(C=1e-3), voting="soft")
    model = rafair.wrap(make_pipeline(columns, votes).fit(rows, label), schema)
    x, y = schema.encode(rows)[:60], torch.tensor(label.to_numpy())[:60]
    check_claims(model, schema, x, y, 0.02)


def matrix_people():
    drawn = torch.Generator().manual_seed(0)
    x = torch.rand(300, 4, dtype=torch.float64, generator=drawn)
    x[:, 3] = (x[:, 3] > 0.5).to(x.dtype)
    y = (x[:, 0] - x[:, 1] + 0.3 * x[:, 3] > 0.1).long()
    counterparts = rafair.Counterparts.product(columns=[3], values=[[0.0, 1.0]])
    return x, y, counterparts, rafair.PerturbationSpace(0.07, [True, True, True, False])


@pytest.mark.parametrize("claim", ["accurate", "accurate_fair", "fair"])
def test_a_linear_model_that_votes_alone_is_decided_as_by_the_prover_of_networks(claim):
    x, y, counterparts, space = matrix_people()
    alone = LogisticRegression().fit(x.numpy(), y.numpy())
    votes = voting(LogisticRegression(), voting="soft").fit(x.numpy(), y.numpy())
    verdicts = [
        rafair.certify(
            rafair.wrap(one, inputs="unit"), x[:80], y[:80], counterparts, space, claim=claim
        ).status
        for one in (alone, votes)
    ]
    assert torch.equal(*verdicts)
    assert set(verdicts[0].tolist()) == {-1, 1}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_proof_holds_and_a_witness_breaks_where_every_number_is_possible(dtype):
    x, y, counterparts, space = matrix_people()
    x = x.to(dtype)
    votes = voting(forest(), LogisticRegression(), LogisticRegression(C=0.01), voting="soft")
    model = rafair.wrap(votes.fit(x.numpy(), y.numpy()), inputs="unit")
    problem = (x[:80], y[:80], counterparts, space)
    for claim in ("accurate", "accurate_fair", "fair"):
        found = rafair.certify(model, *problem, claim=claim)
        assert set(found.status.tolist()) == {-1, 1}
        broken = found.status == -1
        judged = rafair.judge(model, found.witness[broken], y[:80][broken], counterparts)
        assert bool(judged.breaks(claim).all())
        attack = rafair.attacks.Square(queries=100, target=claim)
        hits = rafair.judge(model, attack.run(model, *problem).x_adv, y[:80], counterparts)
        assert not bool((hits.breaks(claim) & (found.status == 1)).any())


def test_no_cell_is_ruled_out_that_somebody_is_moved_into():
    x, y, counterparts, space = matrix_people()
    votes = voting(forest(), LogisticRegression(C=100.0)).fit(x.numpy(), y.numpy())
    model = rafair.wrap(votes, inputs="unit")
    found = certify_cells(model, x[:40], y[:40], counterparts, space, 1_000).status
    drawn, seen = torch.Generator().manual_seed(0), 0
    for _ in range(40):
        step = torch.rand(x[:40].shape, generator=drawn, dtype=x.dtype) * 2 - 1
        points = space.project(x[:40] + step.sign() * space.reach(x[:40]), x[:40])
        cells = rafair.judge(model, points, y[:40], counterparts).cells
        assert not bool((found.gather(1, cells[:, None]) == -1).any())
        seen += int((found.gather(1, cells[:, None]) == 1).sum())
    assert seen > 0
    assert bool((found == -1).any())


def test_the_attack_on_boxes_finds_all_that_is_broken_and_leaves_its_input_alone():
    x, y, counterparts, space = matrix_people()
    votes = voting(forest(), LogisticRegression(), voting="soft").fit(x.numpy(), y.numpy())
    model, before = rafair.wrap(votes, inputs="unit"), x.clone()
    found = rafair.certify(model, x, y, counterparts, space)
    attacked = rafair.attacks.Boxes(queries=50).run(model, x, y, counterparts, space)
    assert torch.equal(x, before)
    hits = rafair.judge(model, attacked.x_adv, y, counterparts).breaks("accurate_fair")
    assert torch.equal(hits, found.status == -1)


@pytest.mark.parametrize(
    ("make", "n_classes", "reason"),
    [
        (
            lambda: one_hot(voting(forest(), LogisticRegression(), voting="soft")),
            3,
            "more than two",
        ),
        (lambda: one_hot(voting(forest(), MLPClassifier((2,)), voting="soft")), 2, "MLPClassifier"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_unproved_says_why(make, n_classes, reason):
    assert reason in why_no_trees(wrapped(make, n_classes)[0])


def test_bounds_of_pieces_hold_what_lines_add():
    model, schema, frame = wrapped(MODELS["soft votes"])
    ensemble = tree_ensemble(model)
    x = schema.encode(frame)
    numbers = ensemble.ramps.columns.numbers(x.numpy())
    assert ensemble.ramps.hold(numbers, ensemble.pieces(x))
    assert not ensemble.ramps.hold(numbers + 1e-3, ensemble.pieces(x))
