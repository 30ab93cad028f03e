"""The page of a comparison in headless Chromium."""

import shutil
from dataclasses import replace

import pytest

import rafair
from rafair.report.comparison import render_comparison

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH")


@pytest.fixture(scope="module")
def page(first_run, other_run, tmp_path_factory):
    """A page with a note, and a label of one word that is wider than a phone."""
    compared = rafair.compare(first_run, other_run, names=("before", "a" * 60))
    noted = replace(compared, notes=(f"{'a' * 60}: <script>window.ran = 1</script>",))
    path = tmp_path_factory.mktemp("page") / "comparison.html"
    path.write_bytes(render_comparison(noted))
    return path


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark"), (1280, "light")])
def test_it_is_accessible_scrolls_only_downwards_and_asks_for_nothing(browser, page, width, scheme):
    view = {"width": width, "height": 900}
    context = browser.new_context(viewport=view, color_scheme=scheme)
    tab, asked, wrong = context.new_page(), [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: wrong.append(message.text))
    tab.goto(page.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("window.ran") is None
    found = axe.Axe().run(tab).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found] == []
    assert (asked, wrong) == ([page.as_uri()], [])
    context.close()
