import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rafair
from brief import brief
from rafair import Plan, load_run, repair_run
from rafair.auditing import certify_seeds, certifying, conductor, curves, proving
from rafair.certificates import branching, certify
from rafair.fairness import Lipschitz
from rafair.runs import update_run, write_certificates

CLAIMS = ["accurate_fair", "accurate", "fair"]
ROBUST = dict(zip(CLAIMS, ("r_af", "r_acc", "r_if"), strict=True))
CLEAN = dict(zip(CLAIMS, ("af", "acc", "if"), strict=True))


@pytest.fixture(scope="module")
def certified(credit, credit_model):
    plan = Plan(n_seeds=20, epsilon=0.02, max_nodes=500)
    return certify_seeds(credit_model, credit, plan)


@pytest.fixture(scope="module")
def claims(certified):
    (point,) = certified.metrics["curve"]
    assert point["epsilon"] == 0.02
    return point["claims"]


def test_shares_of_every_claim_sum_to_one(claims):
    assert list(claims) == CLAIMS
    for rates in claims.values():
        assert rates["proved"] + rates["broken"] + rates["undecided"] == pytest.approx(1)
        for name in ("proved", "broken", "undecided"):
            low, high = rates["ci"][name]
            assert low <= rates[name] <= high


def test_the_attacked_rate_lies_between_proved_and_all_but_broken(claims, credit, credit_model):
    out = rafair.audit(credit_model, credit, n_seeds=20, epsilon=0.02, steps=4)
    attacked = out.metrics["attacks"]["rafair"]
    for claim, rate in (("accurate_fair", "r_af"), ("accurate", "r_acc"), ("fair", "r_if")):
        assert claims[claim]["proved"] <= attacked[rate]
    joint, alone = (claims[claim] for claim in ("accurate_fair", "accurate"))
    assert joint["proved"] <= alone["proved"]
    assert joint["broken"] >= alone["broken"]


def test_each_seed_and_claim_has_a_line_and_broken_ones_a_witness(certified):
    table = certified.instances
    assert len(table) == 60
    assert (table["witness"].notna() == (table["status"] == "broken")).all()
    assert (table.loc[table["claim"] == "accurate", "nodes"] >= 1).all()
    assert certified.manifest["max_nodes"] == 500
    assert certified.manifest["plan"]["epsilon"] == 0.02


def test_verdicts_on_one_claim_stand_for_others(certified, credit, credit_model):
    by_claim = {name: rows.set_index("seed") for name, rows in certified.instances.groupby("claim")}
    alone, joint, fair = (by_claim[name] for name in ("accurate", "accurate_fair", "fair"))
    wrong = alone.index[alone["status"] == "broken"]
    assert len(wrong)
    assert (joint.loc[wrong, "status"] == "broken").all()
    assert (joint.loc[wrong, "nodes"] == 0).all()
    for seed in wrong:
        assert np.array_equal(joint.loc[seed, "witness"], alone.loc[seed, "witness"])
    right = joint.index[joint["status"] == "proved"]
    assert len(right)
    assert (fair.loc[right, "status"] == "proved").all()
    assert (fair.loc[right, "nodes"] == 0).all()
    index = fair.index.tolist()
    for claim, rows in by_claim.items():
        found = certify(
            credit_model,
            credit.test.x[index],
            credit.test.y[index],
            rafair.Counterparts.of(credit.schema),
            rafair.PerturbationSpace.of(credit.schema, 0.02),
            500,
            claim=claim,
        )
        words = {1: "proved", -1: "broken", 0: "undecided"}
        assert rows["status"].tolist() == [words[status] for status in found.status.tolist()]


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


def test_a_budget_without_meaning_is_refused(credit, credit_model):
    with pytest.raises(rafair.InvalidInput, match="max_nodes must be a whole number, 1 or more"):
        certify_seeds(credit_model, credit, Plan(n_seeds=2, max_nodes=0))


EPSILONS = (0.05, 0.01, 0.02, 0.01)


@pytest.fixture(scope="module")
def curve(credit, credit_model):
    return certify_seeds(credit_model, credit, Plan(n_seeds=12, max_nodes=300), epsilons=EPSILONS)


def test_epsilons_are_sorted_and_each_counted_once(curve):
    assert [point["epsilon"] for point in curve.metrics["curve"]] == [0.01, 0.02, 0.05]
    assert all(list(point["claims"]) == CLAIMS for point in curve.metrics["curve"])
    rows = curve.instances.groupby(["epsilon", "claim"]).size()
    assert rows.to_dict() == {(e, claim): 12 for e in (0.01, 0.02, 0.05) for claim in CLAIMS}
    assert curve.manifest["stopped"] is False


