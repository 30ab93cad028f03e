import json

import pandas as pd
import pytest

from rafair import load_run
from rafair.auditing import curves

SMALL = ("--seeds", "6", "--counterparts", "12", "--max-nodes", "200")
NAMES = {"R-AF": "accurate_fair", "R-ACC": "accurate", "R-IF": "fair"}
CURVE = "How much change does it take?"
CERTIFIED = ["certificates.json", "certificates.parquet", "manifest.json"]


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def files_of(run):
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())


def epsilons(*values):
    return [part for value in values for part in ("--epsilon", value)]


def lines_of(run, name):
    return [line.split() for line in run.out.splitlines() if line.startswith(name)]


def test_it_prints_the_bounds_and_writes_them(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--epsilon", "0.02", "--out", "run")
    assert (run.code, run.err) == (0, "")
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())
    (point,) = found["curve"]
    assert (found["dataset"], found["n_seeds"], point["epsilon"]) == ("credit", 6, 0.02)
    for name, claim in NAMES.items():
        (line,) = lines_of(run, name)
        rates = point["claims"][claim]
        shown = [f"{rates[word]:.3f}" for word in ("proved", "undecided", "broken")]
        assert line[:5] == [name, "0.02", *shown]
    assert files_of(tmp_path / "run") == CERTIFIED
    assert all(len(line) <= 80 for line in run.out.splitlines())
    assert "run/certificates.json" in run.out


def test_several_epsilons_make_a_curve_in_order_with_a_figure(rafair, tmp_path):
    given = epsilons("0.05", "0.01", "0.05", "0.02")
    run = rafair("certify", "credit", *SMALL, *given, "--out", "run")
    assert (run.code, run.err) == (0, "")
    assert files_of(tmp_path / "run") == sorted([*CERTIFIED, "figures/robustness.svg"])
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())
    assert [point["epsilon"] for point in found["curve"]] == [0.01, 0.02, 0.05]
    for name, claim in NAMES.items():
        shown = [line[1:3] for line in lines_of(run, name)]
        proved = [f"{point['claims'][claim]['proved']:.3f}" for point in found["curve"]]
        assert shown == [list(pair) for pair in zip(("0.01", "0.02", "0.05"), proved, strict=True)]
    assert all(len(line) <= 80 for line in run.out.splitlines())
    table = pd.read_parquet(tmp_path / "run" / "certificates.parquet")
    assert table.groupby(["epsilon", "claim"]).size().tolist() == [6] * 9
    assert "R-ACC</text>" in (tmp_path / "run" / "figures" / "robustness.svg").read_text()


def test_one_epsilon_twice_is_one(rafair, tmp_path):
    given = epsilons("0.02", "0.02")
    assert rafair("certify", "credit", *SMALL, *given, "--quiet", "--out", "run").code == 0
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())
    assert [point["epsilon"] for point in found["curve"]] == [0.02]
    assert files_of(tmp_path / "run") == CERTIFIED


def test_without_an_epsilon_it_is_a_twentieth(rafair, tmp_path):
    assert rafair("certify", "credit", *SMALL, "--quiet", "--out", "run").code == 0
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())
    assert [point["epsilon"] for point in found["curve"]] == [0.05]


def test_only_the_named_claims_are_certified_and_shown(rafair, tmp_path):
    given = ("--claim", "fair", "--claim", "accurate", "--epsilon", "0.01", "--epsilon", "0.02")
    run = rafair("certify", "credit", *SMALL, *given, "--out", "run")
    assert run.code == 0
    assert (len(lines_of(run, "R-AF")), len(lines_of(run, "R-ACC"))) == (0, 2)
    table = pd.read_parquet(tmp_path / "run" / "certificates.parquet")
    assert {*table["claim"]} == {"fair", "accurate"}


