"""A good table with a good plan, edits of both, and the command line without fixtures."""

import contextlib
import copy
import io
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from rafair.cli.app import main

GOOD = {
    "": {"relations": '["age >= 18 + years"]'},
    "data": {
        "table": '"people.csv"',
        "label": '"paid"',
        "positive": '"yes"',
        "ignore": '["id"]',
        "test_share": "0.3",
        "random_state": "0",
    },
    "model": {
        "path": '"model.safetensors"',
        "inputs": '"unit"',
        "output": '"logits"',
        "trust": "[]",
    },
    "audit": {
        "attacks": '["rafair"]',
        "n_seeds": "8",
        "random_state": "0",
        "steps": "2",
        "step_size": "0.05",
        "epsilon": "0.1",
        "loss": '"mse"',
        "setting": '"feasible"',
        "select": '"last"',
        "counterparts": '"all"',
        "queries": "60",
        "certify": "false",
        "max_nodes": "50",
    },
    "audit.fail_under": {"r_af": "0"},
    "features.age": {
        "kind": '"integer"',
        "range": "[18, 70]",
        "unit": '"years"',
        "sensitive": "true",
        "bins": "[18, 30, 50, 70]",
    },
    "features.years": {"kind": '"integer"', "epsilon": "2", "step": "1", "perturbable": "true"},
    "features.income": {
        "kind": '"numeric"',
        "range": "[0, 9000]",
        "missing": '"median"',
        "epsilon": '"5%"',
        "step": '"1%"',
    },
    "features.size": {"kind": '"ordinal"', "levels": '["small", "medium", "large"]'},
    "features.job": {"levels": '["cook", "judge", "nurse", "smith"]', "switch": "true"},
    "features.race": {
        "columns": '["race_a", "race_b", "race_c"]',
        "levels": '["a", "b", "c"]',
        "sensitive": "true",
    },
    "features.sex": {"kind": '"categorical"', "sensitive": "true"},
}
EDIT = re.compile(r"\[(.*?)\] (.+?)(?: = (.*))?", re.DOTALL)
REMOVE = re.compile(r"no \[(.*)\]")


def text_of(sections):
    """Write sections of raw TOML values, those without a name first."""
    parts = []
    for name, keys in sections.items():
        parts += [f"[{name}]"] if name else []
        parts += [f"{key} = {raw}" for key, raw in keys.items()]
        parts.append("")
    return "\n".join(parts)


def plan(*edits):
    """The good plan with edits: ``[section] key = raw``, ``[section] key``, ``no [section]``."""
    sections = copy.deepcopy(GOOD)
    for edit in edits:
        if removed := REMOVE.fullmatch(edit):
            del sections[removed.group(1)]
            continue
        section, key, raw = EDIT.fullmatch(edit).groups()
        if raw is None:
            del sections[section][key]
        else:
            sections.setdefault(section, {})[key] = raw
    return text_of(sections)


@cache
def people(n=200, seed=0):
    """Numbers, an order, text, a one-hot group, an identifier, and three empty cells."""
    rng = np.random.default_rng(seed)
    age = np.r_[18, 70, rng.integers(18, 71, n - 2)]
    years = rng.integers(0, 30, n).clip(0, age - 18)
    income = rng.uniform(500, 8000, n).round(2)
    race = np.arange(n) % 3
    sex, size = rng.choice(["f", "m"], n), rng.choice(["small", "medium", "large"], n)
    worth = income / 2000 + years / 15 + (sex == "m") + (size == "large") + rng.normal(0, 0.4, n)
    frame = pd.DataFrame(
        {
            "id": np.arange(1000, 1000 + n),
            "age": age,
            "years": years,
            "income": income,
            "size": size,
            "job": np.array(["cook", "judge", "nurse", "smith"])[np.arange(n) % 4],
            **{f"race_{name}": (race == code).astype(int) for code, name in enumerate("abc")},
            "sex": sex,
            "paid": np.where(worth > np.median(worth), "yes", "no"),
        }
    )
    frame.loc[[5, 40, 77], "income"] = np.nan
    return frame


@cache
def csv():
    return people().to_csv(index=False)


def changed(**columns):
    """The good table with other columns; None leaves one out."""
    frame = people().copy()
    for name, values in columns.items():
        frame = frame.drop(columns=name) if values is None else frame.assign(**{name: values})
    return frame


def cell(name, row, value):
    """The good table with one other cell."""
    column = people()[name].astype(object)
    column[row] = value
    return changed(**{name: column})


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


def run(*arguments):
    """Run a command where no fixture can be: within hypothesis."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            return Finished(exit_.code, out.getvalue(), err.getvalue())
    raise AssertionError("the command did not exit")


def check_refused(finished):
    """One line on standard error, nothing on standard output; return the line."""
    assert finished.code == 2, finished
    assert finished.out == ""
    assert finished.err.endswith("\n")
    (line,) = finished.err.splitlines()
    assert line.startswith("error: ")
    return line


def listing(folder):
    """Everything in a directory, with what files hold."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
