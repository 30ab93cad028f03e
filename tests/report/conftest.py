"""Finished runs to report on: an ordinary one, a repaired one, and one with hostile names."""

import numpy as np
import pandas as pd
import pytest

from brief import brief
from rafair import audit, baseline, load_dataset, read_table, repair_run, train_fcnn


@pytest.fixture(scope="session")
def plain_run():
    data = load_dataset("credit")
    options = {"n_seeds": 16, "steps": 2, "step_size": 0.1, "counterparts": 12}
    return audit(baseline("credit"), data, **options, max_nodes=50, max_seconds=600.0)


@pytest.fixture(scope="session")
def repaired_run(plain_run):
    return repair_run(plain_run, baseline("credit"), load_dataset("credit"))


@pytest.fixture(scope="session")
def certified_run():
    with brief():
        return audit(
            baseline("credit"),
            load_dataset("credit"),
            attacks=["rafair", "ensemble"],
            n_seeds=16,
            steps=2,
            step_size=0.1,
            counterparts=12,
            curve=True,
            max_nodes=50,
            max_seconds=600.0,
        )


SCRIPT = "<script>alert(1)</script>"
QUOTES = "it's \"quoted\" & 'more'"
MATHS = "$x^2$"
DOLLAR = "cost in $"
BROKEN_MATHS = "$\\frac{"
HOSTILE = (SCRIPT, QUOTES, MATHS, DOLLAR, BROKEN_MATHS)


def hostile_people(n=60, seed=0):
    rng = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            SCRIPT: rng.choice([SCRIPT, QUOTES, "plain"], n),
            MATHS: rng.choice([MATHS, BROKEN_MATHS, "$"], n),
            DOLLAR: rng.normal(0, 1, n).round(3),
            QUOTES: rng.integers(0, 50, n),
            "{{ 7 * 7 }}": rng.integers(0, 5, n),
        }
    )
    wealthy = people[DOLLAR] + (people[MATHS] == MATHS) > 0.3
    people[BROKEN_MATHS] = np.where(wealthy, SCRIPT, "</td>")
    return people


@pytest.fixture(scope="session")
def hostile_run():
    data = read_table(
        hostile_people(),
        label=BROKEN_MATHS,
        sensitive=[SCRIPT, MATHS],
        name="<b>&name</b>",
    )
    model = train_fcnn(data, epochs=1)
    return audit(model, data, n_seeds=12, steps=2, step_size=0.2)


@pytest.fixture(scope="session")
def hostile_words():
    return HOSTILE
