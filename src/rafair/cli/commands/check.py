"""``rafair check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.cli.options import ModelGroup, SubjectGroup, taking

if TYPE_CHECKING:
    from rafair.cli.sources import ModelChoice
    from rafair.cli.subjects import Asked


@taking(asked=SubjectGroup(), model=ModelGroup())
def command(asked: Asked, model: ModelChoice) -> int:
    """Say what a plan means, whether its model loads, and what an audit will cost."""
    from rafair.cli.terminal import console, show_table
    from rafair.plans import Plan
    from rafair.plans.checking import check_model, check_table
    from rafair.report.tables import features_table

    source = asked.open(model, {})
    source.gates()
    options = source.options({})
    found = check_table(source.data, Plan.of(source.data, "gradient", **options))
    lines = list(found.lines)
    if source.has_model(model):
        classifier, data, _ = source.model(model, "cpu")
        lines += data.notes[len(source.data.notes) :]
        plan = Plan.of(data, classifier.access, **options)
        lines += check_model(classifier, data, plan)
    else:
        lines.append("No model is named; give one with --model.")
    # A model that cannot be read is said before pages are printed.
    show_table(features_table(found))
    console().print()
    for line in lines:
        console().print(line)
    return 0
