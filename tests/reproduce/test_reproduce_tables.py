"""Tables 2, 3 and 4, the ablations and the radii, against audits and repairs by hand."""

import numpy as np
import pytest
import torch

from counted import counted
from rafair import Counterparts, PerturbationSpace, baseline, judge, load_dataset
from rafair.attacks.registry import make_attack
from rafair.fairness import choose_seeds
from rafair.fairness.rates import wilson
from rafair.fairness.verdict import TF, Verdict
from rafair.repair import Benign, Minimax
from rafair.reproduce.parts.epsilon import EPSILONS

MODES = ("rafair-tb", "rafair-ff", "rafair-fb")
ATTACKS = (*MODES, "rafair", "fgsm", "pgd", "apgd", "acg", "adf", "eidig", "dice")
WORST = tuple(f"{name}@worst" for name in ATTACKS)
CELLS = ("tfr", "tbr", "ffr", "fbr")
MAIN = ("acc", "if", "af")
SAMPLED = 12
READINGS = pytest.mark.parametrize("select", ["last", "worst"])


def last_of(rates):
    return {name: row for name, row in rates.items() if "@" not in name}


def table_of(found):
    """The part of a table's data under the reading of the last iterate."""
    return {scope: rows for scope, rows in found.items() if scope != "pooled"}


def every_row(data):
    """All that ``reproduction.json`` holds of rates, with how its first three are called."""
    tables = [table_of(data["table3"]), table_of(data["table4"]), *data["epsilon"].values()]
    tables += [data["table3"]["pooled"], data["table4"]["pooled"]]
    tables += [data["ablations"][f"table{n} with 12 counterparts"] for n in (3, 4)]
    tables += [factor["rates"] for factor in data["ablations"]["factors"]]
    for table in tables:
        for rows in table.values():
            for name, row in rows.items():
                yield ("" if name == "clean" else "r_"), row


def test_the_rows_of_both_tables_and_of_both_readings(finished):
    scopes = ["average", "credit", "adult"]
    for table, rows in (("table3", ["clean", *ATTACKS, *WORST]), ("table4", [*ATTACKS, *WORST])):
        for found in (
            table_of(finished.data[table]),
            finished.data["ablations"][f"{table} with 12 counterparts"],
        ):
            assert list(found) == scopes
            assert all(list(found[scope]) == rows for scope in scopes)
    for factor in finished.data["ablations"]["factors"]:
        assert list(factor["rates"]) == scopes
        assert all(list(rates) == ["clean", *ATTACKS[:4]] for rates in factor["rates"].values())
    assert list(finished.data["epsilon"]) == scopes
    for tables in finished.data["epsilon"].values():
        assert list(tables) == [f"{e:g}" for e in EPSILONS]
        assert all(list(rates) == list(ATTACKS) for rates in tables.values())


def test_every_rate_is_a_share_in_its_interval_and_the_cells_fill_the_whole(finished):
    count = 0
    for prefix, row in every_row(finished.data):
        names = [*(prefix + key for key in MAIN), *CELLS]
        assert [key for key in row if key not in ("ci", "best")] == names
        assert list(row["ci"]) == names
        assert sum(row[cell] for cell in CELLS) == pytest.approx(1, abs=1e-12)
        assert row[f"{prefix}af"] == row["tfr"]
        assert all(low <= row[name] <= high for name, (low, high) in row["ci"].items())
        count += 1
    assert count > 300


def test_of_a_single_instance_per_seed_the_main_rates_are_sums_of_cells(finished):
    for scope in ("average", "credit", "adult"):
        table3, table4 = (last_of(finished.data[t][scope]) for t in ("table3", "table4"))
        of_modes = table3.pop("rafair")  # the worst of three instances
        assert of_modes["r_acc"] <= of_modes["tfr"] + of_modes["tbr"]
        assert of_modes["r_if"] <= of_modes["tfr"] + of_modes["ffr"]
        for name, row in [*table3.items(), *table4.items()]:
            prefix = "" if name == "clean" else "r_"
            assert row[f"{prefix}acc"] == pytest.approx(row["tfr"] + row["tbr"])
            assert row[f"{prefix}if"] == pytest.approx(row["tfr"] + row["ffr"])


