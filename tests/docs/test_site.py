"""The site: built with warnings as errors, so that every link and anchor of it leads somewhere."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+?)(?: #+)?$", re.MULTILINE)
# Pages outside the site, whose links lead into it.
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("material", reason="mkdocs-material is not installed: rafair[docs]")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed: rafair[docs]")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "reference.html").read_text(encoding="utf-8")
    assert 'id="rafair.gating.deciding.gate"' in reference
    assert "Newcombe" in (tmp_path / "ci.html").read_text(encoding="utf-8")


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("name", OUTSIDE)
def test_links_into_the_docs_lead_to_a_page_and_a_heading(name):
    for target in LINK.findall((ROOT / name).read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        page = ROOT / (path or name)
        assert page.exists(), target
        if anchor:
            assert anchor in anchors(page), target


def test_every_page_is_in_the_navigation_and_every_picture_on_a_page():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    texts = "".join(page.read_text(encoding="utf-8") for page in pages)
    for page in pages:
        assert f": {page.relative_to(ROOT / 'docs').as_posix()}\n" in navigation, page
    for picture in (ROOT / "docs" / "figures").iterdir():
        assert f"figures/{picture.name}" in texts, picture
        assert picture.stat().st_size <= 250_000, picture


def test_the_map_of_the_packages_has_the_layers_that_are_checked():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == [each.split(" | ") for each in layers]
