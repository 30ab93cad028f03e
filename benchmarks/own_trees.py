"""The time of an audit of one's own pipeline of trees, all three claims proved.

    python benchmarks/own_trees.py [--model forest] [--seeds 100]

The training rows of Adult as a frame of one's own; a scikit-learn pipeline that encodes its text
and ends in a tree ensemble; ``rafair.wrap``, ``rafair.audit`` with its defaults (setting
*feasible*, ε = 0.1, sensitive sex and race) and the report. One line for each model: seconds, and
what is proved of R-AF. Fitting is not counted, nor is the compilation of kernels, for which two
people are audited first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import rafair
from rafair.report.tables import truth

FOREST, BOOSTED = RandomForestClassifier(random_state=0), HistGradientBoostingClassifier()
MODELS = {
    "boosting": BOOSTED,
    "forest": FOREST,
    "voting": VotingClassifier([("forest", FOREST), ("boosting", BOOSTED)], voting="soft"),
    "calibrated": CalibratedClassifierCV(FOREST),
}


def table():
    """Return Adult's training rows as a table that somebody brings along."""
    adult = rafair.load_dataset("adult")
    frame = adult.schema.decode(adult.train.x)
    frame["income"] = [adult.schema.classes[label] for label in adult.train.y]
    return rafair.read_table(frame, label="income", sensitive=["sex", "race"])


def fitted(estimator, data):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    text = make_column_selector(dtype_include=["object", "string", "category"])
    columns = make_column_transformer((encoder, text), remainder="passthrough")
    rows = data.schema.decode(data.train.x)
    with warnings.catch_warnings(action="ignore"):
        return make_pipeline(columns, estimator).fit(rows, data.train.y.numpy())


def audited(model, data, seeds):
    """Return the run and its seconds, from the fitted pipeline to the page."""
    start = time.perf_counter()
    run = rafair.audit(rafair.wrap(model, data.schema), data, n_seeds=seeds)
    with tempfile.TemporaryDirectory() as folder:
        rafair.write_report(run, Path(folder) / "report.html")
    return run, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--seeds", type=int, default=100)
    options = parser.parse_args()
    data = table()
    print("| model | s | R-AF proved |\n|---|---|---|")
    for name in options.model or MODELS:
        model = fitted(MODELS[name], data)
        audited(model, data, 2)
        run, seconds = audited(model, data, options.seeds)
        print(f"| {name} | {seconds:.1f} | {truth(run.metrics['robust']['r_af'])} |", flush=True)


if __name__ == "__main__":
    main()
