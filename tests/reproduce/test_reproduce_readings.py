"""The readings of Tables 3 and 4: against audits, over several trainings, and their errors."""

import functools

import numpy as np
import pytest
import torch

from counted import counted
from rafair import Counterparts, PerturbationSpace, audit, judge, load_dataset, train_fcnn
from rafair.fairness import Verdict
from rafair.repair import Benign
from rafair.reproduce.published import CLEAN, OTHERS, OWN, TABLE3, TABLE4, mean_error, row_error
from rafair.reproduce.readings import LAST, POOLED, READINGS
from rafair.reproduce.study import SHIPPED, Study, Training
from rafair.runs.instances import pool_of

ATTACKS = ("rafair", "apgd", "acg", "adf", "dice")
SELECTED = {"pooled": {"select": "pooled", "counterparts": 12}, "last": {}}


@functools.cache
def trained(training):
    data = load_dataset("credit")
    return train_fcnn(data, random_state=training.random_state, plain=training.plain)


def audited_as(study, reading, training):
    """An audit of Credit as a reading and a training say, and the rates after its repair."""
    data, model, state = load_dataset("credit"), trained(training), training.random_state
    run = audit(
        model, data, attacks=ATTACKS, certify=False, n_seeds=study.n_seeds,
        random_state=study.random_state + state,
        steps=study.steps, step_size=study.step_size, **SELECTED[reading],
    )  # fmt: skip
    return run.metrics, {name: repaired_by_hand(run, name, model, data) for name in rows_of(run)}


def rows_of(run):
    return list(run.metrics["attacks"])


def repaired_by_hand(run, name, model, data):
    """The rates of every counted instance of a row after benign perturbations."""
    plan = run.manifest["plan"]
    rows = run.instances[(run.instances["stage"] == "attacked") & (run.instances["attack"] == name)]
    pooled = plan["select"] == "pooled"
    pool = pool_of(rows) if pooled else torch.from_numpy(np.stack(rows["x"].tolist()))[:, None]
    state = plan["random_state"]
    people = Counterparts.of(data.schema, sample=plan["counterparts"], random_state=state)
    y, space = (
        data.test.y[rows["seed"].tolist()],
        PerturbationSpace.of(data.schema, plan["epsilon"]),
    )
    verdicts = []
    for x in pool.transpose(0, 1):
        mended = Benign(plan["step_size"], plan["steps"]).run(model, x, y, people, space)
        verdicts.append(judge(model, mended.x_adv, y, people))
    return Verdict.pooled(verdicts).rates(robust=True)


def plain_names(rows):
    return {name.split("@")[0]: rates for name, rates in rows.items()}


@pytest.mark.parametrize("reading", SELECTED)
@pytest.mark.parametrize("training", [Training(1), Training(0, True)], ids=["other", "plain"])
def test_a_reading_of_another_training_is_an_audit_of_that_network(tiny, reading, training):
    metrics, mended = audited_as(tiny.study, reading, training)
    kind = "plain" if training.plain else "shipped"
    found = tiny.data["readings"][kind][reading][training.random_state]
    assert found["table3"] == plain_names(counted(metrics))
    assert found["table4"] == plain_names(mended)


def test_the_first_shipped_training_is_the_column_of_the_tables(tiny):
    found = tiny.data["readings"]["shipped"]
    for table in ("table3", "table4"):
        assert found["pooled"][0][table] == tiny.data[table]["pooled"]["average"]
        last = tiny.data[table]["average"]
        for name, rates in found["last"][0][table].items():
            assert rates == {key: value for key, value in last[name].items() if key != "best"}


def test_there_are_as_many_trainings_as_asked_for_and_they_differ(tiny):
    for readings in tiny.data["readings"].values():
        for runs in readings.values():
            assert len(runs) == tiny.study.trainings == 2
            assert runs[0]["table3"] != runs[1]["table3"]


def test_every_training_has_its_own_seeds_sample_and_network():
    study = Study(random_state=4)
    for reading in READINGS:
        setups = [reading.setup(study, "credit", Training(state)) for state in range(3)]
        assert [setup.random_state for setup in setups] == [4, 5, 6]
        assert [setup.training.random_state for setup in setups] == [0, 1, 2]
    assert POOLED.setup(study, "bank").counterparts == 12
    assert LAST.setup(study, "bank") == study.setup("bank")
    assert LAST.setup(study, "bank").training == SHIPPED


def test_an_error_is_the_mean_absolute_difference():
    rates = {key: value + 0.1 for key, value in TABLE3["apgd"].items()}
    assert row_error(rates, TABLE3["apgd"]) == pytest.approx(0.1)
    rows = {**TABLE4, "rafair-tb": {key: v + 0.4 for key, v in TABLE4["rafair-tb"].items()}}
    assert mean_error(rows, TABLE4, OWN) == pytest.approx(0.1)
    assert mean_error(rows, TABLE4, OTHERS) == 0


def test_the_errors_are_those_of_the_rows(tiny):
    for readings in tiny.data["readings"].values():
        for run in (run for runs in readings.values() for run in runs):
            errors = run["errors"]
            three = [(run["table3"][n], {"clean": CLEAN, **TABLE3}[n]) for n in OWN]
            four = [(run["table4"][n], TABLE4[n]) for n in OWN if n in TABLE4]
            every = []
            for name, pairs in (("table3", three), ("table4", four)):
                differences = [abs(ours[k] - v) for ours, paper in pairs for k, v in paper.items()]
                assert len(differences) == 7 * len(pairs)
                assert errors[name]["own"] == pytest.approx(np.mean(differences))
                every += differences
            assert len(every) == 63
            assert errors["both"] == pytest.approx(np.mean(every))


def test_the_section_shows_the_mean_and_the_spread_of_the_errors(tiny):
    table = tiny.sections["readings"].summary
    rows = {row[:2]: row[2:] for row in table.rows}
    for kind, readings in tiny.data["readings"].items():
        for reading, runs in readings.items():
            both = [run["errors"]["both"] for run in runs]
            low, high = (f"{value:.3f}".removeprefix("0") for value in (min(both), max(both)))
            assert rows[kind, reading][2] == f"{np.mean(both):.3f} ({low}–{high})"
