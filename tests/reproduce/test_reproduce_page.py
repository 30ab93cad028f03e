"""reproduction.html, .md and .json: what they hold, and how each section came about."""

import json
import re
import shlex
import shutil
from dataclasses import asdict

import pytest

from pages import Page, words_of
from rafair.cli.app import main
from rafair.reproduce import Study, all_parts, reproduce
from rafair.reproduce.document import Finding, Grid, Listing, Picture, Text
from rafair.reproduce.published import CLEAN, TABLE3, TABLE4

MODES = {"rafair-tb": "tbr", "rafair-ff": "ffr", "rafair-fb": "fbr"}


@pytest.fixture(scope="module")
def page(finished):
    return Page(finished.page)


def blocks_of(finished, kind):
    return [b for s in finished.sections.values() for b in s.blocks if isinstance(b, kind)]


def test_every_part_that_the_datasets_allow_is_there_and_nothing_else(finished, tiny):
    for reproduction in (finished, tiny):
        allowed = [
            name
            for name, part in all_parts().items()
            if part.of_paper and part.dataset in (None, *reproduction.study.datasets)
        ]
        assert list(reproduction.data) == [*allowed, "about"]
        assert list(reproduction.sections) == allowed
    names = {name for name, part in all_parts().items() if part.of_paper}
    assert names - set(finished.data) == {"figure2", "figure3", "figure5", "figure8"}
    assert names >= {f"figure{n}" for n in range(1, 10)} | {"table2", "table3", "table4", "a3"}


def test_the_data_are_those_of_the_sections_and_say_where_they_come_from(finished):
    for name, section in finished.sections.items():
        assert finished.data[name] == json.loads(json.dumps(section.data))
    about = finished.data["about"]
    assert about["study"] == json.loads(json.dumps(asdict(finished.study)))
    assert set(about["versions"]) == {"rafair", "torch", "python"}


def test_the_page_is_one_file_without_scripts(page, finished):
    assert (page.wrong, page.open) == ([], [])
    assert all(reference.startswith("#") for reference in page.references)
    assert re.findall(r"@import|url\((?!#)", finished.page) == []
    assert page.handlers == []
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert forbidden.isdisjoint(page.tags)


def test_every_reference_on_the_page_leads_somewhere(finished, page):
    ids = set(re.findall(r'id="([^"]*)"', finished.page))
    assert {reference.removeprefix("#") for reference in page.references} <= ids
    assert {f"#s{n + 1}" for n in range(len(finished.sections))} <= set(page.references)


def test_every_block_is_on_the_page(finished, page):
    shown = []
    for block in blocks_of(finished, Grid):
        table = block.table
        shown += [table.title, *table.heads, *(cell for row in table.rows for cell in row)]
    shown += [block.text for block in blocks_of(finished, Text)]
    shown += [block.caption for block in blocks_of(finished, Picture)]
    for finding in blocks_of(finished, Finding):
        grounds = [text for g in finding.grounds for text in (g.evidence, g.verdict)]
        shown += [finding.claim, *grounds]
    shown += [line for block in blocks_of(finished, Listing) for line in block.lines]
    shown += [section.title for section in finished.sections.values()]
    assert len(shown) > 1000
    for text in set(shown):
        assert words_of(text) in page.text


def test_the_figures_are_inside_the_page_as_they_are_beside_it(finished):
    pictures = {block.name: block.svg for block in blocks_of(finished, Picture)}
    assert pictures == finished.figures
    for drawn in pictures.values():
        text = drawn.decode()
        assert text[text.index("<svg") :] in finished.page


def rows_between(notes, first, last):
    """The rows of all Markdown tables from one line to another, as lists of cells."""
    part = notes[notes.index(first) : notes.index(last) if last else None]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("| ") and "\\|" not in line
    ]


@pytest.mark.parametrize(
    ("start", "end", "published"),
    [
        ("**average over", "any iterate", {"clean": CLEAN, **TABLE3}),
        ("from the last iterate", "from the worst iterate", TABLE4),
        ("**Table 3 with 12", "**Table 4 with 12", {"clean": CLEAN, **TABLE3}),
        ("**Table 4 with 12", "## Every attack", TABLE4),
    ],
    ids=["table 3", "table 4", "sampled table 3", "sampled table 4"],
)
def test_the_papers_row_stands_under_ours_and_nowhere_else(finished, start, end, published):
    notes = finished.notes[finished.notes.index(start) :]
    (_, *rows) = rows_between(notes, start, end)
    under = {}
    for ours, next_row in zip(rows, [*rows[1:], [""]], strict=True):
        if next_row[0] == "paper":
            under[ours[0]] = [float(value) for value in next_row[1:8]]
    assert list(under) == [row[0] for row in rows if row[0] in published]
    assert set(under) == set(published)
    for name, shown in under.items():
        assert shown == list(published[name].values())
    for row in rows:
        if row[0] == "paper":
            assert [re.fullmatch(r"\d\.\d{3}", value) is not None for value in row[1:8]] == [
                True
            ] * 7


