"""Small audits of the same people: of two models, and with other instances counted."""

import pytest

import rafair

BRIEF = {"n_seeds": 16, "steps": 2, "step_size": 0.05, "counterparts": 12, "max_nodes": 30}


@pytest.fixture(scope="session")
def audited(credit, credit_model):
    """A function that audits the baseline, or another model."""

    def run(model=credit_model, **options):
        return rafair.audit(model, credit, **BRIEF, max_seconds=600.0, **options)

    return run


@pytest.fixture(scope="session")
def first_run(audited):
    return audited()


@pytest.fixture(scope="session")
def other_run(audited, credit):
    return audited(rafair.train_fcnn(credit, epochs=2, random_state=7))
