"""Guards, label-free repair and advice from the command line."""

import json
import shutil
from pathlib import Path

import pytest

from rafair import load_run
from rafair.report.advised import guard_table


@pytest.fixture
def own_copy(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def test_a_guard_is_audited_and_found_again(audit, rafair):
    done = audit("--guard", "own-or-abstain", "--out", "run")
    assert done.code == 0, done.err
    assert "Guard by own-or-abstain: accuracy" in done.out
    assert "ms of processor time a row" in " ".join(done.out.split())
    run = load_run("run")
    assert run.manifest["model"]["guard"] == "own-or-abstain"
    assert run.manifest["model"]["ms_per_row"] > 0
    assert run.metrics["clean"]["if"] == 1
    assert run.metrics["robust"]["r_if"]["at_least"] == 1
    assert run.metrics["guard"]["guard by own-or-abstain"]["abstained"] > 0
    assert "The guard under an attacker who knows it" in done.out
    assert list(run.metrics["attacks"])[-1] == "adaptive"
    left, robust = run.metrics["attacks"]["adaptive"], run.metrics["robust"]["r_af"]
    assert robust["at_least"] <= robust["at_most"] <= left["r_af"]
    table = guard_table(run)
    assert table.rows[1][0] == "guard by own-or-abstain"
    assert table.rows[1][4] == f"{robust['at_least']:.3f}"
    assert table.title in Path("run/report.html").read_text(encoding="utf-8")
    del run.metrics["attacks"]["adaptive"]
    assert guard_table(run) is None
    missing = run.instances["prediction"].isna()
    assert (run.instances["cell"][missing] == "FF").all()
    assert rafair("repair", "run", "--quiet").code == 0  # of the guard, without being told


def test_an_unknown_rule_is_refused(audit):
    complaint = audit("--guard", "vote").complaint
    assert complaint == "--guard takes majority, mean, own-or-abstain, not 'vote'"


def test_label_free_repair_is_printed_and_kept(rafair, own_copy):
    done = rafair("repair", own_copy, "--label-free")
    assert done.code == 0, done.err
    assert "Repairs under an attacker who knows them" in done.out
    kept = load_run(own_copy).metrics["label_free"]
    assert set(kept) == {"instances", "impossible", "adaptive"}
    assert rafair("repair", own_copy, "--quiet").code == 0
    assert "label_free" not in load_run(own_copy).metrics


def test_advice_is_printed_and_kept(rafair, own_copy):
    done = rafair("advise", own_copy, "--no-train")
    assert done.code == 0, done.err
    assert "Which change helps most?" in done.out
    assert "robust network" not in done.out
    advice = json.loads((own_copy / "advice.json").read_text(encoding="utf-8"))
    assert advice["options"] == load_run(own_copy).metrics["advice"]
    assert (advice["dataset"], advice["n_seeds"], advice["n_test"]) == ("credit", 8, 300)
    assert "Which change helps most?" in (own_copy / "report.html").read_text(encoding="utf-8")


def test_no_epochs_are_refused(rafair, own_copy):
    assert "--epochs" in rafair("advise", own_copy, "--epochs", "0").complaint