def test_our_rows_show_the_rates_with_their_intervals(finished):
    for table, title in (("table3", "## Table 3"), ("table4", "## Table 4")):
        notes = finished.notes[finished.notes.index(title) :]
        shown = {row[0]: row for row in rows_between(notes, title, "**credit:")}
        for name, rates in finished.data[table]["average"].items():
            values = list(rates.values())[:7]
            assert [float(cell.split(" ")[0]) for cell in shown[name][1:8]] == pytest.approx(
                values, abs=5e-4 + 1e-9
            )
            for cell, (low, high) in zip(shown[name][1:8], rates["ci"].values(), strict=True):
                bounds = re.fullmatch(r"\S+ \((\d?\.\d\d)–(\d?\.\d\d)\)", cell)
                assert [float(b) for b in bounds.groups()] == pytest.approx([low, high], abs=5.1e-3)
            if table == "table4":
                assert float(shown[name][8]) == pytest.approx(rates["best"]["r_af"], abs=5.1e-4)


def test_quoted_rows_are_marked_on_the_page(finished):
    quoted = finished.page.count('<tr class="paper">')
    assert quoted == finished.notes.count("\n| paper |")
    assert quoted == finished.page.count('<tr class="paper"><td>paper</td>')
    assert quoted == 2 + 3 * (len(TABLE3) + 1 + len(TABLE4))


def test_markdown_tables_have_as_many_cells_in_every_row(finished):
    tables = re.findall(r"(?:^\|.*\n)+", finished.notes, flags=re.MULTILINE)
    assert len(tables) == len(blocks_of(finished, Grid))
    for table, block in zip(tables, blocks_of(finished, Grid), strict=True):
        lines = table.splitlines()
        widths = {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in lines}
        assert widths == {len(block.table.heads)}
        assert len(lines) == len(block.table.rows) + 2
        assert set(lines[1]) == {"|", "-"}


def test_markdown_has_every_section_with_its_command_and_every_figure(finished):
    found = re.findall(r"^## (.*)\n\n`(.*)`$", finished.notes, flags=re.MULTILINE)
    titles = [title.replace("\\", "") for title, _ in found]
    assert titles == [section.title for section in finished.sections.values()]
    figures = re.findall(r"\]\(figures/(\w+)\.svg\)", finished.notes)
    assert sorted(figures) == sorted(finished.figures)


def commands_of(reproduction):
    found = re.findall(r"^## .*\n\n`(.*)`$", reproduction.notes, flags=re.MULTILINE)
    return dict(zip(reproduction.sections, map(shlex.split, found), strict=True))


def test_a_sections_command_names_the_part_and_every_option_that_is_not_usual(finished, page):
    options = "--dataset credit --dataset adult --n-seeds 8 --steps 2 --step-size 0.05"
    options += " --trend-seeds 4 --trend-steps 5 --trainings 1"
    for name, words in commands_of(finished).items():
        assert shlex.join(words) == f"rafair reproduce {name} {options}"
        assert shlex.join(words) in page.text


def test_a_usual_study_needs_no_option(tmp_path):
    reproduce(["table2"], tmp_path)
    assert "\n`rafair reproduce table2`\n" in (tmp_path / "reproduction.md").read_text()
    assert "<code>rafair reproduce table2</code>" in (tmp_path / "reproduction.html").read_text()
    data = json.loads((tmp_path / "reproduction.json").read_text())
    assert list(data["table2"]) == ["credit", "bank", "adult", "compas"]


@pytest.mark.parametrize("part", ["table4", "figure9"])
def test_a_sections_command_makes_it_again(tiny, tmp_path, part):
    out = tmp_path / "again"
    shutil.copytree(tiny.path / "cells", out / "cells")
    words = commands_of(tiny)[part]
    assert words[0] == "rafair"
    with pytest.raises(SystemExit) as exit_:
        main([*words[1:], "--out", str(out), "--quiet"])
    assert exit_.value.code == 0
    again = json.loads((out / "reproduction.json").read_text())
    assert again == {name: tiny.data[name] for name in (part, "about")}
    assert f"`{shlex.join(words)}`" in (out / "reproduction.md").read_text()


def test_every_parameter_of_a_study_is_in_the_command(tmp_path):
    study = Study(
        datasets=("compas",),
        n_seeds=3,
        random_state=7,
        steps=4,
        step_size=0.25,
        trend_seeds=5,
        trend_steps=6,
        trainings=2,
    )
    reproduce(["table2"], tmp_path, study)
    found = re.search(r"`(rafair reproduce .*)`", (tmp_path / "reproduction.md").read_text())[1]
    assert found == (
        "rafair reproduce table2 --dataset compas --n-seeds 3 --random-state 7 --steps 4 "
        "--step-size 0.25 --trend-seeds 5 --trend-steps 6 --trainings 2"
    )


