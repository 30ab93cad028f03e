"""A small domain of which everybody in I(v) × Δ is asked, for verdicts on trees."""

import itertools

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import rafair
from rafair.certificates import certify_cells
from rafair.fairness import CELLS

LEVELS = {"job": ["clerk", "cook", "judge", "nurse"], "sex": ["f", "m"], "race": ["a", "b", "c"]}
N = 400


def people_table(n_classes=2):
    """Return people with few possible values, and a noisy label."""
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({name: drawn.choice(levels, N) for name, levels in LEVELS.items()})
    frame = frame.astype(object)
    frame["age"] = drawn.integers(0, 9, N)
    frame["hours"] = drawn.integers(0, 7, N) / 2
    score = (frame["age"] + 3 * (frame["job"] == "judge") + (frame["sex"] == "m")) / 4
    score = score + frame["hours"] * (frame["race"] == "b") + drawn.normal(0, 0.8, N)
    frame["label"] = pd.qcut(score, n_classes, labels=False).astype(int)
    return frame


def schema_of(frame, relations=()):
    """Return a schema in which ages, hours and jobs may change."""
    low = {"age": (0, 8), "hours": (0.0, 3.0)}
    features = [
        rafair.Feature(
            name,
            "categorical",
            tuple(levels),
            sensitive=name != "job",
            perturbable=name == "job",
            switch=name == "job",
        )
        for name, levels in LEVELS.items()
    ]
    features.append(rafair.Feature("age", "integer", low["age"]))
    features.append(rafair.Feature("hours", "numeric", low["hours"], decimals=1))
    classes = tuple(sorted(set(frame["label"])))
    return rafair.Schema(tuple(features), "label", classes, relations)


TEXT, NUMBERS = ["job", "sex", "race"], ["age", "hours"]


def one_hot(model):
    columns = make_column_transformer((OneHotEncoder(), TEXT), (StandardScaler(), NUMBERS))
    return make_pipeline(columns.set_params(sparse_threshold=0), model)


def ordinal(model):
    columns = make_column_transformer((OrdinalEncoder(), TEXT), remainder="passthrough")
    return make_pipeline(columns, model)


def everywhere(schema, x, space):
    """Return every possible v + δ of one person."""
    axes = []
    for place, feature in enumerate(schema.features):
        count = round(feature.span * (10 if feature.kind == "numeric" else 1)) + 1
        values = torch.linspace(0, 1, count, dtype=torch.float64)
        axes.append(values if bool(space.movable(x[None])[place]) else x[place : place + 1])
    points = torch.tensor(list(itertools.product(*axes)), dtype=torch.float64)
    return points[space.contains(points, x[None].expand_as(points))]


def check(model, schema, x, y, epsilon=0.15, **condition):
    """Compare claims and cells with the judge's verdict on everybody."""
    counterparts = rafair.Counterparts.of(schema)
    space = rafair.PerturbationSpace.of(schema, epsilon, "feasible")
    verdicts = [
        rafair.judge(model, points, label.expand(len(points)), counterparts, **condition)
        for points, label in zip((everywhere(schema, v, space) for v in x), y, strict=True)
    ]
    for prove in ("accurate_fair", "accurate", "fair"):
        found = rafair.certify(model, x, y, counterparts, space, claim=prove, **condition)
        truth = [-1 if bool(verdict.breaks(prove).any()) else 1 for verdict in verdicts]
        assert found.status.tolist() == truth, prove
        broken = found.status == -1
        assert bool(space.contains(found.witness[broken], x[broken]).all())
        assert bool(found.witness_counterpart[broken].isfinite().all())
    cells = certify_cells(model, x, y, counterparts, space, 5_000, **condition)
    truth = torch.tensor(
        [[1 if c in verdict.cells else -1 for c in range(4)] for verdict in verdicts]
    )
    # A fair cell may stay open where counterparts come and go with δ.
    may_be_open = torch.tensor([bool(schema.relations), False] * 2)
    assert bool(((cells.status == truth) | (may_be_open & (cells.status == 0))).all())
    for cell in range(len(CELLS)):
        reached = cells.status[:, cell] == 1
        if not bool(reached.any()):
            continue
        points = cells.witness[reached, cell]
        assert bool(space.contains(points, x[reached]).all())
        again = rafair.judge(model, points, y[reached], counterparts, **condition)
        assert bool((again.cells == cell).all())


def forest():
    return RandomForestClassifier(6, max_depth=5, random_state=0)


def boosted():
    return HistGradientBoostingClassifier(max_iter=6)


def voting(*members, **options):
    return VotingClassifier([(str(at), one) for at, one in enumerate(members)], **options)
