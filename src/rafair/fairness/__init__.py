"""The judge (Definition 3.1), the cells of Table 1, rates with intervals, choice of seeds."""

from rafair.fairness.candidates import JudgedCandidates, judge_candidates
from rafair.fairness.decisions import decide
from rafair.fairness.judging import counterexamples, judge
from rafair.fairness.lipschitz import STRICT, Lipschitz
from rafair.fairness.quality import constant_model, model_quality
from rafair.fairness.rates import Rates, balanced_rates, rates
from rafair.fairness.seeds import choose_seeds
from rafair.fairness.shares import dissenting, share_of_others
from rafair.fairness.verdict import CELLS, TF, Verdict, first_in_worst_cell
from rafair.fairness.worst import worst_of_all

__all__ = [
    "CELLS",
    "STRICT",
    "TF",
    "JudgedCandidates",
    "Lipschitz",
    "Rates",
    "Verdict",
    "balanced_rates",
    "choose_seeds",
    "constant_model",
    "counterexamples",
    "decide",
    "dissenting",
    "first_in_worst_cell",
    "judge",
    "judge_candidates",
    "model_quality",
    "rates",
    "share_of_others",
    "worst_of_all",
]
