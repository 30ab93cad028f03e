"""Take the pictures of report.html in README.md and docs/report.md.

    python scripts/page_pictures.py [DIRECTORY]

It makes the runs and opens their pages in the chromium of the machine, which
``pip install playwright`` drives.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
SOURCE, FIGURES = ROOT / "src", ROOT / "docs" / "figures"
RUNS = {
    "first": [["audit", "adult"]],
    "page": [["audit", "adult", "--epsilon", "0.05", "--curve"], ["repair"]],
}
WIDE, PHONE = 1280, 390
# Pixels around a part.
EDGE = 16


class Picture(NamedTuple):
    """Part of a page: from the top of one element to the end of another, at most so high."""

    run: str
    width: int
    top: str
    end: str
    height: int = 2_000


PICTURES = {
    "report-top": Picture("first", WIDE, "body", "#answer"),
    "report-answer": Picture("page", WIDE, "#answer", "#answer"),
    "report-answer-phone": Picture("page", PHONE, "body", "#answer", 900),
    "report-harmed": Picture("page", WIDE, "#harmed", "#harmed"),
    "report-harmed-phone": Picture("page", PHONE, "#harmed .groups", "#harmed", 700),
    "report-attribute": Picture("page", WIDE, "#attribute", "#attribute"),
    "report-change": Picture("page", WIDE, "#change", "#change"),
    "report-people": Picture("page", WIDE, "#people", "#people .cards", 760),
    "report-everyone": Picture("page", WIDE, "#everyone", "#everyone-table", 620),
    "report-everyone-phone": Picture("page", PHONE, "#everyone", "#everyone-table", 900),
    "report-matrix": Picture("page", WIDE, "#matrix", "#matrix .panels"),
}


def take(browser: Browser, path: Path, picture: Picture) -> bytes:
    """Return a picture of a page as PNG."""
    size = {"width": picture.width, "height": 900}
    tab = browser.new_page(viewport=size)
    tab.goto(path.as_uri())
    parts = (picture.top, picture.end, "main")
    top, end, text = (tab.locator(name).first.bounding_box() for name in parts)
    height = min(end["y"] + end["height"] - top["y"] + EDGE, picture.height)
    clip = {
        "x": text["x"] - EDGE,
        "y": max(0, top["y"] - EDGE / 2),
        "width": text["width"] + 2 * EDGE,
        "height": height,
    }
    taken = Image.open(io.BytesIO(tab.screenshot(full_page=True, clip=clip)))
    tab.close()
    drawn = io.BytesIO()
    taken.convert("RGB").save(drawn, "PNG", optimize=True)
    return drawn.getvalue()


def make_runs(directory: Path) -> None:
    """Call the rafair of this checkout as a user would."""
    rafair = [sys.executable, "-m", "rafair"]
    here = {**os.environ, "PYTHONPATH": str(SOURCE)}
    for name, calls in RUNS.items():
        for verb, *arguments in calls:
            out = ["--out", name] if verb == "audit" else [name]
            words = [*rafair, verb, *arguments, *out, "--quiet"]
            subprocess.run(words, cwd=directory, env=here, check=True)


def main(target: Path) -> None:
    """Write every picture to a directory."""
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as started:
        make_runs(Path(directory))
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, picture in PICTURES.items():
            page = Path(directory) / picture.run / "report.html"
            (target / f"{name}.png").write_bytes(take(browser, page, picture))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES)
