"""report.html: one file that needs nothing else and says what the run says."""

import re

import pytest

from pages import Page, rendered, words_of
from rafair import InvalidInput, write_report
from rafair.report import render_pages
from rafair.report.cautions import warnings
from rafair.report.explorer import people_shown
from rafair.report.lead import lead_of
from rafair.report.method import LIMITS, command_of
from rafair.report.people import chosen_stories
from rafair.report.tables import rates_table, sensitive_table


@pytest.fixture(params=["plain_run", "repaired_run", "hostile_run"])
def run(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def page(run):
    return Page(rendered(run)["report.html"].decode())


def test_the_page_refers_to_nothing_outside_of_itself(run, page):
    assert "svg" in page.tags
    assert all(reference.startswith("#") for reference in page.references)
    source = rendered(run)["report.html"].decode()
    assert re.findall(r"@import|url\((?!#)", source) == []


def test_the_page_loads_nothing_and_has_no_handlers_in_its_tags(page):
    forbidden = {"link", "img", "iframe", "object", "embed", "base"}
    assert forbidden.isdisjoint(page.tags)
    assert page.tags.count("script") == 2
    assert page.handlers == []


def test_every_tag_is_closed_where_it_belongs(page):
    assert page.wrong == []
    assert page.open == []


def test_every_number_of_both_tables_is_on_the_page(run, page):
    for table in (rates_table(run), sensitive_table(run)):
        for cell in (table.title, *table.heads, *(cell for row in table.rows for cell in row)):
            assert words_of(cell) in page.text


def test_the_answer_and_every_warning_are_on_the_page(run, page):
    lead = lead_of(run)
    for sentence in [*lead.sentences, lead.ground, *warnings(run), *LIMITS]:
        assert words_of(sentence) in page.text


def test_every_story_is_told_in_full(run, page):
    stories = chosen_stories(run)
    assert 0 < len(stories) <= 6
    for story in stories:
        assert f"Test row {story.row} {story.start} → {story.cell}" in page.text
        for name, value in story.who:
            assert f"{words_of(name)} {words_of(value)}" in page.text
        for name, old, new in story.changes:
            assert words_of(f"{name} {old} → {new}") in page.text
        shown = f"truth {story.label} · before {story.before} · after {story.after}"
        assert words_of(shown) in page.text
        for part in (story.moved, story.flips, story.worst, story.holds):
            assert words_of(part) in page.text


def test_everybody_is_in_the_table_without_a_script(run, page):
    people = people_shown(run)
    assert len(people.rows) == people.total == run.metrics["n_seeds"]
    for row in people.rows:
        assert words_of("".join(row)) in page.text


def test_hashes_versions_and_the_plan_are_on_the_page(run, page):
    manifest = run.manifest
    assert manifest["model"]["sha256"] in page.text
    assert manifest["dataset"]["sha256"] in page.text
    assert f"torch {manifest['versions']['torch']}" in page.text
    plan = manifest["plan"]
    assert f"with {plan['steps']} steps of {plan['step_size']}" in page.text
    assert f"setting {plan['setting']}" in page.text


def test_the_command_is_the_typed_one_or_a_call(run):
    assert command_of(run.manifest).startswith("rafair.audit(model, data, attacks=['rafair'], ")
    typed = {**run.manifest, "command": ["audit", "my plan.toml"]}
    assert command_of(typed) == "rafair audit 'my plan.toml'"


def test_the_figures_are_files_of_the_run(run):
    assert set(rendered(run)) == {
        "report.html",
        "figures/confusion.svg",
        "figures/sensitive.svg",
    }


def test_the_same_run_gives_the_same_bytes(run):
    assert render_pages(run) == rendered(run)


def test_write_report_writes_the_page_and_nothing_else(plain_run, tmp_path):
    write_report(plain_run, tmp_path / "report.html")
    write_report(plain_run, str(tmp_path / "report.html"))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == rendered(plain_run)["report.html"]


def test_write_report_refuses_a_directory_and_a_missing_one(plain_run, tmp_path):
    with pytest.raises(InvalidInput, match="is a directory"):
        write_report(plain_run, tmp_path)
    with pytest.raises(InvalidInput, match="no such directory"):
        write_report(plain_run, tmp_path / "nowhere" / "report.html")


def test_a_stored_run_gives_the_same_page(plain_run, tmp_path):
    from rafair import load_run, write_run

    write_run(plain_run, tmp_path / "run")
    stored = load_run(tmp_path / "run")
    assert render_pages(stored)["report.html"] == rendered(plain_run)["report.html"]


def test_the_repaired_page_shows_a_third_matrix(plain_run, repaired_run):
    before, after = (
        rendered(run)["figures/confusion.svg"].decode() for run in (plain_run, repaired_run)
    )
    assert before.count(">true fair</text>") == 2
    assert after.count(">true fair</text>") == 3
    assert "repaired</text>" in after
