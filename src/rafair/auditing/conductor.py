"""``rafair.audit``: the only conductor."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor

from rafair.attacks.ensemble import EnsembleResult
from rafair.auditing.certifying import Curves, curves_of
from rafair.auditing.controls import run_controls
from rafair.auditing.plan import Plan, Select, check_whole
from rafair.auditing.result import AuditResult
from rafair.auditing.rows import Row, join
from rafair.auditing.seeds import Seeds, checked_model, facts_about, silent, zero_gradients
from rafair.certificates import MAX_NODES
from rafair.errors import InvalidInput
from rafair.fairness import TF
from rafair.models import Classifier, parse_device
from rafair.problem.network import relu_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.attacks import Attack
    from rafair.datasets import Dataset
    from rafair.problem import AttackResult, BatchSize
    from rafair.problem.space import Setting

__all__ = ["audit"]

# Where a certified audit also looks, as shares of its ε: the curve of its report.
CURVE = (0.05, 0.25, 0.5, 1.0)


def audit(
    model: Classifier,
    data: Dataset,
    attacks: str | Sequence[str] | None = None,
    n_seeds: int | None = 200,
    random_state: int = 0,
    *,
    steps: int = 20,
    step_size: float = 0.01,
    epsilon: float | None = None,
    loss: str | None = None,
    setting: Setting | None = None,
    select: Select = "last",
    sensitive: Sequence[str] | None = None,
    counterparts: int | None = None,
    device: str | None = None,
    batch_size: BatchSize = "auto",
    queries: int = 5_000,
    certify: bool = False,
    max_nodes: int = MAX_NODES,
    on_progress: Callable[[str, int, int], None] = silent,
) -> AuditResult:
    """Measure how accurate and fair a model is, and stays when its inputs are perturbed.

    Parameters
    ----------
    model : Classifier
        From ``rafair.wrap``, ``rafair.load_model`` or ``rafair.baseline``.
    data : Dataset
        Seeds come from its test split.
    attacks : str or sequence of str, optional
        Families (``"rafair"``: its three modes and the worst of them; ``"pgd"``, ``"adf"``, …) or
        single rows (``"rafair-ff"``). By default ``"rafair"`` for a model with gradients, with
        ``"square"`` beside it where categories may switch, else ``"square"``.
    n_seeds : int, optional
        k-means seeds (``choose_seeds``); None takes the whole test split.
    random_state : int
        Of the seeds, of sampled counterparts and of attacks that draw.
    steps, step_size : int, float
        Iterations, and their length as a share of each feature's range. APGD and ACG find their
        step themselves, and FGSM takes one: there the two only give ε.
    epsilon : float, optional
        Radius of Δ as a share of each feature's range; by default ``steps * step_size``.
    loss : {"mse", "cross_entropy", "margin"}, optional
        For attacks that have one; by default each attack's own.
    setting : {"paper", "feasible"}, optional
        What may be perturbed; *paper* by default on the benchmarks, *feasible* on own data.
    select : {"last", "worst"}
        Judge the last iterate, or count a seed as broken if any iterate, itself included, is; rows
        of the second reading are named ``NAME@worst``.
    sensitive : sequence of str, optional
        Sensitive columns in place of the schema's.
    counterparts : int, optional
        Sample so many combinations of I(v) instead of enumerating all.
    device : str, optional
        Audit a copy of the model there; by default the model's own device.
    batch_size : int or "auto"
    queries : int
        Rows that an attack without gradients may ask about, per seed and variant.
    certify : bool
        Also prove, at ε and at three smaller ones, for whom nothing in I(v) × Δ changes anything
        (``rafair.certify``); the truth then stands between two figures.
    max_nodes : int
        Boxes to bound per instance, claim and ε.
    on_progress : callable
        Called with what is done, and how many shards of how many.

    Returns
    -------
    AuditResult

    Raises
    ------
    InvalidInput
        If a name is unknown, a number is not possible, or model and data do not fit together.
    """
    if not isinstance(model, Classifier):
        raise InvalidInput(
            f"audit takes a wrapped model, not a {type(model).__name__}; call rafair.wrap(model)"
        )
    plan = Plan.of(
        data,
        model.access,
        attacks=attacks,
        n_seeds=n_seeds,
        random_state=random_state,
        steps=steps,
        step_size=step_size,
        epsilon=epsilon,
        loss=loss,
        setting=setting,
        select=select,
        counterparts=counterparts,
        batch_size=batch_size,
        queries=queries,
    )
    families = plan.families(data.schema)
    if sensitive is not None:
        data = data.with_sensitive(sensitive)
    model = checked_model(_on_device(model, device), data)
    check_whole("max_nodes", max_nodes, 1)
    if certify:
        relu_network(model)
    seeds = Seeds.chosen(model, data, plan)
    clean = seeds.judged("clean", seeds.x.unsqueeze(0))
    rows, cost = _attacked(seeds, families, clean, on_progress)
    metrics: dict[str, Any] = {
        "dataset": data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "clean": clean.verdict.rates(),
        "attacks": {row.name: row.verdict.rates(robust=True) for row in rows},
        "repairs": {},
        "by_sensitive": {
            name: {
                "clean": _by_attribute(seeds, clean, name).rates(),
                "attacks": {
                    row.name: _by_attribute(seeds, row, name).rates(robust=True) for row in rows
                },
            }
            for name in data.schema.sensitive
        },
    }
    tables = [seeds.tabulated(clean, "clean"), *(seeds.tabulated(row, "attacked") for row in rows)]
    instances = pd.concat(tables, ignore_index=True)
    controls = run_controls(seeds, clean, cost, on_progress)
    facts = {
        **facts_about(seeds),
        "cost": cost,
        "zero_gradients": zero_gradients(seeds),
        "controls": controls,
        "inconclusive": len(controls) == len(families) and not any(controls.values()),
    }
    if not certify:
        return AuditResult(metrics, instances, facts)
    radii = [share * plan.radius for share in CURVE]
    curves = curves_of(seeds, radii, max_nodes, on_progress=on_progress)
    metrics["certificates"] = {
        "curve": curves.metrics(),
        "conflicts": _conflicts(curves, rows),
    }
    return AuditResult(
        metrics, instances, {**facts, "max_nodes": max_nodes}, curves.instances(seeds)
    )


def _conflicts(curves: Curves, rows: Sequence[Row]) -> int:
    """Count the seeds that are proved and yet were broken by an attack: a certificate was wrong."""
    proved = curves.found["accurate_fair"][-1].status == 1
    broken = torch.stack([row.verdict.cells != TF for row in rows]).any(dim=0)
    return int((proved & broken).sum())


def _on_device(model: Classifier, device: str | None) -> Classifier:
    if device is None or parse_device(device) == model.device:
        return model
    if not hasattr(model, "to"):
        raise InvalidInput(f"this model cannot be moved from {model.device} to {device}")
    moved: Classifier = model.to(parse_device(device))
    return moved


def _attacked(
    seeds: Seeds,
    families: Mapping[str, Mapping[str, Attack]],
    clean: Row,
    on_progress: Callable[[str, int, int], None],
) -> tuple[list[Row], dict[str, dict[str, Any]]]:
    """Run every attack over every shard; each family with several variants also gets a row."""
    suffix = "" if seeds.plan.select == "last" else "@worst"
    shards = len(list(seeds.shards()))
    total = shards * sum(len(members) for members in families.values())
    rows: list[Row] = []
    cost: dict[str, dict[str, Any]] = {}
    done = 0
    for family, members in families.items():
        judged = []
        for variant, attack in members.items():
            results = []
            for shard in seeds.shards():
                on_progress(variant, done, total)
                results.append(_run(seeds, attack, shard))
                done += 1
            on_progress(variant, done, total)
            candidates = torch.cat([_candidates(r, seeds.plan.select) for r in results], dim=1)
            judged.append(seeds.judged(variant + suffix, candidates))
            cost[variant] = {
                "gradients": sum(result.n_gradients for result in results),
                "forwards": sum(result.n_forwards for result in results),
                "changed": int((judged[-1].verdict.cells != clean.verdict.cells).sum()),
                **_members(seeds, results),
            }
        rows += judged
        if len(judged) > 1:
            rows.append(join(family + suffix, judged))
    return rows, cost


def _members(seeds: Seeds, results: Sequence[AttackResult]) -> dict[str, Any]:
    """Say of an ensemble which member broke which seed, and at what cost."""
    parts = [result for result in results if isinstance(result, EnsembleResult)]
    if not parts:
        return {}
    index = seeds.index.to(seeds.y.device)
    broken_by = torch.cat([part.broken_by for part in parts])
    members = []
    for place, several in enumerate(zip(*(part.members for part in parts), strict=True)):
        counted = [asdict(member) for member in several]
        total = {key: sum(one[key] for one in counted) for key in ("n_gradients", "n_forwards")}
        members.append(
            {
                "name": several[0].name,
                "tried": sum(member.tried for member in several),
                "broken": index[broken_by == place].tolist(),
                "gradients": total["n_gradients"],
                "forwards": total["n_forwards"],
                "skipped": several[0].skipped,
            }
        )
    return {"members": members}


def _run(seeds: Seeds, attack: Attack, shard: slice) -> AttackResult:
    space = seeds.plan.space(seeds.data.schema)
    return attack.run(seeds.model, seeds.x[shard], seeds.y[shard], seeds.counterparts, space)


def _candidates(result: AttackResult, select: Select) -> Tensor:
    if select == "worst" and result.trajectory is not None:
        return result.trajectory.points
    return result.x_adv.unsqueeze(0)


def _by_attribute(seeds: Seeds, row: Row, name: str) -> Any:
    """Judge the same instances where only one sensitive attribute varies."""
    return seeds.judged(row.name, row.candidates, only=name).verdict
