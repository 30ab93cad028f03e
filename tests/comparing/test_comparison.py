"""Runs side by side: what changed, for whom, and which runs are refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import rafair
from pages import Page
from rafair.comparing import paired_difference
from rafair.comparing.people import people_of
from rafair.report.comparison import render_comparison


@pytest.fixture(scope="module")
def compared(first_run, other_run):
    return rafair.compare(first_run, other_run, names=("before", "after"))


def test_rates_and_intervals_are_those_of_the_same_people(compared, first_run, other_run):
    one, other = people_of(first_run).rates, people_of(other_run).rates
    assert {(c.stage, c.attack, c.rate) for c in compared.changes} == one.keys() & other.keys()
    for change in compared.changes:
        key = (change.stage, change.attack, change.rate)
        before, after = one[key], other[key]
        least = paired_difference(before.high, after.low)
        most = paired_difference(before.low, after.high)
        assert change.difference == (least.difference, most.difference)
        assert change.ci == (least.low, most.high)
        assert change.before == (before.low.mean(), before.high.mean())
        assert change.after == (after.low.mean(), after.high.mean())
        assert change.gained == sum(a > b for a, b in zip(after.low, before.high, strict=True))
        assert change.lost == sum(a < b for a, b in zip(after.high, before.low, strict=True))
    acc = compared.find("acc")
    metrics = [run.metrics["clean"]["acc"] for run in (first_run, other_run)]
    assert acc.difference[0] == pytest.approx(metrics[1] - metrics[0])


def test_who_changed_is_listed_with_before_and_after(compared, first_run, other_run):
    clean = [run.instances.query("stage == 'clean'").set_index("seed").sort_index()
             for run in (first_run, other_run)]  # fmt: skip
    for name in ("prediction", "cell"):
        differs = set(clean[0].index[clean[0][name] != clean[1][name]])
        assert differs <= set(compared.changed["seed"])
    for row in compared.changed.to_dict("records"):
        before, after = (table.loc[row["seed"]] for table in clean)
        assert (row["cell_before"], row["cell_after"]) == (before["cell"], after["cell"])
        assert row["person_age"] == before["age"]
        pairs = [
            (row[f"{name}_before"], row[f"{name}_after"]) for name in ("prediction", "cell", "r_af")
        ]
        assert any(one != two for one, two in pairs)


def test_a_run_does_not_differ_from_itself(first_run):
    same = rafair.compare(first_run, first_run)
    assert same.changed.empty
    assert {change.direction for change in same.changes} == {"not told apart"}
    assert any("the model is the same" in note for note in same.notes)


def test_three_runs_are_each_compared_with_the_first(first_run, other_run):
    three = rafair.compare(first_run, other_run, first_run)
    assert three.names == ("run 1", "run 2", "run 3")
    assert three.find("acc", run="run 3").difference == (0, 0)
    assert {change.run for change in three.changes} == {"run 2", "run 3"}


def test_rows_of_attacks_that_tried_otherwise_are_left_out_with_a_note(first_run):
    other = replace(first_run, manifest=with_plan(first_run, steps=4))
    found = rafair.compare(first_run, other)
    assert all(change.attack is None for change in found.changes)
    assert any(
        "attacks are not compared" in note and "steps 4, not 2" in note for note in found.notes
    )


def with_plan(run, **changes):
    return {**run.manifest, "plan": {**run.manifest["plan"], **changes}}


def with_part(run, part, **changes):
    return {**run.manifest, part: {**run.manifest[part], **changes}}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda run: with_part(run, "dataset", sha256="0" * 64), r"other data \(SHA-256 0{12}…"),
        (lambda run: with_plan(run, epsilon=0.3), r"Δ: ε 0\.3, not 0\.1"),
        (lambda run: with_plan(run, setting="feasible"), "Δ: setting feasible, not paper"),
        (lambda run: with_plan(run, counterparts=13), "sampled combinations 13, not 12"),
        (lambda run: with_plan(run, select="worst"), "select worst, not last"),
        (lambda run: with_part(run, "schema", sensitive=["sex"]), "attributes sex, not sex, age"),
        (lambda run: with_part(run, "proofs", why_not="no time"), r"claims: .* \(no time\)"),
    ],
)  # fmt: skip
def test_runs_that_ask_something_else_are_refused_with_the_reason(first_run, changed, why):
    other = replace(first_run, manifest=changed(first_run))
    with pytest.raises(rafair.InvalidInput, match=why):
        rafair.compare(first_run, other)


def test_other_people_are_refused(first_run):
    other = replace(first_run, instances=first_run.instances.assign(seed=lambda t: t["seed"] + 1))
    with pytest.raises(rafair.InvalidInput, match="other seeds"):
        rafair.compare(first_run, other)


def test_another_limit_of_one_feature_is_refused(first_run):
    features = [dict(each) for each in first_run.manifest["schema"]["features"]]
    features[1]["epsilon"] = 6.0
    other = replace(first_run, manifest=with_part(first_run, "schema", features=features))
    with pytest.raises(rafair.InvalidInput, match=r"duration: ε \(Δ\) 6, not default"):
        rafair.compare(first_run, other)


def test_one_run_and_names_that_are_alike_are_refused(first_run):
    with pytest.raises(rafair.InvalidInput, match="two runs or more"):
        rafair.compare(first_run)
    with pytest.raises(rafair.InvalidInput, match="names must be 2 different texts"):
        rafair.compare(first_run, first_run, names=("a", "a"))


def test_the_json_is_json_and_says_the_same(compared):
    read = json.loads(json.dumps(compared.as_dict(), allow_nan=False))
    assert len(read["changes"]) == len(compared.changes)
    assert read["changes"][0]["difference"] == list(compared.changes[0].difference)
    assert [row["seed"] for row in read["changed"]] == compared.changed["seed"].tolist()


def test_the_frame_and_the_texts_show_every_rate(compared):
    assert len(compared.to_frame()) == len(compared.changes)
    for shown in (repr(compared), compared._repr_html_()):
        assert "R-AF" in shown
        assert "after against before" in shown


def test_the_page_is_whole_and_escaped(hostile_comparison):
    page = Page(render_comparison(hostile_comparison).decode())
    assert (page.wrong, page.open, page.handlers) == ([], [], [])
    assert page.references == ["#compared"]  # within the page
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text


@pytest.fixture
def hostile_comparison(compared):
    script = "<script>alert(1)</script>"
    changed = compared.changed.assign(person_purpose=script, run=script)
    changes = tuple(replace(change, run=script) for change in compared.changes)
    return replace(
        compared, names=("<b>", script), changed=changed, changes=changes, notes=(script,)
    )


def test_an_empty_cell_of_a_person_is_shown_as_missing(compared):
    changed = compared.changed.assign(person_age=np.nan, person_sex=pd.NA)
    text = Page(render_comparison(replace(compared, changed=changed)).decode()).text
    assert "missing" in text
    rows = replace(compared, changed=changed).as_dict()["changed"]
    assert {row["person_age"] for row in rows} == {None}
