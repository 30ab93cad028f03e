"""The figures of an audit, and the laws between them."""

import json

import pandas as pd
import pytest

from rafair import InvalidInput, Plan, audit
from rafair.auditing.batches import Seeds
from rafair.fairness import choose_seeds
from rafair.plans.attacks import families_of

CELLS = ["tfr", "tbr", "ffr", "fbr"]
CLEAN = {"acc", "if", "af", *CELLS, "dissent"}
ROBUST = {"r_acc", "r_if", "r_af", *CELLS, "r_dissent"}
MODES = ["rafair-tb", "rafair-ff", "rafair-fb"]
SMALL = {"n_seeds": 8, "steps": 2, "step_size": 0.05, "counterparts": 12}


@pytest.fixture(params=["credit_run", "worst_run", "own_run"])
def run(request):
    return request.getfixturevalue(request.param)


def all_rates(metrics):
    yield metrics["clean"]
    yield from metrics["attacks"].values()
    for scope in metrics["by_sensitive"].values():
        yield scope["clean"]
        yield from scope["attacks"].values()


def test_the_metrics_have_the_documented_keys(run):
    assert {"dataset", "n_seeds", "n_counterparts", "clean", "attacks", "repairs"} <= set(
        run.metrics
    )
    assert run.metrics["repairs"] == {}


def test_clean_and_robust_rates_have_the_documented_keys(run):
    assert set(run.metrics["clean"]) == {*CLEAN, "af_balanced", "ci"}
    for rates in run.metrics["attacks"].values():
        assert set(rates) == {*ROBUST, "ci"}


def test_every_rate_is_a_share_inside_its_interval(run):
    for rates in all_rates(run.metrics):
        assert set(rates["ci"]) == set(rates) - {"ci"}
        for name, (low, high) in rates["ci"].items():
            assert 0 <= low <= rates[name] <= high <= 1


def test_balanced_rates_are_means_over_the_classes(run):
    table = run.instances
    clean = table[table["attack"] == "clean"]
    holds = (clean["cell"] == "TF").groupby(clean["label"]).mean()
    assert run.metrics["clean"]["af_balanced"] == pytest.approx(holds.mean())
    robust = run.metrics["robust"]["r_af_balanced"]
    assert robust["at_most"] <= run.metrics["clean"]["af_balanced"]
    assert run.metrics["constant"]["acc"] == clean["label"].value_counts(normalize=True).max()


def test_dissent_is_the_mean_share_of_counterparts_decided_otherwise(credit_run):
    table, metrics = credit_run.instances, credit_run.metrics
    shares = table.groupby("attack")["dissenting"].mean()
    assert metrics["clean"]["dissent"] == pytest.approx(shares["clean"])
    for name in MODES:
        assert metrics["attacks"][name]["r_dissent"] == pytest.approx(shares[name])
    assert 0 < metrics["clean"]["dissent"] < metrics["attacks"]["rafair"]["r_dissent"] < 1


def test_dissent_is_nothing_exactly_where_everybody_is_fair(run):
    for rates in all_rates(run.metrics):
        prefix = "" if "if" in rates else "r_"
        assert rates[f"{prefix}dissent"] <= 1 - rates[f"{prefix}if"] + 1e-12
        assert (rates[f"{prefix}dissent"] == 0) == (rates[f"{prefix}if"] == 1)


def test_dissent_along_an_attribute_of_two_values_is_the_share_of_the_unfair(credit_run):
    scope = credit_run.metrics["by_sensitive"]["sex"]
    assert scope["clean"]["dissent"] == pytest.approx(1 - scope["clean"]["if"])
    for rates in scope["attacks"].values():
        assert rates["r_dissent"] == pytest.approx(1 - rates["r_if"])


def test_the_four_cells_fill_the_whole(run):
    for rates in all_rates(run.metrics):
        assert sum(rates[cell] for cell in CELLS) == pytest.approx(1)


def test_single_modes_obey_table_one(credit_run):
    rows = [(credit_run.metrics["attacks"][name], "r_") for name in MODES]
    for rates, prefix in [*rows, (credit_run.metrics["clean"], "")]:
        assert rates[f"{prefix}acc"] == pytest.approx(rates["tfr"] + rates["tbr"])
        assert rates[f"{prefix}if"] == pytest.approx(rates["tfr"] + rates["ffr"])
        assert rates[f"{prefix}af"] == rates["tfr"]


