"""``rafair gate``: exit codes, what is printed, and files."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from rafair import load_run


@pytest.fixture
def proved(finished_run):
    return load_run(finished_run).metrics["robust"]["r_af"]


def test_the_exit_code_says_passed_failed_or_open(rafair, finished_run, proved, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # set where pytest's own workers begin
    low, high = proved["ci"]["at_least"][0], proved["ci"]["at_most"][1]
    for limit, code in ((low, 0), (high, 3), (1.0, 1)):
        done = rafair("gate", finished_run, "--min", f"r_af={limit!r}")
        assert (done.code, done.err) == (code, "")
        assert done.out.count("\n") == 2


def test_quiet_prints_nothing_and_files_hold_the_verdict(rafair, finished_run, tmp_path):
    files = ("--junit", tmp_path / "gate.xml", "--summary", tmp_path / "gate.md")
    done = rafair("gate", finished_run, "--max", "tbr=1", "--quiet", *files)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert ET.parse(tmp_path / "gate.xml").getroot().get("failures") == "0"
    assert (tmp_path / "gate.md").read_text("utf-8").startswith("### rafair gate: passed\n")


def test_a_run_is_its_own_baseline(rafair, finished_run):
    done = rafair("gate", finished_run, "--baseline", finished_run, "--max-drop", "acc=1")
    assert (done.code, done.out.splitlines()[0]) == (0, "Gate passed")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "a gate needs a limit"),
        (("--min", "r_af"), "--min 'r_af': write RATE=NUMBER"),
        (("--min", "r_af=x"), "--min 'r_af=x': write RATE=NUMBER"),
        (("--max", "tbr=2"), "--max 'tbr=2': the bound must lie in [0, 1]"),
        (("--max-drop", "acc=.1"), "a baseline is missing"),
        (("--min", "acc=.1", "--junit", "no/gate.xml"), "no: no such directory"),
        (("--min", "acc=.1", "--baseline", "none"), "max_drop is missing"),
    ],
)
def test_bad_input_is_one_line(rafair, finished_run, arguments, complaint):
    done = rafair("gate", finished_run, *arguments)
    assert (done.code, complaint in done.complaint) == (2, True), done.err


def test_what_is_no_run_is_one_line(rafair, tmp_path):
    assert "no such run directory" in rafair("gate", "none", "--min", "acc=.1").complaint
    (tmp_path / "manifest.json").write_text(json.dumps({"tool": "other"}))
    assert "not a run of rafair" in rafair("gate", tmp_path, "--min", "acc=.1").complaint


def test_a_gate_loads_no_library_that_computes(finished_run):
    heavy = ["torch", "matplotlib", "scipy", "numba"]
    program = (
        f"import rafair, sys; print(rafair.gate({str(finished_run)!r}, min={{'acc': 0.0}}).passed, "
        f"[name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True []\n", "")
