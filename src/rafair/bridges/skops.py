"""skops: a section about a run in a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rafair.bridges.section import TITLE, section

if TYPE_CHECKING:
    from rafair.runs import AuditResult

__all__ = ["add_section"]


def add_section(card: Any, run: AuditResult, title: str = TITLE) -> Any:
    """Add what a run found to a model card.

    Parameters
    ----------
    card : skops.card.Card
        It is changed, as by its own methods.
    run : AuditResult
    title : str
        The heading; ``"Model description/Fairness"`` puts the section below another one.

    Returns
    -------
    skops.card.Card
        The card.
    """
    return card.add(**{title: section(run)})
