"""Repairs the instances of a finished run with benign perturbations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rafair.auditing.batches import Seeds
from rafair.auditing.inputs import wrapped
from rafair.auditing.mending import Mending
from rafair.certificates import certify_cells, why_uncertified
from rafair.datasets import Dataset
from rafair.engine import silent
from rafair.errors import InvalidInput
from rafair.plans import Plan
from rafair.plans.attacks import step_sizes
from rafair.repair import Benign, BenignSearch, LabelFree
from rafair.runs.instances import pool_of

if TYPE_CHECKING:
    from typing import Unpack

    from torch import Tensor

    from rafair.auditing.inputs import Columns
    from rafair.engine import Progress
    from rafair.models import Classifier
    from rafair.runs import AuditResult

__all__ = ["reopened", "repair_run"]

# The cell that a repair aims at.
REPAIRED = ("TF",)
# Parts of the metrics that a repair makes anew, or leaves out.
REPLACED = ("repairable", "label_free")


def repair_run(
    run: AuditResult,
    model: Any,
    data: Any,
    y: Any = None,
    *,
    steps: int | None = None,
    step_size: float | None = None,
    loss: str | None = None,
    epsilon: float | None = None,
    label_free: bool = False,
    on_progress: Progress = silent,
    **columns: Unpack[Columns],
) -> AuditResult:
    """Repair the instances of every attack with the known label, and judge the results.

    Parameters
    ----------
    run : AuditResult
    model, data, y
        What was audited, in any form that ``rafair.audit`` takes; their hashes must be those in the
        run's manifest.
    steps, step_size, loss, epsilon
        By default the audit's. Δ is a ball around the adversarial instance.
    label_free : bool
        Also repair without the label (``LabelFree``), and attack that repair adaptively.
    on_progress : callable
        Called with the attack, how many attacks are done, and how many there are.
    **columns
        What the columns of a table mean, as it was said to ``rafair.audit``; ``sensitive`` is
        known from the run.

    Returns
    -------
    AuditResult
        With ``metrics["repairs"]`` and the repaired instances (``stage == "repaired"``). Where the
        model has certificates, ``metrics["repairable"]`` says of the same instances, by attack, the
        shares ``reachable`` (some δ in Δ makes them true fair), ``impossible`` (proved that none
        does) and ``undecided``.

    Raises
    ------
    InvalidInput
        If model or data are not those of the run.
    """
    model, data = reopened(run, model, data, y, columns)
    plan = _plan(run.manifest["plan"], steps, step_size, loss, epsilon)
    if epsilon is None and not data.is_benchmark:
        plan = replace(plan, epsilon=run.manifest["plan"]["epsilon"])
    attacked = run.instances[run.instances["stage"] == "attacked"]
    method = _method(model, plan, data)
    names = list(dict.fromkeys(attacked["attack"]))
    has_proofs = why_uncertified(model) is None
    rates: dict[str, Any] = {}
    repairable: dict[str, Any] = {}
    tables = [run.instances[run.instances["stage"] != "repaired"]]
    for done, name in enumerate(names):
        on_progress(name, done, len(names))
        rows = attacked[attacked["attack"] == name]
        seeds = Seeds.of(model, data, plan, torch.tensor(rows["seed"].to_numpy()))
        points = torch.from_numpy(np.stack(rows["x"].tolist())).to(model.device)
        problem = (model, points, seeds.y, seeds.counterparts, seeds.space)
        outcome = seeds.outcome(method.run(*problem).x_adv.unsqueeze(0), points)
        if plan.select == "pooled":
            pool = pool_of(rows).transpose(0, 1).contiguous().to(model.device)
            outcome = seeds.with_pool(
                outcome, torch.stack([_repaired(method, seeds, x) for x in pool])
            )
        rates[name] = outcome.rates(robust=True)
        tables.append(seeds.tabulate(name, "repaired", outcome.cpu()))
        if has_proofs:
            repairable[name] = certify_cells(*problem, cells=REPAIRED).rates(*REPAIRED)
        on_progress(name, done + 1, len(names))
    mended = _mended(run, Seeds.of(model, data, plan, _seeds_of(run)), method) if label_free else {}
    return replace(
        run,
        metrics={
            **{key: value for key, value in run.metrics.items() if key not in REPLACED},
            "repairs": rates,
            **({"repairable": repairable} if has_proofs else {}),
            **mended,
        },
        instances=pd.concat(tables, ignore_index=True),
        manifest={**run.manifest, "repair": {"method": method.name, **plan.as_dict()}},
    )


def reopened(
    run: AuditResult, model: Any, data: Any, y: Any, columns: Columns
) -> tuple[Classifier, Dataset]:
    """Return model and data as a run audited them; see ``repair_run``.

    Raises
    ------
    InvalidInput
        If they are others.
    """
    if not isinstance(data, Dataset) and columns.get("schema") is None:
        columns.setdefault("sensitive", run.manifest["schema"]["sensitive"])
    model, data = wrapped(model, data, y, columns)
    _check_same("data", data.digest(), run.manifest["dataset"]["sha256"])
    _check_same("model", model.digest(), run.manifest["model"]["sha256"])
    return model, _as_audited(data, run.manifest["schema"])


def _seeds_of(run: AuditResult) -> Tensor:
    clean = run.instances[run.instances["stage"] == "clean"]
    return torch.tensor(clean["seed"].to_numpy())


def _mended(run: AuditResult, seeds: Seeds, method: Benign | BenignSearch) -> dict[str, Any]:
    """Repair every instance of a run without the label, beside the repairs that know it."""
    mending, table = Mending(seeds, method, LabelFree()), run.instances
    points = {
        name: torch.from_numpy(np.stack(rows["x"].tolist())).to(seeds.model.device)
        for name, rows in table[table["stage"] != "repaired"].groupby("attack", sort=False)
    }
    found = {name: mending.rates(x) for name, x in points.items()}
    adaptive = mending.under_attack(torch.stack(list(points.values())))
    impossible = {name: mending.impossible(x) for name, x in points.items()}
    part = {"instances": found, "impossible": impossible, "adaptive": adaptive}
    return {"label_free": part}


def _method(model: Classifier, plan: Plan, data: Dataset) -> Benign | BenignSearch:
    """Return the method of repair for the model's access."""
    if model.access != "gradient":
        return BenignSearch(plan.queries, plan.random_state, plan.batch_size)
    sizes = step_sizes(plan, data.schema)
    return Benign(sizes, plan.steps, plan.measure, batch_size=plan.batch_size)


def _repaired(method: Benign | BenignSearch, seeds: Seeds, x: Tensor) -> Tensor:
    """Repair one instance of each seed, shape (n, d)."""
    return method.run(seeds.model, x, seeds.y, seeds.counterparts, seeds.space).x_adv


def _as_audited(data: Dataset, schema: dict[str, Any]) -> Dataset:
    """Return the data with the I(v) of a run: who is sensitive, and who is comparable."""
    within = {f["name"]: f["within"] for f in schema["features"] if f.get("within") is not None}
    return data.with_sensitive(schema["sensitive"]).with_within(within)


def _plan(
    audited: dict[str, Any],
    steps: int | None,
    step_size: float | None,
    loss: str | None,
    epsilon: float | None,
) -> Plan:
    given = {"steps": steps, "step_size": step_size, "loss": loss, "epsilon": epsilon}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    plan = Plan(**{**audited, "attacks": tuple(audited["attacks"])})
    reach_follows_steps = epsilon is None and (steps is not None or step_size is not None)
    if reach_follows_steps:
        changed["epsilon"] = None
    return replace(plan, **changed)


def _check_same(what: str, given: str, audited: str) -> None:
    if given != audited:
        raise InvalidInput(f"this is not the {what} that the run audited (another SHA-256)")
