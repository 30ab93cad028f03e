"""The sections of the page: their numbers are those of the run."""

import re
from dataclasses import replace

import pytest

from pages import Page, rendered, words_of
from rafair.analysis import groups_of, people_of
from rafair.report import render_pages
from rafair.report.bars import clean_bar, hundred, robust_bar
from rafair.report.cautions import cautions
from rafair.report.explorer import people_shown
from rafair.report.harmed import harmed
from rafair.report.lead import lead_of
from rafair.report.people import Holds, holding
from rafair.report.words import percent


def changed(run, **metrics):
    return replace(run, metrics={**run.metrics, **metrics})


def test_the_lead_tells_both_rates_and_their_intervals(plain_run):
    lead, metrics = lead_of(plain_run), plain_run.metrics
    low, high = metrics["clean"]["ci"]["af"]
    assert f"{100 * metrics['clean']['af']:.0f} of 100 people" in lead.sentences[0]
    assert f"95 % interval {100 * low:.0f} to {100 * high:.0f}" in lead.sentences[0]
    rate = {"at_least": 0.25, "at_most": 0.5, "ci": {"at_least": [0.2, 0.3], "at_most": [0.4, 0.6]}}
    robust = {**metrics["robust"], "r_af": rate}
    lead = lead_of(changed(plain_run, robust=robust))
    assert "25 to 50 of 100 people (95 % interval 20 to 60)" in lead.sentences[1]
    assert [count for _, count, _ in lead.crowds[1].counts] == [25, 25, 50]
    rate = {"at_least": None, "at_most": 0.5, "ci": {"at_most": [0.4, 0.6]}}
    lead = lead_of(changed(plain_run, robust={**robust, "r_af": rate}))
    assert "at most 50 of 100 people (95 % interval 40 to 60)" in lead.sentences[1]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([0.58, 0.42], [58, 42]), ([1 / 3] * 3, [33, 34, 33]), ([0.385, 0.615], [38, 62]),
     ([0, 0, 1], [0, 0, 100]), ([1 / 7, 2 / 7, 4 / 7], [14, 29, 57])],
)  # fmt: skip
def test_shares_of_a_hundred_people_add_up(shares, expected):
    found = hundred(shares)
    assert sum(found) == 100
    assert all(abs(count - 100 * share) < 1 for count, share in zip(found, shares, strict=True))
    assert found == expected
    assert percent(shares[0]) == f"{found[0]} %"


def test_bars_are_the_rates():
    bar = clean_bar({"if": 0.25, "ci": {"if": [0.1, 0.4]}}, "if")
    assert (bar.text, bar.low, bar.high, bar.interval) == ("25 %", 0.25, 0.25, "10 to 40 %")
    rate = {"at_least": 0.25, "at_most": 0.5, "ci": {"at_least": [0.2, 0.3], "at_most": [0.4, 0.6]}}
    bar = robust_bar(rate)
    assert (bar.text, bar.low, bar.high, bar.interval) == ("25 to 50 %", 0.25, 0.5, "20 to 60 %")
    bar = robust_bar({**rate, "at_least": None, "ci": {"at_most": [0.4, 0.6]}})
    assert (bar.text, bar.low, bar.interval) == ("at most 50 %", 0.0, "40 to 60 %")


def test_the_page_has_every_group_with_its_numbers(certified_run):
    page = Page(rendered(certified_run)["report.html"].decode())
    schema, epsilon = certified_run.manifest["schema"], certified_run.manifest["plan"]["epsilon"]
    people = people_of(certified_run.instances, certified_run.certificates, schema, epsilon)
    for groups in groups_of(people, schema["sensitive"]):
        for group in groups:
            small = " · small" if group.is_small else ""
            bars = [clean_bar(group.clean, key) for key in ("otherwise", "gain", "lose")]
            bars.append(robust_bar(group.r_af))
            told = " ".join(f"{bar.text} ({bar.interval})" for bar in bars)
            shown = f"{' · '.join(group.levels)}{group.n}{small} {told}"
            assert words_of(shown) in page.text


def test_groups_have_a_curve_at_every_epsilon_and_end_at_their_r_af(certified_run):
    found = harmed(certified_run)
    assert found.favourable == "good"
    assert found.is_named
    for table, groups in zip(found.curves, found.alone, strict=True):
        assert table.title == groups.title
        for row, (group, _) in zip(table.rows, groups.rows, strict=True):
            assert row[:2] == (group.levels[0], str(group.n))
            assert float(row[-1].split(" to ")[0]) == pytest.approx(
                group.r_af["at_least"], abs=5e-4
            )


