"""The conclusions of the paper, and whether each one holds here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from rafair.attacks.registry import variants_of
from rafair.fairness.verdict import TF
from rafair.reproduce.cells.attacked import WORST, CleanCell, attack_cells, clean, outcomes
from rafair.reproduce.cells.repaired import repair_cells
from rafair.reproduce.document import Finding, Section, Text
from rafair.reproduce.part import Part
from rafair.reproduce.parts.figures import area_shares, slopes_of, trends_of
from rafair.reproduce.parts.tables import (
    AVERAGE,
    MODES,
    attacked_rates,
    repaired_rates,
    still_share,
)
from rafair.reproduce.published import BROUGHT_BACK, CLEAN, TABLE3, TABLE4

if TYPE_CHECKING:
    from rafair.reproduce.cell import Cache, Cell
    from rafair.reproduce.study import Study

__all__ = ["PARTS"]

METRICS = {"r_acc": "R-ACC", "r_if": "R-IF", "r_af": "R-AF"}


def _cells(study: Study) -> list[Cell]:
    cells: list[Cell] = []
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
    attacked, mended = attacked_rates(cache, setups), repaired_rates(cache, setups)
    findings = [
        _trends(cache),
        _lowest(attacked[AVERAGE]),
        _combined(attacked[AVERAGE]),
        *(_mode(cache, attacked, name) for name in MODES),
        _true_biased_hides(attacked[AVERAGE]),
        _false_fair_hides(attacked[AVERAGE]),
        _dice(attacked[AVERAGE]),
        _against_pgd(cache),
        _brought_back(attacked[AVERAGE], mended[AVERAGE]),
        _hard_to_mend(mended[AVERAGE]),
        _hardest_cell(mended[AVERAGE]),
        _limit(mended[AVERAGE]),
    ]
    note = (
        "Numbers are averages over the datasets, last iterates, unless a sentence says otherwise; "
        "they come from the cells behind Tables 3 and 4 and the figures."
    )
    data = {
        "findings": [{"claim": f.claim, "here": f.evidence, "holds": f.holds} for f in findings]
    }
    return Section("Does it hold?", [Text(note), *findings], data)


def _trends(cache: Cache) -> Finding:
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
    return Finding(
        "Under each mode most instances lie in that mode's area (Figures 3, 7, 8, 9).",
        f"Share in the mode's own area: {listed}. Under the biased modes the losses of an instance "
        "stay as they are where the two gradients agree in every sign.",
        all(share > 0.5 for found in shares.values() for share in found.values()),
    )


def _lowest(rows: dict[str, Any]) -> Finding:
    last = {name: r for name, r in rows.items() if name != "clean" and WORST not in name}
    families = {name: r for name, r in last.items() if name not in MODES}
    lowest = {key: min(families, key=lambda name: families[name][key]) for key in METRICS}
    listed = ", ".join(
        f"{METRICS[key]} {families['rafair'][key]:.3f} (lowest: {name} {families[name][key]:.3f})"
        for key, name in lowest.items()
    )
    return Finding(
        "Of all attacks RAFair leaves the lowest R-ACC, R-IF and R-AF.",
        f"RAFair's row: {listed}. ADF, EIDIG and DICE look for discrimination alone, and here "
        "with every counterpart in view.",
        all(families[name][key] >= families["rafair"][key] for key, name in lowest.items()),
    )


def _combined(rows: dict[str, Any]) -> Finding:
    ours, paper = rows["rafair"]["r_af"], TABLE3["rafair"]["r_af"]
    return Finding(
        f"After RAFair few seeds stay accurate and fair: {paper:.1%} in the paper.",
        f"Here {ours:.1%}, from {rows['clean']['af']:.1%} before (paper: {CLEAN['af']:.1%}); "
        f"{rows['rafair' + WORST]['r_af']:.1%} if any iterate counts.",
        ours <= paper,
    )


def _mode(cache: Cache, tables: dict[str, Any], variant: str) -> Finding:
    key = MODES[variant]
    words, raised = [], []
    for name in (AVERAGE, *cache.study.datasets):
        before, after = tables[name]["clean"][key], tables[name][variant][key]
        text = f"{name} {before:.3f} → {after:.3f}"
        if name != AVERAGE:
            raised.append(after > before)
            if after <= before:
                text += f" ({still_share(cache, name, variant):.0%} of directions zero)"
        words.append(text)
    paper = f"paper {CLEAN[key]:.3f} → {TABLE3[variant][key]:.3f}"
    return Finding(
        f"{variant} raises the {key.upper()} on every dataset.",
        f"{'; '.join(words)}; {paper}. A direction is zero where no feature meets the mode's "
        "condition on signs: with all of I(v) on one side, the gradients of an instance and of its "
        "counterpart mostly agree.",
        all(raised),
    )


def _true_biased_hides(rows: dict[str, Any]) -> Finding:
    before, after = rows["clean"], rows["rafair-tb"]
    return Finding(
        "The true biased mode raises R-ACC while it lowers R-IF and R-AF: bias hidden by accuracy.",
        f"R-ACC {before['acc']:.3f} → {after['r_acc']:.3f}, R-IF {before['if']:.3f} → "
        f"{after['r_if']:.3f}, R-AF {before['af']:.3f} → {after['r_af']:.3f}.",
        after["r_acc"] > before["acc"]
        and after["r_if"] < before["if"]
        and after["r_af"] < before["af"],
    )


def _false_fair_hides(rows: dict[str, Any]) -> Finding:
    before, after = rows["clean"], rows["rafair-ff"]
    return Finding(
        "The false fair mode ruins R-ACC and R-AF while R-IF changes little: error hidden by "
        "fairness.",
        f"R-ACC {before['acc']:.3f} → {after['r_acc']:.3f}, R-AF {before['af']:.3f} → "
        f"{after['r_af']:.3f}, R-IF {before['if']:.3f} → {after['r_if']:.3f}.",
        after["r_acc"] < 0.5 * before["acc"] and after["r_if"] > before["if"] - 0.1,
    )


def _dice(rows: dict[str, Any]) -> Finding:
    before, after = rows["clean"]["if"], rows["dice"]["r_if"]
    return Finding(
        "DICE does not lower R-IF.",
        f"R-IF {before:.3f} → {after:.3f}. DICE clusters the outputs over I(v), here of all "
        "counterparts instead of a sample.",
        after >= before,
    )


def _against_pgd(cache: Cache) -> Finding:
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
    return Finding(
        "RAFair breaks at least as many true fair seeds as an attack on accuracy does.",
        f"Share of clean true fair seeds broken by RAFair and by PGD: {'; '.join(listed)}; all "
        f"together {ours:.3f} and {theirs:.3f}.",
        ours >= theirs - 0.02,
    )


def _brought_back(attacked: dict[str, Any], mended: dict[str, Any]) -> Finding:
    before, after = attacked["rafair"]["r_af"], mended["rafair"]["r_af"]
    return Finding(
        f"Benign perturbations bring {BROUGHT_BACK:.1%} of RAFair's instances back to accurate and "
        "fair.",
        f"Here {after - before:.1%}: R-AF {before:.3f} → {after:.3f} (paper "
        f"{TABLE3['rafair']['r_af']:.3f} → {TABLE4['rafair']['r_af']:.3f}).",
        after - before >= BROUGHT_BACK,
    )


def _hard_to_mend(mended: dict[str, Any]) -> Finding:
    others = [n for n in TABLE4 if n not in MODES and n != "rafair"]
    listed = ", ".join(f"{name} {mended[name]['r_af']:.3f}" for name in others)
    ours = mended["rafair"]["r_af"]
    return Finding(
        "RAFair's instances are harder to repair than those of other attacks.",
        f"R-AF after repair: rafair {ours:.3f}; {listed}.",
        all(ours <= mended[name]["r_af"] for name in others),
    )


def _hardest_cell(mended: dict[str, Any]) -> Finding:
    rows = {name: r for name, r in mended.items() if WORST not in name}
    hard = [name for name, r in rows.items() if r["tbr"] >= max(r["ffr"], r["fbr"])]
    row = rows["rafair"]
    return Finding(
        "True biased instances are the hardest to repair: TBR stays above FFR and FBR.",
        f"So in {len(hard)} of {len(rows)} rows; for rafair TBR {row['tbr']:.3f}, FFR "
        f"{row['ffr']:.3f}, FBR {row['fbr']:.3f}.",
        len(hard) == len(rows),
    )


def _limit(mended: dict[str, Any]) -> Finding:
    rows = {name: r for name, r in mended.items() if WORST not in name}
    gaps = torch.tensor([r["best"]["r_af"] - r["r_af"] for r in rows.values()])
    name = list(rows)[int(gaps.argmax())]
    return Finding(
        "Benign perturbations repair what can be repaired (the paper does not ask).",
        f"Within the same Δ a search down the largest loss repairs more: on average over the rows "
        f"{float(gaps.mean()):.3f} more, most for {name} ({rows[name]['r_af']:.3f} → "
        f"{rows[name]['best']['r_af']:.3f}). What remains after it is rather the model's limit.",
        bool(gaps.max() < 0.02),
    )


PARTS = (Part("conclusions", 0, _cells, _write),)
