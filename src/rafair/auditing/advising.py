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
from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
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
    from rafair.problem import Counterparts
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
        """Tell of whom R-AF is proved, and whom nothing breaks, each (n,), bool.

        Certificates are about those whom nothing breaks that breaks the model itself, and the
        attack through the option about those whom these leave open.
        """
        seeds, known = self.seeds, option.seen(self.known.flatten(0, 1)).view_as(self.known)
        people = seeds.counterparts if option.people is None else option.people
        x, y = option.seen(seeds.x), seeds.y
        unbroken = _withstand(option, known, y, people)
        ends, rows = {"at_most": unbroken}, unbroken.nonzero()[:, 0]
        if why_uncertified(option.model) is None:
            ends["at_least"] = torch.zeros_like(unbroken)
            if len(rows):
                status = self._status(option, x[rows], y[rows], people)
                ends["at_least"][rows], unbroken[rows] = status == PROVED, status != BROKEN
                rows = rows[status == UNDECIDED]
        if len(rows):
            attack = Adaptive(target=option.claim, random_state=seeds.plan.random_state)
            points = attack.through(option.model, x[rows], y[rows], people, seeds.space)
            unbroken[rows] = _withstand(option, points, y[rows], people)
        return ends

    def _status(self, option: Option, x: Tensor, y: Tensor, people: Counterparts) -> Tensor:
        """Return what the certificates say of people, shape (n,)."""
        plan = self.seeds.plan
        end = time.time() + plan.proof_seconds(len(x))
        problem = (option.model, x, y, people, self.seeds.space)
        return certify(*problem, plan.max_nodes, claim=option.claim, until=end).status


def _withstand(option: Option, points: Tensor, y: Tensor, people: Counterparts) -> Tensor:
    """Tell whom none of the points, (t, n, d), breaks; shape (n,), bool."""
    unbroken = torch.ones_like(y, dtype=torch.bool)
    for candidates in points:
        verdict = judge(option.model, candidates, y, people)
        unbroken &= verdict.accurate if option.people is None else verdict.cells == TF
    return unbroken


def _between(shares: Rates) -> dict[str, Any]:
    return {"at_least": None, **shares}
