"""A verdict as JUnit XML, in the form that Ant writes and CI systems read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from rafair.gating.verdict import GateCheck, GateVerdict

__all__ = ["as_junit"]


def as_junit(verdict: GateVerdict) -> bytes:
    """Return a test suite with one case for each check.

    A check that failed or is inconclusive is a failure of that type: both keep a change out.
    """
    bad = sum(check.status != "pass" for check in verdict.checks)
    suite = ET.Element(
        "testsuite",
        name="rafair gate",
        timestamp=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
        hostname="localhost",
        tests=str(len(verdict.checks)),
        failures=str(bad),
        errors="0",
        skipped="0",
        time="0",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in verdict.facts:
        ET.SubElement(properties, "property", name=name, value=_legal(value))
    for check in verdict.checks:
        _add_case(suite, check)
    ET.SubElement(suite, "system-out").text = _legal(repr(verdict))
    ET.SubElement(suite, "system-err")
    document: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_case(suite: ET.Element, check: GateCheck) -> None:
    case = ET.SubElement(suite, "testcase", name=check.name, classname="rafair.gate", time="0")
    if check.status != "pass":
        failure = ET.SubElement(case, "failure", type=check.word, message=_legal(check.sentence))
        failure.text = _legal(check.sentence)


def _legal(text: str) -> str:
    """Replace characters that XML 1.0 cannot hold, which names of data may contain."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
