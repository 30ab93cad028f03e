"""Every attack at several ε."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.fairness import Verdict
from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import PALETTE
from rafair.report.tables import Table
from rafair.reproduce.cells.attacked import AttackCell, CleanCell, attack_cells, clean, outcomes
from rafair.reproduce.document import Block, Grid, Picture, Section, Text
from rafair.reproduce.part import AVERAGE, Part, average, rates_of

if TYPE_CHECKING:
    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Setup, Study

__all__ = ["EPSILONS", "PARTS"]

EPSILONS = (0.01, 0.05, 0.1, 0.2, 0.3)
METRICS = {"r_acc": "R-ACC", "r_if": "R-IF", "r_af": "R-AF"}
MARKERS = "osD^vP*X"


def _attacks(setup: Setup, epsilon: float) -> list[AttackCell]:
    reaching = setup.reaching(epsilon)
    # At the paper's ε these cells equal those of Table 3, so they are computed once.
    return attack_cells(reaching, readings=("last", "worst") if reaching == setup else ("last",))


def _cells(study: Study) -> list[Cell]:
    cells: list[Cell] = []
    for name in study.datasets:
        cells.append(CleanCell(study.setup(name)))
        for epsilon in EPSILONS:
            cells += _attacks(study.setup(name), epsilon)
    return cells


def _write(cache: Cache) -> Section:
    study = cache.study
    verdicts: dict[str, dict[float, dict[str, Verdict]]] = {}
    for name in study.datasets:
        setup = study.setup(name)
        verdicts[name] = {
            e: {
                row: outcome.verdict
                for row, outcome in outcomes(cache, _attacks(setup, e)).items()
                if "@" not in row
            }
            for e in EPSILONS
        }
    names = list(verdicts[study.datasets[0]][EPSILONS[0]])
    joint = {
        e: {row: average([verdicts[name][e][row] for name in study.datasets]) for row in names}
        for e in EPSILONS
    }
    found: dict[str, Any] = {
        name: {f"{e:g}": rates_of(table) for e, table in tables.items()}
        for name, tables in {AVERAGE: joint, **verdicts}.items()
    }
    clean_rates = average([clean(cache, study.setup(n)).verdict for n in study.datasets]).rates()
    blocks: list[Block] = [
        Text(
            f"Every attack with {study.steps} steps of ε / {study.steps} (APGD and ACG find their "
            "step themselves, FGSM takes one of ε); the last iterate is judged. Before any attack "
            + ", ".join(f"{key.upper()} is {clean_rates[key]:.3f}" for key in ("acc", "if", "af"))
            + " on average."
        ),
        Picture(
            "epsilon",
            _draw(found[AVERAGE], names),
            "R-ACC, R-IF and R-AF of every attack against ε, average over the datasets.",
        ),
    ]
    for metric, shown in METRICS.items():
        for name, tables in found.items():
            rows = [
                (row, *(f"{tables[f'{e:g}'][row][metric]:.3f}" for e in EPSILONS)) for row in names
            ]
            heads = ("ε", *(f"{e:g}" for e in EPSILONS))
            table = Table(f"{shown} against ε, {name}", heads, rows)
            blocks.append(Grid(table, folded=name != AVERAGE))
    return Section("Every attack at several ε", blocks, found)


def _draw(rates: dict[str, Any], names: list[str]) -> bytes:
    shown = [name for name in names if not name.startswith("rafair-")]
    with style():
        figure = new_figure(9.6, 3.0)
        for axes, (metric, title) in zip(axes_of(figure, 3), METRICS.items(), strict=True):
            for place, name in enumerate(shown):
                values = [rates[f"{e:g}"][name][metric] for e in EPSILONS]
                axes.plot(
                    EPSILONS,
                    values,
                    color=PALETTE[place % len(PALETTE)],
                    marker=MARKERS[place % len(MARKERS)],
                    ms=5,
                    lw=2.4 if place == 0 else 1.3,
                    label=name,
                )
            axes.set(title=title, xlabel="ε", ylim=(-0.03, 1.03))
            axes.grid(axis="y", color="#dddddd", lw=0.8)
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return svg(figure)


PARTS = (Part("epsilon", 31, _cells, _write),)
