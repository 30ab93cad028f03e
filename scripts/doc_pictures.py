"""Draw the pictures of docs/concepts.md: ``python scripts/doc_pictures.py [DIRECTORY]``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import rafair
from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import BROKEN, CELL_COLOURS, CELL_NAMES, PROVED, UNDECIDED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
# A person of the test split whom two features alone move through all four cells.
PERSON, ACROSS, UP = 13, "duration", "credit_amount"
EPSILON, POINTS = 0.2, 61


def cells() -> Figure:
    """Colour Δ along two features by the cell of each point."""
    data, model = rafair.load_dataset("credit"), rafair.baseline("credit")
    people = rafair.Counterparts.of(data.schema)
    person, label = data.test.x[PERSON], data.test.y[PERSON]
    across, up = (data.schema.index(name) for name in (ACROSS, UP))
    ends = [
        (max(0.0, float(person[column]) - EPSILON), min(1.0, float(person[column]) + EPSILON))
        for column in (across, up)
    ]
    sides = [torch.linspace(low, high, POINTS, dtype=person.dtype) for low, high in ends]
    right, above = torch.meshgrid(*sides, indexing="xy")
    points = person.repeat(POINTS**2, 1)
    points[:, across], points[:, up] = right.flatten(), above.flatten()
    found = rafair.judge(model, points.to(model.dtype), label.repeat(len(points)), people).cells
    figure = new_figure(6, 4)
    (axes,) = axes_of(figure, 1)
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(list(CELL_COLOURS.values()))
    extent = [
        data.schema.features[column].low + end * data.schema.features[column].span
        for column, pair in zip((across, up), ends, strict=True)
        for end in pair
    ]
    axes.imshow(
        found.view(POINTS, POINTS).numpy(), origin="lower", aspect="auto", cmap=colours,
        vmin=-0.5, vmax=3.5, extent=tuple(extent), interpolation="nearest",
    )  # fmt: skip
    here = data.test.frame.iloc[PERSON]
    axes.plot(here[ACROSS], here[UP], "x", color="black", markersize=9, markeredgewidth=2)
    axes.set(xlabel=f"{ACROSS} (months)", ylabel=f"{UP.replace('_', ' ')} (DM)")
    for name, colour in CELL_COLOURS.items():
        axes.plot([], [], "s", color=colour, label=CELL_NAMES[name])
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def audited() -> rafair.AuditResult:
    """Audit with few boxes per person, so that some people stay undecided."""
    data, model = rafair.load_dataset("credit"), rafair.baseline("credit")
    options = {"n_seeds": 50, "epsilon": 0.2, "curve": True, "attacks": "fgsm"}
    return rafair.audit(model, data, **options, max_nodes=20, max_seconds=1e6)


def bounds(run: rafair.AuditResult) -> Figure:
    """Draw what is proved, undecided and broken of R-AF over ε."""
    curve = run.metrics["certificates"]["curve"]
    at = [point["epsilon"] for point in curve]
    rates = [point["claims"]["accurate_fair"] for point in curve]
    proved = [rate["proved"] for rate in rates]
    unbroken = [1 - rate["broken"] for rate in rates]
    figure = new_figure(6, 3.2)
    (axes,) = axes_of(figure, 1)
    axes.fill_between(at, 0, proved, color=PROVED, alpha=0.5, label="proved")
    axes.fill_between(at, proved, unbroken, color=UNDECIDED, alpha=0.5, label="undecided")
    axes.fill_between(at, unbroken, 1, color=BROKEN, alpha=0.35, label="broken by an example")
    for ends in (proved, unbroken):
        axes.plot(at, ends, color="black", marker="o", markersize=4, linewidth=1)
    axes.set(xlabel="ε, share of each range", ylabel="share of people (R-AF)", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def attributes(run: rafair.AuditResult) -> Figure:
    """Draw, per sensitive attribute, who has a dissenting counterpart, and the mean dissent."""
    alone = {name: rates["clean"] for name, rates in run.metrics["by_sensitive"].items()}
    rows = {**alone, "all jointly": run.metrics["clean"]}
    figure = new_figure(6, 2.4)
    (axes,) = axes_of(figure, 1)
    for place, rates in enumerate(rows.values()):
        axes.barh(place + 0.19, 1 - rates["if"], height=0.36, color=CELL_COLOURS["tbr"])
        axes.barh(place - 0.19, rates["dissent"], height=0.36, color=PROVED)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel="share", xlim=(0, None))
    axes.plot([], [], "s", color=CELL_COLOURS["tbr"], label="people with one (1 − IF)")
    axes.plot([], [], "s", color=PROVED, label="mean share of them (dissent)")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def draw(directory: Path) -> None:
    """Write the pictures to a directory."""
    with style():
        run = audited()
        for name, figure in (
            ("cells", cells()),
            ("bounds", bounds(run)),
            ("attributes", attributes(run)),
        ):
            (directory / f"concept-{name}.svg").write_bytes(svg(figure))


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES)
