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
    from rafair.auditing import check
    from rafair.cli.terminal import console, show_table

    source = asked.open(model, {})
    source.gates()
    is_known = source.has_model(model)
    if not is_known:
        console().print("No model is named; give one with --model.\n")
    # A model that cannot be read is said before pages are printed.
    classifier, data = source.model(model, "cpu")[:2] if is_known else (None, source.data)
    found = check(classifier, data, **source.options({}))
    show_table(found.table)
    console().print()
    for line in found.lines:
        console().print(line)
    return 0
