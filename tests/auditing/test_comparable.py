"""An audit in which people are compared with those of about their age."""

import pytest

import rafair
from rafair.auditing import certify_seeds
from rafair.report import render_pages

BALANCED = "af_balanced"
WORDS = "age within 5 years of own"
SMALL = {"n_seeds": 8, "steps": 2, "step_size": 0.05, "setting": "feasible", "random_state": 1}


@pytest.fixture(scope="module")
def near(credit):
    return credit.with_within({"age": 5})


@pytest.fixture(scope="module")
def run(near, credit_model):
    return rafair.audit(credit_model, near, attacks="rafair", max_nodes=50, **SMALL)


def test_every_document_names_who_is_comparable(run):
    assert run.metrics["comparable"] == run.manifest["counterparts"]["comparable"] == [WORDS]
    features = {f["name"]: f["within"] for f in run.manifest["schema"]["features"]}
    assert features["age"] == 5
    assert features["sex"] is None
    least, most = run.manifest["counterparts"]["each"]
    assert 2 <= least <= most <= 2 * 11
    assert f"up to 106 counterparts each ({WORDS})" in repr(run)
    page = render_pages(run)["report.html"].decode()
    assert f"comparable are only people with {WORDS}, which leaves {least} to {most}" in page
    assert f"sex, age ({WORDS})" in page


def test_the_table_of_instances_names_counterparts_within_reach(run):
    table = run.instances.dropna(subset=["worst_age"])
    assert ((table["worst_age"] - table["age"]).abs() <= 5).all()
    flipped = run.instances.dropna(subset=["flip_age"])
    assert ((flipped["flip_age"] - flipped["age"]).abs() <= 5).all()


def test_rates_are_those_of_the_judge_within_reach(run, near, credit_model):
    rows = run.instances[run.instances["attack"] == "clean"]["seed"].tolist()
    x, y = near.test.x[rows], near.test.y[rows]
    scopes = {None: run.metrics, **run.metrics["by_sensitive"]}
    for only, scope in scopes.items():
        people = rafair.Counterparts.of(near.schema, only=only)
        verdict = rafair.judge(credit_model, x, y, people)
        shares = rafair.fairness.dissenting(credit_model, x, people)
        rates = dict(scope["clean"])
        if only is None:  # its balanced mean is tested with the metrics
            rates["ci"] = {name: ends for name, ends in rates["ci"].items() if name != BALANCED}
            del rates[BALANCED]
        assert rates == verdict.rates(dissent=shares)


def test_tidy_rates_hold_dissent_of_every_stage(run, near, credit_model):
    frame = rafair.repair_run(run, credit_model, near).to_frame()
    found = frame[frame["rate"].isin(["dissent", "r_dissent"])]
    assert set(found["stage"]) == {"clean", "attacked", "repaired"}
    assert set(found["varied"].dropna()) == {"age", "sex"}
    assert ((found["low"] <= found["value"]) & (found["value"] <= found["high"])).all()


def test_a_repair_compares_with_whom_the_audit_compared(run, credit, near, credit_model):
    with_limit = rafair.repair_run(run, credit_model, near)
    without = rafair.repair_run(run, credit_model, credit)
    assert with_limit.metrics == without.metrics
    assert with_limit.instances.equals(without.instances)


def test_certificates_say_it_in_their_title(near, credit_model):
    plan = rafair.Plan(epsilon=0.02, n_seeds=4, setting="feasible", max_nodes=20)
    found = certify_seeds(credit_model, near, plan, ("accurate_fair",))
    assert found.metrics["comparable"] == [WORDS]
    assert f"({WORDS})" in repr(found)