def test_the_rates_of_the_curve_are_those_of_its_rows(curve):
    for point in curve.metrics["curve"]:
        for claim, rates in point["claims"].items():
            table = curve.instances
            rows = table[(table["epsilon"] == point["epsilon"]) & (table["claim"] == claim)]
            for word in ("proved", "broken", "undecided"):
                assert rates[word] == (rows["status"] == word).mean()


def test_each_point_of_the_curve_is_what_is_certified_there_alone(curve, credit, credit_model):
    alone = certify_seeds(credit_model, credit, Plan(n_seeds=12, epsilon=0.02, max_nodes=300))
    table = curve.instances[curve.instances["epsilon"] == 0.02].reset_index(drop=True)
    assert table["seed"].tolist() == alone.instances["seed"].tolist()
    decided = alone.instances["status"] != "undecided"
    assert decided.mean() > 0.9
    assert table["status"][decided].tolist() == alone.instances["status"][decided].tolist()


def test_a_witness_in_the_table_is_in_reach_of_its_epsilon(curve, credit):
    broken = curve.instances[curve.instances["status"] == "broken"]
    assert {*broken["epsilon"]} == {0.01, 0.02, 0.05}
    seeds = credit.test.x[broken["seed"].tolist()]
    away = (torch.from_numpy(np.stack(broken["witness"].tolist())) - seeds).abs().amax(dim=1)
    assert (away <= torch.tensor(broken["epsilon"].tolist()) + 1e-6).all()


def test_only_the_named_claims_are_certified(credit, credit_model):
    found = certify_seeds(
        credit_model, credit, Plan(n_seeds=4, epsilon=0.01, max_nodes=50), ["accurate"]
    )
    assert list(found.metrics["curve"][0]["claims"]) == ["accurate"]
    assert {*found.instances["claim"]} == {"accurate"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"claims": ["kind"]}, "unknown claim 'kind'; use accurate_fair, accurate, fair"),
        ({"claims": []}, "nothing to certify"),
        ({"epsilons": []}, "nothing to certify"),
        ({"epsilons": [0.1, -0.1]}, "epsilon must be finite and not negative, not -0.1"),
        ({"epsilons": [0.1, float("nan")]}, "epsilon must be finite and not negative, not nan"),
        ({"max_seconds": 0.0}, "max_seconds must be above 0, not 0.0"),
        ({"max_seconds": -1}, "max_seconds must be finite and not negative, not -1"),
        ({"max_seconds": float("nan")}, "max_seconds must be finite and not negative, not nan"),
    ],
)
def test_options_without_meaning_are_refused_in_one_line(credit, credit_model, options, says):
    with pytest.raises(rafair.InvalidInput) as caught:
        certify_seeds(credit_model, credit, Plan(n_seeds=2), **options)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_after_the_time_all_that_is_left_is_undecided(credit, credit_model, monkeypatch):
    monkeypatch.setattr(curves, "SHARD", 3)
    calls = []
    run = curves.certify_curve

    def noting(*arguments, **options):
        calls.append(options["claim"])
        return run(*arguments, **options)

    monkeypatch.setattr(curves, "certify_curve", noting)
    clock = SimpleNamespace(time=lambda: 100.0 + len(calls))
    for module in (certifying, curves, branching):
        monkeypatch.setattr(module, "time", clock)
    plan = Plan(n_seeds=9, epsilon=0.01, max_nodes=20)
    found = certify_seeds(credit_model, credit, plan, max_seconds=2.5)
    assert calls == ["accurate", "accurate_fair", "fair"]
    assert found.manifest["stopped"] is True
    for claim, rows in found.instances.groupby("claim"):
        status = rows["status"].tolist()
        assert status[3:] == ["undecided"] * 6
        assert (rows["nodes"][3:] == 0).all()
        assert {*status[:3]} == {"proved"}  # R-IF by R-AF
        assert (rows["nodes"][:3] > 0).all() == (claim != "fair")


def test_with_time_enough_nothing_is_stopped(credit, credit_model):
    plan = Plan(n_seeds=4, epsilon=0.01, max_nodes=20)
    found = certify_seeds(credit_model, credit, plan, max_seconds=1e6)
    usual = certify_seeds(credit_model, credit, plan)
    assert found.manifest["stopped"] is False
    assert found.metrics == usual.metrics


