"""From a plan to a finished run: choose seeds, attack, judge, explain, store."""

from rafair.auditing.certifying import CLAIMS, certify_seeds
from rafair.auditing.conductor import audit
from rafair.auditing.directory import RunDirectory, check_new_run, is_unfinished
from rafair.auditing.engine import Engine
from rafair.auditing.plan import Plan
from rafair.auditing.planfile import PlanFile, read_plan
from rafair.auditing.repairing import repair_run
from rafair.auditing.result import AuditResult, CertifiedResult
from rafair.auditing.store import (
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
    "Engine",
    "Plan",
    "PlanFile",
    "RunDirectory",
    "audit",
    "certify_seeds",
    "check_new_run",
    "free_run",
    "is_unfinished",
    "load_run",
    "read_plan",
    "repair_run",
    "update_run",
    "write_certificates",
    "write_run",
]
