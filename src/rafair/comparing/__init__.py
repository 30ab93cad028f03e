"""Runs side by side: the same people under two or more models.

In: finished runs. Out: ``Comparison``, how every rate changed, with intervals that are paired by
person, and who changed. Runs that do not ask the same question are refused with the reason.
"""

from rafair.comparing.comparison import Change, Comparison, compare
from rafair.comparing.pairing import Paired, paired_difference

__all__ = ["Change", "Comparison", "Paired", "compare", "paired_difference"]
