import json

import pandas as pd
import pytest

REGION = "duration in [10, 20], sex == 'female', checking_status in ['below 0 DM', 'no account']"
SMALL = ("--counterparts", "12", "--max-nodes", "50")


def test_a_region_is_divided_printed_and_written_with_its_pictures(rafair, tmp_path):
    given = ("--region", REGION, "--partition", "6", *SMALL, "--out", "run")
    run = rafair("certify", "credit", *given)
    assert (run.code, run.err) == (0, "")
    files = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    written = {"certificates.json", "regions.parquet", "manifest.json"}
    assert files == {*written, "regions.svg", "map.svg"}
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())["regions"]
    boxes = pd.read_parquet(tmp_path / "run" / "regions.parquet")
    assert len(boxes) == found["boxes"]["n"] == 6
    assert found["region"] == REGION
    for key, name in (("fair", "fair everywhere"), ("unfair", "somebody unfair")):
        (line,) = (line for line in run.out.splitlines() if line.startswith(name))
        assert line.split()[2] == str((boxes["status"] == key).sum()) == str(found["boxes"][key])
    assert "counterpart" in run.out
    again = rafair("certify", "credit", *given, "--resume")
    assert (again.code, again.out) == (0, run.out)


def test_several_regions_are_asked_about_in_one_run(rafair, tmp_path):
    given = ("--region", REGION, "--region", "age >= 60", *SMALL, "--out", "run")
    run = rafair("certify", "credit", *given)
    assert (run.code, run.err) == (0, "")
    assert "credit: 2 regions" in run.out
    boxes = pd.read_parquet(tmp_path / "run" / "regions.parquet")
    assert boxes["region"].tolist() == [0, 0, 1]
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())["regions"]
    assert found["region"] == [REGION, "age >= 60"]


def test_several_workers_find_the_same(rafair, tmp_path):
    given = ("--partition", "20", *SMALL, "--region", REGION, "--quiet")
    for jobs in ("1", "2"):
        run = rafair("certify", "credit", *given, "--jobs", jobs, "--out", jobs)
        assert (run.code, run.out) == (0, "")
    for name in ("certificates.json", "regions.parquet", "manifest.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_run_without_time_is_undecided_and_says_so(rafair, tmp_path):
    run = rafair("certify", "credit", "--partition", "4", "--max-seconds", "1e-9", "--out", "run")
    assert run.code == 0
    assert "Stopped after 1e-09 s; what was left is undecided." in run.out
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["stopped"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--region", "income > 3"), "error: region 'income > 3': there is no feature 'income'"),
        (("--region", "sex =="), "error: region 'sex ==': not an expression that can be read"),
        (("--partition", "0"), "error: partition must be a whole number, 1 or more, not 0"),
        (("--region", "", "--claim", "fair"), "error: --claim is about seeds"),
        (("--region", "", "--seeds", "3"), "error: --seeds is about seeds"),
        (("--region", "", "--K", "2"), "error: --K is about seeds"),
        (("--region", "", "--d", "l2"), "error: --d is about seeds"),
        (("--region", "", "--setting", "paper"), "error: --setting says what changes"),
        (("--partition", "2", "--epsilon", "0.1", "--epsilon", "0.2"), "error: a region is"),
    ],
)
def test_what_has_no_meaning_is_one_line(rafair, given, message):
    run = rafair("certify", "credit", *given)
    assert run.code == 2
    assert run.err.startswith(message)
    assert run.err.count("\n") == 1
