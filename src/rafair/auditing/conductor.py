"""``rafair.audit``: the only conductor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from rafair.auditing.attacking import CLEAN, Attacked, attack_seeds, check_access
from rafair.auditing.certifying import Curves, curves_of
from rafair.auditing.controls import run_controls
from rafair.auditing.engine import Engine
from rafair.auditing.facts import facts_about
from rafair.auditing.identity import identity_of
from rafair.auditing.plan import Plan, Select, check_whole
from rafair.auditing.result import AuditResult
from rafair.auditing.seeds import Seeds, checked_model, silent
from rafair.auditing.shards import Memory, Runner
from rafair.auditing.store import load_run
from rafair.certificates import MAX_NODES
from rafair.errors import InvalidInput
from rafair.fairness import TF
from rafair.models import Classifier, parse_device
from rafair.problem.network import relu_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rafair.attacks import Attack
    from rafair.auditing.shards import Store
    from rafair.datasets import Dataset
    from rafair.problem import BatchSize
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
    engine: Engine | None = None,
    store: Store | None = None,
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
    engine : Engine, optional
        Where the shards of the run are computed: by default one by one in this process. The result
        does not depend on it.
    store : Store, optional
        Where finished shards are kept: by default in memory; with a ``RunDirectory`` an interrupted
        run goes on where it stopped.
    on_progress : callable
        Called with what is done, and how many seeds of how many, each attack by itself.

    Returns
    -------
    AuditResult
        The same, bit for bit, whether or not the run was ever interrupted.

    Raises
    ------
    InvalidInput
        If a name is unknown, a number is not possible, model and data do not fit together, or the
        store holds another run.
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
    check_access(model, families)
    check_whole("max_nodes", max_nodes, 1)
    if certify:
        relu_network(model)
    seeds = Seeds.chosen(model, data, plan)
    runner = Runner(store or Memory(), engine or Engine(), on_progress)
    radii = [share * plan.radius for share in CURVE]
    claimed = {"epsilons": radii, "max_nodes": max_nodes} if certify else None
    kept = runner.store.begin(identity_of("audit", seeds, claimed))
    if kept is not None:
        return load_run(kept)
    attacked = attack_seeds(seeds, families, runner)
    run = _result(seeds, families, attacked, run_controls(seeds, attacked, runner))
    if not certify:
        return run
    curves = curves_of(seeds, radii, max_nodes, runner=runner)
    proofs = {"curve": curves.metrics(), "conflicts": _conflicts(curves, attacked)}
    return replace(
        run,
        metrics={**run.metrics, "certificates": proofs},
        manifest={**run.manifest, "max_nodes": max_nodes},
        certificates=curves.instances(seeds),
    )


def _result(
    seeds: Seeds,
    families: Mapping[str, Mapping[str, Attack]],
    attacked: Attacked,
    controls: dict[str, int],
) -> AuditResult:
    """Put together what the attacks say."""
    facts = {
        **facts_about(seeds),
        "cost": attacked.cost,
        "zero_gradients": attacked.zero_gradients,
        "controls": controls,
        "inconclusive": len(controls) == len(families) and not any(controls.values()),
    }
    return AuditResult(_metrics(seeds, attacked), _instances(seeds, attacked), facts)


def _metrics(seeds: Seeds, attacked: Attacked) -> dict[str, Any]:
    """Return the rates, over all of I(v) and along each sensitive attribute."""
    clean, rows = attacked.clean, attacked.rows
    return {
        "dataset": seeds.data.name,
        "n_seeds": len(seeds.y),
        "n_counterparts": len(seeds.counterparts),
        "clean": clean.verdict.rates(),
        "attacks": {name: row.verdict.rates(robust=True) for name, row in rows.items()},
        "repairs": {},
        "by_sensitive": {
            attribute: {
                "clean": clean.alone[place].rates(),
                "attacks": {
                    name: row.alone[place].rates(robust=True) for name, row in rows.items()
                },
            }
            for place, attribute in enumerate(seeds.schema.sensitive)
        },
    }


def _instances(seeds: Seeds, attacked: Attacked) -> pd.DataFrame:
    """Return the clean instances, then those of every row."""
    tables = [seeds.tabulated(CLEAN, "clean", attacked.clean)]
    tables += [seeds.tabulated(name, "attacked", row) for name, row in attacked.rows.items()]
    return pd.concat(tables, ignore_index=True)


def _conflicts(curves: Curves, attacked: Attacked) -> int:
    """Count the seeds that are proved and yet were broken by an attack: a certificate was wrong."""
    proved = curves.found["accurate_fair"][-1].status == 1
    cells = torch.stack([row.verdict.cells for row in attacked.rows.values()])
    return int((proved & (cells != TF).any(dim=0)).sum())


def _on_device(model: Classifier, device: str | None) -> Classifier:
    if device is None or parse_device(device) == model.device:
        return model
    if not hasattr(model, "to"):
        raise InvalidInput(f"this model cannot be moved from {model.device} to {device}")
    moved: Classifier = model.to(parse_device(device))
    return moved
