"""Bank marketing: does a client subscribe to a term deposit after a phone call?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from rafair.datasets.benchmark import Benchmark, RawFile, stratified_split
from rafair.schema import Column

if TYPE_CHECKING:
    from pathlib import Path

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def clean(path: Path) -> pd.DataFrame:
    """Read all rows and keep "unknown" as a level of the four columns that have it."""
    return stratified_split(pd.read_csv(path, compression="gzip"), "y")


BENCHMARK = Benchmark(
    name="bank",
    title="Bank Marketing",
    label="y",
    classes=("no", "yes"),
    columns=(
        Column("age", "integer", "years", sensitive=True),
        Column("job", "categorical"),
        Column("marital", "categorical"),
        Column("education", "categorical", levels=("unknown", "primary", "secondary", "tertiary")),
        Column("default", "categorical"),
        Column("balance", "integer", "EUR"),
        Column("housing", "categorical"),
        Column("loan", "categorical"),
        Column("contact", "categorical"),
        Column("day", "integer"),
        Column("month", "ordinal", levels=MONTHS),
        Column("duration", "integer", "s"),
        Column("campaign", "integer", "calls"),
        Column("pdays", "integer", "days"),
        Column("previous", "integer", "calls"),
        Column("poutcome", "categorical"),
    ),
    raw=(
        RawFile(
            "mlba",
            "2.0.5",
            "mlba/csvFiles/Bank-bias-data.csv.gz",
            "455eeb37c77daff603109318052ae5af575e111615c3b98b4a477ca9a9f1316d",
        ),
    ),
    clean=clean,
    source="UCI Machine Learning Repository, Bank Marketing (bank-full.csv): 45,211 calls of a "
    "Portuguese bank, 2008 to 2010.",
    licence="CC BY 4.0",
    citation="Moro, S., Rita, P. & Cortez, P. (2012). Bank Marketing. UCI. "
    "https://doi.org/10.24432/C5K306",
    split="Split: 70/30, stratified by label (scikit-learn, random state 0), stored with the data.",
    dropped={},
    caveats=(
        "duration is known only after the call, so the model is no forecast.",
        "pdays is -1 for clients never called before.",
    ),
)
