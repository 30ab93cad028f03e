"""The tables, as text and in a terminal of 80 columns."""

import pytest

from rafair.cli.terminal import show_table
from rafair.report.people import chosen_stories
from rafair.report.tables import Table, rates_table, sensitive_table


@pytest.fixture(params=["plain_run", "repaired_run"])
def run(request):
    return request.getfixturevalue(request.param)


def printed(capsys, monkeypatch, table, **options):
    monkeypatch.setenv("COLUMNS", "80")
    show_table(table, **options)
    return capsys.readouterr().out


def test_the_main_table_has_a_row_for_clean_every_attack_and_every_repair(run):
    names = [row[0] for row in rates_table(run).rows]
    repairs = [*run.metrics["repairs"]]
    heading = ["after benign"] if repairs else []
    assert names == ["clean", *run.metrics["attacks"], *heading, *repairs]


AIMS = {"rafair-tb": "TB", "rafair-ff": "FF", "rafair-fb": "FB", "rafair": "any"}


def test_the_main_tables_cells_are_the_rates_to_three_places(run):
    attacked = rates_table(run).rows[1 : 1 + len(run.metrics["attacks"])]
    by_name = {row[0]: row[1:] for row in attacked}
    for name, rates in run.metrics["attacks"].items():
        low, high = rates["ci"]["r_af"]
        assert by_name[name] == (
            AIMS[name],
            *(f"{rates[key]:.3f}" for key in ("r_acc", "r_if", "r_af")),
            f"{low:.2f}-{high:.2f}",
            *(f"{rates[key]:.3f}" for key in ("tbr", "ffr", "fbr")),
        )


def test_the_main_table_fits_eighty_columns_without_losing_a_digit(run, capsys, monkeypatch):
    table = rates_table(run)
    shown = printed(capsys, monkeypatch, table)
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for row in (table.heads, *table.rows):
        assert " ".join(" ".join(row).split()) in lines


def test_the_attribute_table_fits_eighty_columns_when_turned(run, capsys, monkeypatch):
    table = sensitive_table(run)
    shown = printed(capsys, monkeypatch, table, wide=True)
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for column in zip(table.heads, *table.rows, strict=True):
        assert " ".join(" ".join(column).split()) in lines


def test_the_attribute_table_ends_with_all_jointly(run):
    rows = {row[0]: row[1:3] for row in sensitive_table(run).rows}
    assert list(rows) == ["sex", "age", "all jointly"]
    clean = run.metrics["clean"]
    assert rows["all jointly"] == (f"{clean['if']:.3f}", f"{clean['af']:.3f}")


def test_the_attribute_table_tells_dissent_before_and_under_the_attack(run):
    table = sensitive_table(run)
    assert table.heads[-2:] == ("dissent", "dissent, rafair")
    whole = table.rows[-1]
    assert whole[-2] == f"{run.metrics['clean']['dissent']:.3f}"
    assert whole[-1] == f"{run.metrics['attacks']['rafair']['r_dissent']:.3f}"


def test_markup_in_a_name_is_printed_as_it_is(capsys, monkeypatch):
    table = Table("[bold]title[/bold]", ("", "[red]head"), [(":smile: [i]", "[/]")])
    shown = printed(capsys, monkeypatch, table)
    for text in ("[bold]title[/bold]", "[red]head", ":smile: [i]", "[/]"):
        assert text in shown


def test_a_biased_story_says_who_is_decided_otherwise(run):
    for story in chosen_stories(run, 100):
        biased = story.cell in ("TB", "FB")
        assert bool(story.flips) == biased
        if biased:
            assert "→" in story.flips
            assert not story.flips.endswith(f": {story.after}")
