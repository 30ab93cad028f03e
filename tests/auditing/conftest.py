"""Finished audits, each run once."""

import numpy as np
import pandas as pd
import pytest

from rafair import audit, baseline, load_dataset, read_table, train_fcnn


@pytest.fixture(scope="session")
def credit_data():
    return load_dataset("credit")


@pytest.fixture(scope="session")
def credit_model():
    return baseline("credit")


@pytest.fixture(scope="session")
def credit_run(credit_data, credit_model):
    """All counterparts, the last iterate."""
    return audit(credit_model, credit_data, n_seeds=24, steps=3, step_size=0.05)


@pytest.fixture(scope="session")
def worst_run(credit_data, credit_model):
    return audit(credit_model, credit_data, n_seeds=24, steps=3, step_size=0.05, select="worst")


@pytest.fixture(scope="session")
def certified_run(credit_data, credit_model):
    """All counterparts; of those that are decided rightly some are proved and some break."""
    return audit(
        credit_model,
        credit_data,
        ["rafair", "ensemble"],
        n_seeds=16,
        steps=4,
        step_size=0.02,
        certify=True,
        max_nodes=300,
    )


def make_people(seed=0, n=80):
    """A table whose feature names are those of the instances' own columns."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "seed": rng.integers(0, 9, n),
            "label": rng.normal(0, 1, n).round(2),
            "cell": rng.choice(["TF", "red", "blue"], n),
            "age": rng.integers(20, 30, n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    people["paid"] = np.where(people["seed"] + people["label"] * 3 > 4, "yes", "no")
    return people


@pytest.fixture(scope="session")
def own_data():
    return read_table(make_people(), label="paid", sensitive=["sex", "age"], name="own")


@pytest.fixture(scope="session")
def own_model(own_data):
    return train_fcnn(own_data, epochs=3)


@pytest.fixture(scope="session")
def own_run(own_data, own_model):
    return audit(own_model, own_data, n_seeds=8, steps=3, step_size=0.1)
