"""What is proved: the table, the figure and their place on the page; the members of an ensemble."""

import re
from dataclasses import replace

import pytest

from pages import Page, rendered, words_of
from rafair import load_run, write_run
from rafair.auditing import repair_run
from rafair.cli.terminal import show_table
from rafair.report import render_pages
from rafair.report.figures import draw_curve
from rafair.report.tables import CLAIMS, certificates_table, members_tables

CURVE = "How much change does it take?"


@pytest.fixture(scope="module")
def pages(certified_run):
    return {name: content.decode() for name, content in rendered(certified_run).items()}


@pytest.fixture(scope="module")
def curve(certified_run):
    return certified_run.metrics["certificates"]["curve"]


def printed(capsys, monkeypatch, table):
    monkeypatch.setenv("COLUMNS", "80")
    show_table(table)
    return capsys.readouterr().out


def test_the_table_has_a_row_per_claim_and_epsilon(certified_run, curve):
    table = certificates_table(certified_run.metrics, curve)
    expected = [
        (name, f"{point['epsilon']:g}", *(f"{rates[key]:.3f}" for key in table.heads[2:5]))
        for claim, name in CLAIMS.items()
        for point in curve
        for rates in [point["claims"][claim]]
    ]
    assert [row[:5] for row in table.rows] == expected
    assert [table.rows[place][0] for place in table.groups] == ["R-AF", "R-ACC", "R-IF"]
    assert table.title.startswith("credit: 16 people, 12 counterparts each")


def test_the_truth_is_a_number_where_all_is_decided_and_else_two(certified_run, curve):
    seen = set()
    for _, _, proved, undecided, broken, truth in certificates_table(
        certified_run.metrics, curve
    ).rows:
        low, *high = map(float, truth.split("-"))
        assert low == float(proved)
        assert high == ([] if undecided == "0.000" else [pytest.approx(1 - float(broken))])
        seen.add(len(high))
    assert seen == {0, 1}


def test_a_claim_that_was_not_certified_has_no_row(certified_run, curve):
    some = [{**point, "claims": {"accurate": point["claims"]["accurate"]}} for point in curve]
    assert {row[0] for row in certificates_table(certified_run.metrics, some).rows} == {"R-ACC"}


def test_the_members_table_says_who_broke_how_many(certified_run):
    table, *others = members_tables(certified_run)
    assert [other.title for other in others] == [
        "Which member of ensemble-acc broke whom?",
        "Which member of ensemble-if broke whom?",
    ]
    members = certified_run.manifest["cost"]["ensemble-af"]["members"]
    assert table.title == "Which member of ensemble-af broke whom?"
    assert [row[0] for row in table.rows] == [member["name"] for member in members]
    numbers = [[int(cell.replace(",", "")) for cell in row[1:]] for row in table.rows]
    tried, broken, gradients, forwards = map(list, zip(*numbers, strict=True))
    assert tried == [member["tried"] for member in members]
    assert broken == [len(member["broken"]) for member in members]
    assert sum(gradients) == certified_run.manifest["cost"]["ensemble-af"]["gradients"]
    assert sum(forwards) == certified_run.manifest["cost"]["ensemble-af"]["forwards"]


def test_a_member_that_was_skipped_has_no_numbers(certified_run, plain_run):
    cost = certified_run.manifest["cost"]["ensemble-af"]
    corner = {**cost["members"][1], "skipped": "no bound"}
    plain_cost = {**plain_run.manifest["cost"], "ensemble-af": {**cost, "members": [corner]}}
    changed = type(plain_run)(
        plain_run.metrics, plain_run.instances, {**plain_run.manifest, "cost": plain_cost}
    )
    (table,) = members_tables(changed)
    assert table.rows == [("linear corner (skipped)", "", "", "", "")]
    assert members_tables(plain_run) == []


def test_both_tables_fit_eighty_columns(certified_run, curve, capsys, monkeypatch):
    tables = [certificates_table(certified_run.metrics, curve), *members_tables(certified_run)]
    for table in tables:
        shown = printed(capsys, monkeypatch, table)
        assert max(map(len, shown.splitlines())) <= 80
        lines = [" ".join(line.split()) for line in shown.splitlines()]
        for row in (table.heads, *table.rows):
            assert " ".join(" ".join(row).split()) in lines


def test_the_page_has_a_section_on_what_is_proved_with_table_and_figure(
    certified_run, curve, pages
):
    page = Page(pages["report.html"])
    assert CURVE in page.text
    assert page.wrong == []
    assert page.open == []
    assert pages["report.html"].count(">R-AF</text>") == 1
    tables = [certificates_table(certified_run.metrics, curve), *members_tables(certified_run)]
    for table in tables:
        for cell in (table.title, *table.heads, *(cell for row in table.rows for cell in row)):
            assert words_of(cell) in page.text
    assert all(reference.startswith("#") for reference in page.references)


def test_a_page_with_one_epsilon_says_how_to_ask_at_several(plain_run):
    pages = rendered(plain_run)
    assert "figures/robustness.svg" not in pages
    shown = Page(pages["report.html"].decode()).text
    assert "This run asked at one ε; rafair audit --curve asks at smaller ones too." in shown
    assert "Which member" not in shown


def test_a_page_without_certificates_claims_no_proof(plain_run):
    rates = plain_run.metrics["robust"]
    robust = {name: {**rate, "at_least": None} for name, rate in rates.items()}
    metrics = {key: part for key, part in plain_run.metrics.items() if key != "certificates"}
    manifest = {**plain_run.manifest, "proofs": {"why_not": "nothing can be proved of it"}}
    run = replace(
        plain_run, metrics={**metrics, "robust": robust}, manifest=manifest, certificates=None
    )
    shown = Page(render_pages(run)["report.html"].decode()).text
    section = shown[shown.index(CURVE, shown.index("Which attribute? Before")) :]
    section = section[: section.index("People")]
    assert "The truth lies below the line." in section
    assert "proved" not in section


def test_the_figure_has_a_panel_per_claim_and_begins_at_the_clean_rate(certified_run, curve):
    drawn = rendered(certified_run)["figures/robustness.svg"].decode()
    alone = draw_curve(curve).decode()
    for name in ("R-AF", "R-ACC", "R-IF", "proved", "not broken", "undecided or not asked"):
        assert f">{name}</text>" in drawn
        assert f">{name}</text>" in alone
    assert drawn != alone
    single = [{**point, "claims": {"fair": point["claims"]["fair"]}} for point in curve]
    panels = re.findall(r">(R-\w+)</text>", draw_curve(single).decode())
    assert panels == ["R-IF"]
    assert draw_curve(curve).decode() == alone


def test_a_stored_and_repaired_run_gives_the_same_section(certified_run, pages, tmp_path):
    from rafair import baseline, load_dataset

    attacks = {"rafair": certified_run.metrics["attacks"]["rafair"]}
    rows = certified_run.instances[certified_run.instances["attack"].isin(["clean", "rafair"])]
    run = replace(certified_run, metrics={**certified_run.metrics, "attacks": attacks},
                  instances=rows)  # fmt: skip
    write_run(run, tmp_path / "run")
    repaired = repair_run(load_run(tmp_path / "run"), baseline("credit"), load_dataset("credit"))
    again = render_pages(repaired)
    assert again["figures/robustness.svg"].decode() == pages["figures/robustness.svg"]
    assert CURVE in again["report.html"].decode()
