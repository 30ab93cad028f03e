"""report.html in headless Chromium: it works, is reachable, and runs nothing that data contain."""

import csv
import functools
import io
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pages import rendered
from rafair import audit, read_table, train_fcnn
from rafair.report.explorer import people_shown

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH")

# What would run if a page took data for markup or code, each bare and after what ends a context.
CODE = (
    "<script>window.ran = 1</script>", "<img src=x onerror='window.ran = 1'>", "</script><b>",
    "\" onmouseover=\"window.ran = 1", "' onfocus='window.ran = 1' autofocus='", "]]>",
    "javascript:window.ran=1", "{{ 7 * 7 }}", "{% raw %}", "${window.ran = 1}", "<!--",
    "</style><script>window.ran = 1</script>", "</title><svg onload='window.ran = 1'>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'>", "__proto__", "constructor", "&lt;b&gt;",
    "=cmd|' /C calc'!A0", "a" * 300, "\u2028window.ran=1",
)  # fmt: skip
PAYLOADS = tuple(end + code for code in CODE for end in ("", '"', "'", "</td>", "-->"))


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Tab:
    """A tab with a report, and what went wrong or left the file in it."""

    def __init__(self, browser, path, width=1280, scheme="light", script=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
            accept_downloads=True,
        )
        self.page = self.context.new_page()
        self.wrong, self.requests = [], []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = f"file://{path}"
        self.page.goto(self.address)

    def rows(self):
        return self.page.locator("#everyone-table tbody tr").all_inner_texts()

    def count(self):
        return int(self.page.locator("#count").inner_text().split()[0])


@pytest.fixture
def opened(browser, tmp_path):
    tabs = []

    def open_run(run, **options):
        path = tmp_path / "report.html"
        path.write_bytes(rendered(run)["report.html"])
        tabs.append(Tab(browser, path, **options))
        return tabs[-1]

    yield open_run
    for tab in tabs:
        tab.context.close()
        assert tab.wrong == []
        assert {url for url in tab.requests if not url.startswith("blob:")} == {tab.address}


