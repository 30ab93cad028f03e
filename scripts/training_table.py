"""Put what robust training reaches into docs/training.md; each row is a command that is run.

python scripts/training_table.py            # seven minutes
python scripts/training_table.py --check    # fails where the page says something else
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import rafair
from rafair.datasets import Dataset
from rafair.models import Classifier
from rafair.training.measuring import Measured, constant_measured, measured

PAGE = Path(__file__).parent.parent / "docs" / "training.md"
START, END = "<!-- reached -->\n", "<!-- /reached -->\n"
EPSILON = 0.05
HEADS = (
    "model", "R-AF", "attacked", "accuracy", "balanced R-AF", "attacked", "balanced accuracy"
)  # fmt: skip
# Options of `rafair train DATA`, by data.
STUMPS, NETWORK = "--method boosted-stumps", "--method certified"
TREES = f"{STUMPS} --depth 2"
BOOSTED = (STUMPS, TREES, f"{STUMPS} --balanced", f"{TREES} --balanced")
ROWS = {
    "adult": (f"{NETWORK} --without-sensitive", NETWORK, *BOOSTED),
    "bank": (f"{NETWORK} --without-sensitive", *BOOSTED),
    "compas": (f"{NETWORK} --without-sensitive", *BOOSTED),
    "credit": (f"{NETWORK} --without-sensitive", *BOOSTED),
}


def trained(name: str, options: str, path: Path) -> Classifier:
    """Run ``rafair train`` and return the model that it wrote."""
    command = [str(Path(sys.executable).parent / "rafair"), "train", name, *options.split()]
    done = subprocess.run([*command, "--quiet", "--out", str(path)], check=False)
    if done.returncode not in (0, 3):  # 3: it became the constant model, which the figures say
        raise SystemExit(f"rafair train {name} {options} ended with {done.returncode}")
    return rafair.load_model(path, rafair.load_dataset(name).schema)


def figures(model: Classifier, data: Dataset) -> Measured:
    """Return the figures of a model on the whole test split."""
    space = rafair.PerturbationSpace.of(data.schema, EPSILON, "paper")
    rows = (data.test.x, data.test.y, rafair.Counterparts.of(data.schema), space)
    return measured(model, *rows, n_people=len(data.test))


def cells(name: str, found: Measured) -> str:
    """Return a row; where the search leaves somebody undecided, two ends."""
    shares = ((found.r_af, found.r_af_most), (found.r_af_balanced, found.r_af_balanced_most))
    proved, balanced = (
        f"{low:.3f}" if high - low < 5e-4 else f"{low:.3f}–{high:.3f}" for low, high in shares
    )
    people = f"{proved} | {found.attacked:.3f} | {found.accuracy:.3f}"
    even = f"{balanced} | {found.attacked_balanced:.3f} | {found.balanced_accuracy:.3f}"
    return f"| {name} | {people} | {even} |"


def table(name: str, folder: Path) -> list[str]:
    """Return the rows of one dataset."""
    data = rafair.load_dataset(name)
    lines = []
    for options in ROWS[name]:
        model = trained(name, options, folder / "model.safetensors")
        found = figures(model, data)
        lines.append(cells(f"`rafair train {name} {options}`", found))
        print(lines[-1], flush=True)
    constant = cells(f"{name}: constant model", constant_measured(data.test.y, found))
    return [constant, *lines]


def main() -> None:
    """Write the page, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        rows = [line for name in ROWS for line in table(name, Path(folder))]
    lines = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}", *rows]
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    page = before + START + "\n" + "\n".join(lines) + "\n\n" + END + after
    if check and page != PAGE.read_text(encoding="utf-8"):
        raise SystemExit(f"{PAGE} says something else; run {Path(__file__).name}")
    if not check:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
