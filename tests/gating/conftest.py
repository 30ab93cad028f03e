"""A run of which the numbers are known."""

from dataclasses import replace

import pytest

import rafair

CLEAN = {"acc": 0.8, "if": 0.7, "af": 0.6, "dissent": 0.1}
CLEAN_CI = {"acc": [0.7, 0.9], "if": [0.6, 0.8], "af": [0.5, 0.7], "dissent": [0.05, 0.15]}
PROVED = {"at_least": 0.5, "at_most": 0.6, "ci": {"at_least": [0.4, 0.6], "at_most": [0.5, 0.7]}}
UNPROVED = {"at_least": None, "at_most": 0.6, "ci": {"at_most": [0.5, 0.7]}}
WEAK = {"tbr": 0.1, "ci": {"tbr": [0.05, 0.2]}}
STRONG = {"tbr": 0.2, "ci": {"tbr": [0.1, 0.3]}}


@pytest.fixture(scope="session")
def small_run(credit, credit_model):
    options = {"n_seeds": 12, "steps": 2, "step_size": 0.05, "counterparts": 12}
    return rafair.audit(credit_model, credit, **options, max_nodes=30, max_seconds=600.0)


@pytest.fixture
def known(small_run):
    """A run with these numbers; ``proved=False`` for one without proofs."""

    def made(*, proved=True, inconclusive=False):
        robust = dict.fromkeys(("r_acc", "r_if", "r_af"), PROVED if proved else UNPROVED)
        numbers = {
            "clean": {**CLEAN, "ci": CLEAN_CI},
            "robust": robust,
            "attacks": {"pgd": WEAK, "rafair": STRONG},
        }
        proofs = {"why_not": None if proved else "the model has no certificates"}
        manifest = {**small_run.manifest, "proofs": proofs, "inconclusive": inconclusive}
        metrics = {**small_run.metrics, **numbers}
        return replace(small_run, metrics=metrics, manifest=manifest)

    return made
