"""The pytest plugin of rafair: audits in tests.

It is a module of its own, outside the package, so that a test session that audits nothing imports
nothing of rafair and finds its environment unchanged.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair import AuditResult

__all__ = ["rafair_audit"]

OPTION = "--rafair-runs"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that keeps the runs."""
    group = parser.getgroup("rafair")
    text = "Keep every audit of rafair_audit below this directory, with its page report.html."
    group.addoption(OPTION, metavar="DIR", default=None, help=text)


@pytest.fixture
def rafair_audit(request: pytest.FixtureRequest) -> Callable[..., AuditResult]:
    """Return a function that audits as ``rafair.audit`` does, and notes the answer in the test.

    R-ACC, R-IF and R-AF become properties of the test in pytest's JUnit XML (``--junit-xml``). With
    ``--rafair-runs DIR`` the run is kept in ``DIR``, in a directory named after the test.
    ``rafair.assert_robustly_fair`` judges the result.
    """
    # Not by ``record_property``, which warns wherever pytest writes its default kind of XML.
    noted = request.node.user_properties

    def run(model: Any, data: Any, y: Any = None, **options: Any) -> AuditResult:
        import rafair

        result = rafair.audit(model, data, y, **{"progress": False, **options})
        for rate, ends in result.metrics["robust"].items():
            for end in ("at_least", "at_most"):
                noted.append((f"rafair.{rate}.{end}", ends[end]))
        kept = request.config.getoption(OPTION)
        if kept is not None:
            _keep(result, Path(kept), request.node.name)
        return result

    return run


def _keep(result: AuditResult, directory: Path, test: str) -> None:
    """Write a run below a directory, in one that does not exist yet."""
    from rafair import write_run
    from rafair.report import render_pages
    from rafair.runs import free_run

    directory.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in test)
    write_run(result, free_run(directory / name), render_pages)
