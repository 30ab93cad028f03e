"""The numbers in the paper: averages over its four datasets, 200 seeds, p = 0.01, 20 iterations.

Source: Li et al., arXiv:2404.01356v1, Tables 2, 3 and 4 and sections 1 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "BROUGHT_BACK",
    "CLEAN",
    "OTHERS",
    "OWN",
    "TABLE2",
    "TABLE3",
    "TABLE4",
    "Sizes",
    "mean_error",
    "row_error",
]


@dataclass(frozen=True)
class Sizes:
    """A row of Table 2."""

    rows: int
    sensitive: str


TABLE2 = {
    "credit": Sizes(1000, "gender(2), age(51)"),
    "bank": Sizes(45211, "age(77)"),
    "adult": Sizes(45222, "gender(2), age(71), race(5)"),
    "compas": Sizes(6172, "gender(2), age(71), race(6)"),
}


def _rates(prefix: str, *values: float) -> dict[str, float]:
    names = (f"{prefix}acc", f"{prefix}if", f"{prefix}af", "tfr", "tbr", "ffr", "fbr")
    return dict(zip(names, values, strict=True))


CLEAN = _rates("", 0.883, 0.774, 0.718, 0.718, 0.165, 0.056, 0.061)

TABLE3 = {
    "rafair-tb": _rates("r_", 0.957, 0.701, 0.669, 0.669, 0.288, 0.032, 0.011),
    "rafair-ff": _rates("r_", 0.370, 0.712, 0.277, 0.277, 0.093, 0.435, 0.195),
    "rafair-fb": _rates("r_", 0.673, 0.647, 0.600, 0.600, 0.073, 0.047, 0.280),
    "rafair": _rates("r_", 0.327, 0.424, 0.224, 0.224, 0.362, 0.266, 0.148),
    "apgd": _rates("r_", 0.434, 0.593, 0.394, 0.394, 0.040, 0.198, 0.367),
    "acg": _rates("r_", 0.791, 0.689, 0.601, 0.601, 0.190, 0.089, 0.120),
    "adf": _rates("r_", 0.684, 0.582, 0.469, 0.469, 0.215, 0.112, 0.204),
    "dice": _rates("r_", 0.867, 0.787, 0.722, 0.722, 0.145, 0.065, 0.069),
}

TABLE4 = {
    "rafair-tb": _rates("r_", 0.992, 0.909, 0.906, 0.906, 0.087, 0.004, 0.004),
    "rafair-ff": _rates("r_", 0.873, 0.786, 0.694, 0.694, 0.179, 0.092, 0.036),
    "rafair-fb": _rates("r_", 0.985, 0.917, 0.913, 0.913, 0.072, 0.004, 0.011),
    "rafair": _rates("r_", 0.933, 0.864, 0.808, 0.808, 0.126, 0.056, 0.010),
    "apgd": _rates("r_", 0.995, 0.922, 0.920, 0.920, 0.075, 0.003, 0.003),
    "acg": _rates("r_", 0.995, 0.922, 0.920, 0.920, 0.075, 0.003, 0.003),
    "adf": _rates("r_", 0.995, 0.922, 0.920, 0.920, 0.075, 0.003, 0.003),
    "dice": _rates("r_", 0.995, 0.922, 0.920, 0.920, 0.075, 0.003, 0.003),
}

# "corrects 58.4 % of adversarial instances": R-AF of RAFair's row, Table 4 minus Table 3.
BROUGHT_BACK = TABLE4["rafair"]["r_af"] - TABLE3["rafair"]["r_af"]

# The rows of Table 3 about the paper's own method, and the attacks that it compares with.
OWN = ("clean", "rafair-tb", "rafair-ff", "rafair-fb", "rafair")
OTHERS = ("apgd", "acg", "adf", "dice")


def row_error(rates: Mapping[str, Any], published: Mapping[str, float]) -> float:
    """Return the mean absolute error over the figures of a row."""
    differences = [abs(rates[key] - value) for key, value in published.items()]
    return float(sum(differences)) / len(differences)


def mean_error(
    rows: Mapping[str, Any], published: Mapping[str, Mapping[str, float]], names: Iterable[str]
) -> float:
    """Return the mean absolute error over these rows, as far as the published table has them."""
    errors = [row_error(rows[name], published[name]) for name in names if name in published]
    return sum(errors) / len(errors)
