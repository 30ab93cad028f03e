"""Trees over features whose possible values are multiples of a spacing."""

import numpy as np
import pandas as pd
import torch
from sklearn.tree import DecisionTreeClassifier

import rafair
from rafair.certificates import certify


def test_the_last_multiple_may_lie_above_1_by_rounding():
    k = next(k for k in range(11, 5000) if k * (0.1 / (k / 10)) > 1)
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"income": drawn.integers(0, k + 1, 200) / 10, "female": drawn.integers(0, 2, 200)}
    )
    features = (
        rafair.Feature("income", "numeric", (0.0, k / 10), decimals=1),
        rafair.Feature("female", "categorical", (0, 1), sensitive=True),
    )
    schema = rafair.Schema(features, "paid", (0, 1))
    labels = (frame["income"] + 3 * frame["female"] > k / 20).astype(int)
    model = rafair.wrap(DecisionTreeClassifier(random_state=0).fit(frame, labels), schema)
    x = schema.encode(frame.iloc[:5])
    space, people = rafair.PerturbationSpace.of(schema, 1.0), rafair.Counterparts.of(schema)
    assert float(space.hull(x)[1][:, 0].max()) > 1
    y = torch.tensor(labels.iloc[:5].to_numpy(), dtype=torch.int64)
    assert (certify(model, x, y, people, space).status == -1).all()