def test_accurate_fairness_is_the_true_fair_rate_in_every_row(run):
    for rates in run.metrics["attacks"].values():
        assert rates["r_af"] == rates["tfr"]
        assert rates["r_af"] <= min(rates["r_acc"], rates["r_if"])


def test_the_audit_of_the_baseline_breaks_something_and_leaves_something(credit_run):
    clean, attacked = credit_run.metrics["clean"], credit_run.metrics["attacks"]["rafair"]
    assert 0 < attacked["r_af"] < clean["af"] < 1


def test_the_family_is_as_bad_as_the_worst_mode_of_each_seed(credit_run):
    table = credit_run.instances.pivot(index="seed", columns="attack", values="cell")
    assert table["rafair"].nunique() > 1
    for _, cells in table.iterrows():
        reached = set(cells[MODES])
        assert cells["rafair"] == next(c for c in ("TB", "FF", "FB", "TF") if c in reached)


def test_no_row_of_a_family_is_better_than_one_of_its_modes(run):
    attacks = run.metrics["attacks"]
    family = next(name for name in attacks if name.split("@")[0] == "rafair")
    for name in attacks:
        for rate in ("r_acc", "r_if", "r_af"):
            assert attacks[family][rate] <= attacks[name][rate]


def test_the_cells_of_the_instances_are_those_of_the_rates(run):
    for name, rates in [("clean", run.metrics["clean"]), *run.metrics["attacks"].items()]:
        cells = run.instances.loc[run.instances["attack"] == name, "cell"]
        assert len(cells) == run.metrics["n_seeds"]
        for cell in ("TF", "TB", "FF", "FB"):
            assert (cells == cell).mean() == pytest.approx(rates[f"{cell.lower()}r"])


def test_the_rows_of_a_worst_audit_carry_its_name(worst_run):
    assert list(worst_run.metrics["attacks"]) == [f"{name}@worst" for name in [*MODES, "rafair"]]


def test_the_worst_iterate_is_never_better_than_the_last_or_the_seed(credit_run, worst_run):
    clean = worst_run.metrics["clean"]
    for name, rates in worst_run.metrics["attacks"].items():
        last = credit_run.metrics["attacks"][name.removesuffix("@worst")]
        for rate in ("acc", "if", "af"):
            assert rates[f"r_{rate}"] <= min(last[f"r_{rate}"], clean[rate])


def test_one_attribute_alone_is_at_least_as_fair_as_all_jointly(credit_run, own_run):
    for run in (credit_run, own_run):
        metrics = run.metrics
        for scope in metrics["by_sensitive"].values():
            assert scope["clean"]["if"] >= metrics["clean"]["if"]
            for name, rates in scope["attacks"].items():
                assert rates["r_if"] >= metrics["attacks"][name]["r_if"]
                assert rates["r_acc"] == metrics["attacks"][name]["r_acc"]


def test_every_sensitive_attribute_is_looked_at_alone(credit_run):
    assert set(credit_run.metrics["by_sensitive"]) == {"sex", "age"}


def test_only_the_named_attack_is_run(credit_model, credit):
    run = audit(credit_model, credit, attacks="rafair-ff", **SMALL)
    assert list(run.metrics["attacks"]) == ["rafair-ff"]


def test_the_same_audit_gives_the_same_result_twice(credit_model, credit):
    assert_same_run(*(audit(credit_model, credit, **SMALL) for _ in range(2)))


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_batch_size_does_not_change_the_result(credit_model, credit, batch_size):
    usual = audit(credit_model, credit, **{**SMALL, "n_seeds": 4})
    other = audit(credit_model, credit, **{**SMALL, "n_seeds": 4}, batch_size=batch_size)
    assert_same_run(usual, other)


