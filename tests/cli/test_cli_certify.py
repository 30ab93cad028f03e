import json

import pytest

SMALL = ("--seeds", "6", "--counterparts", "12", "--max-nodes", "200")


def test_it_prints_the_bounds_and_writes_them(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--epsilon", "0.02", "--out", "run")
    assert (run.code, run.err) == (0, "")
    found = json.loads((tmp_path / "run" / "certificates.json").read_text())
    assert (found["dataset"], found["n_seeds"], found["epsilon"]) == ("credit", 6, 0.02)
    for name, claim in (("R-AF", "accurate_fair"), ("R-ACC", "accurate"), ("R-IF", "fair")):
        (line,) = (line for line in run.out.splitlines() if line.startswith(name))
        assert f"{found['claims'][claim]['proved']:.3f}" in line
    assert all(len(line) <= 80 for line in run.out.splitlines())
    assert "run/certificates.json" in run.out


def test_quiet_prints_nothing(rafair, tmp_path):
    run = rafair("certify", "credit", *SMALL, "--quiet", "--out", "run")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert (tmp_path / "run" / "certificates.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody",), "unknown dataset 'nobody'"),
        (("credit", "--epsilon", "-1"), "epsilon must be finite and not negative"),
        (("credit", "--max-nodes", "0"), "max_nodes must be a whole number, 1 or more"),
        (("credit", "--seeds", "many"), "--seeds takes a whole number or 'all', not 'many'"),
        (("credit", "--setting", "ideal"), "unknown setting 'ideal'"),
        (("credit", "--model", "none.safetensors"), "no such model file"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(rafair, tmp_path, arguments, says):
    run = rafair("certify", *arguments)
    assert run.code == 2
    assert says in run.complaint
    assert list(tmp_path.iterdir()) == []