@pytest.mark.parametrize(
    ("width", "scheme"), [(w, s) for w in (390, 800, 1280) for s in ("light", "dark")]
)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(opened, certified_run, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(advised(certified_run), width=width, scheme=scheme).page
    assert page.locator("#repairs table").count() == 3
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    told = [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found.response["violations"]]
    assert told == []


@pytest.mark.parametrize("width", [1060, 1280])
def test_no_number_and_no_interval_is_broken_over_lines(opened, certified_run, width):
    page = opened(advised(certified_run), width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.locator("#repairs td.short, #harmed thead th:nth-child(2)")
    assert cells.filter(has_text="0.60-0.80").count() > 0
    lines = """cells => cells.map(cell => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return new Set([...range.getClientRects()].map(part => part.top)).size;
    })"""
    assert set(cells.evaluate_all(lines)) <= {0, 1}


@functools.cache
def advised(run):
    """Return a run with all that its page can hold, repairs without the label and advice too."""
    ends = {"at_least": 0.25, "at_most": 0.5, "ci": {"at_least": [0.2, 0.3], "at_most": [0.4, 0.6]}}
    shares = dict.fromkeys(("r_af", "repaired", "harmed", "abstained", "moved"), 0.125)
    quality = {"accuracy": 0.75, "balanced_accuracy": 0.7, "abstained": 0.0}
    change = quality | {"ci": {key: [0.6, 0.8] for key in quality}, "r_af": ends}
    names = ("as it is", "constant model", "guarded", "trained robustly, classes weighed alike")
    metrics = {
        "advice": {name: change | {"r_af_balanced": ends} for name in names},
        "label_free": {
            "instances": {"rafair": {"benign": shares, "label-free": shares}},
            "impossible": {"rafair": 0.25},
            "adaptive": {"benign": {**ends, "wrong": 0.5}},
        },
    }
    return replace(run, metrics={**run.metrics, **metrics})


def test_a_page_with_a_thousand_people_is_at_most_three_megabytes(opened, plain_run):
    run = repeated(plain_run, 1_000)
    assert len(rendered(run)["report.html"]) <= 3e6
    tab = opened(run)
    assert tab.count() == 1_000
    tab.page.select_option("#f-cell", "FF")
    assert 0 < tab.count() < 1_000


def repeated(run, n):
    """Return a run with n people, each of them one of the run's with a number of their own."""
    rows, seeds = run.instances, run.instances["seed"].unique()
    copies = [
        rows[rows["seed"].isin(seeds[: n - first])].assign(
            seed=lambda part, first=first: part["seed"] + 10_000 * first
        )
        for first in range(0, n, len(seeds))
    ]
    many = pd.concat(copies, ignore_index=True).sort_values("stage", kind="stable")
    return replace(run, instances=many, metrics={**run.metrics, "n_seeds": n}, certificates=None)


def test_everything_reads_without_a_script(opened, plain_run):
    tab = opened(plain_run, script=False)
    assert len(tab.rows()) == plain_run.metrics["n_seeds"]
    assert not tab.page.locator("#controls").is_visible()


def test_filters_select_the_people_of_a_cell_a_group_and_a_text(opened, plain_run):
    tab, people = opened(plain_run), people_shown(plain_run)
    page = tab.page
    assert tab.count() == people.total
    page.select_option("#f-cell", "FF")
    assert tab.count() == sum(row[6] == "FF" for row in people.rows)
    page.select_option("#f-cell", "")
    page.select_option("#f-stage", "0")
    page.select_option("#f-cell", "TF")
    assert tab.count() == sum(row[4] == "TF" for row in people.rows)
    page.select_option("#f-cell", "")
    page.select_option("#f-group", "0:0")
    level = people.data["attributes"][0]["levels"][0]
    assert tab.count() == sum(row[1].startswith(level) for row in people.rows)
    page.select_option("#f-group", "")
    page.fill("#f-text", "no such person")
    assert tab.count() == 0
    page.fill("#f-text", f"{level} good")
    assert 0 < tab.count() <= people.total


def test_a_column_sorts_both_ways(opened, plain_run):
    page = opened(plain_run).page
    expected = sorted(float(row[8]) for row in people_shown(plain_run).rows)
    heading = page.locator("#everyone-table thead button").nth(8)
    shown = page.locator("#everyone-table tbody td:nth-child(9)")
    heading.click()
    assert [float(text) for text in shown.all_inner_texts()] == expected
    page.locator("#everyone-table thead button").nth(8).click()
    assert [float(text) for text in shown.all_inner_texts()] == expected[::-1]
    assert page.locator("th[aria-sort=descending]").count() == 1


def test_a_person_opens_and_closes_by_keyboard(opened, plain_run):
    page = opened(plain_run).page
    page.locator("#everyone-table tbody button").first.focus()
    page.keyboard.press("Enter")
    card = page.locator("#everyone-table .card")
    assert card.is_visible()
    row = people_shown(plain_run).rows[0]
    assert f"Test row {row[0]}" in card.inner_text()
    page.keyboard.press("Space")
    assert card.count() == 0


def test_the_tab_key_reaches_every_control(opened, plain_run):
    page = opened(plain_run).page
    expected = page.evaluate(
        "[...document.querySelectorAll('a, button:enabled, input, select, summary')]"
        ".filter((each) => each.checkVisibility()).length"
    )
    reached = set()
    for _ in range(expected):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(window.seen ??= []).push(document.activeElement)"))
    assert page.evaluate("new Set(window.seen).size") == expected
    assert page.evaluate("window.seen.includes(document.body)") is False


def test_the_export_holds_the_people_that_are_shown(opened, plain_run):
    page = opened(plain_run).page
    page.select_option("#f-cell", "FF")
    with page.expect_download() as expected:
        page.click("#export")
    text = expected.value.path().read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    table = plain_run.instances
    attacked = table[(table["attack"] == "rafair") & (table["cell"] == "FF")].set_index("seed")
    assert [int(row["row"]) for row in rows] == attacked.index.tolist()
    for row in rows:
        after = attacked.loc[int(row["row"])]
        assert row["decision_attacked"] == after["prediction"]
        assert float(row["dissenting"]) == pytest.approx(after["dissenting"], abs=1e-4)
        assert row["attacked_credit_amount"] == str(after["credit_amount"])


def test_cards_show_the_same_people(opened, plain_run):
    page = opened(plain_run).page
    page.select_option("#f-view", "cards")
    cards = page.locator("#everyone-cards .card h4").all_inner_texts()
    rows = people_shown(plain_run).rows
    assert [card.split()[2] for card in cards] == [row[0] for row in rows[: len(cards)]]
    assert not page.locator("#everyone-table").is_visible()


@pytest.fixture(scope="module")
def payload_run(tmp_path_factory):
    """A run on a file whose name, columns, levels and classes are payloads, a hundred columns."""
    rng = np.random.default_rng(0)
    rows, levels = 60, 40
    columns = {
        name: [PAYLOADS[(place + step) % len(PAYLOADS)] for step in rng.integers(0, 4, rows)]
        if place < levels
        else rng.normal(0, 1, rows).round(2)
        for place, name in enumerate(PAYLOADS)
    }
    people = pd.DataFrame({**columns, "label": rng.choice(PAYLOADS[3:5], rows)})
    path = tmp_path_factory.mktemp("hostile") / "<img src=x onerror='window.ran = 1'>.csv"
    people.to_csv(path, index=False)
    data = read_table(path, label="label", sensitive=[PAYLOADS[0], PAYLOADS[7]])
    model = train_fcnn(data, epochs=1)
    return audit(model, data, attacks=["random"], queries=5, n_seeds=10, certify=False)


def test_every_payload_is_a_name_of_the_run(payload_run):
    schema = payload_run.manifest["schema"]
    assert {feature["name"] for feature in schema["features"]} == set(PAYLOADS)
    assert len(set(PAYLOADS)) == 100
    assert "<img src=x" in payload_run.metrics["dataset"]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("everywhere", [False, True])
def test_hostile_names_and_values_run_nothing(opened, payload_run, width, everywhere):
    tab = opened(attacked_by_words(payload_run) if everywhere else payload_run, width=width)
    page = tab.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#everyone-table tbody button").first.click()
    page.select_option("#f-view", "cards")
    page.fill("#f-text", "window.ran")
    assert tab.count() > 0
    with page.expect_download() as expected:
        page.click("#export")
    exported = expected.value.path().read_text(encoding="utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    texts = [cell for cell in cells if not is_number(cell)]
    assert any("=cmd" in text for text in texts)
    assert not any(text.startswith(("=", "+", "-", "@")) for text in texts)
    assert page.evaluate("window.ran") is None
    assert page.locator("#answer img, #people img, iframe").count() == 0
    assert page.evaluate("document.querySelectorAll('[onerror], [onload], [onfocus]').length") == 0


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@functools.cache
def attacked_by_words(run):
    """Put every payload into the values, decisions, units and notes of a run, and its origin."""
    table, manifest = run.instances.copy(), run.manifest
    texts = table.select_dtypes(exclude=["number", "bool"]).columns.difference(
        ["stage", "attack", "cell", "x"]
    )
    for turn, column in enumerate(texts):
        words = [PAYLOADS[(place + turn) % len(PAYLOADS)] for place in range(len(table))]
        table[column] = table[column].astype(object).where(table[column].isna(), words)
    schema, name = manifest["schema"], " ".join(PAYLOADS)
    units = zip(schema["features"], PAYLOADS, strict=True)
    schema = {
        **schema,
        "features": [{**feature, "unit": unit} for feature, unit in units],
        "label": PAYLOADS[0],
        "favourable": PAYLOADS[1],
    }
    data = {**manifest["dataset"], "name": name, "notes": list(PAYLOADS)}
    return replace(
        run,
        instances=table,
        metrics={**run.metrics, "dataset": name},
        manifest={**manifest, "schema": schema, "dataset": data, "command": list(PAYLOADS)},
    )
