"""``rafair check``."""

from __future__ import annotations

from rafair.cli.options import ModelGroup, Sensitive, Subject, taking
from rafair.cli.parsing import names
from rafair.cli.sources import ModelChoice, Source


@taking(model=ModelGroup())
def command(subject: Subject, model: ModelChoice, sensitive: Sensitive = None) -> int:
    """Say what a plan means, whether its model loads, and what an audit will cost."""
    columns = names("--sensitive", sensitive)

    from rafair.cli.terminal import console, show_table
    from rafair.plans import Plan
    from rafair.plans.checking import check_model, check_table
    from rafair.report.tables import features_table
    from rafair.trees import has_trees

    source = Source.open(subject, columns)
    source.gates()
    options = source.options({})
    found = check_table(source.data, Plan.of(source.data, "gradient", **options))
    lines = list(found.lines)
    if source.has_model(model):
        classifier, _ = source.model(model, "cpu")
        plan = Plan.of(source.data, classifier.access, has_trees=has_trees(classifier), **options)
        lines += check_model(classifier, source.data, plan)
    else:
        lines.append("No model is named; give one with --model.")
    # A model that cannot be read is said before pages are printed.
    show_table(features_table(found))
    console().print()
    for line in lines:
        console().print(line)
    return 0
