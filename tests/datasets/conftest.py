"""The four benchmarks, each read once."""

import numpy as np
import pandas as pd
import pytest

from rafair import load_dataset
from rafair.datasets import benchmark_names


@pytest.fixture(scope="session")
def loaded():
    return {name: load_dataset(name) for name in benchmark_names()}


@pytest.fixture(scope="session")
def whole_frames(loaded):
    return {
        name: pd.concat([data.train.frame, data.test.frame], ignore_index=True)
        for name, data in loaded.items()
    }


@pytest.fixture
def loans():
    """A small table of one's own: numeric, integer, text and boolean features, a text label."""
    rng = np.random.default_rng(0)
    n = 40
    return pd.DataFrame(
        {
            "income": rng.normal(3000, 500, n).round(2),
            "age": rng.integers(20, 60, n),
            "sex": ["f", "m"] * (n // 2),
            "owner": rng.random(n) < 0.5,
            "approved": ["no"] * 24 + ["yes"] * 16,
        }
    )
