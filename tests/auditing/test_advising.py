"""Advice on a finished run, and repairs without the label beside those that know it."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

import rafair
from brief import brief
from rafair.auditing.mending import doubled
from rafair.auditing.options import Option, _best_shift, options_for
from rafair.fairness.decisions import predict
from rafair.guarding import GuardedClassifier
from rafair.plans import Plan
from rafair.report import render_pages
from rafair.report.advised import advice_sentences, advice_table, label_free_tables

BRIEF = {"n_seeds": 8, "steps": 3, "step_size": 0.02, "max_nodes": 60, "max_seconds": 600.0}


@pytest.fixture(scope="module", autouse=True)
def _brief():
    with brief():
        yield


@pytest.fixture(scope="module")
def run(credit, credit_model):
    return rafair.audit(credit_model, credit, **BRIEF)


@pytest.fixture(scope="module")
def advised(run, credit_model, credit):
    return rafair.advise_run(run, credit_model, credit, epochs=2)


@pytest.fixture(scope="module")
def mended(run, credit_model, credit):
    return rafair.repair_run(run, credit_model, credit, label_free=True)


def test_every_change_is_measured(advised, credit):
    advice = advised.metrics["advice"]
    names = ["without sex", "without age", "without sex and age"]
    names += [f"guard by {rule}" for rule in ("majority", "mean", "own-or-abstain")]
    names += ["another threshold", "robust network", "robust network, balanced"]
    assert list(advice) == ["as it is", *names, "constant model"]
    for found in advice.values():
        for part, ends in (("r_af", ("at_least", "at_most")), ("r_af_balanced", ("at_most",))):
            assert set(ends) <= set(found[part]["ci"])
        assert found["r_af"]["at_least"] <= found["r_af"]["at_most"] + 1e-12
        low, high = found["ci"]["accuracy"]
        assert low <= found["accuracy"] <= high
    constant = advice["constant model"]
    assert constant["accuracy"] == pytest.approx(float((credit.test.y == 1).double().mean()))
    assert constant["balanced_accuracy"] == 0.5


def test_as_it_is_means_the_run_itself(advised, run):
    own, robust = advised.metrics["advice"]["as it is"], run.metrics["robust"]["r_af"]
    assert own["accuracy"] == pytest.approx(run.manifest["model"]["accuracy"])
    assert own["balanced_accuracy"] == pytest.approx(run.manifest["model"]["balanced_accuracy"])
    assert own["r_af"]["at_least"] >= robust["at_least"]
    assert own["r_af"]["at_most"] <= robust["at_most"]


def test_a_guard_in_the_advice_is_the_guard(advised, credit, credit_model):
    guard = GuardedClassifier(credit_model, rafair.Counterparts.of(credit.schema), "mean")
    accuracy = (predict(guard, credit.test.x) == credit.test.y).double().mean()
    assert advised.metrics["advice"]["guard by mean"]["accuracy"] == pytest.approx(float(accuracy))
    assert advised.metrics["advice"]["guard by own-or-abstain"]["abstained"] > 0


def test_a_constant_stands_in_the_place_of_a_column(credit, credit_model):
    plan = Plan.of(credit, "gradient")
    options = options_for(credit_model, credit, plan, train=False, epochs=None)
    assert "robust network" not in options
    sex = credit.schema.index("sex")
    option = options["without sex"]()
    seen = option.seen(credit.test.x)
    assert (seen[:, sex] == credit.train.x[:, sex].mode().values).all()
    assert option.people.columns == (credit.schema.index("age"),)
    assert option.claim == "accurate_fair"
    both = options["without sex and age"]()
    assert both.people is None
    assert both.claim == "accurate"
    others = [c for c in range(20) if c not in both.fixed]
    assert both.seen(credit.test.x)[:, others].equal(credit.test.x[:, others])


def test_the_threshold_is_the_best_of_all():
    generator = torch.Generator().manual_seed(4)
    lead = torch.randn(60, generator=generator, dtype=torch.float64).round(decimals=1)
    y = (lead + torch.randn(60, generator=generator, dtype=torch.float64) > 0.8).long()

    def recalls(shift):
        positive = lead + shift > 0
        return float(positive[y == 1].double().mean() + (~positive)[y == 0].double().mean())

    found = recalls(_best_shift(lead, y))
    assert found == pytest.approx(max(recalls(s) for s in np.arange(-4, 4, 0.05)))


def test_the_threshold_of_a_network_can_be_proved(credit, credit_model):
    plan = Plan.of(credit, "gradient")
    shifted = options_for(credit_model, credit, plan, train=False, epochs=None)[
        "another threshold"
    ]()
    assert isinstance(shifted, Option)
    x, people = credit.test.x, rafair.Counterparts.of(credit.schema)
    bare, other = (m.scores(x.float()) for m in (credit_model, shifted.model))
    gap = (other[:, 1] - other[:, 0]) - (bare[:, 1] - bare[:, 0])
    assert gap.std() < 1e-5
    space = rafair.PerturbationSpace.of(credit.schema, epsilon=0.02)
    found = rafair.certify(shifted.model, x[:12], credit.test.y[:12], people, space)
    assert (found.status == 1).any()


def test_a_model_without_proofs_is_advised_by_attacks(own_data):
    rows, labels = own_data.train.x.numpy(), own_data.train.y.numpy()
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(rows, labels)

    def ask(x):
        return forest.predict_proba(x)

    model = rafair.wrap(ask, own_data.schema, inputs="unit", output="probabilities")
    run = rafair.audit(model, own_data, n_seeds=5, queries=40)
    advised = rafair.advise_run(run, model, own_data, train=False)
    for name, found in advised.metrics["advice"].items():
        assert (found["r_af"]["at_least"] is None) == (name != "constant model")
    assert all("no proof" in said or "No " in said for said in advice_sentences(advised))
    assert advice_table(advised).rows[0][6:8] == ("none", "")


def test_another_model_is_refused(run, credit):
    with pytest.raises(rafair.InvalidInput, match="not the model"):
        rafair.advise_run(run, rafair.baseline("compas"), credit)


def test_repairs_without_the_label_stand_beside_the_others(mended, run):
    part = mended.metrics["label_free"]
    assert list(part["instances"]) == ["clean", *run.metrics["attacks"]]
    for attack, methods in part["instances"].items():
        names = list(methods)
        assert [name.split()[0] for name in names] == ["benign", "minimax", "label-free"]
        for name in names[:2]:
            assert methods[name]["abstained"] == 0
            assert methods[name]["r_af"] <= 1 - part["impossible"][attack] + 1e-12
        if attack != "clean":
            known = mended.metrics["repairs"][attack]["r_af"]
            assert methods["benign (knows the label)"]["r_af"] == pytest.approx(known)
            possible = mended.metrics["repairable"][attack]["impossible"]
            assert part["impossible"][attack] == pytest.approx(possible)


def test_an_attacker_who_knows_a_repair_leaves_no_more_than_the_runs_attacks(mended):
    part = mended.metrics["label_free"]
    for name, found in part["adaptive"].items():
        least = min(methods[name]["r_af"] for methods in part["instances"].values())
        assert found["at_least"] <= found["at_most"] <= least + 1e-12
        assert found["wrong"] <= 1 - found["at_most"] + 1e-12


def test_twice_the_space_holds_the_space_around_each_point(problem):
    wide = doubled(problem.space)
    low, high = problem.space.bounds(problem.x)
    for point in (low, high):
        for end in problem.space.bounds(point):
            assert wide.contains(end, problem.x).all()


def test_tables_and_page_show_them(mended, advised):
    page = render_pages(mended)["report.html"].decode()
    assert "Repairs, with and without the label" in page
    assert [len(t.rows) for t in label_free_tables(mended)] == [15, 3]
    assert label_free_tables(advised) == []
    assert advice_table(mended) is None
    page = render_pages(advised)["report.html"].decode()
    assert "Which change helps most?" in page
    assert advice_sentences(advised)[0].replace("'", "&#39;") in page
