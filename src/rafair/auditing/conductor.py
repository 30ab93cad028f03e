"""``rafair.audit``: the only conductor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.auditing.assembling import audit_result
from rafair.auditing.attacking import attack_seeds, attacks_on
from rafair.auditing.batches import Seeds
from rafair.auditing.controls import run_controls
from rafair.auditing.metadata import identity_of
from rafair.auditing.proving import prove, why_unproved
from rafair.engine import Engine, Memory, Runner, silent
from rafair.errors import InvalidInput
from rafair.models import Classifier
from rafair.plans import Plan
from rafair.plans.options import takes_options_of
from rafair.runs import load_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.datasets import Dataset
    from rafair.engine import Progress, Store
    from rafair.runs import AuditResult

__all__ = ["audit"]


@takes_options_of(Plan)
def audit(
    model: Classifier,
    data: Dataset,
    attacks: str | Sequence[str] | None = None,
    n_seeds: int | None = Plan.n_seeds,
    random_state: int = Plan.random_state,
    *,
    sensitive: Sequence[str] | None = None,
    device: str | None = None,
    engine: Engine | None = None,
    store: Store | None = None,
    on_progress: Progress = silent,
    **options: Any,
) -> AuditResult:
    """Measure how accurate and fair a model is, and stays when its inputs are perturbed.

    Parameters
    ----------
    model : Classifier
        From ``rafair.wrap``, ``rafair.load_model`` or ``rafair.baseline``.
    data : Dataset
        Seeds come from its test split.
    **options : the fields of ``Plan``
    sensitive : sequence of str, optional
        Sensitive columns instead of the schema's.
    device : str, optional
        Audit a copy of the model there; by default the model's own device.
    engine : Engine, optional
        Where the shards of the run are computed: by default one after another in this process. The
        result does not depend on it.
    store : Store, optional
        Where finished shards are kept: by default in memory. With a ``RunDirectory`` an interrupted
        run continues where it stopped.
    on_progress : callable
        Called with what is being done, how many seeds are done, and how many there are, each attack
        counted separately.

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
    given = {"attacks": attacks, "n_seeds": n_seeds, "random_state": random_state, **options}
    plan = Plan.of(data, model.access, **given)
    seeds = Seeds.chosen(model, data, plan, sensitive, device)
    families = attacks_on(seeds)
    runner = Runner(store or Memory(), engine or Engine(), on_progress)
    unproved = why_unproved(seeds)
    finished = runner.store.begin(identity_of("audit", seeds, () if unproved else plan.radii))
    if finished is not None:
        return load_run(finished)
    attacked = attack_seeds(seeds, families, runner)
    controls = run_controls(seeds, attacked, runner)
    proofs = prove(seeds, runner) if unproved is None else None
    return audit_result(seeds, attacked, controls, proofs, unproved)
