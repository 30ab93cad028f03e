"""Follows a page of the docs: every block of code, from the top to the end, in this directory."""

import re
import runpy
import shlex
import warnings
from pathlib import Path

import pytest

from rafair.cli.app import main

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


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


def without(plan, sections):
    """Delete sections of a plan."""
    for section in sections:
        plan, n = re.subn(
            rf"^\[{re.escape(section)}\]\n(?:(?!\[).*\n?)*", "", plan, flags=re.MULTILINE
        )
        assert n == 1, section
    return plan


def run(line, capsys):
    """Run a line of the command line, and return what it printed."""
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


def follow(page, capsys, *, skipped=(), plan="plan.toml"):
    """Follow a page.

    A comment before a block says what is special about it: one of ``skipped``, or ``delete:``
    with sections of the plan that the reader deletes first.

    Returns
    -------
    The names that the Python of the page defines, and what each line of the command line printed.
    """
    names, printed = {}, {}
    for block in FENCE.finditer((DOCS / page).read_text(encoding="utf-8")):
        note, text = block["note"] or "", block["text"]
        if note in skipped:
            continue
        if note.startswith("delete: "):
            left = without(Path(plan).read_text("utf-8"), note.removeprefix("delete: ").split())
            Path(plan).write_text(left, encoding="utf-8")
        if block["title"]:
            Path(block["title"]).write_text(text, encoding="utf-8")
        elif block["language"] == "python":
            with warnings.catch_warnings(action="ignore"):
                exec(compile(text, page, "exec"), names)
        elif block["language"] == "toml":
            Path(plan).write_text(edited(Path(plan).read_text("utf-8"), text), encoding="utf-8")
        elif not block["language"]:
            for line in text.splitlines():
                _typed(line, printed, capsys)
    return names, printed


def _typed(line, printed, capsys):
    if line.startswith("python "):
        runpy.run_path(line.removeprefix("python "))
    else:
        printed[line] = run(line, capsys)