def test_shards_do_not_change_what_is_certified(curve, credit, credit_model, monkeypatch):
    monkeypatch.setattr(curves, "SHARD", 5)
    seen = []
    again = certify_seeds(
        credit_model,
        credit,
        Plan(n_seeds=12, max_nodes=300),
        epsilons=EPSILONS,
        on_progress=lambda *what: seen.append(what),
    )
    assert again.metrics == curve.metrics
    assert again.instances["nodes"].tolist() == curve.instances["nodes"].tolist()
    assert seen[0] == ("certificates", 0, 12)
    assert seen[-1] == ("certificates", 12, 12)


def test_no_attack_of_a_certified_audit_gets_below_what_is_proved(certified_run):
    found = certified_run.metrics["certificates"]
    assert found["conflicts"] == 0
    claims = found["curve"][-1]["claims"]
    for claim, rate in ROBUST.items():
        assert 0 < claims[claim]["proved"] < 1
        for rates in certified_run.metrics["attacks"].values():
            assert claims[claim]["proved"] <= rates[rate]


@pytest.mark.parametrize("run", ["certified_run", "credit_run", "worst_run"])
def test_the_truth_lies_between_what_is_proved_and_what_no_example_breaks(run, request):
    run = request.getfixturevalue(run)
    scopes = {None: run.metrics, **run.metrics["by_sensitive"]}
    epsilon = run.manifest["plan"]["epsilon"]
    table = run.certificates[run.certificates["epsilon"] == epsilon]
    for varied, metrics in scopes.items():
        rows = table[table["varied"].isna() if varied is None else table["varied"] == varied]
        status = {claim: part["status"] for claim, part in rows.groupby("claim")}
        assert set(status) == {"accurate_fair", "fair"} | (
            {"accurate"} if varied is None else set()
        )
        for claim, words in status.items():
            rate = metrics["robust"][ROBUST[claim]]
            assert rate["at_least"] == (words == "proved").mean()
            attacked = [rates[ROBUST[claim]] for rates in metrics["attacks"].values()]
            usual = [metrics["clean"][CLEAN[claim]], 1 - (words == "broken").mean(), *attacked]
            assert rate["at_least"] <= rate["at_most"] <= min(usual) + 1e-12
    jointly = run.metrics["robust"]["r_acc"]
    assert all(each["robust"]["r_acc"] == jointly for each in run.metrics["by_sensitive"].values())


def test_what_any_row_breaks_is_broken(credit_run):
    """Every instance lies inside Δ, so its cell breaks the claims that it contradicts."""
    cells = credit_run.instances.groupby("seed")["cell"]
    table = credit_run.certificates[credit_run.certificates["varied"].isna()]
    for claim, against in (
        ("accurate_fair", {"TB", "FF", "FB"}),
        ("accurate", {"FF", "FB"}),
        ("fair", {"TB", "FB"}),
    ):
        proofs = table[table["claim"] == claim].set_index("seed")["status"]
        broken = cells.agg(lambda each, against=against: bool(set(each) & against))
        unbroken = ~broken & (proofs.loc[broken.index] != "broken")
        assert credit_run.metrics["robust"][ROBUST[claim]]["at_most"] == unbroken.mean()


def test_along_one_attribute_the_verdicts_are_those_of_its_own_counterparts(
    credit_run, credit, credit_model
):
    table = credit_run.certificates
    words = {1: "proved", -1: "broken", 0: "undecided"}
    for name in credit.schema.sensitive:
        rows = table[(table["varied"] == name) & (table["claim"] == "fair")]
        index = rows["seed"].tolist()
        found = certify(
            credit_model,
            credit.test.x[index],
            credit.test.y[index],
            rafair.Counterparts.of(credit.schema, only=name),
            rafair.PerturbationSpace.of(credit.schema, credit_run.manifest["plan"]["epsilon"]),
            60,
            claim="fair",
        )
        assert rows["status"].tolist() == [words[status] for status in found.status.tolist()]


def test_where_nothing_can_be_proved_the_attacks_give_upper_bounds(credit):
    module = nn.Sequential(nn.Linear(20, 3), nn.Softshrink(0.01), nn.Linear(3, 2)).double()
    model = rafair.wrap(module, output="logits")
    run = rafair.audit(model, credit, n_seeds=4, steps=1)
    assert run.certificates is None
    assert run.manifest["proofs"]["why_not"].startswith("certificates need linear layers")
    for rate in run.metrics["robust"].values():
        assert rate["at_least"] is None
        assert rate["at_most"] <= 1


