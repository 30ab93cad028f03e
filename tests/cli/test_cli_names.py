"""One thing has one name: in Python, on the command line and in a plan."""

import inspect
import tomllib
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
import typer

import rafair
from rafair.cli.app import build_app
from rafair.datasets.table import read_table
from rafair.engine import Engine
from rafair.models import load_model
from rafair.plans import Plan
from rafair.plans.drafting import draft_plan
from rafair.plans.plan_file import parse_plan
from rafair.reproduce import Study
from rafair.schema import Column

# What only a command has: files that it reads or writes, how it talks, and another job.
FILES = {"out", "model", "test", "train", "page", "json", "junit", "summary"}
ITS_OWN = {*FILES, "help", "quiet", "resume", "fail_under", "pareto"}
# A word that stands for a parameter: ``--balanced`` for ``balance=1``, ``--guard R`` for
# ``Guard(model, rule=R)``.
IN_SHORT = {"balanced": "balance", "guard": "rule"}
# Other spellings that are understood too.
ALSO = {
    "n_seeds": "--seeds",
    "backend": "--engine",
    "inputs": "--model-inputs",
    "method": "--robust",
    "output": "--model-output",
}
# The functions that a command stands for.
PYTHON = {
    "advise": (rafair.advise_run, rafair.audit, load_model, rafair.Guard),
    "audit": (rafair.audit, read_table, load_model, Engine, rafair.Guard),
    "certify": (
        *(rafair.certify, rafair.certify_cells, rafair.certify_region),
        *(read_table, load_model, Engine, Plan, rafair.Guard),
    ),
    "check": (read_table, load_model, rafair.Guard),
    "compare": (rafair.compare,),
    "datasets": (rafair.load_dataset,),
    "gate": (rafair.gate,),
    "init": (read_table, Column),
    "repair": (rafair.repair_run, rafair.audit, load_model, rafair.Guard),
    "report": (),
    "reproduce": (Study, Engine),
    "train": (rafair.train_fcnn, rafair.RobustClassifier, read_table),
}


def test_every_command_is_compared():
    assert set(PYTHON) == set(typer.main.get_command(build_app()).commands)


def options_of(command):
    found = typer.main.get_command(build_app()).commands[command]
    return {p.name: p for p in found.params if p.param_type_name == "option"}


def parameters_of(functions):
    return {name for function in functions for name in inspect.signature(function).parameters}


@pytest.mark.parametrize("command", PYTHON)
def test_an_option_has_the_name_of_its_parameter_in_python(command):
    known = parameters_of(PYTHON[command])
    for name, option in options_of(command).items():
        if name in ITS_OWN | set(IN_SHORT):
            assert name not in IN_SHORT or IN_SHORT[name] in known
            continue
        assert known & {name, f"{name}s"}, name
        # The first spelling is the name; an option that may be repeated has its singular.
        spelled = option.opts[0].removeprefix("--").replace("-", "_")
        singular = f"{spelled}s" == name and option.multiple
        assert spelled == name or singular, option.opts


@pytest.mark.parametrize("command", PYTHON)
def test_other_spellings_are_the_documented_ones(command):
    for name, option in options_of(command).items():
        assert option.opts[1:] == ([ALSO[name]] if name in ALSO else []), name


def test_every_parameter_of_a_plan_is_one_of_audit_of_its_options_and_of_the_file():
    names = {field.name for field in fields(Plan)}
    assert names <= parameters_of([rafair.audit])
    assert names <= set(options_of("audit"))
    head = '[data]\ntest = "a.csv"\nlabel = "b"\n[features.c]\n[audit]\n'
    for name in names:
        value = {"attacks": '["pgd"]', "loss": '"mse"', "setting": '"paper"', "select": '"last"'}
        text = value.get(name, "true" if name in ("certify", "curve") else "1")
        assert name in parse_plan(f"{head}{name} = {text}", Path("plan.toml")).audit


def test_the_keys_of_a_drafted_plan_are_parameters_in_python(tmp_path):
    table = pd.DataFrame({"sex": ["f", "m"] * 6, "pay": range(12), "ok": [0, 1, 1] * 4})
    table.to_csv(tmp_path / "table.csv", index=False)
    plan = tomllib.loads(draft_plan(tmp_path / "table.csv", "ok", ["sex"]))
    known = parameters_of([read_table])
    assert set(plan["data"]) | {"relations"} <= known
    assert set(plan["audit"]) <= parameters_of([rafair.audit])