def test_everybody_has_the_values_of_the_tables(certified_run):
    people, table = people_shown(certified_run), certified_run.instances
    values = people.data["values"]
    names = [feature["name"] for feature in people.data["features"]]
    for number, stage in enumerate(people.data["stages"]):
        rows = table[table["stage"] == stage["stage"]]
        rows = rows[rows["attack"] == (stage["attack"] or "clean")].set_index("seed")
        for seed, label, _, own, _, instances in people.data["people"]:
            decision, cell, dissent, _, changes, flip, worst = instances[number]
            row = rows.loc[int(seed)]
            now = {name: values[place] for name, place in zip(names, own, strict=True)}
            now |= {names[at]: values[place] for at, place in changes}
            assert now == {name: row[name] for name in names}
            assert values[label] == row["label"]
            assert (values[decision], cell) == (row["prediction"], row["cell"])
            assert dissent == pytest.approx(row["dissenting"], abs=1e-4)
            assert (flip is None) == (cell in ("TF", "FF"))
            assert values[worst[0]] == row["worst_prediction"]
            other = now | {names[at]: values[place] for at, place in worst[1]}
            assert other["age"] == row["worst_age"]


def test_how_near_a_person_is_comes_from_the_certificates(certified_run):
    proofs = certified_run.certificates
    proofs = proofs[proofs["varied"].isna() & (proofs["claim"] == "accurate_fair")]
    for seed, holds in holding(certified_run).items():
        rows = proofs[proofs["seed"] == seed]
        proved = rows.loc[rows["status"] == "proved", "epsilon"]
        broken = rows.loc[rows["status"] == "broken", "epsilon"]
        if holds.broken == 0:
            assert proved.empty
            continue
        assert holds == Holds(
            None if proved.empty else proved.max(), None if broken.empty else broken.min()
        )
    assert str(Holds(0.05, 0.1)) == "proved up to 0.05, broken at 0.1"
    assert str(Holds()) == "undecided"


def test_of_many_people_evenly_spaced_ones_are_shown(certified_run, monkeypatch):
    monkeypatch.setattr("rafair.report.explorer.MOST", 5)
    people = people_shown(certified_run)
    assert people.total == 16
    clean = certified_run.instances[certified_run.instances["stage"] == "clean"]["seed"].tolist()
    assert [int(row[0]) for row in people.rows] == [clean[at] for at in (0, 3, 7, 11, 15)]
    page = Page(render_pages(certified_run)["report.html"].decode())
    assert "5 of 16 people, evenly spaced; the others are in instances.parquet" in page.text


def test_grave_cautions_come_first_and_long_notes_go_to_the_end(plain_run):
    notes = [
        "12 empty cells of age were filled with 30 (median).",
        "denied: gives risk away: its value tells it in 150 of 150 rows. Was it known?",
    ]
    manifest = {**plain_run.manifest, "dataset": {**plain_run.manifest["dataset"], "notes": notes}}
    run = replace(plain_run, manifest=manifest)
    told = [caution.text for caution in cautions(run)]
    assert told.index(notes[1]) < told.index(notes[0])
    source = render_pages(run)["report.html"].decode()
    answer, method = source.index('id="answer"'), source.index('id="method"')
    assert answer < source.index(notes[1]) < source.index('id="harmed"')
    assert method < source.index(notes[0])
    assert re.search(r"more notes? (is|are) in", source)


def test_the_lead_measures_the_model_against_a_constant_one(plain_run):
    between = {"at_least": 0.05, "at_most": 0.1, "ci": {}}
    metrics = {
        "constant": {"af": 0.75, "af_balanced": 0.5},
        "clean": {**plain_run.metrics["clean"], "af_balanced": 0.44},
        "robust": {**plain_run.metrics["robust"], "r_af_balanced": between},
    }
    told = lead_of(changed(plain_run, **metrics)).marks
    assert "most frequent class reaches 75 of 100" in told
    assert "it reaches 50; this model reaches 44 as things are and 5 to 10 after" in told


def test_a_model_that_does_not_read_an_attribute_is_named_beside_the_answer(plain_run):
    assert plain_run.manifest["model"]["unread"] == []
    manifest = {**plain_run.manifest, "model": {**plain_run.manifest["model"], "unread": ["age"]}}
    source = render_pages(replace(plain_run, manifest=manifest))["report.html"].decode()
    told = source.index("The model does not read age")
    assert source.index('id="answer"') < told < source.index('id="harmed"')
    guarded = {**plain_run.metrics, "guard": {}}
    told = cautions(replace(plain_run, manifest=manifest, metrics=guarded))
    assert not any("does not read" in caution.text for caution in told)