def test_leaving_out_parts_leaves_out_their_sections(tmp_path, tiny):
    shutil.copytree(tiny.path / "cells", tmp_path / "cells")
    sections = reproduce(["figure6", "table3"], tmp_path, tiny.study)
    assert list(sections) == ["table3", "figure6"]
    data = json.loads((tmp_path / "reproduction.json").read_text())
    assert data == {name: tiny.data[name] for name in ("table3", "figure6", "about")}
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["figure6.svg"]


def test_a_terminal_is_shown_tables_3_and_4_beside_the_published_figures(finished):
    summaries = {n: s.summary for n, s in finished.sections.items() if s.summary is not None}
    assert list(summaries) == ["table3", "table4", "readings"]
    for name, published in (("table3", {"clean": CLEAN, **TABLE3}), ("table4", TABLE4)):
        readings = {"pooled": finished.data[name]["pooled"], "last": finished.data[name]}
        rows = iter(summaries[name].rows)
        for row, paper in published.items():
            for place, (reading, tables) in enumerate(readings.items()):
                rates = [tables["average"][row][key] for key in paper]
                error = sum(abs(r - p) for r, p in zip(rates, paper.values(), strict=True)) / 7
                shown = (f"{rate:.3f}" for rate in (*rates, error))
                assert next(rows) == ("" if place else row, reading, *shown)
            assert next(rows) == ("paper", "", *(f"{value:.3f}" for value in paper.values()), "")
        assert list(rows) == []


def verdict_on(findings, start):
    (found,) = [finding for finding in findings if finding["claim"].startswith(start)]
    return {reading: ground["holds"] for reading, ground in found["readings"].items()}


def expected_verdicts(table3, table4):
    """What the averages of Tables 3 and 4 say, whatever the reading."""
    families = [n for n in table3 if "@" not in n and n not in ("clean", *MODES)]
    last = [name for name in table4 if "@" not in name]
    clean, ours, mended = table3["clean"], table3["rafair"], table4["rafair"]
    biased, false = table3["rafair-tb"], table3["rafair-ff"]
    return {
        "Of all attacks": all(
            ours[key] <= table3[name][key] for key in ("r_acc", "r_if", "r_af") for name in families
        ),
        "After RAFair few": ours["r_af"] <= 0.224,
        **{f"{m} raises": table3[m][key] > clean[key] for m, key in MODES.items()},
        "The true biased mode raises": biased["r_acc"] > clean["acc"]
        and biased["r_if"] < clean["if"]
        and biased["r_af"] < clean["af"],
        "The false fair mode ruins": false["r_acc"] < clean["acc"] / 2
        and false["r_if"] > clean["if"] - 0.1,
        "DICE does not": table3["dice"]["r_if"] >= clean["if"],
        "Benign perturbations bring": mended["r_af"] - ours["r_af"] >= 0.584,
        "RAFair's instances are harder": all(
            mended["r_af"] <= table4[name]["r_af"] for name in ("apgd", "acg", "adf", "dice")
        ),
        "True biased instances": all(
            table4[name]["tbr"] >= max(table4[name]["ffr"], table4[name]["fbr"]) for name in last
        ),
    }


def test_findings_hold_where_the_tables_say_so(finished):
    data = finished.data
    findings = data["conclusions"]["findings"]
    pooled = expected_verdicts(*(data[t]["pooled"]["average"] for t in ("table3", "table4")))
    last = expected_verdicts(*(data[t]["average"] for t in ("table3", "table4")))
    for start, holds in pooled.items():
        assert verdict_on(findings, start) == {"pooled": holds, "last": last[start]}
    assert set(pooled.values()) == set(last.values()) == {True, False}
    trends = [data["figure9"]["credit"], data["figure7"]["adult"]]
    areas = [trend[mode]["shares"][area] for trend in trends for mode, area in MODES.items()]
    assert verdict_on(findings, "Under each mode most") == {"last": min(areas) > 0.5}
    rows = [row for name, row in data["table4"]["average"].items() if "@" not in name]
    gaps = [row["best"]["r_af"] - row["r_af"] for row in rows]
    assert verdict_on(findings, "Benign perturbations repair") == {"last": max(gaps) < 0.02}
    assert set(verdict_on(findings, "RAFair breaks at least")) == {"last"}
    assert len(findings) == 14
    shown = blocks_of(finished, Finding)
    assert [finding["claim"] for finding in findings] == [block.claim for block in shown]


def test_findings_quote_the_tables(finished):
    (found,) = [
        finding["readings"]
        for finding in finished.data["conclusions"]["findings"]
        if finding["claim"].startswith("Benign perturbations bring")
    ]
    tables = [finished.data[t] for t in ("table3", "table4")]
    for reading, ground in found.items():
        pair = [table["pooled"] if reading == "pooled" else table for table in tables]
        before, after = (table["average"]["rafair"]["r_af"] for table in pair)
        assert ground["here"].startswith(
            f"Here {after - before:.1%}: R-AF {before:.3f} → {after:.3f} (paper 0.224"
        )