def test_after_its_time_an_audit_proves_no_more_and_says_so(credit, credit_model):
    run = rafair.audit(credit_model, credit, n_seeds=4, steps=1, max_seconds=1e-9)
    assert run.manifest["proofs"]["stopped"]
    assert set(run.certificates["status"]) == {"undecided"}
    for rate in run.metrics["robust"].values():
        assert rate["at_least"] == 0.0


def test_a_certified_audit_looks_at_its_epsilon_and_at_smaller_ones(certified_run):
    curve = certified_run.metrics["certificates"]["curve"]
    epsilons = [point["epsilon"] for point in curve]
    assert epsilons == pytest.approx([0.004, 0.02, 0.04, 0.08])
    for claim in CLAIMS:
        proved = [point["claims"][claim]["proved"] for point in curve]
        broken = [point["claims"][claim]["broken"] for point in curve]
        assert proved == sorted(proved, reverse=True)
        assert broken == sorted(broken)
        assert proved[0] <= certified_run.metrics["clean"][CLEAN[claim]] <= 1
    table = certified_run.certificates
    jointly = table[table["varied"].isna()]
    assert jointly.groupby(["epsilon", "claim"]).size().tolist() == [16] * 12
    alone = table[table["varied"].notna()]
    assert set(alone["epsilon"]) == {0.08}
    assert certified_run.manifest["proofs"] == {
        "why_not": None,
        "max_nodes": 300,
        "max_seconds": 600.0,
        "stopped": False,
    }


def test_who_is_proved_is_never_called_broken_by_any_attack(certified_run):
    table = certified_run.certificates
    jointly = table[table["varied"].isna()]
    at_epsilon = jointly[(jointly["epsilon"] == 0.08) & (jointly["claim"] == "accurate_fair")]
    proved = set(at_epsilon.loc[at_epsilon["status"] == "proved", "seed"])
    rows = certified_run.instances[certified_run.instances["seed"].isin(proved)]
    assert proved
    assert (rows["cell"] == "TF").all()


def test_certificates_change_nothing_else_in_an_audit(certified_run, credit, credit_model):
    families = ["rafair", "ensemble"]
    options = {"n_seeds": 16, "steps": 4, "step_size": 0.02, "certify": False}
    with brief():
        plain = rafair.audit(credit_model, credit, attacks=families, **options)
    assert plain.certificates is None
    assert "certificates" not in plain.metrics
    assert plain.manifest["proofs"] == {"why_not": "proofs were not asked for"}
    for name in ("clean", "attacks", "repairs"):
        assert certified_run.metrics[name] == plain.metrics[name]
    for name in ("r_acc", "r_if", "r_af"):
        bounds = [run.metrics["robust"][name]["at_most"] for run in (certified_run, plain)]
        assert bounds[0] <= bounds[1]
    changed = {"certify": True, "curve": True, "max_nodes": 300, "max_seconds": 600.0}
    plan = {**plain.manifest["plan"], **changed}
    kept = {**plain.manifest, "plan": plan, "proofs": certified_run.manifest["proofs"]}
    assert kept == certified_run.manifest


def test_a_proof_that_an_attack_contradicts_is_counted(credit, credit_model, monkeypatch):
    def credulous(seeds, epsilons, *rest, **options):
        honest = curves.curves_of(seeds, epsilons, *rest, **options)
        found = honest.certificates
        guessed = [replace(each, status=torch.ones_like(each.status)) for each in found["fair"]]
        return replace(honest, certificates={**found, "accurate_fair": guessed})

    monkeypatch.setattr(proving, "curves_of", credulous)
    run = rafair.audit(
        credit_model,
        credit,
        attacks="rafair",
        n_seeds=8,
        steps=2,
        step_size=0.1,
        certify=True,
        max_nodes=1,
    )
    broken = run.metrics["attacks"]["rafair"]["r_af"]
    assert run.metrics["certificates"]["conflicts"] == round(8 * (1 - broken)) > 0


def test_a_budget_without_meaning_is_refused_before_anything_is_attacked(
    credit, credit_model, monkeypatch
):
    monkeypatch.setattr(conductor, "attack_seeds", lambda *_: pytest.fail("it was attacked"))
    with pytest.raises(rafair.InvalidInput, match="max_nodes must be a whole number"):
        rafair.audit(credit_model, credit, n_seeds=4, certify=True, max_nodes=0)


