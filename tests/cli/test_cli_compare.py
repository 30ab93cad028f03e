"""``rafair compare``: what is printed, and files."""

import json


def test_a_page_and_json_are_written_on_demand(rafair, finished_run, tmp_path):
    files = ("--page", tmp_path / "c.html", "--json", tmp_path / "c.json")
    done = rafair("compare", finished_run, finished_run, *files)
    assert (done.code, done.err) == (0, "")
    assert "0 people changed." in done.out
    assert f"Page: {tmp_path / 'c.html'}" in done.out
    found = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert found["runs"] == ["credit (1)", "credit (2)"]
    assert (tmp_path / "c.html").read_text("utf-8").startswith("<!doctype html>")


def test_quiet_prints_nothing_and_writes_nothing_unasked(rafair, finished_run, tmp_path):
    done = rafair("compare", finished_run, finished_run, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_line(rafair, finished_run, audit):
    assert "two runs or more" in rafair("compare", finished_run).complaint
    assert "no such run directory" in rafair("compare", finished_run, "none").complaint
    assert audit("--no-certify", "--quiet", "--out", "other").code == 0
    complaint = rafair("compare", finished_run, "other").complaint
    assert "other cannot be compared with credit: claims:" in complaint
    assert "proofs were not asked for" in complaint
