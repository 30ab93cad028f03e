"""The documentation's commands, at small sizes: a change of the public surface shows here first."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ("score_only.py --model mlp --queries 60", "| credit | mlp | square |"),
        ("score_only.py --model forest --queries 40 --queries 60", "| credit | forest |"),
    ],
)
def test_a_command_of_the_documentation_runs(words, row, monkeypatch, capsys):
    threads = torch.get_num_threads()
    script, *options = words.split()
    monkeypatch.setattr(sys, "argv", [script, "--dataset", "credit", "--seeds", "4", *options])
    try:
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    assert row in capsys.readouterr().out
