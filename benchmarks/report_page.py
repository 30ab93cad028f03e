"""Size of a run's page, and how fast it answers: ``python benchmarks/report_page.py RUN``.

The page is opened five times in the chromium of the machine; the medians are printed.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

TIMES = 5
# Until the script is done, and the table is there.
OPEN = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
ACT = """([id, value, event]) => {
  const start = performance.now(), control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event(event));
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""
ACTS = {
    "filter": ["f-cell", "FF", "change"],
    "search": ["f-text", "a", "input"],
    "sort": ["f-sort", "8:down", "change"],
}


def main(page: Path) -> None:
    """Print the size in megabytes and the times in milliseconds."""
    found: dict[str, list[float]] = {name: [] for name in ("open", *ACTS)}
    with sync_playwright() as started:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(TIMES):
            tab = browser.new_page()
            tab.goto(page.absolute().as_uri())
            found["open"].append(tab.evaluate(OPEN))
            for name, act in ACTS.items():
                found[name].append(tab.evaluate(ACT, act))
            tab.close()
        browser.close()
    print(f"size {page.stat().st_size / 1e6:.2f} MB")
    for name, times in found.items():
        print(f"{name} {statistics.median(times):.0f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "report.html")
