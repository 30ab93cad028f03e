"""A small table with a column of every kind, and models of scikit-learn fitted to it."""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import rafair
from rafair.models.agreement import random_people

NUMBERS = ["age", "height", "married", "grade", "race_a", "race_b", "race_c"]
TEXTS = ["job", "size"]


@cache
def table(n=240):
    """Text, truth values, whole and other numbers, an order of text and of numbers, one-hot."""
    rng = np.random.default_rng(3)
    age, race = rng.integers(18, 41, n), rng.integers(0, 3, n)
    height = rng.normal(170, 9, n)
    job = rng.choice(["cook", "nurse", "smith", "judge"], n, p=[0.4, 0.4, 0.15, 0.05])
    worth = (age - 29) / 8 + (height - 170) / 9 + (job == "nurse") + race - 1
    worth += rng.normal(0, 0.3, n)
    return pd.DataFrame(
        {
            "age": age,
            "height": height,
            "job": job,
            "married": rng.random(n) < 0.5,
            "size": rng.choice(["small", "large", "medium"], n),
            "grade": rng.choice([1, 2, 5], n),
            **{f"race_{name}": (race == code).astype(int) for code, name in enumerate("abc")},
            "pay": np.where(worth > 0, "more", "less"),
            "share": np.select([worth > 1, worth > -0.5], ["top", "middle"], "low"),
        }
    )


@cache
def schema_of(label="pay", **changes):
    frame = table().drop(columns={"pay", "share"} - {label})
    found = rafair.Schema.infer(frame, label=label, sensitive=["race"])
    order = {"size": ("small", "medium", "large"), "grade": (1, 2, 5)}
    features = tuple(
        replace(feature, kind="ordinal", domain=order[feature.name], observed=())
        if feature.name in order
        else feature
        for feature in found.features
    )
    return replace(found, features=features, **changes)


def people(columns=None):
    frame = table().drop(columns=["pay", "share"])
    return frame if columns is None else frame[list(columns)]


def fitted(model, rows=None, label="pay"):
    """Fit a model; that so small a one has not converged is no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(people() if rows is None else rows, table()[label])


def pipeline(last=None):
    """Text one-hot, numbers scaled, the rest as it is."""
    scaled = ["age", "height", "grade"]
    parts = [("text", OneHotEncoder(), TEXTS), ("number", StandardScaler(), scaled)]
    before = ColumnTransformer(parts, remainder="passthrough")
    return make_pipeline(before, last or MLPClassifier((6,), max_iter=40, random_state=0))


def numeric(*steps):
    return make_pipeline(*steps, LogisticRegression(max_iter=9000))


def probabilities(model, rows):
    """What a model of scikit-learn says, as probabilities in the order of its classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(model, "predict_proba"):
            return torch.from_numpy(np.asarray(model.predict_proba(rows), dtype=np.float64))
        scores = torch.from_numpy(np.asarray(model.decision_function(rows), dtype=np.float64))
    if scores.ndim == 1:
        scores = torch.stack([torch.zeros_like(scores), scores], dim=1)
    return torch.softmax(scores, dim=1)


def check_same(model, schema, columns=None, tolerance=1e-9):
    """Wrap a model that reads a frame, and compare it with itself on random people."""
    wrapped = rafair.wrap(model, schema)
    assert wrapped.access == "gradient", wrapped.kind
    assert wrapped.reads == "frame"
    assert wrapped.dtype == torch.float64
    x = random_people(schema, 300, random_state=7)
    rows = schema.decode(x)
    theirs = probabilities(model, rows if columns is None else rows[list(columns)])
    order = [list(model.classes_).index(level) for level in schema.classes]
    ours = torch.softmax(wrapped.scores(x), dim=1)
    torch.testing.assert_close(ours, theirs[:, order], atol=tolerance, rtol=0)
    return wrapped