def test_a_model_that_cannot_be_certified_is_refused_before_it_is_attacked(credit, monkeypatch):
    module = nn.Sequential(nn.Linear(20, 3), nn.Softshrink(0.01), nn.Linear(3, 2)).double()
    model = rafair.wrap(module, output="logits")
    monkeypatch.setattr(conductor, "attack_seeds", lambda *_: pytest.fail("it was attacked"))
    with pytest.raises(rafair.InvalidInput, match="this network has Softshrink"):
        rafair.audit(model, credit, n_seeds=4, certify=True)


def same_table(left, right):
    def plain(points):
        return points.map(lambda point: None if point is None else tuple(point))

    names = ["witness", "witness_counterpart"]
    pd.testing.assert_frame_equal(
        *(table.assign(**{name: plain(table[name]) for name in names}) for table in (left, right)),
        check_exact=True,
    )


def test_the_certificates_of_a_run_are_read_as_they_were_written(certified_run, own_run, tmp_path):
    rafair.write_run(certified_run, tmp_path / "run")
    assert (tmp_path / "run" / "certificates.parquet").is_file()
    read = load_run(tmp_path / "run")
    same_table(read.certificates, certified_run.certificates)
    assert read.metrics == json.loads(json.dumps(certified_run.metrics))
    rafair.write_run(replace(own_run, certificates=None), tmp_path / "other")
    assert load_run(tmp_path / "other").certificates is None


def test_damaged_certificates_are_named(certified_run, tmp_path):
    rafair.write_run(certified_run, tmp_path / "run")
    (tmp_path / "run" / "certificates.parquet").write_bytes(b"PAR1")
    with pytest.raises(rafair.InvalidInput, match=r"certificates\.parquet: cannot be read"):
        load_run(tmp_path / "run")


def test_certificates_survive_a_repair(certified_run, credit, credit_model, tmp_path):
    rafair.write_run(certified_run, tmp_path / "run")
    repaired = repair_run(load_run(tmp_path / "run"), credit_model, credit)
    same_table(repaired.certificates, certified_run.certificates)
    update_run(repaired, tmp_path / "run")
    read = load_run(tmp_path / "run")
    assert list(read.metrics["repairs"]) == list(certified_run.metrics["attacks"])
    assert read.metrics["certificates"] == json.loads(
        json.dumps(certified_run.metrics["certificates"])
    )
    same_table(read.certificates, certified_run.certificates)


def test_the_certificate_of_an_audit_is_that_of_certify(certified_run, credit, credit_model):
    table = certified_run.certificates
    jointly = table[table["varied"].isna()]
    at_epsilon = jointly[(jointly["epsilon"] == 0.08) & (jointly["claim"] == "accurate_fair")]
    index = at_epsilon["seed"].tolist()
    alone = certify(
        credit_model,
        credit.test.x[index],
        credit.test.y[index],
        rafair.Counterparts.of(credit.schema),
        rafair.PerturbationSpace.of(credit.schema, 0.08),
        300,
    )
    words = {1: "proved", -1: "broken", 0: "undecided"}
    assert [words[status] for status in alone.status.tolist()] == at_epsilon["status"].tolist()
    worked_on = at_epsilon["nodes"].to_numpy() > 0
    assert worked_on.any()
    assert (alone.nodes.numpy()[worked_on] == at_epsilon["nodes"].to_numpy()[worked_on]).all()


def test_seeds_are_certified_at_the_condition_of_the_judge(credit, credit_model):
    condition = Lipschitz(2.0, d="l2")
    plan = Plan(n_seeds=12, epsilon=0.05, max_nodes=200)
    found = certify_seeds(credit_model, credit, plan, cells=["TB"], condition=condition)
    index = found.instances.loc[found.instances["claim"] == "TB", "seed"].tolist()
    x, y = credit.test.x[index], credit.test.y[index]
    people = rafair.Counterparts.of(credit.schema)
    space = rafair.PerturbationSpace.of(credit.schema, 0.05)
    words = {1: "proved", -1: "broken", 0: "undecided"}
    for claim in CLAIMS:
        alone = certify(credit_model, x, y, people, space, 200, claim=claim, **condition.as_dict())
        rows = found.instances[found.instances["claim"] == claim]
        assert rows["status"].tolist() == [words[status] for status in alone.status.tolist()]
    reach = found.instances[found.instances["claim"] == "TB"]
    for witness, row in zip(reach["witness"], range(12), strict=True):
        if witness is not None:
            point = torch.tensor(witness, dtype=x.dtype)[None]
            problem = (credit_model, point, y[[row]], people)
            assert rafair.judge(*problem, *condition.parameters).cells.item() == 1
