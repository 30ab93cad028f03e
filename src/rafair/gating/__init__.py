"""Decides whether a finished run is good enough: limits in, a verdict out.

In: a run directory or an ``AuditResult``, limits of rates, a baseline. Out: ``GateVerdict``, and
the same as JUnit XML and as Markdown. Importing it loads nothing heavy, because the command line
reads the names of the rates from here.
"""

from rafair.gating.deciding import assert_robustly_fair, gate
from rafair.gating.junit import as_junit
from rafair.gating.limits import check_limits, parse_limits
from rafair.gating.markdown import as_markdown
from rafair.gating.measuring import Measure, measure
from rafair.gating.verdict import GateCheck, GateVerdict

__all__ = [
    "GateCheck",
    "GateVerdict",
    "Measure",
    "as_junit",
    "as_markdown",
    "assert_robustly_fair",
    "check_limits",
    "gate",
    "measure",
    "parse_limits",
]
