"""``rafair check``."""

from __future__ import annotations

from rafair.cli.options import (
    Inputs,
    Model,
    ModelOutput,
    Sensitive,
    Subject,
    Trust,
    UnsafePickle,
)
from rafair.cli.parsing import names
from rafair.cli.sources import ModelChoice, Source


def command(
    subject: Subject,
    model: Model = None,
    model_inputs: Inputs = None,
    model_output: ModelOutput = None,
    trust: Trust = None,
    unsafe_pickle: UnsafePickle = False,
    sensitive: Sensitive = None,
) -> int:
    """Say what a plan means, whether its model loads, and what an audit will cost."""
    columns = names("--sensitive", sensitive)

    from rafair.auditing.checking import check_model, check_table
    from rafair.auditing.plan import Plan
    from rafair.cli.terminal import console, show_table
    from rafair.report.checks import features_table

    source = Source.open(subject, columns)
    source.gates()
    options = {k: v for k, v in source.options().items() if k not in ("certify", "max_nodes")}
    found = check_table(source.data, Plan.of(source.data, "gradient", **options))
    show_table(features_table(found))
    choice = ModelChoice(model, model_inputs, model_output, tuple(trust or ()), unsafe_pickle)
    lines = list(found.lines)
    if source.has_model(choice):
        classifier, _ = source.model(choice, "cpu")
        plan = Plan.of(source.data, classifier.access, **options)
        lines += check_model(classifier, source.data, plan)
    else:
        lines.append("No model is named; give one with --model.")
    console().print()
    for line in lines:
        console().print(line)
    return 0
