import json

import pandas as pd
import pytest

import rafair
from rafair.auditing import Plan, certify_seeds, write_certificates


@pytest.fixture(scope="module")
def certified(credit_data, credit_model):
    plan = Plan(n_seeds=20, epsilon=0.02)
    return certify_seeds(credit_model, credit_data, plan, max_nodes=500)


def test_shares_of_every_claim_sum_to_one(certified):
    assert list(certified.metrics["claims"]) == ["accurate_fair", "accurate", "fair"]
    for rates in certified.metrics["claims"].values():
        assert rates["proved"] + rates["broken"] + rates["undecided"] == pytest.approx(1)
        for name in ("proved", "broken", "undecided"):
            low, high = rates["ci"][name]
            assert low <= rates[name] <= high


def test_the_attacked_rate_lies_between_proved_and_all_but_broken(
    certified, credit_data, credit_model
):
    out = rafair.audit(credit_model, credit_data, n_seeds=20, epsilon=0.02, steps=4)
    attacked = out.metrics["attacks"]["rafair"]
    for claim, rate in (("accurate_fair", "r_af"), ("accurate", "r_acc"), ("fair", "r_if")):
        assert certified.metrics["claims"][claim]["proved"] <= attacked[rate]
    joint, alone = (certified.metrics["claims"][c] for c in ("accurate_fair", "accurate"))
    assert joint["proved"] <= alone["proved"]
    assert joint["broken"] >= alone["broken"]


def test_each_seed_and_claim_has_a_line_and_broken_ones_a_witness(certified):
    table = certified.instances
    assert len(table) == 60
    assert (table["witness"].notna() == (table["status"] == "broken")).all()
    assert (table["nodes"] >= 1).all()
    assert certified.manifest["max_nodes"] == 500
    assert certified.manifest["plan"]["epsilon"] == 0.02


def test_the_directory_holds_what_was_found(certified, tmp_path):
    write_certificates(certified, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "certificates.json",
        "certificates.parquet",
        "manifest.json",
    }
    assert json.loads((tmp_path / "run" / "certificates.json").read_text()) == certified.metrics
    table = pd.read_parquet(tmp_path / "run" / "certificates.parquet")
    assert table["status"].tolist() == certified.instances["status"].tolist()
    with pytest.raises(rafair.InvalidInput, match="already holds a run"):
        write_certificates(certified, tmp_path / "run")


def test_a_budget_without_meaning_is_refused(credit_data, credit_model):
    with pytest.raises(rafair.InvalidInput, match="max_nodes must be a whole number, 1 or more"):
        certify_seeds(credit_model, credit_data, Plan(n_seeds=2), max_nodes=0)
