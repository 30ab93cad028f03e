"""docs/own-data.md, run from the top to the end in an empty directory."""

import re
import sys
import warnings
from pathlib import Path

import pandas as pd
from steps import edited, run

import rafair

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_step_of_the_how_to_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, said = {}, {}
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "python":
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                exec(compile(text, str(PAGE), "exec"), names)
        elif language == "toml":
            plan = Path("plan.toml")
            plan.write_text(edited(plan.read_text(encoding="utf-8"), text), encoding="utf-8")
        else:
            said |= {line: run(line, capsys) for line in text.splitlines()}
    check = next(text for line, text in said.items() if line.startswith("rafair check"))
    assert "±6 months" in check
    assert "to any level" in check
    assert "converted" in " ".join(check.split())
    for name, access in (("loans", "gradient"), ("trees", "scores")):
        found = rafair.load_run(tmp_path / "runs" / name)
        assert found.manifest["model"]["access"] == access
        assert found.metrics["repairs"]
        assert found.instances["feasible"].all()
        assert "own limits" not in (tmp_path / "runs" / name / "report.html").read_text("utf-8")
    moved = pd.read_parquet(tmp_path / "runs" / "loans" / "instances.parquet")
    clean = moved[moved["stage"] == "clean"].set_index("seed")
    attacked = moved[(moved["stage"] == "attacked") & (moved["attack"] == "rafair")]
    attacked = attacked.set_index("seed").loc[clean.index]
    assert (attacked["duration"] - clean["duration"]).abs().between(0, 6).all()
    assert (attacked["dependants"] == clean["dependants"]).all()
    assert (attacked["credit_amount"] >= 30 * attacked["duration"]).all()
    assert (attacked["credit_amount"] != clean["credit_amount"]).any()
    assert isinstance(names["attacked"], pd.DataFrame)
    assert "xgboost" in sys.modules
