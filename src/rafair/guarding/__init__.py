"""Guards: models that answer with the consensus over I(v)."""

from rafair.guarding.classifier import GuardedClassifier, guarded
from rafair.guarding.neighbourhood import Neighbourhood
from rafair.guarding.rules import ABSTAINING, RULES, Rule

__all__ = ["ABSTAINING", "RULES", "GuardedClassifier", "Neighbourhood", "Rule", "guarded"]
