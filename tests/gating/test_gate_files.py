"""A verdict as JUnit XML and as Markdown."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import rafair
from rafair.gating import as_junit, as_markdown

SCHEMA = Path(__file__).with_name("junit.xsd")
HOSTILE = "<b>|`[x](y)`\n# *a* & \x00\x1b[31m"


@pytest.fixture
def verdict(known):
    return rafair.gate(known(), min={"acc": 0.95, "if": 0.7, "af": 0.1}, max={"tbr": 0.3})


@pytest.fixture
def hostile(verdict):
    return replace(verdict, facts=(("dataset", HOSTILE), *verdict.facts[1:]))


def test_the_xml_follows_the_schema(verdict, hostile):
    schema = pytest.importorskip("xmlschema").XMLSchema(SCHEMA)
    for each in (verdict, hostile):
        schema.validate(as_junit(each).decode())
    with pytest.raises(ValueError, match=r"(?i)schema|valid|tag"):
        schema.validate("<testsuite name='x'/>")


def test_the_xml_counts_what_did_not_pass_and_says_why(verdict):
    suite = ET.fromstring(as_junit(verdict))
    cases = suite.findall("testcase")
    assert (suite.get("tests"), suite.get("failures")) == ("4", "2")
    assert [case.get("name") for case in cases] == [check.name for check in verdict.checks]
    failures = [case.find("failure") for case in cases]
    assert [f is not None and f.get("type") for f in failures] == [
        "failed", "inconclusive", False, False,
    ]  # fmt: skip
    assert failures[0].text == verdict.checks[0].sentence
    facts = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert facts == dict(verdict.facts)


def test_the_summary_has_a_row_for_each_check_and_is_neutral_to_markup(verdict, hostile):
    lines = as_markdown(verdict).splitlines()
    assert lines[0] == "### rafair gate: failed"
    rows = [line for line in lines if line.startswith("| `")]
    assert len(rows) == len(verdict.checks)
    assert all(row.count("|") - row.count("\\|") == 4 for row in rows)
    text = as_markdown(hostile)
    assert text.count("\n") == as_markdown(verdict).count("\n")
    for raw in ("<b>", "[x](y)", "\x1b", " *a*"):
        assert raw not in text
