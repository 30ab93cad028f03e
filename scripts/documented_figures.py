"""Put the program's own output into the documentation: audits, datasets, rates, certificates.

python scripts/documented_figures.py            # about 6 minutes, nearly all for the certificates
python scripts/documented_figures.py --only audits        # a minute
python scripts/documented_figures.py --check    # fails where a page says something else
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rafair.report.tables import truth

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (DOCS / "command-line.md", DOCS / "benchmarks.md")
DATASETS = ("adult", "bank", "compas", "credit")
EPSILONS = ("0.01", "0.05", "0.1")


def rafair(*arguments: str) -> str:
    """Run the command and return what it prints at a terminal of 80 columns."""
    command = [str(Path(sys.executable).parent / "rafair"), *arguments]
    narrow = {**os.environ, "COLUMNS": "80"}
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=narrow).stdout
    return "\n".join(line.rstrip() for line in printed.splitlines())


def audits() -> dict[str, str]:
    """Return the sections that audits and repairs of all datasets make."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: Path(folder) / name for name in DATASETS}
        printed = {name: rafair("audit", name, "--out", str(run)) for name, run in runs.items()}
        for run in runs.values():
            rafair("repair", str(run), "--quiet")
        metrics = {n: json.loads((run / "metrics.json").read_text()) for n, run in runs.items()}
    shown = printed["adult"].replace(str(runs["adult"]), "runs/adult-20260101-120000")
    return {"audit": f"```\n{shown}\n```", "robust": the_truth(metrics)}


def datasets() -> dict[str, str]:
    """Return the section that lists the datasets."""
    return {"datasets": f"```\n$ rafair datasets\n{rafair('datasets')}\n```"}


def certificates() -> dict[str, str]:
    """Return the section on whole test splits."""
    with tempfile.TemporaryDirectory() as folder:
        proved = {name: certified(name, Path(folder) / f"{name}-proved") for name in DATASETS}
    return {"certified": exact(proved)}


PARTS = {"audits": audits, "datasets": datasets, "certificates": certificates}


def certified(name: str, out: Path) -> dict[str, Any]:
    """Certify a whole test split at three ε and return what was found."""
    radii = [word for epsilon in EPSILONS for word in ("--epsilon", epsilon)]
    rafair(
        "certify", name, "--n-seeds", "all", *radii, "--claim", "accurate_fair", "--out", str(out)
    )
    found: dict[str, Any] = json.loads((out / "certificates.json").read_text())
    return found


def exact(found: dict[str, dict[str, Any]]) -> str:
    """Return one line per dataset: R-AF at each ε, between two bounds where it is not closed."""
    lines = [
        f"| dataset | people | counterparts | {' | '.join(f'ε = {e}' for e in EPSILONS)} |",
        "|---|---|---|---|---|---|",
    ]
    for name, metrics in found.items():
        cells = [f"| {name}", f"{metrics['n_seeds']:,}", f"{metrics['n_counterparts']:,}"]
        for point in metrics["curve"]:
            rates = point["claims"]["accurate_fair"]
            low, high = f"{rates['proved']:.4f}", f"{1 - rates['broken']:.4f}"
            cells.append(low if low == high else f"{low} to {high}")
        lines.append(" | ".join(cells) + " |")
    return "\n".join(lines)


def the_truth(metrics: dict[str, dict[str, Any]]) -> str:
    """Return one line per dataset: clean, robust as proved, repaired."""
    lines = [
        "| dataset | ACC | IF | AF | R-ACC | R-IF | R-AF | R-AF after benign |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in metrics.items():
        cells = [f"{found['clean'][key]:.3f}" for key in ("acc", "if", "af")]
        cells += [truth(found["robust"][key]) for key in ("r_acc", "r_if", "r_af")]
        cells.append(f"{found['repairs']['rafair']['r_af']:.3f}")
        lines.append(" | ".join([f"| {name}", *cells]) + " |")
    return "\n".join(lines)


def replaced(page: Path, made: dict[str, str]) -> str:
    """Return a page with its generated sections, which stand between HTML comments, made anew."""
    text = page.read_text()
    for name, content in made.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        if start in text:
            before, _, rest = text.partition(start)
            text = f"{before}{start}{content}{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    """Rewrite or check the generated sections of the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    given = parser.parse_args()
    made: dict[str, str] = {}
    for part in [given.only] if given.only else PARTS:
        made |= PARTS[part]()
    stale = [page.name for page in PAGES if replaced(page, made) != page.read_text()]
    if given.check and stale:
        raise SystemExit(f"{', '.join(stale)}: other figures than the program's; leave out --check")
    for page in PAGES:
        page.write_text(replaced(page, made))


if __name__ == "__main__":
    main()
