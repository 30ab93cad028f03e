"""docs/datasets: every figure is what the data, the code and the shipped network say."""

import re
from pathlib import Path

import pytest

import rafair
from rafair.datasets import benchmark_names
from rafair.fairness import model_quality
from rafair.report.cards import card

CARDS = Path(__file__).parents[2] / "docs" / "datasets"
COLUMNS = ("accuracy", "balanced_accuracy", "majority_share", "if", "af")


def figures_in(text):
    """The figures of the baseline that a card shows."""
    (row,) = re.findall(r"^\| (0\.\d{4}(?: \| 0\.\d{4}){4}) \|$", text, flags=re.MULTILINE)
    return dict(zip(COLUMNS, map(float, row.split(" | ")), strict=True))


def test_there_is_one_card_for_each_benchmark():
    assert {path.stem for path in CARDS.glob("*.md")} == set(benchmark_names())


@pytest.mark.parametrize("name", benchmark_names())
def test_a_card_is_what_its_command_prints(name):
    assert (CARDS / f"{name}.md").read_text(encoding="utf-8") == f"{card(name)}\n"


@pytest.mark.parametrize("name", benchmark_names())
def test_the_figures_of_a_card_are_those_of_the_shipped_network(name):
    data, model = rafair.load_dataset(name), rafair.baseline(name)
    people = rafair.Counterparts.of(data.schema)
    measured = model_quality(model, data.test.x, data.test.y, people)
    shown = figures_in((CARDS / f"{name}.md").read_text(encoding="utf-8"))
    # Half a unit of the last digit, and one person whom another processor rounds elsewhere.
    assert shown == pytest.approx(measured, abs=5.1e-5 + 1 / len(data.test))
