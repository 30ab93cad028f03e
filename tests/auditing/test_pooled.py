"""``select="pooled"``: every iterate of a walk counts, as Algorithm 1, line 17, collects them."""

import numpy as np
import pandas as pd
import pytest
import torch

import rafair
from rafair import Plan, audit, judge
from rafair.attacks.registry import make_attack
from rafair.auditing import batches
from rafair.auditing.repairing import repair_run
from rafair.fairness import CELLS, choose_seeds
from rafair.fairness.verdict import Verdict
from rafair.repair import Benign
from rafair.report import render_pages
from rafair.runs import load_run, write_run
from rafair.runs.instances import pool_of

PLAN = {"certify": False, "n_seeds": 24, "steps": 3, "step_size": 0.05}
MODES = ("rafair-tb", "rafair-ff", "rafair-fb")
WALKS = (*MODES, "apgd", "dice")
RATES = {
    "r_acc": "accurate", "r_if": "fair", "r_af": "tf",
    "tfr": "tf", "tbr": "tb", "ffr": "ff", "fbr": "fb",
}  # fmt: skip
ORDER = ("TB", "FF", "FB", "TF")


@pytest.fixture(scope="module")
def run(credit, credit_model):
    attacks = ["rafair", "apgd", "dice"]
    return audit(credit_model, credit, attacks=attacks, select="pooled", **PLAN)


@pytest.fixture(scope="module")
def repaired(run, credit, credit_model):
    return repair_run(run, credit_model, credit)


@pytest.fixture(scope="module")
def walked(credit, credit_model):
    """The verdict on every instance after a step, by attack and step; instances as well."""
    index = choose_seeds(credit.test.x, PLAN["n_seeds"], 0)
    x, y = credit.test.x[index], credit.test.y[index]
    plan, people = Plan(**PLAN), rafair.Counterparts.of(credit.schema)
    found = {}
    for name in WALKS:
        attack = make_attack(name, steps=3, **({} if name == "apgd" else {"step_size": 0.05}))
        points = attack.run(credit_model, x, y, people, plan.space(credit.schema)).trajectory.points
        steps = points[-3:]  # the seed and, for ascents, the start come before
        found[name] = steps, [judge(credit_model, each, y, people) for each in steps]
    return found


def rows_of(run, name, stage="attacked"):
    table = run.instances
    return table[(table["stage"] == stage) & (table["attack"] == name)]


def all_rows(run):
    stages = {"attacked": run.metrics["attacks"], "repaired": run.metrics["repairs"]}
    return [(s, name, rates) for s, rows in stages.items() for name, rates in rows.items()]


@pytest.mark.parametrize("name", WALKS)
def test_a_row_counts_the_instance_after_every_step_and_not_the_seed(run, walked, name):
    points, verdicts = walked[name]
    rates = run.metrics["attacks"][f"{name}@pooled"]
    assert rates["r_acc"] == np.mean([v.accurate.numpy() for v in verdicts])
    assert rates["r_if"] == np.mean([v.fair.numpy() for v in verdicts])
    for place, cell in enumerate(("tfr", "tbr", "ffr", "fbr")):
        assert rates[cell] == np.mean([(v.cells == place).numpy() for v in verdicts])
    pool = pool_of(rows_of(run, f"{name}@pooled"))
    assert torch.equal(pool, points.transpose(0, 1))


@pytest.mark.parametrize("name", WALKS)
def test_dissent_counts_the_instance_after_every_step_too(run, walked, credit, credit_model, name):
    rates, people = run.metrics["attacks"][f"{name}@pooled"], rafair.Counterparts.of(credit.schema)
    shares = [rafair.fairness.dissenting(credit_model, each, people) for each in walked[name][0]]
    assert rates["r_dissent"] == pytest.approx(float(torch.stack(shares).mean()))


def test_the_familys_row_is_the_worst_of_its_modes_at_each_step(run, walked):
    rates = run.metrics["attacks"]["rafair@pooled"]
    steps = list(zip(*(walked[name][1] for name in MODES), strict=True))
    cells = [
        next(cell for cell in ORDER if cell in reached)
        for verdicts in steps
        for reached in zip(*([CELLS[c] for c in v.cells] for v in verdicts), strict=True)
    ]
    for cell in CELLS:
        assert rates[f"{cell.lower()}r"] == pytest.approx(cells.count(cell) / len(cells))
    accurate = [torch.stack([v.accurate for v in each]).all(dim=0).numpy() for each in steps]
    assert rates["r_acc"] == np.mean(accurate)


def test_the_familys_instances_are_those_of_the_mode_that_is_worst(run, walked):
    pool = pool_of(rows_of(run, "rafair@pooled")).transpose(0, 1)
    for step, points in enumerate(pool):
        modes = [walked[name] for name in MODES]
        worst = Verdict.worst([verdicts[step] for _, verdicts in modes]).cells
        for seed, instance in enumerate(points):
            first = next(p[step][seed] for p, v in modes if v[step].cells[seed] == worst[seed])
            assert torch.equal(instance, first)


def test_every_rate_comes_from_the_counts_in_the_instances(repaired):
    rows = all_rows(repaired)
    assert len(rows) == 12
    for stage, name, rates in rows:
        table = rows_of(repaired, name, stage)
        whole = len(table) * PLAN["steps"]
        for key, column in RATES.items():
            assert rates[key] == pytest.approx(table[f"pool_{column}"].sum() / whole)


