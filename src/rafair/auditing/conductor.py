"""``rafair.audit``: the only conductor."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rafair.auditing.assembling import audit_result
from rafair.auditing.attacking import attack_seeds, attacks_on
from rafair.auditing.batches import Seeds
from rafair.auditing.controls import run_controls
from rafair.auditing.inputs import wrapped
from rafair.auditing.metadata import identity_of
from rafair.auditing.proving import prove, why_unproved
from rafair.engine import Engine, Memory, Runner
from rafair.engine.bars import progress_bar
from rafair.guarding import guarded
from rafair.plans import Plan
from rafair.plans.options import takes_options_of
from rafair.runs import load_run
from rafair.trees import has_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.auditing.attacking import Families
    from rafair.engine import Progress, Store
    from rafair.runs import AuditResult
    from rafair.schema import Column, Level, Schema

__all__ = ["audit"]


@takes_options_of(Plan)
def audit(
    model: Any,
    data: Any,
    y: Any = None,
    *,
    sensitive: Sequence[str] | None = None,
    reference: Any = None,
    schema: Schema | None = None,
    feature_names: Sequence[str] | None = None,
    positive: Level | None = None,
    missing: str | Mapping[str, str] | None = None,
    empty: Mapping[str, Sequence[Level]] | None = None,
    written: Mapping[str, str] | None = None,
    one_hot: Mapping[str, Sequence[str]] | None = None,
    columns: Sequence[Column] | None = None,
    ignore: Sequence[str] | None = None,
    not_leaks: Sequence[str] | None = None,
    relations: Sequence[str] | None = None,
    within: Mapping[str, float] | None = None,
    device: str | None = None,
    engine: Engine | None = None,
    store: Store | None = None,
    progress: bool | None = None,
    on_progress: Progress | None = None,
    **options: Any,
) -> AuditResult:
    """Measure how accurate and fair a model is, and stays when its inputs are perturbed.

    Parameters
    ----------
    model : Classifier, or any model that ``rafair.wrap`` takes
        A fitted estimator or pipeline, a network, a function, or what ``rafair.load_model`` read.
    data : Dataset, or table or array of shape (n, d)
        Seeds come from the test split of a ``Dataset``; of a table every row is test data.
    y : sequence of shape (n,), optional
        The true labels of a table's rows.
    sensitive : sequence of str, optional
        Sensitive columns; of a ``Dataset``, instead of its schema's.
    reference, schema, feature_names, positive, missing, empty, written, one_hot, columns, ignore, \
            not_leaks, relations : see ``rafair.read_test``
        What the columns of a table mean.
    within : mapping of str to float, optional
        Sensitive number → largest distance of a counterpart's value from the person's own, in
        original units: ``{"age": 10}``.
    **options : the fields of ``Plan``
    device : str, optional
        Audit a copy of the model there; by default the model's own device.
    engine : Engine, optional
        Where the shards of the run are computed: by default one after another in this process. The
        result does not depend on it.
    store : Store, optional
        Where finished shards are kept: by default in memory. With a ``RunDirectory`` an interrupted
        run continues where it stopped.
    progress : bool, optional
        Whether to show how far an audit is that takes longer than 2 s: by default as a bar in a
        notebook or a terminal and not elsewhere; True shows lines elsewhere too.
    on_progress : callable, optional
        Called, instead of any bar, with what is being done, how many seeds are done, and how many
        there are, each attack counted separately.

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
    facts = {
        "sensitive": sensitive,
        "reference": reference,
        "schema": schema,
        "feature_names": feature_names,
        "positive": positive,
        "missing": missing,
        "empty": empty,
        "written": written,
        "one_hot": one_hot,
        "columns": columns,
        "ignore": ignore,
        "not_leaks": not_leaks,
        "relations": relations,
        "within": within,
    }
    model, data = wrapped(model, data, y, facts)
    kind = {"has_trees": has_trees(model), "is_guard": guarded(model) is not None}
    plan = Plan.of(data, model.access, **kind, **options)
    seeds = Seeds.chosen(model, data, plan, device)
    families = attacks_on(seeds)
    bar = progress_bar(progress, unit="seeds") if on_progress is None else nullcontext(on_progress)
    with bar as report:
        return _audited(seeds, families, Runner(store or Memory(), engine or Engine(), report))


def _audited(seeds: Seeds, families: Families, runner: Runner) -> AuditResult:
    unproved = why_unproved(seeds)
    finished = runner.store.begin(identity_of("audit", seeds, () if unproved else seeds.plan.radii))
    if finished is not None:
        return load_run(finished)
    attacked = attack_seeds(seeds, families, runner)
    controls = run_controls(seeds, attacked, runner)
    proofs = prove(seeds, runner) if unproved is None else None
    return audit_result(seeds, attacked, controls, proofs, unproved)
