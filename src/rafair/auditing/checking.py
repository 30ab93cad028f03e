"""``rafair.check``: what a plan means, before it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rafair.auditing.inputs import described
from rafair.guarding import guarded
from rafair.models import Classifier, wrap
from rafair.plans import Plan
from rafair.plans.checking import check_model, check_table
from rafair.plans.options import takes_options_of
from rafair.trees import has_trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.plans.checking import PlanCheck
    from rafair.schema import Column, Level, Schema

__all__ = ["check"]


@takes_options_of(Plan)
def check(
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
    **options: Any,
) -> PlanCheck:
    """Say what ``rafair.audit`` with the same arguments would do: what moves, and what it costs.

    Parameters
    ----------
    model : Classifier, or any model that ``rafair.wrap`` takes, or None
        None says what is known without a model.
    data, y, sensitive, reference, schema, feature_names, positive, missing, empty, written, \
            one_hot, columns, ignore, not_leaks, relations, within : see ``rafair.audit``
    **options : the fields of ``Plan``

    Returns
    -------
    PlanCheck
        ``features``: the kind and domain of each, and how far it moves. ``lines``: who is
        compared, what was inferred, how good the model is, and what the audit costs. It prints as
        a table with the lines below.

    Raises
    ------
    InvalidInput
        As ``rafair.audit``.
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
    data = described(model, data, y, facts)
    if model is None:
        return check_table(data, Plan.of(data, "gradient", **options))
    model = model if isinstance(model, Classifier) else wrap(model, data.schema)
    kind = {"has_trees": has_trees(model), "is_guard": guarded(model) is not None}
    plan = Plan.of(data, model.access, **kind, **options)
    # A model that does not fit is said first.
    about_model = check_model(model, data, plan)
    found = check_table(data, plan)
    return replace(found, lines=(*found.lines, *about_model))
