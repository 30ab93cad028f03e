"""docs/own-data.md, run from the top to the end in an empty directory."""

import re
import shlex
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

import rafair
from rafair.cli.app import main

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def edited(plan, lines):
    """Put the keys of a TOML excerpt where they belong in a plan, over what stands there."""
    section = ""
    for line in filter(None, lines.splitlines()):
        if line.startswith("["):
            section = line
            assert section in plan.splitlines()
            continue
        key = line.partition(" =")[0]
        before, head, rest = plan.partition(f"{section}\n") if section else ("", "", plan)
        own, mark, others = rest.partition("\n[")
        own = re.sub(rf"^{key} = .*\n?", "", own, flags=re.MULTILINE)
        plan = f"{before}{head}{line}\n{own}{mark}{others}"
    return plan


def run(line, capsys):
    arguments = shlex.split(line)
    assert arguments.pop(0) == "rafair"
    target = arguments[arguments.index(">") + 1] if ">" in arguments else None
    with pytest.raises(SystemExit) as ended, warnings.catch_warnings():
        main(arguments[: arguments.index(">")] if target else arguments)
    printed = capsys.readouterr()
    assert ended.value.code == 0, (line, printed.err)
    if target:
        Path(target).write_text(printed.out, encoding="utf-8")
    return printed.out


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
