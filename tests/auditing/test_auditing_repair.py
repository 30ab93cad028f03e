"""Repair of a finished run."""

import numpy as np
import pytest
import torch
from torch import nn

import rafair
from rafair import (
    InvalidInput,
    Plan,
    baseline,
    judge,
    load_dataset,
    load_run,
    repair_run,
    write_run,
)
from rafair.report.tables import repairable_table


@pytest.fixture(scope="module")
def repaired(credit_run, credit_model, credit):
    return repair_run(credit_run, credit_model, credit)


def points_of(instances):
    return torch.from_numpy(np.stack(instances["x"].tolist()))


def test_every_attack_gets_its_repair(repaired, credit_run):
    assert list(repaired.metrics["repairs"]) == list(credit_run.metrics["attacks"])
    for rates in repaired.metrics["repairs"].values():
        assert set(rates) == set(credit_run.metrics["attacks"]["rafair"])
        assert sum(rates[cell] for cell in ("tfr", "tbr", "ffr", "fbr")) == pytest.approx(1)


def test_the_audits_own_figures_stay_as_they_were(repaired, credit_run):
    kept = {key: value for key, value in repaired.metrics.items() if key != "repairable"}
    assert {**kept, "repairs": {}} == credit_run.metrics


def test_the_given_run_is_not_changed(credit_run, repaired):
    assert credit_run.metrics["repairs"] == {}
    assert "repaired" not in set(credit_run.instances["stage"])
    assert repaired is not credit_run


def test_repair_raises_accurate_fairness_on_the_baseline(repaired):
    attacked, fixed = (repaired.metrics[stage]["rafair"] for stage in ("attacks", "repairs"))
    assert fixed["r_af"] > attacked["r_af"]


def test_repaired_instances_are_added_to_the_others(repaired, credit_run):
    n = len(credit_run.instances)
    kept = repaired.instances.iloc[:n]
    assert kept["stage"].tolist() == credit_run.instances["stage"].tolist()
    added = repaired.instances.iloc[n:]
    assert set(added["stage"]) == {"repaired"}
    assert len(added) == 4 * credit_run.metrics["n_seeds"]


def test_repair_starts_from_the_attacked_instance_and_stays_near_it(repaired):
    keys = ["attack", "seed"]
    attacked = repaired.instances[repaired.instances["stage"] == "attacked"].sort_values(keys)
    fixed = repaired.instances[repaired.instances["stage"] == "repaired"].sort_values(keys)
    assert attacked[keys].to_numpy().tolist() == fixed[keys].to_numpy().tolist()
    moved = (points_of(fixed) - points_of(attacked)).abs().max()
    assert 0 < float(moved) <= repaired.manifest["repair"]["epsilon"] + 1e-9


def test_the_cells_of_repaired_instances_are_the_judges(repaired, credit_model, credit):
    fixed = repaired.instances[repaired.instances["stage"] == "repaired"]
    schema = credit.schema
    y = torch.tensor([schema.classes.index(label) for label in fixed["label"]])
    verdict = judge(credit_model, points_of(fixed), y, Plan().people(schema))
    cells = np.array(["TF", "TB", "FF", "FB"])[verdict.cells.numpy()]
    assert fixed["cell"].tolist() == cells.tolist()


def test_repairing_again_replaces_the_first_repair(repaired, credit_model, credit):
    again = repair_run(repaired, credit_model, credit, steps=0)
    assert len(again.instances) == len(repaired.instances)
    attacked, fixed = (again.metrics[stage] for stage in ("attacks", "repairs"))
    assert all(fixed[name]["r_af"] == attacked[name]["r_af"] for name in attacked)


def test_a_stored_run_repairs_like_the_one_in_memory(
    tmp_path, credit_run, repaired, credit_model, credit
):
    write_run(credit_run, tmp_path / "run")
    again = repair_run(load_run(tmp_path / "run"), credit_model, credit)
    assert again.metrics["repairs"] == repaired.metrics["repairs"]


def test_the_radius_follows_the_steps_unless_given(credit_run, credit_model, credit):
    follows = repair_run(credit_run, credit_model, credit, steps=1)
    given = repair_run(credit_run, credit_model, credit, steps=1, epsilon=0.5)
    assert follows.manifest["repair"]["epsilon"] == pytest.approx(0.05)
    assert given.manifest["repair"]["epsilon"] == 0.5
    assert follows.manifest["plan"] == credit_run.manifest["plan"]


def test_another_model_is_refused(credit_run, credit):
    with pytest.raises(InvalidInput, match="not the model that the run audited"):
        repair_run(credit_run, baseline("compas"), credit)


def test_other_data_are_refused(credit_run, credit_model):
    with pytest.raises(InvalidInput, match="not the data that the run audited"):
        repair_run(credit_run, credit_model, load_dataset("compas"))


BAD = [{"steps": -1}, {"step_size": -1.0}, {"epsilon": float("nan")}, {"loss": "hinge"}]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_parameter_of_the_repair_is_refused(credit_run, credit_model, credit, bad):
    with pytest.raises(InvalidInput) as caught:
        repair_run(credit_run, credit_model, credit, **bad)
    assert next(iter(bad)) in str(caught.value)


def test_sensitive_columns_of_the_run_are_used_whatever_the_data_say(
    credit_run, repaired, credit_model, credit
):
    other = credit.with_sensitive(["housing"])
    again = repair_run(credit_run, credit_model, other)
    assert again.metrics["repairs"] == repaired.metrics["repairs"]


def test_what_could_be_repaired_stands_beside_what_was(repaired, credit_run):
    possible = repaired.metrics["repairable"]
    assert list(possible) == list(credit_run.metrics["attacks"])
    for name, rates in possible.items():
        shares = [rates[key] for key in ("reachable", "impossible", "undecided")]
        assert sum(shares) == pytest.approx(1)
        assert repaired.metrics["repairs"][name]["r_af"] <= 1 - rates["impossible"]
        assert set(rates["ci"]) == {"reachable", "impossible", "undecided"}
    table = repairable_table(repaired)
    assert [row[0] for row in table.rows] == list(possible)
    assert repairable_table(credit_run) is None


def test_a_model_without_certificates_says_nothing_of_what_could_be(credit):
    module = nn.Sequential(nn.Linear(20, 6), nn.Softshrink(0.01), nn.Linear(6, 2)).double()
    model = rafair.wrap(module, output="logits")
    run = rafair.audit(
        model, credit, attacks="rafair-ff", n_seeds=6, steps=2, step_size=0.05, counterparts=8
    )
    assert "repairable" not in repair_run(run, model, credit).metrics
