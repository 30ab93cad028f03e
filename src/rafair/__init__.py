"""Audit, attack and repair the robust accurate fairness of classifiers on tabular data.

Everything below is loaded on first use, so that importing the package costs nothing.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rafair import attacks, metrics, repair
    from rafair.auditing import (
        advise_run,
        audit,
        certify,
        certify_cells,
        certify_region,
        check,
        judge,
        repair_run,
    )
    from rafair.certificates import Certificate
    from rafair.comparing import Comparison, compare
    from rafair.datasets import Dataset, load_dataset, read_table, read_test
    from rafair.engine import Engine
    from rafair.errors import InvalidInput, RafairError
    from rafair.fairness import Verdict, choose_seeds
    from rafair.gating import GateVerdict, assert_robustly_fair, gate
    from rafair.guarding.estimator import Guard
    from rafair.models import Classifier, baseline, load_model, train_fcnn, wrap
    from rafair.plans import Plan
    from rafair.plans.plan_file import read_plan
    from rafair.problem import Counterparts, PerturbationSpace
    from rafair.report import write_report
    from rafair.runs import AuditResult, RunDirectory, load_run, write_run
    from rafair.schema import Column, Feature, Schema
    from rafair.scoring import make_scorer
    from rafair.training.estimator import RobustClassifier

__version__ = "0.1.0"

# For models that torch computes. MKL reads this at its first matrix product; without it some
# processors round a row otherwise at an odd place of a batch than at an even one, and results would
# depend on a row's company.
os.environ.setdefault("MKL_CBWR", "AUTO")

_HOME = {
    "rafair": ("attacks", "metrics", "repair"),
    "rafair.auditing": (
        *("advise_run", "audit", "certify", "certify_cells", "certify_region"),
        *("check", "judge", "repair_run"),
    ),
    "rafair.certificates": ("Certificate",),
    "rafair.comparing": ("Comparison", "compare"),
    "rafair.datasets": ("Dataset", "load_dataset", "read_table", "read_test"),
    "rafair.engine": ("Engine",),
    "rafair.errors": ("InvalidInput", "RafairError"),
    "rafair.fairness": ("Verdict", "choose_seeds"),
    "rafair.gating": ("GateVerdict", "assert_robustly_fair", "gate"),
    "rafair.guarding.estimator": ("Guard",),
    "rafair.models": ("Classifier", "baseline", "load_model", "train_fcnn", "wrap"),
    "rafair.plans": ("Plan",),
    "rafair.plans.plan_file": ("read_plan",),
    "rafair.problem": ("Counterparts", "PerturbationSpace"),
    "rafair.report": ("write_report",),
    "rafair.runs": ("AuditResult", "RunDirectory", "load_run", "write_run"),
    "rafair.schema": ("Column", "Feature", "Schema"),
    "rafair.scoring": ("make_scorer",),
    "rafair.training.estimator": ("RobustClassifier",),
}
_WHERE = {name: home for home, names in _HOME.items() for name in names}

__all__ = [
    "AuditResult",
    "Certificate",
    "Classifier",
    "Column",
    "Comparison",
    "Counterparts",
    "Dataset",
    "Engine",
    "Feature",
    "GateVerdict",
    "Guard",
    "InvalidInput",
    "PerturbationSpace",
    "Plan",
    "RafairError",
    "RobustClassifier",
    "RunDirectory",
    "Schema",
    "Verdict",
    "advise_run",
    "assert_robustly_fair",
    "attacks",
    "audit",
    "baseline",
    "certify",
    "certify_cells",
    "certify_region",
    "check",
    "choose_seeds",
    "compare",
    "gate",
    "judge",
    "load_dataset",
    "load_model",
    "load_run",
    "make_scorer",
    "metrics",
    "read_plan",
    "read_table",
    "read_test",
    "repair",
    "repair_run",
    "train_fcnn",
    "wrap",
    "write_report",
    "write_run",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _WHERE[name]
    if home == __name__:
        return importlib.import_module(f"{home}.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
