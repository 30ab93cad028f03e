"""The pytest plugin, in sessions of their own."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[1]

AUDITING = """
import pytest, rafair
OPTIONS = dict(n_seeds=8, counterparts=12, attacks="random", queries=20, certify=False)

def audited(rafair_audit):
    return rafair_audit(rafair.baseline("credit"), rafair.load_dataset("credit"), **OPTIONS)

def test_good(rafair_audit):
    rafair.assert_robustly_fair(audited(rafair_audit), min={"acc": 0.3})

def test_bad(rafair_audit):
    rafair.assert_robustly_fair(audited(rafair_audit), min={"r_af": 1.0})
"""

IDLE = """
import os, sys
def test_nothing_is_disturbed():
    assert not [name for name in sys.modules if name.split(".")[0] in ("rafair", "torch", "numpy")]
    assert "MKL_CBWR" not in os.environ
"""


@pytest.fixture
def session(tmp_path):
    """Run pytest on a test file with this plugin alone."""

    def run(text, *arguments):
        (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
        path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path}
        line = [sys.executable, "-m", "pytest", "-q", "-p", "pytest_rafair", "-W", "error"]
        return subprocess.run(
            [*line, "test_it.py", *arguments],
            cwd=tmp_path, env={**os.environ, **alone}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_an_audit_in_a_test_is_judged_noted_and_kept(session, tmp_path):
    done = session(AUDITING, "--junit-xml=found.xml", "--rafair-runs=kept")
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "min r_af=1: failed, under attack at most" in done.stdout
    cases = {case.get("name"): case for case in ET.parse(tmp_path / "found.xml").iter("testcase")}
    noted = {each.get("name"): each.get("value") for each in cases["test_good"].iter("property")}
    assert noted["rafair.r_af.at_least"] == "None"
    assert 0 <= float(noted["rafair.r_af.at_most"]) <= 1
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["test_bad", "test_good"]
    assert (tmp_path / "kept" / "test_bad" / "report.html").exists()


def test_a_session_without_audits_is_left_as_it_is(session, monkeypatch):
    monkeypatch.delenv("MKL_CBWR", raising=False)  # importing rafair sets it
    done = session(IDLE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_names_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"rafair": "pytest_rafair"}
