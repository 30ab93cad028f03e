"""The paper's numbers obey the paper's identities, so that a slip in copying them would show."""

import pytest

from rafair.attacks.registry import attack_classes
from rafair.datasets import benchmark_names
from rafair.reproduce.published import BROUGHT_BACK, CLEAN, TABLE2, TABLE3, TABLE4

ROWS = {
    "clean": ("", CLEAN),
    **{f"table 3, {name}": ("r_", row) for name, row in TABLE3.items()},
    **{f"table 4, {name}": ("r_", row) for name, row in TABLE4.items()},
}
# Two rates to three places, and their sum rounded again.
SLACK = 0.0015 + 1e-9
each = pytest.mark.parametrize("name", ROWS)


@each
def test_the_four_cells_fill_the_whole(name):
    _, row = ROWS[name]
    cells = [row[key] for key in ("tfr", "tbr", "ffr", "fbr")]
    assert sum(cells) == pytest.approx(1, rel=0, abs=0.002 + 1e-9)
    assert all(0 <= rate <= 1 for rate in row.values())


@each
def test_the_first_three_rates_are_sums_of_cells(name):
    prefix, row = ROWS[name]
    assert list(row) == [f"{prefix}{k}" for k in ("acc", "if", "af")] + ["tfr", "tbr", "ffr", "fbr"]
    assert row[f"{prefix}af"] == row["tfr"]
    if name == "table 3, rafair":  # the worst of three modes, rate by rate
        assert row["r_acc"] < row["tfr"] + row["tbr"] - SLACK
        assert row["r_if"] < row["tfr"] + row["ffr"] - SLACK
        return
    assert row[f"{prefix}acc"] == pytest.approx(row["tfr"] + row["tbr"], rel=0, abs=SLACK)
    assert row[f"{prefix}if"] == pytest.approx(row["tfr"] + row["ffr"], rel=0, abs=SLACK)


def test_a_published_row_has_the_name_of_one_of_ours():
    attacks = attack_classes().values()
    ours = {row for attack in attacks for row in (attack.family, *attack.variants)}
    assert list(TABLE3) == list(TABLE4)
    assert set(TABLE3) <= ours


def test_the_papers_datasets_are_those_that_are_embedded():
    assert set(TABLE2) == set(benchmark_names())


def test_the_share_brought_back_is_the_one_in_the_papers_words():
    assert pytest.approx(0.584, rel=0, abs=1e-9) == BROUGHT_BACK
