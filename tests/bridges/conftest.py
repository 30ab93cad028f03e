"""One small audit that all bridges carry over."""

import pytest

import rafair


@pytest.fixture(scope="session")
def run(credit, credit_model):
    options = {"n_seeds": 16, "steps": 2, "step_size": 0.05, "counterparts": 12, "max_nodes": 20}
    return rafair.audit(credit_model, credit, **options, max_seconds=600.0)
