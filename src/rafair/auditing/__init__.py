"""From a plan to a finished run: choose seeds, attack, judge, explain, store."""

from rafair.auditing.certifying import CLAIMS, CertifiedResult, certify_seeds
from rafair.auditing.conductor import audit
from rafair.auditing.plan import Plan
from rafair.auditing.planfile import PlanFile, read_plan
from rafair.auditing.repairing import repair_run
from rafair.auditing.result import AuditResult
from rafair.auditing.store import (
    check_new_run,
    free_run,
    load_run,
    update_run,
    write_certificates,
    write_run,
)

__all__ = [
    "CLAIMS",
    "AuditResult",
    "CertifiedResult",
    "Plan",
    "PlanFile",
    "audit",
    "certify_seeds",
    "check_new_run",
    "free_run",
    "load_run",
    "read_plan",
    "repair_run",
    "update_run",
    "write_certificates",
    "write_run",
]