def test_the_counts_are_what_the_judge_says_of_the_points(repaired, credit, credit_model):
    people = rafair.Counterparts.of(credit.schema)
    for stage, name, _ in all_rows(repaired):
        table = rows_of(repaired, name, stage)
        y = credit.test.y[table["seed"].tolist()]
        cells = [judge(credit_model, x, y, people).cells for x in pool_of(table).transpose(0, 1)]
        for place, cell in enumerate(CELLS):
            counted = (torch.stack(cells) == place).sum(dim=0)
            if name == "rafair@pooled" and stage == "attacked":
                continue  # of three instances; its cell is that of the one shown
            assert table[f"pool_{cell.lower()}"].tolist() == counted.tolist()


def test_the_instance_that_stands_for_a_seed_is_that_of_the_last_iterate(run, credit_run):
    for name in (*MODES, "rafair"):
        pooled, last = rows_of(run, f"{name}@pooled"), rows_of(credit_run, name)
        for column in ("seed", "cell", "prediction", "worst_loss", "dissenting"):
            assert pooled[column].tolist() == last[column].tolist()
        assert np.array_equal(np.stack(pooled["x"].tolist()), np.stack(last["x"].tolist()))


def test_clean_rows_have_no_pool(run):
    clean = run.instances[run.instances["stage"] == "clean"]
    assert clean["pool"].isna().all()
    assert clean["pool_tf"].isna().all()


def test_the_rates_along_one_attribute_count_every_iterate_too(run, walked, credit, credit_model):
    y = credit.test.y[rows_of(run, "rafair-ff@pooled")["seed"].tolist()]
    people = rafair.Counterparts.of(credit.schema, only="sex")
    fair = [judge(credit_model, x, y, people).fair.numpy() for x in walked["rafair-ff"][0]]
    found = run.metrics["by_sensitive"]["sex"]["attacks"]["rafair-ff@pooled"]
    assert found["r_if"] == np.mean(fair)


def test_a_seed_is_changed_if_any_iterate_lies_in_another_cell(run):
    clean = rows_of(run, "clean", "clean").set_index("seed")["cell"]
    for name in (*MODES, "apgd"):
        table = rows_of(run, f"{name}@pooled").set_index("seed")
        same = [row[f"pool_{clean[seed].lower()}"] == 3 for seed, row in table.iterrows()]
        assert run.manifest["cost"][name]["changed"] == same.count(False)


def test_repair_starts_from_every_iterate(repaired, walked, credit, credit_model):
    plan, people = Plan(**PLAN), rafair.Counterparts.of(credit.schema)
    y = credit.test.y[rows_of(repaired, "rafair-ff@pooled")["seed"].tolist()]
    problem = (y, people, plan.space(credit.schema))
    mended = [Benign(0.05, 3).run(credit_model, x, *problem).x_adv for x in walked["rafair-ff"][0]]
    cells = torch.stack([judge(credit_model, x, y, people).cells for x in mended])
    rates = repaired.metrics["repairs"]["rafair-ff@pooled"]
    assert rates["r_af"] == float((cells == 0).double().mean())
    pool = pool_of(rows_of(repaired, "rafair-ff@pooled", "repaired"))
    assert torch.equal(pool, torch.stack(mended, dim=1))


def test_a_run_that_was_written_is_repaired_to_the_same(
    run, repaired, tmp_path, credit, credit_model
):
    write_run(run, tmp_path / "run")
    again = repair_run(load_run(tmp_path / "run"), credit_model, credit)
    assert again.metrics == repaired.metrics


@pytest.mark.parametrize("attack", ["fgsm", "cell", "square", "ensemble"])
def test_an_attack_without_iterates_has_the_same_rates_as_under_last(credit, credit_model, attack):
    options = {**PLAN, "n_seeds": 4, "counterparts": 6, "queries": 40, "certify": False}
    pooled, last = (
        audit(credit_model, credit, attacks=attack, select=select, **options).metrics["attacks"]
        for select in ("pooled", "last")
    )
    assert pooled == {f"{name}@pooled": rates for name, rates in last.items()}


def test_no_step_means_the_seed(credit, credit_model):
    options = {**PLAN, "steps": 0, "counterparts": 6, "certify": False}
    metrics = audit(credit_model, credit, attacks="rafair", select="pooled", **options).metrics
    assert metrics["attacks"]["rafair@pooled"]["tfr"] == metrics["clean"]["tfr"]


def test_the_result_does_not_depend_on_the_shards(run, credit, credit_model, monkeypatch):
    monkeypatch.setattr(batches, "SHARD_ROWS", 106 * 5)
    attacks = ["rafair", "apgd", "dice"]
    split = audit(credit_model, credit, attacks=attacks, select="pooled", **PLAN)
    assert split.metrics == run.metrics
    columns = [name for name in run.instances if name not in ("x", "pool")]
    pd.testing.assert_frame_equal(split.instances[columns], run.instances[columns])


def test_the_report_says_that_every_iterate_counts(run):
    page = render_pages(run)["report.html"].decode()
    assert "of all instances on the way." in page
    assert "every iterate judged" in page.replace("\n", " ")
