"""What each command prints and writes."""

import json
import re
import shutil

import pandas as pd
import pytest

from rafair import __version__, load_run, train_fcnn
from rafair.datasets import benchmark_names
from rafair.models import load_fcnn

AUDIT_OPTIONS = [
    *("model", "out", "seeds", "attack", "steps", "step-size", "epsilon", "loss", "setting"),
    *("select", "sensitive", "counterparts", "random-state", "device", "batch-size"),
    *("certify", "no-certify", "curve", "max-seconds", "max-nodes", "fail-under", "quiet"),
]
VERBS = ("advise", "audit", "certify", "repair", "report", "reproduce", "train", "datasets")

RUN_FILES = [
    "certificates.parquet",
    "figures",
    "figures/confusion.svg",
    "figures/sensitive.svg",
    "instances.parquet",
    "manifest.json",
    "metrics.json",
    "report.html",
]


def files_of(run):
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*"))


@pytest.fixture
def own_copy(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


def test_help_lists_every_command(rafair):
    shown = rafair("--help")
    assert (shown.code, shown.err) == (0, "")
    for verb in VERBS:
        assert sum(line.split()[:1] == [verb] for line in shown.out.splitlines()) == 1


def test_no_argument_at_all_prints_the_same_help(rafair):
    assert rafair() == rafair("--help")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_explains_itself(rafair, verb, flag):
    shown = rafair(verb, flag)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: rafair {verb}")


def test_the_help_of_audit_names_its_options(rafair):
    shown = rafair("audit", "--help").out
    for option in AUDIT_OPTIONS:
        assert f"--{option} " in shown


def test_the_version_is_printed(rafair):
    shown = rafair("--version")
    assert (shown.code, shown.out, shown.err) == (0, f"rafair {__version__}\n", "")


def test_datasets_lists_all_with_their_sizes(rafair):
    shown = rafair("datasets")
    assert shown.code == 0
    for name in benchmark_names():
        assert f"\n{name} " in shown.out
    assert "45,222  30,162  15,060" in shown.out
    assert "age(74), race(5), sex(2)" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.mark.parametrize("name", benchmark_names())
def test_a_datasets_card_is_printed(rafair, name):
    from rafair.datasets import benchmark

    shown = rafair("datasets", name)
    assert shown.code == 0
    assert shown.out.startswith(f"# {benchmark(name).title}\n")
    assert benchmark(name).citation in shown.out
    assert f"- Licence: {benchmark(name).licence}" in shown.out
    for column in benchmark(name).columns:
        assert f"| {column.name} | " in shown.out


def test_the_adult_card_states_the_facts(rafair):
    card = rafair("datasets", "adult").out
    assert "train 30,162 rows" in card
    assert "test 15,060 rows" in card
    assert "age (74 values), race (5 values), sex (2 values)" in card


def test_train_writes_weights_that_audit_takes(rafair, audit, tmp_path):
    trained = rafair("train", "credit", "--epochs", "1", "--out", "model.safetensors")
    assert (trained.code, trained.err) == (0, "")
    assert "Weights: model.safetensors" in trained.out
    audited = audit("--model", "model.safetensors", "--no-certify", "--out", "run", "--quiet")
    assert audited.code == 0
    model = load_run(tmp_path / "run").manifest["model"]
    assert model["path"] == str(tmp_path / "model.safetensors")
    assert rafair("repair", "run", "--steps", "2", "--quiet").code == 0


def test_train_prints_the_figures_it_stores(rafair, tmp_path):
    from rafair.models import read_metadata

    printed = rafair("train", "credit", "--epochs", "1", "--out", "model").out
    metrics = read_metadata(tmp_path / "model")["metrics"]
    assert set(metrics) == {"accuracy", "balanced_accuracy", "majority_share", "if", "af"}
    for name, value in metrics.items():
        assert f"{name.replace('_', ' '):<18} {value:.4f}\n" in printed


def test_training_twice_gives_the_same_weights_and_another_state_others(rafair, tmp_path):

    digests = []
    for name, state in (("one", 0), ("two", 0), ("three", 1)):
        train = ("train", "credit", "--epochs", "1", "--quiet", "--out", name)
        assert rafair(*train, "--random-state", state).code == 0
        digests.append(load_fcnn(tmp_path / name).digest())
    assert digests[0] == digests[1] != digests[2]


def test_a_plain_network_is_trained_without_penalty_and_average(rafair, tmp_path, credit):
    done = rafair(
        "train", "credit", "--plain", "--epochs", "2", "--quiet", "--out", "plain.safetensors"
    )
    assert done.code == 0
    written = load_fcnn(tmp_path / "plain.safetensors", credit.schema)
    assert written.digest() == train_fcnn(credit, epochs=2, plain=True).digest()
    assert written.digest() != train_fcnn(credit, epochs=2).digest()


def test_quiet_training_prints_nothing(rafair):
    trained = rafair("train", "credit", "--epochs", "1", "--quiet", "--out", "model")
    assert (trained.code, trained.out, trained.err) == (0, "", "")


def test_audit_writes_a_whole_run(finished_run):
    assert files_of(finished_run) == RUN_FILES
    assert [path.name for path in finished_run.parent.iterdir()] == [finished_run.name]


def test_the_stored_metrics_have_the_documented_shape(finished_run):
    metrics = json.loads((finished_run / "metrics.json").read_text())
    assert metrics["dataset"] == "credit"
    assert metrics["n_seeds"] == 8
    assert metrics["n_counterparts"] == 12
    assert list(metrics["attacks"]) == ["rafair-tb", "rafair-ff", "rafair-fb", "rafair"]
    instances = pd.read_parquet(finished_run / "instances.parquet")
    assert len(instances) == 8 * 5


def test_the_options_reach_the_plan(audit, tmp_path):
    options = {
        "--epsilon": "0.07",
        "--loss": "cross_entropy",
        "--setting": "feasible",
        "--select": "worst",
        "--random-state": "3",
        "--batch-size": "99",
        "--device": "cpu",
        "--attack": "rafair-ff",
        "--sensitive": "age, housing",
    }
    arguments = [part for option in options.items() for part in option]
    assert audit(*arguments, "--quiet", "--out", "run").code == 0
    manifest = load_run(tmp_path / "run").manifest
    assert manifest["plan"] == {
        "attacks": ["rafair-ff"],
        "n_seeds": 8,
        "random_state": 3,
        "steps": 2,
        "step_size": 0.05,
        "epsilon": 0.07,
        "loss": "cross_entropy",
        "setting": "feasible",
        "select": "worst",
        "counterparts": 12,
        "batch_size": 99,
        "queries": 5000,
        "certify": None,
        "curve": False,
        "max_seconds": None,
        "max_nodes": 5000,
    }
    assert manifest["schema"]["sensitive"] == ["age", "housing"]


def test_attacks_can_be_repeated_on_the_command_line(audit, tmp_path):
    audit("--attack", "rafair-fb", "--attack", "rafair-tb", "--quiet", "--out", "run")
    attacks = load_run(tmp_path / "run").metrics["attacks"]
    assert {"rafair-fb", "rafair-tb"} <= set(attacks)
    assert "rafair-ff" not in attacks


def test_all_seeds_and_all_counterparts_can_be_asked_for(rafair, tmp_path):
    done = rafair(
        *("audit", "credit", "--seeds", "all", "--steps", "0", "--sensitive", "sex"),
        *("--attack", "rafair-tb", "--counterparts", "all", "--no-certify", "--quiet"),
        *("--out", "run"),
    )
    assert done.code == 0
    metrics = load_run(tmp_path / "run").metrics
    assert (metrics["n_seeds"], metrics["n_counterparts"]) == (300, 2)


def test_without_an_output_path_a_run_goes_below_runs(audit, tmp_path):
    done = audit()
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("credit-")
    assert files_of(run) == RUN_FILES
    assert f"Report: runs/{run.name}/report.html" in done.out


def test_the_same_command_stores_the_same_figures(audit, finished_run, tmp_path):
    assert audit("--quiet", "--out", "again").code == 0
    for name in ("metrics.json", "manifest.json", "figures/confusion.svg", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (finished_run / name).read_bytes()


def test_quiet_audits_print_nothing(audit):
    done = audit("--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_audit_prints_the_rates_the_findings_and_where_the_report_is(audit, tmp_path):
    done = audit("--out", "run")
    assert (done.code, done.err) == (0, "")
    rates = load_run(tmp_path / "run").metrics["attacks"]["rafair"]
    assert f"{rates['r_af']:.3f}" in done.out
    assert "credit: 8 seeds, 12 counterparts each" in done.out
    assert "Report: run/report.html\n" in done.out


@pytest.mark.parametrize("gate", ["r_af=0.99", "r_acc=1", "r_if=1", "tfr=0.999", "af=1"])
def test_a_gate_that_fails_exits_with_one_and_still_writes_the_run(audit, tmp_path, gate):
    done = audit("--fail-under", gate, "--out", "run")
    assert done.code == 1
    assert done.err == ""
    assert f"Gate failed: {gate.split('=')[0]} is " in done.out
    assert files_of(tmp_path / "run") == RUN_FILES


@pytest.mark.parametrize("gate", ["r_af=0", "acc=0", "if=0.0"])
def test_a_gate_that_holds_exits_with_zero(audit, gate):
    done = audit("--fail-under", gate)
    assert done.code == 0
    assert "Gate failed" not in done.out


def test_one_failed_gate_of_several_is_enough(audit):
    done = audit("--fail-under", "acc=0", "--fail-under", "r_af=0.99", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Gate failed: r_af is proved to be ")


def test_a_gate_is_met_by_its_own_value(audit, finished_run):
    proved = json.loads((finished_run / "metrics.json").read_text())["robust"]["r_af"]["at_least"]
    for rate in ("r_af", "tfr"):
        assert audit("--fail-under", f"{rate}={proved!r}", "--out", f"{rate}-met").code == 0
        missed = audit("--fail-under", f"{rate}={proved + 1e-9!r}", "--out", f"{rate}-missed")
        assert missed.code == 1
        told = f"Gate failed: {rate} is proved to be( at least)? {proved:.3f}, below"
        assert re.search(told, missed.out)


def test_without_proofs_a_gate_is_met_by_what_no_attack_breaks(audit, tmp_path):
    unproved = ("--no-certify", "--quiet")
    assert audit(*unproved, "--out", "run").code == 0
    rate = load_run(tmp_path / "run").metrics["robust"]["r_if"]
    assert rate["at_least"] is None
    least = rate["at_most"]
    assert audit(*unproved, "--fail-under", f"r_if={least!r}", "--out", "met").code == 0
    missed = audit("--no-certify", "--fail-under", f"r_if={least + 1e-9!r}", "--out", "missed")
    assert missed.code == 1
    assert f"Gate failed: r_if is under attack at most {least:.3f}" in missed.out


def test_repair_adds_repairs_to_the_run(rafair, own_copy):
    done = rafair("repair", "run")
    assert (done.code, done.err) == (0, "")
    assert "after benign" in done.out
    run = load_run(own_copy)
    assert list(run.metrics["repairs"]) == list(run.metrics["attacks"])
    assert (run.instances["stage"] == "repaired").sum() == 8 * 4
    assert "after benign" in (own_copy / "report.html").read_text()
    assert files_of(own_copy) == RUN_FILES


def test_repair_takes_the_audits_parameters_or_its_own(rafair, own_copy):
    assert rafair("repair", "run", "--steps", "2", "--quiet").code == 0
    assert load_run(own_copy).manifest["repair"]["steps"] == 2
    assert rafair("repair", "run", "--quiet", "--steps", "1", "--loss", "margin").code == 0
    repair = load_run(own_copy).manifest["repair"]
    assert (repair["steps"], repair["loss"], repair["epsilon"]) == (1, "margin", 0.05)


def test_report_writes_the_same_page_anew(rafair, own_copy):
    page = own_copy / "report.html"
    before = page.read_bytes()
    page.unlink()
    done = rafair("report", "run")
    assert (done.code, done.out, done.err) == (0, "Report: run/report.html\n", "")
    assert page.read_bytes() == before


def test_report_writes_where_it_is_told(rafair, finished_run, tmp_path):
    done = rafair("report", finished_run, "--out", "page.html", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (tmp_path / "page.html").read_bytes() == (finished_run / "report.html").read_bytes()
