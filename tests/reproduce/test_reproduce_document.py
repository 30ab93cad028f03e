"""Blocks with signs that would break a page."""

import re

import pytest

from pages import Page
from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.report.tables import Table
from rafair.reproduce.document import (
    Finding,
    Grid,
    Ground,
    Listing,
    Picture,
    Section,
    Text,
    html,
    markdown,
)

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    "a|b",
    "**bold** _and_ `code`",
    "[text](http://example.com) ![x](y)",
    "</td></table>",
    "{{ 7 * 7 }}",
    "back\\slash|",
    "it's \"quoted\" & 'more'",
)


def drawing(word):
    with style():
        figure = new_figure(2, 2)
        axes_of(figure, 1)[0].set_title(word.replace("$", ""))
        return svg(figure)


def section_of(word):
    table = Table(word, (word, "two"), [(word, word), ("plain", "x")], groups=(0,), quoted=(1,))
    blocks = [
        Text(word),
        Grid(table),
        Grid(table, folded=True),
        Picture("drawn", drawing(word), word),
        Listing((f"  one {word}", "    two")),
        Finding(word, (Ground(word, word, True), Ground("last", word, False))),
    ]
    return Section(word, blocks)


def page_of(word):
    return html(word, [word], [("rafair reproduce x", section_of(word))]).decode()


def notes_of(word):
    return markdown(word, [word], [("rafair reproduce x", section_of(word))]).decode()


hostile = pytest.mark.parametrize("word", HOSTILE)


@hostile
def test_a_page_shows_every_sign_and_obeys_none(word):
    source = page_of(word)
    page = Page(source)
    assert (page.wrong, page.open) == ([], [])
    assert {"script", "img"}.isdisjoint(page.tags)
    assert all(reference.startswith("#") for reference in page.references)
    # Twice as title; lead, contents, section, text; 4 in a table, 5 in a folded one; twice with a
    # figure; a listing; 4 in a finding.
    assert page.text.count(word) == 22


@hostile
def test_a_page_has_a_table_row_and_a_cell_for_each_given(word):
    tags = Page(page_of(word)).tags
    expected = {"table": 2, "tbody": 2, "th": 4, "td": 8, "details": 1, "pre": 1, "figure": 1}
    assert {tag: tags.count(tag) for tag in expected} == expected


def test_a_finding_says_under_which_reading_it_holds():
    page = Page(page_of("Claim.")).text
    assert page.count("Claim. Claim.: holds Claim. last: does not hold Claim.") == 1
    assert page.replace("does not hold", "").count("hold") == 1
    notes = notes_of("Claim.")
    lines = "- **Claim.**\n  - *Claim.: holds.* Claim.\n  - *last: does not hold.* Claim.\n"
    assert lines in notes


def cells_of(line):
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) - 1


@hostile
def test_a_markdown_table_keeps_its_columns(word):
    tables = [line for line in notes_of(word).splitlines() if line.startswith("|")]
    assert len(tables) == 2 * 4
    assert [cells_of(line) for line in tables] == [2] * 8


@hostile
def test_markdown_escapes_every_sign_outside_of_code(word):
    outside = re.sub(r"```\n.*?```", "", notes_of(word), flags=re.DOTALL)
    bare = re.sub(r"\\[\\|*_<`\[\]]", "", outside)
    assert not {"<", "_", "\\"} & set(bare)
    assert bare.count("`") == 2  # the command
    assert bare.count("[") == bare.count("](figures/drawn.svg)") == 1
    assert bare.count("**") == 2 * 2 + 2  # titles of tables, and a claim


def test_a_listing_keeps_its_spaces():
    assert "```\n  one word\n    two\n```" in notes_of("word")
    assert '<pre class="scroll">  one word\n    two</pre>' in page_of("word")


def test_a_picture_is_inside_the_page_and_beside_the_notes():
    drawn = drawing("word").decode()
    assert drawn[drawn.index("<svg") :] in page_of("word")
    assert "![word](figures/drawn.svg)\n\n*word*" in notes_of("word")


def test_rows_that_somebody_else_published_look_different():
    table = Table("t", ("a",), [("ours",), ("paper",)], groups=(0,), quoted=(1,))
    source = html("t", [], [("c", Section("s", [Grid(table)]))]).decode()
    assert '<tr class="group"><td>ours</td></tr>' in source
    assert '<tr class="paper"><td>paper</td></tr>' in source


def test_sections_are_listed_and_the_list_leads_to_them():
    sections = [("one", Section("First", [])), ("two", Section("Second", []))]
    page = Page(html("t", [], sections).decode())
    assert page.references == ["#s1", "#s2"]
    assert page.text.count("First") == page.text.count("Second") == 2


def test_a_section_without_blocks_has_its_title_and_its_command():
    notes = markdown("t", ["lead"], [("rafair reproduce x", Section("Empty", []))]).decode()
    assert notes == "# t\n\nlead\n\n## Empty\n\n`rafair reproduce x`\n"
