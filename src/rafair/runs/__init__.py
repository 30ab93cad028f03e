"""What is kept of a run.

In: outcomes, results, and the shards of a run that goes on. Out: the run directory, which holds
either a whole run or an unfinished one that can go on, never half of a file; and what
``load_run`` reads from it. Nothing here computes: results come in finished.
"""

from rafair.runs.directory import RunDirectory, check_new_run, is_unfinished
from rafair.runs.reading import load_certificates, load_regions, load_run
from rafair.runs.regions import RegionResult
from rafair.runs.result import AuditResult, CertifiedResult
from rafair.runs.writing import free_run, update_run, write_certificates, write_regions, write_run

__all__ = [
    "AuditResult",
    "CertifiedResult",
    "RegionResult",
    "RunDirectory",
    "check_new_run",
    "free_run",
    "is_unfinished",
    "load_certificates",
    "load_regions",
    "load_run",
    "update_run",
    "write_certificates",
    "write_regions",
    "write_run",
]
