"""Definition 3.1 as a judge, Table 1's cells, rates with intervals, and the choice of seeds."""

from rafair.fairness.decisions import decide
from rafair.fairness.judging import judge
from rafair.fairness.quality import model_quality
from rafair.fairness.rates import Rates, rates
from rafair.fairness.seeds import choose_seeds
from rafair.fairness.verdict import CELLS, Verdict, first_in_worst_cell

__all__ = [
    "CELLS",
    "Rates",
    "Verdict",
    "choose_seeds",
    "decide",
    "first_in_worst_cell",
    "judge",
    "model_quality",
    "rates",
]