def assert_same_run(left, right):
    assert left.metrics == right.metrics
    frames = [run.instances.assign(x=run.instances["x"].map(tuple)) for run in (left, right)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_another_random_state_takes_other_seeds(credit_model, credit):
    first, other = (
        audit(credit_model, credit, attacks="rafair-ff", **SMALL, random_state=state)
        for state in (0, 1)
    )
    assert set(first.instances["seed"]) != set(other.instances["seed"])


def test_zero_steps_change_nothing(credit_model, credit):
    run = audit(credit_model, credit, **{**SMALL, "steps": 0})
    clean = run.metrics["clean"]
    for rates in run.metrics["attacks"].values():
        assert [rates[cell] for cell in CELLS] == [clean[cell] for cell in CELLS]


def test_all_seeds_means_the_whole_test_split(own_model, own_data):
    run = audit(own_model, own_data, attacks="rafair-tb", n_seeds=None, steps=1)
    assert run.metrics["n_seeds"] == len(own_data.test)
    rows = run.instances[run.instances["stage"] == "clean"]
    assert rows["seed"].tolist() == list(range(len(own_data.test)))


def test_sensitive_columns_can_be_named_for_one_audit(credit_model, credit):
    run = audit(credit_model, credit, attacks="rafair-ff", sensitive=["sex"], **SMALL)
    assert run.metrics["n_counterparts"] == 2
    assert run.manifest["schema"]["sensitive"] == ["sex"]
    assert credit.schema.sensitive == ("sex", "age")


def test_the_manifest_says_what_was_done(credit_run, credit, credit_model):
    manifest = json.loads(json.dumps(credit_run.manifest))
    assert manifest["tool"] == "rafair"
    assert manifest["plan"]["setting"] == "paper"
    assert manifest["plan"]["epsilon"] == pytest.approx(0.15)
    assert manifest["dataset"]["sha256"] == credit.digest()
    assert manifest["model"]["sha256"] == credit_model.digest()
    assert manifest["model"]["differentiated_by"] == "kernels"
    everyone = {"checked": 106, "of": 106, "comparable": [], "each": [106, 106]}
    assert manifest["counterparts"] == everyone
    assert {"rafair", "torch", "numba", "numpy", "pandas", "python"} <= set(manifest["versions"])


def test_the_manifest_counts_the_gradients_of_every_mode(credit_run, credit, credit_model):
    plan = Plan(n_seeds=24, steps=3, step_size=0.05)
    index = choose_seeds(credit.test.x, 24, 0)
    seeds = Seeds.of(credit_model, credit, plan, index)
    problem = seeds.model, seeds.x, seeds.y, seeds.counterparts, plan.space(credit.schema)
    for name, attack in families_of(plan)["rafair"].items():
        result = attack.run(*problem)
        before, after = (
            seeds.judge(points.unsqueeze(0)).verdict.cells for points in (seeds.x, result.x_adv)
        )
        assert credit_run.manifest["cost"][name] == {
            "gradients": result.n_gradients,
            "forwards": 0,
            "changed": int((before != after).sum()),
        }
        assert 0 < result.n_gradients <= 24 * 3 * (106 + 2)
    assert list(credit_run.manifest["cost"]) == MODES


def test_progress_is_reported_up_to_the_end(credit_model, credit):
    seen = []
    audit(credit_model, credit, **SMALL, on_progress=lambda *what: seen.append(what))
    done = [count for _, count, _ in seen]
    proofs = ["certificates", *(f"certificates {name}" for name in credit.schema.sensitive)]
    assert {name for name, _, _ in seen} == {*MODES, *proofs}
    attacked = len([name for name, _, _ in seen if name in MODES])
    assert done[:attacked] == sorted(done[:attacked])
    assert seen[attacked - 1][1] == seen[attacked - 1][2]
    assert seen[-1][1] == seen[-1][2]


REFUSED = [
    ({"n_seeds": 301}, "301 seeds asked for, but the test split has 300 rows"),
    ({"n_seeds": 0}, "seeds must be"),
    ({"sensitive": ["religion"]}, "no column 'religion'"),
    ({"sensitive": []}, "no sensitive column given"),
    ({"device": "abacus"}, "device 'abacus' is not available"),
    ({"attacks": []}, "no attack given"),
]


@pytest.mark.parametrize(("bad", "text"), REFUSED)
def test_an_impossible_audit_is_refused(credit_model, credit, bad, text):
    with pytest.raises(InvalidInput, match=text):
        audit(credit_model, credit, **{**SMALL, **bad})


def test_a_model_that_is_not_wrapped_is_wrapped(credit_model, credit):
    bare = audit(credit_model.module, credit, **SMALL)
    assert bare.metrics == audit(credit_model, credit, **SMALL).metrics
    with pytest.raises(InvalidInput, match="cannot wrap a str"):
        audit("model", credit, **SMALL)


def test_a_model_of_other_data_is_refused(credit_model, own_data):
    with pytest.raises(InvalidInput) as caught:
        audit(credit_model, own_data, **{**SMALL, "n_seeds": 4})
    assert len(str(caught.value).splitlines()) == 1
