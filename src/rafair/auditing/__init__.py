"""What is done: the only conductor.

In: a model, data and a plan. Out: a result, after seeds were chosen, attacked, judged, explained
and, where the plan says so, certified; or a finished run with its instances repaired. What is asked
comes from ``plans``, where work is computed is ``engine``'s, and what is kept of it is ``runs``'s.
"""

from rafair.auditing.advising import advise_run
from rafair.auditing.asking import certify, certify_cells, judge
from rafair.auditing.certifying import certify_seeds
from rafair.auditing.checking import check
from rafair.auditing.conductor import audit
from rafair.auditing.curves import CLAIMS
from rafair.auditing.regions import certify_region
from rafair.auditing.repairing import repair_run

__all__ = [
    "CLAIMS",
    "advise_run",
    "audit",
    "certify",
    "certify_cells",
    "certify_region",
    "certify_seeds",
    "check",
    "judge",
    "repair_run",
]
