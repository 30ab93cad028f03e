"""Which change of a finished run's model helps most? Each is measured on the run's people."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rafair.attacks.adaptive import Adaptive
from rafair.auditing.batches import Seeds
from rafair.auditing.options import Option, options_for
from rafair.auditing.repairing import reopened
from rafair.certificates import certify, why_uncertified
from rafair.certificates.branching import BROKEN, PROVED
from rafair.engine import silent
from rafair.fairness import TF, balanced_rates, judge, rates
from rafair.fairness.decisions import own_scores
from rafair.plans import Plan
from rafair.training.pareto import CONSTANT

if TYPE_CHECKING:
    from typing import Unpack

    from torch import Tensor

    from rafair.auditing.inputs import Columns
    from rafair.engine import Progress
    from rafair.fairness import Rates
    from rafair.runs import AuditResult

__all__ = ["advise_run"]


def advise_run(
    run: AuditResult,
    model: Any,
    data: Any,
    y: Any = None,
    *,
    train: bool = True,
    epochs: int | None = None,
    on_progress: Progress = silent,
    **columns: Unpack[Columns],
) -> AuditResult:
    """Measure what changes around a model would do to the people of a run.

    The changes are those of ``options_for``: a constant in the place of each sensitive column, and
    of all of them; guards; another threshold; and a network that is trained to be robust. The
    constant model stands beside them as a mark.

    Parameters
    ----------
    run, model, data, y, columns : see ``repair_run``
    train : bool
        Whether to train the robust network.
    epochs : int, optional
        Of its training; by default as many as make 2,000 steps.
    on_progress : callable
        Called with the option, how many are done, and how many there are.

    Returns
    -------
    AuditResult
        With ``metrics["advice"]``: by option, ``accuracy``, ``balanced_accuracy`` and ``abstained``
        on the whole test split, and of the run's seeds ``r_af`` and ``r_af_balanced``, each a
        mapping with ``at_least`` (proved; None without certificates) and ``at_most`` (not broken
        by any attack through the changed model, nor by what breaks the model itself); intervals
        under ``ci`` in each mapping.

    Raises
    ------
    InvalidInput
        If model or data are not those of the run.
    """
    model, data = reopened(run, model, data, y, columns)
    plan = Plan(**{**run.manifest["plan"], "attacks": tuple(run.manifest["plan"]["attacks"])})
    clean = run.instances[run.instances["stage"] == "clean"]
    seeds = Seeds.of(model, data, plan, torch.tensor(clean["seed"].to_numpy()))
    options = options_for(model, data, plan, train=train, epochs=epochs)
    measuring = _Measuring(seeds, _known(run, seeds))
    advice = {}
    for done, (name, make) in enumerate(options.items()):
        on_progress(name, done, len(options))
        advice[name] = measuring.figures(make())
        on_progress(name, done + 1, len(options))
    advice[CONSTANT] = _constant(data.test.y, seeds.y)
    return replace(run, metrics={**run.metrics, "advice": advice})


def _constant(y: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return the figures of the model that gives everybody the most frequent class of y."""
    usual = int(y.bincount().argmax())
    shares: Any = rates({"accuracy": y == usual, "abstained": y < 0})
    balanced: Any = balanced_rates({"balanced_accuracy": y == usual}, y)
    holds = {"at_least": labels == usual, "at_most": labels == usual}
    return {
        **shares,
        **balanced,
        "ci": {**shares["ci"], **balanced["ci"]},
        "r_af": rates(holds),
        "r_af_balanced": balanced_rates(holds, labels),
    }


def _known(run: AuditResult, seeds: Seeds) -> Tensor:
    """Return what breaks the model itself: the run's instances, and the strongest attack's."""
    table = run.instances[run.instances["stage"] == "attacked"]
    found = [
        torch.from_numpy(np.stack(rows["x"].tolist())).to(seeds.model.device)
        for _, rows in table.groupby("attack", sort=False)
    ]
    problem = (seeds.model, seeds.x, seeds.y, seeds.counterparts, seeds.space)
    attack = Adaptive(random_state=seeds.plan.random_state)
    return torch.cat([torch.stack(found), attack.transferred(*problem)])


@dataclass(frozen=True, eq=False)
class _Measuring:
    """The run's seeds, and the points that break the model itself, (t, n, d)."""

    seeds: Seeds
    known: Tensor

    def figures(self, option: Option) -> dict[str, Any]:
        """Return the figures of an option; see ``advise_run``."""
        rows, device = self.seeds.data.test, option.model.device
        x, y = option.seen(rows.x.to(device)), rows.y.to(device)
        scores = own_scores(option.model, x)
        found = scores.argmax(dim=1)
        right = found == y
        silent = found >= len(self.seeds.schema.classes)
        shares: Any = rates({"accuracy": right, "abstained": silent})
        balanced: Any = balanced_rates({"balanced_accuracy": right}, y)
        ends = self._ends(option)
        labels = self.seeds.y
        return {
            "accuracy": shares["accuracy"],
            "balanced_accuracy": balanced["balanced_accuracy"],
            "abstained": shares["abstained"],
            "ci": {**shares["ci"], **balanced["ci"]},
            "r_af": _between(rates(ends)),
            "r_af_balanced": _between(balanced_rates(ends, labels)),
        }

    def _ends(self, option: Option) -> dict[str, Tensor]:
        """Tell of whom R-AF is proved, and whom nothing breaks, each (n,), bool."""
        seeds, plan = self.seeds, self.seeds.plan
        people = seeds.counterparts if option.people is None else option.people
        x = option.seen(seeds.x)
        problem = (option.model, x, seeds.y, people, seeds.space)
        through = Adaptive(target=option.claim, random_state=plan.random_state).through(*problem)
        unbroken = torch.ones_like(seeds.y, dtype=torch.bool)
        known = option.seen(self.known.flatten(0, 1)).view_as(self.known)
        for points in torch.cat([known, through]):
            verdict = judge(option.model, points, seeds.y, people)
            unbroken &= verdict.accurate if option.people is None else verdict.cells == TF
        if why_uncertified(option.model) is not None:
            return {"at_most": unbroken}
        end = time.time() + plan.proof_seconds(len(x))
        status = certify(*problem, plan.max_nodes, claim=option.claim, until=end).status
        return {"at_least": status == PROVED, "at_most": unbroken & (status != BROKEN)}


def _between(shares: Rates) -> dict[str, Any]:
    return {"at_least": None, **shares}
