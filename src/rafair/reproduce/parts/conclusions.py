"""The conclusions of the paper, and whether each one holds here, under each reading."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from rafair.attacks.registry import variants_of
from rafair.fairness.verdict import TF
from rafair.reproduce.cells.attacked import WORST, CleanCell, attack_cells, clean, outcomes
from rafair.reproduce.cells.repaired import repair_cells
from rafair.reproduce.document import Finding, Ground, Section, Text
from rafair.reproduce.part import AVERAGE, Part
from rafair.reproduce.parts.figures import area_shares, slopes_of, trends_of
from rafair.reproduce.parts.tables import MODES, attacked_rates, repaired_rates
from rafair.reproduce.published import BROUGHT_BACK, CLEAN, OTHERS, TABLE3, TABLE4
from rafair.reproduce.readings import LAST, POOLED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Study

__all__ = ["PARTS"]

METRICS = {"r_acc": "R-ACC", "r_if": "R-IF", "r_af": "R-AF"}


@dataclass(frozen=True)
class _Tables:
    """Tables 3 and 4 under one reading: dataset or ``"average"`` → row → rates."""

    attacked: dict[str, Any]
    mended: dict[str, Any]

    @property
    def before(self) -> dict[str, Any]:
        """The average of Table 3, without rows by the worst iterate."""
        return {n: r for n, r in self.attacked[AVERAGE].items() if not n.endswith(WORST)}

    @property
    def after(self) -> dict[str, Any]:
        """The average of Table 4, without rows by the worst iterate."""
        return {n: r for n, r in self.mended[AVERAGE].items() if not n.endswith(WORST)}


# What the numbers say about a claim, and whether it holds.
_Judgement: TypeAlias = "tuple[str, bool]"


def _cells(study: Study) -> list[Cell]:
    cells: list[Cell] = [*POOLED.cells3(study), *POOLED.cells4(study)]
    for name in study.datasets:
        setup = study.setup(name)
        attacks = attack_cells(setup)
        cells += [
            CleanCell(setup),
            *attacks,
            *repair_cells(setup, attacks),
            *trends_of(study, name),
        ]
    return cells


def _write(cache: Cache) -> Section:
    setups = {name: cache.study.setup(name) for name in cache.study.datasets}
    tables = {
        POOLED.name: _Tables(POOLED.table3(cache), POOLED.table4(cache)),
        LAST.name: _Tables(attacked_rates(cache, setups), repaired_rates(cache, setups)),
    }
    findings = _findings(cache, tables)
    note = (
        "Each conclusion under each reading that can tell. Numbers are averages over the datasets "
        "unless a sentence says otherwise; they come from the cells behind Tables 3 and 4 and the "
        f"figures. Reading {POOLED.name}: {POOLED.words}. Reading {LAST.name}: {LAST.words}."
    )
    data = {
        "findings": [
            {
                "claim": finding.claim,
                "readings": {
                    ground.reading: {"here": ground.evidence, "holds": ground.holds}
                    for ground in finding.grounds
                },
            }
            for finding in findings
        ]
    }
    return Section("Does it hold?", [Text(note), *findings], data)


def _findings(cache: Cache, tables: dict[str, _Tables]) -> list[Finding]:
    last = tables[LAST.name]

    def both(claim: str, judge: Callable[[_Tables], _Judgement]) -> Finding:
        return Finding(claim, tuple(Ground(name, *judge(t)) for name, t in tables.items()))

    def of_last(claim: str, judgement: _Judgement) -> Finding:
        return Finding(claim, (Ground(LAST.name, *judgement),))

    return [
        of_last(
            "Under each mode most instances lie in that mode's area (Figures 3, 7, 8, 9).",
            _trends(cache),
        ),
        both("Of all attacks RAFair leaves the lowest R-ACC, R-IF and R-AF.", _lowest),
        both(
            "After RAFair few seeds stay accurate and fair: "
            f"{TABLE3['rafair']['r_af']:.1%} in the paper.",
            _combined,
        ),
        *(
            both(
                f"{name} raises the {key.upper()} on the average of the datasets.",
                partial(_mode, variant=name, key=key),
            )
            for name, key in MODES.items()
        ),
        both(
            "The true biased mode raises R-ACC while it lowers R-IF and R-AF: bias hidden by "
            "accuracy.",
            _true_biased_hides,
        ),
        both(
            "The false fair mode ruins R-ACC and R-AF while R-IF changes little: error hidden by "
            "fairness.",
            _false_fair_hides,
        ),
        both("DICE does not lower R-IF.", _dice),
        of_last(
            "RAFair breaks at least as many true fair seeds as an attack on accuracy does.",
            _against_pgd(cache),
        ),
        both(
            f"Benign perturbations bring {BROUGHT_BACK:.1%} of RAFair's instances back to accurate "
            "and fair.",
            _brought_back,
        ),
        both("RAFair's instances are harder to repair than those of other attacks.", _hard_to_mend),
        both(
            "True biased instances are the hardest to repair: TBR stays above FFR and FBR.",
            _hardest_cell,
        ),
        of_last(
            "Benign perturbations repair what can be repaired (the paper does not ask).",
            _limit(last.after),
        ),
    ]


def _trends(cache: Cache) -> _Judgement:
    shares = {
        name: {
            mode: area_shares(slopes)[MODES[mode]]
            for mode, slopes in slopes_of(cache, name).items()
        }
        for name in cache.study.datasets
    }
    listed = "; ".join(
        f"{name} " + ", ".join(f"{mode} {share:.0%}" for mode, share in found.items())
        for name, found in shares.items()
    )
    return (
        (
            f"Share in the mode's own area: {listed}. Under the biased modes the losses of an "
            "instance stay as they are where the two gradients agree in every sign."
        ),
        all(share > 0.5 for found in shares.values() for share in found.values()),
    )


def _lowest(tables: _Tables) -> _Judgement:
    rows = tables.before
    families = {name: r for name, r in rows.items() if name != "clean" and name not in MODES}
    lowest = {key: min(families, key=lambda name: families[name][key]) for key in METRICS}
    listed = ", ".join(
        f"{METRICS[key]} {families['rafair'][key]:.3f} (lowest: {name} {families[name][key]:.3f})"
        for key, name in lowest.items()
    )
    return (
        f"RAFair's row: {listed}. ADF and DICE look for discrimination alone.",
        all(families[name][key] >= families["rafair"][key] for key, name in lowest.items()),
    )


def _combined(tables: _Tables) -> _Judgement:
    rows = tables.attacked[AVERAGE]
    ours, paper = rows["rafair"]["r_af"], TABLE3["rafair"]["r_af"]
    worst = rows.get("rafair" + WORST)
    any_iterate = "" if worst is None else f"; {worst['r_af']:.1%} if any iterate counts"
    return (
        (
            f"Here {ours:.1%}, from {rows['clean']['af']:.1%} before (paper: {CLEAN['af']:.1%})"
            f"{any_iterate}."
        ),
        ours <= paper,
    )


def _mode(tables: _Tables, variant: str, key: str) -> _Judgement:
    changes = {
        name: (rows["clean"][key], rows[variant][key]) for name, rows in tables.attacked.items()
    }
    listed = "; ".join(f"{name} {b:.3f} → {a:.3f}" for name, (b, a) in changes.items())
    before, after = changes.pop(AVERAGE)
    raised = sum(a > b for b, a in changes.values())
    still = (
        ""
        if raised == len(changes)
        else " Table 3 says how often no feature met the mode's condition on signs."
    )
    return (
        (
            f"{listed}; paper {CLEAN[key]:.3f} → {TABLE3[variant][key]:.3f}. Raised on {raised} of "
            f"{len(changes)} datasets.{still}"
        ),
        after > before,
    )


def _true_biased_hides(tables: _Tables) -> _Judgement:
    before, after = tables.before["clean"], tables.before["rafair-tb"]
    return (
        (
            f"R-ACC {before['acc']:.3f} → {after['r_acc']:.3f}, R-IF {before['if']:.3f} → "
            f"{after['r_if']:.3f}, R-AF {before['af']:.3f} → {after['r_af']:.3f}."
        ),
        after["r_acc"] > before["acc"]
        and after["r_if"] < before["if"]
        and after["r_af"] < before["af"],
    )


def _false_fair_hides(tables: _Tables) -> _Judgement:
    before, after = tables.before["clean"], tables.before["rafair-ff"]
    return (
        (
            f"R-ACC {before['acc']:.3f} → {after['r_acc']:.3f}, R-AF {before['af']:.3f} → "
            f"{after['r_af']:.3f}, R-IF {before['if']:.3f} → {after['r_if']:.3f}."
        ),
        after["r_acc"] < 0.5 * before["acc"] and after["r_if"] > before["if"] - 0.1,
    )


def _dice(tables: _Tables) -> _Judgement:
    before, after = tables.before["clean"]["if"], tables.before["dice"]["r_if"]
    return f"R-IF {before:.3f} → {after:.3f}.", after >= before


def _against_pgd(cache: Cache) -> _Judgement:
    broken, listed = {"rafair": 0, "pgd": 0}, []
    fine_seeds = 0
    for name in cache.study.datasets:
        setup = cache.study.setup(name)
        fine = clean(cache, setup).verdict.cells == TF
        rows = outcomes(cache, attack_cells(setup, (*variants_of("rafair")[1], "pgd")))
        shares = []
        for attack in broken:
            count = int((rows[attack].verdict.cells[fine] != TF).sum())
            broken[attack] += count
            shares.append(f"{count / max(int(fine.sum()), 1):.3f}")
        fine_seeds += int(fine.sum())
        listed.append(f"{name} {' and '.join(shares)}")
    ours, theirs = (count / max(fine_seeds, 1) for count in broken.values())
    return (
        (
            f"Share of clean true fair seeds broken by RAFair and by PGD: {'; '.join(listed)}; all "
            f"together {ours:.3f} and {theirs:.3f}."
        ),
        ours >= theirs - 0.02,
    )


def _brought_back(tables: _Tables) -> _Judgement:
    before, after = tables.before["rafair"]["r_af"], tables.after["rafair"]["r_af"]
    return (
        (
            f"Here {after - before:.1%}: R-AF {before:.3f} → {after:.3f} (paper "
            f"{TABLE3['rafair']['r_af']:.3f} → {TABLE4['rafair']['r_af']:.3f})."
        ),
        after - before >= BROUGHT_BACK,
    )


def _hard_to_mend(tables: _Tables) -> _Judgement:
    listed = ", ".join(f"{name} {tables.after[name]['r_af']:.3f}" for name in OTHERS)
    ours = tables.after["rafair"]["r_af"]
    return (
        f"R-AF after repair: rafair {ours:.3f}; {listed}.",
        all(ours <= tables.after[name]["r_af"] for name in OTHERS),
    )


def _hardest_cell(tables: _Tables) -> _Judgement:
    rows = tables.after
    hard = [name for name, r in rows.items() if r["tbr"] >= max(r["ffr"], r["fbr"])]
    row = rows["rafair"]
    return (
        (
            f"So in {len(hard)} of {len(rows)} rows; for rafair TBR {row['tbr']:.3f}, FFR "
            f"{row['ffr']:.3f}, FBR {row['fbr']:.3f}."
        ),
        len(hard) == len(rows),
    )


def _limit(rows: dict[str, Any]) -> _Judgement:
    gaps = torch.tensor([r["best"]["r_af"] - r["r_af"] for r in rows.values()])
    name = list(rows)[int(gaps.argmax())]
    return (
        (
            "Within the same Δ a search down the largest loss repairs more: on average over the "
            f"rows {float(gaps.mean()):.3f} more, most for {name} ({rows[name]['r_af']:.3f} → "
            f"{rows[name]['best']['r_af']:.3f}). What remains after it is rather the model's limit."
        ),
        bool(gaps.max() < 0.02),
    )


PARTS = (Part("conclusions", 0, _cells, _write),)
