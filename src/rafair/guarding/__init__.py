"""Guards: models that answer with the consensus over I(v)."""

from rafair.guarding.classifier import GuardedClassifier, guarded
from rafair.guarding.measuring import guard_figures, milliseconds
from rafair.guarding.neighbourhood import Neighbourhood
from rafair.guarding.rules import ABSTAINING, RULES, Rule

__all__ = [
    "ABSTAINING",
    "RULES",
    "GuardedClassifier",
    "Neighbourhood",
    "Rule",
    "guard_figures",
    "guarded",
    "milliseconds",
]