@pytest.mark.parametrize("dataset", ["credit", "adult"])
def test_table_3_is_what_audits_say(finished, audited, dataset):
    found = finished.data["table3"][dataset]
    last, worst = (counted(audited(dataset, select=s).metrics) for s in ("last", "worst"))
    assert found == {**worst, **last}


def test_the_average_is_the_mean_over_datasets_with_the_interval_of_all_seeds(finished):
    seeds = 2 * finished.study.n_seeds
    for table in ("table3", "table4"):
        found = finished.data[table]
        for name, row in found["average"].items():
            credit, adult = found["credit"][name], found["adult"][name]
            for key in row["ci"]:
                assert row[key] == pytest.approx((credit[key] + adult[key]) / 2)
                assert row["ci"][key] == pytest.approx(wilson(round(row[key] * seeds), seeds))
            if table == "table4":
                best = [part["best"]["r_af"] for part in (row, credit, adult)]
                assert best[0] == pytest.approx((best[1] + best[2]) / 2)


def repaired_by_hand(run, name, counterparts):
    """Table 4's row of an audit's instances."""
    data, model = load_dataset("credit"), baseline("credit")
    plan = run.manifest["plan"]
    rows = run.instances[(run.instances["stage"] == "attacked") & (run.instances["attack"] == name)]
    x = torch.from_numpy(np.stack(rows["x"].tolist()))
    y = data.test.y[rows["seed"].tolist()]
    people = Counterparts.of(data.schema, sample=counterparts)
    problem = model, x, y, people, PerturbationSpace.of(data.schema, plan["epsilon"])
    x_ben = Benign(plan["step_size"], plan["steps"]).run(*problem).x_adv
    verdict = judge(model, x_ben, y, people)
    best = judge(model, Minimax().run(*problem, x_ben).x_adv, y, people).cells == TF
    share = int((best | (verdict.cells == TF)).sum()) / len(x)
    return verdict.rates(robust=True), share


@READINGS
@pytest.mark.parametrize("counterparts", [None, SAMPLED], ids=["all", "sampled"])
def test_table_4_is_each_row_repaired_by_hand(finished, audited, select, counterparts):
    found = finished.data["table4"]
    if counterparts is not None:
        found = finished.data["ablations"]["table4 with 12 counterparts"]
    run = audited("credit", select=select, counterparts=counterparts)
    for name in run.metrics["attacks"]:
        row = dict(found["credit"][name])
        best = row.pop("best")
        rates, share = repaired_by_hand(run, name, counterparts)
        assert row == rates
        assert best == {"r_af": share, "ci": {"r_af": wilson(round(share * 8), 8)}}


def test_the_best_that_is_found_is_no_worse_than_benign_perturbations(finished):
    gaps = [
        row["best"]["r_af"] - row["r_af"]
        for rows in table_of(finished.data["table4"]).values()
        for row in rows.values()
    ]
    assert min(gaps) >= 0
    assert max(gaps) > 0


def test_table_2_counts_the_rows_and_values_of_the_data(finished):
    assert list(finished.data["table2"]) == ["credit", "adult"]
    for name, found in finished.data["table2"].items():
        data = load_dataset(name)
        assert found["rows"] == len(data.train) + len(data.test)
        assert found["n_counterparts"] == len(Counterparts.of(data.schema))
        assert set(found["sensitive"]) == set(data.schema.sensitive)
        assert np.prod(list(found["sensitive"].values())) == found["n_counterparts"]


def test_table_2_measures_the_baseline_on_the_whole_test_split(finished):
    data, model = load_dataset("credit"), baseline("credit")
    rates = judge(model, data.test.x, data.test.y, Counterparts.of(data.schema)).rates()
    found = finished.data["table2"]["credit"]
    for key, rate in {"accuracy": "acc", "if": "if", "af": "af"}.items():
        assert found[key] == pytest.approx(rates[rate], abs=1e-12)


