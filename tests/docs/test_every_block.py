"""Every block of code in every page: commands with options that exist, Python that is Python.

The pages with steps are also followed from the top to the end, by the other tests here.
"""

import re
import shlex
from pathlib import Path

import pytest
import typer

from rafair.cli.app import UsageProblem, build_app

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(text):
    """The words of each call of rafair, without comments, redirections and other commands."""
    for line in text.splitlines():
        for part in re.split(r"&&|\$ ", line):
            words = shlex.split(part, comments=True) if re.match(r"\s*rafair [a-z]", part) else []
            if words:
                yield words[1 : words.index(">") if ">" in words else None]


@pytest.fixture(scope="module")
def known():
    return typer.main.get_command(build_app())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_a_verb_and_options_that_exist(page, known):
    for language, text in blocks(page):
        if language in ("python", "toml", "yaml"):
            continue
        for verb, *arguments in commands(text):
            try:
                known.commands[verb].make_context(verb, arguments)
            except UsageProblem as error:
                pytest.fail(f"rafair {verb} {shlex.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_python_can_be_compiled(page):
    for language, text in blocks(page):
        if language == "python":
            compile(text, str(page), "exec")