def test_after_no_time_at_all_everything_is_undecided_and_said_to_be(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--max-seconds", "1e-9", "--out", "run")
    assert (run.code, run.err) == (0, "")
    assert "Stopped after 1e-09 s; what was left is undecided." in run.out
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["stopped"] is True
    for name in NAMES:
        assert lines_of(run, name) == [[name, "0.05", "0.000", "1.000", "0.000", "0.000-1.000"]]


def test_time_enough_stops_nothing(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--max-seconds", "1000", "--out", "run")
    assert "Stopped" not in run.out
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["stopped"] is False


def test_the_models_accuracy_stands_beside_the_majority_share(rafair, audit):
    for run in (rafair("certify", "credit", *SMALL), audit()):
        (line,) = (line for line in run.out.splitlines() if "majority share" in line)
        assert line.startswith("On the whole test split: accuracy 0.")


@pytest.fixture
def certified(audit):
    return lambda *given: audit("--certify", "--curve", "--max-nodes", "50", *given)


def test_an_audit_with_certificates_shows_and_writes_them(certified, rafair, tmp_path):
    run = certified("--attack", "ensemble", "--attack", "rafair-ff", "--out", "run")
    assert (run.code, run.err) == (0, "")
    files = {"certificates.parquet", "figures/robustness.svg"}
    assert files <= {*files_of(tmp_path / "run")}
    stored = load_run(tmp_path / "run")
    found = stored.metrics["certificates"]
    assert found["conflicts"] == 0
    # Three claims at four ε; along two attributes two claims at one.
    assert len(stored.certificates) == 8 * (4 * 3 + 2 * 2)
    for name, claim in NAMES.items():
        shown = [line[2] for line in lines_of(run, name) if len(line) == 6]
        assert shown == [f"{point['claims'][claim]['proved']:.3f}" for point in found["curve"]]
    assert "Which member of ensemble-af broke whom?" in run.out
    assert CURVE in (tmp_path / "run" / "report.html").read_text()
    assert any(line.startswith("proved, ε = 0.1") for line in run.out.splitlines())
    assert all(len(line) <= 80 for line in run.out.splitlines())


def test_an_audit_without_certificates_writes_none(audit, tmp_path):
    done = audit("--no-certify", "--out", "run")
    assert done.code == 0
    assert "nothing is proved, because proofs were not asked for" in " ".join(done.out.split())
    assert any(line.startswith("at most, ε = 0.1") for line in done.out.splitlines())
    assert load_run(tmp_path / "run").certificates is None
    assert not (tmp_path / "run" / "figures" / "robustness.svg").exists()


def test_an_audit_proves_by_default_and_says_first_what_holds(audit, tmp_path):
    done = audit("--out", "run")
    robust = load_run(tmp_path / "run").metrics["robust"]
    proved = [f"{robust[rate]['at_least']:.3f}" for rate in robust]
    lines = done.out.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("proved, ε = 0.1"))
    assert lines[place].split()[4:] == proved
    assert place < lines.index(next(line for line in lines if line.startswith("What each attack")))


def test_the_time_of_the_proofs_is_said_where_it_ran_out(audit):
    done = audit("--max-seconds", "1e-9", "--out", "run")
    assert done.code == 0
    assert "The proofs stopped after 1e-09 s (--max-seconds)." in " ".join(done.out.split())


def test_certificates_survive_repair_and_report(certified, rafair, tmp_path):
    assert certified("--attack", "rafair-ff", "--quiet", "--out", "run").code == 0
    before = {name: (tmp_path / "run" / name).read_bytes() for name in files_of(tmp_path / "run")}
    assert rafair("repair", "run", "--quiet").code == 0
    assert files_of(tmp_path / "run") == list(before)
    for name in ("certificates.parquet", "figures/robustness.svg"):
        assert (tmp_path / "run" / name).read_bytes() == before[name]
    page = (tmp_path / "run" / "report.html").read_text()
    assert CURVE in page
    assert rafair("report", "run", "--quiet").code == 0
    assert (tmp_path / "run" / "report.html").read_text() == page


def test_the_number_of_boxes_reaches_the_audit(certified, tmp_path, monkeypatch):
    given = []
    run = curves.certify_curve

    def noting(*arguments, **options):
        given.append(arguments[5])
        return run(*arguments, **options)

    monkeypatch.setattr(curves, "certify_curve", noting)
    assert certified("--attack", "rafair-ff", "--quiet", "--out", "run").code == 0
    assert set(given) == {50}
    assert load_run(tmp_path / "run").manifest["proofs"]["max_nodes"] == 50


def test_quiet_prints_nothing(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--quiet", "--out", "run")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert (tmp_path / "run" / "certificates.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody",), "unknown dataset 'nobody'"),
        (("credit", "--epsilon", "-1"), "epsilon must be finite and not negative"),
        (("credit", "--epsilon", "nan"), "epsilon must be finite and not negative"),
        (("credit", *epsilons("0.1", "-1")), "epsilon must be finite and not negative, not -1"),
        (("credit", "--epsilon", "wide"), "Invalid value for '--epsilon'"),
        (("credit", "--max-nodes", "0"), "max_nodes must be a whole number, 1 or more"),
        (("credit", "--max-seconds", "0"), "max_seconds must be above 0, not 0"),
        (("credit", "--max-seconds", "-1"), "max_seconds must be finite and not negative, not -1"),
        (
            ("credit", "--max-seconds", "nan"),
            "max_seconds must be finite and not negative, not nan",
        ),
        (("credit", "--claim", "kind"), "unknown claim 'kind'; use accurate_fair, accurate, fair"),
        (("credit", "--seeds", "many"), "--n-seeds takes a whole number or 'all', not 'many'"),
        (("credit", "--setting", "ideal"), "unknown setting 'ideal'"),
        (("credit", "--model", "none.safetensors"), "no such model file"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(rafair, tmp_path, arguments, says):
    run = rafair("certify", *arguments)
    assert run.code == 2
    assert says in run.complaint
    assert list(tmp_path.iterdir()) == []


def test_cells_are_certified_and_shown(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--cell", "all", "--epsilon", "0.05", "--out", "run")
    assert (run.code, run.err) == (0, "")
    (point,) = json.loads((tmp_path / "run" / "certificates.json").read_text())["curve"]
    assert point["claims"] == {}
    for cell in ("TF", "TB", "FF", "FB"):
        (line,) = lines_of(run, cell)
        rates = point["cells"][cell]
        shown = [f"{rates[word]:.3f}" for word in ("reachable", "undecided", "impossible")]
        assert line == [cell, "0.05", *shown]
    assert not lines_of(run, "R-AF")
    assert all(len(line) <= 80 for line in run.out.splitlines())


def test_cells_and_claims_can_be_asked_together(rafair, tmp_path):
    given = ("--cell", "TB", "--claim", "fair", *epsilons("0.02", "0.05"))
    run = rafair("certify", "credit", *SMALL, *given, "--out", "run")
    assert (run.code, run.err) == (0, "")
    assert len(lines_of(run, "R-IF")) == len(lines_of(run, "TB")) == 2
    table = pd.read_parquet(tmp_path / "run" / "certificates.parquet")
    assert table.groupby(["claim", "epsilon"]).size().tolist() == [6] * 4


def test_an_unknown_cell_ends_in_one_line(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--cell", "XX", "--out", "run")
    assert (run.code, run.out) == (2, "")
    assert run.err == "error: unknown cell 'XX'; use TF or TB or FF or FB\n"
    assert not (tmp_path / "run").exists()


def test_a_larger_k_allows_more_and_is_on_record(rafair, tmp_path):
    few = ("--seeds", "24", "--counterparts", "24", "--max-nodes", "200")
    proved, manifests = [], []
    for K in ("0", "4"):
        options = ("--K", K, "--d", "linf", "--epsilon", "0.05", "--claim", "accurate_fair")
        run = rafair("certify", "credit", *few, *options, "--out", f"k{K}")
        assert (run.code, run.err) == (0, "")
        assert ("Fair: discrete distance of decisions ≤ 4 · linf" in run.out) == (K == "4")
        (point,) = json.loads((tmp_path / f"k{K}" / "certificates.json").read_text())["curve"]
        proved.append(point["claims"]["accurate_fair"]["proved"])
        manifests.append(json.loads((tmp_path / f"k{K}" / "manifest.json").read_text()))
    assert proved[0] < proved[1]
    assert [(m["K"], m["D"], m["d"]) for m in manifests] == [
        (0.0, "discrete", "linf"),
        (4.0, "discrete", "linf"),
    ]
    again = ("--d", "linf", "--epsilon", "0.05", "--claim", "accurate_fair", "--out", "k4")
    refused = rafair("certify", "credit", *few, *again, "--resume", "--K", "5")
    assert refused.code == 2
    assert "K" in refused.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--K", "-1"), "K must be finite and not negative, not -1.0"),
        (("--D", "far"), "unknown D 'far'; use one of discrete, absolute"),
        (("--d", "far"), "unknown d 'far'; use one of l1, l2, linf"),
    ],
)
def test_a_condition_without_meaning_is_refused(rafair, options, says):
    run = rafair("certify", "credit", *SMALL, *options)
    assert (run.code, run.err.strip()) == (2, f"error: {says}")