def rates_under(finished, changed, to):
    (found,) = [
        factor["rates"]
        for factor in finished.data["ablations"]["factors"]
        if (factor["changed"], factor["to"]) == (changed, to)
    ]
    return found


def test_under_no_change_the_ablations_repeat_table_3(finished):
    found = rates_under(finished, "nothing", "as in Table 3")
    for scope, rows in found.items():
        table3 = finished.data["table3"][scope]
        assert rows == {name: table3[name] for name in rows}


AUDITED = {
    ("counterparts", "12 sampled"): {"counterparts": SAMPLED},
    ("loss", "cross-entropy"): {"loss": "cross_entropy"},
    ("loss", "margin"): {"loss": "margin"},
    ("setting", "feasible"): {"setting": "feasible"},
}


@pytest.mark.parametrize("changed", AUDITED, ids=str)
def test_an_ablation_is_an_audit_with_one_option(finished, audited, changed):
    found = rates_under(finished, *changed)["credit"]
    rows = counted(audited("credit", **AUDITED[changed]).metrics)
    assert found == {name: rows[name] for name in found}


@READINGS
def test_the_sampled_table_3_is_what_audits_with_a_sample_say(finished, audited, select):
    found = finished.data["ablations"]["table3 with 12 counterparts"]["credit"]
    attacks = counted(audited("credit", select=select, counterparts=SAMPLED).metrics)
    del attacks["clean"]
    assert {name: found[name] for name in attacks} == attacks


BY_HAND = {
    ("counterpart", "kept from step 1"): ({"counterpart": "first"}, None),
    ("zero gradient", "counterpart's sign"): ({"zero_gradient": "counterpart"}, None),
    ("counterparts", "12 to search, all to judge"): ({}, SAMPLED),
}


@pytest.mark.parametrize("changed", BY_HAND, ids=str)
def test_an_ablation_that_no_audit_has_is_an_attack_by_hand(finished, changed):
    options, sample = BY_HAND[changed]
    found = dict(rates_under(finished, *changed)["credit"])
    data, model, study = load_dataset("credit"), baseline("credit"), finished.study
    index = choose_seeds(data.test.x, study.n_seeds, 0)
    x, y = data.test.x[index], data.test.y[index]
    everyone = Counterparts.of(data.schema)
    searched = Counterparts.of(data.schema, sample=sample)
    space = PerturbationSpace.of(data.schema, study.steps * study.step_size)
    verdicts = []
    for name in MODES:
        attack = make_attack(name, steps=study.steps, step_size=study.step_size, **options)
        x_adv = attack.run(model, x, y, searched, space).x_adv
        verdicts.append(judge(model, x_adv, y, everyone))
        assert found.pop(name) == verdicts[-1].rates(robust=True)
    assert found.pop("rafair") == Verdict.worst(verdicts).rates(robust=True)
    assert found.pop("clean") == finished.data["table3"]["credit"]["clean"]
    assert found == {}


def test_judged_by_all_no_more_are_fair_than_by_a_sample(finished):
    few = rates_under(finished, "counterparts", "12 sampled")
    many = rates_under(finished, "counterparts", "12 to search, all to judge")
    fewer = 0
    for scope, rows in many.items():
        for name in MODES:
            assert rows[name]["r_acc"] == few[scope][name]["r_acc"]
            assert rows[name]["r_if"] <= few[scope][name]["r_if"]
            fewer += rows[name]["r_if"] < few[scope][name]["r_if"]
    assert fewer > 0


def test_at_its_own_radius_the_radii_repeat_table_3(finished):
    for scope, tables in finished.data["epsilon"].items():
        last = last_of(finished.data["table3"][scope])
        assert {"clean": last["clean"], **tables["0.1"]} == last


def test_at_another_radius_they_are_audits_with_longer_steps(finished, audited):
    rows = counted(audited("credit", step_size=0.3 / finished.study.steps).metrics)
    assert {"clean": rows["clean"], **finished.data["epsilon"]["credit"]["0.3"]} == rows
