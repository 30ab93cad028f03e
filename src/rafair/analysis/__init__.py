"""Why a model decides as it does about a person and those who are like them."""

from rafair.analysis.explanations import Explanation, explain

__all__ = ["Explanation", "explain"]
