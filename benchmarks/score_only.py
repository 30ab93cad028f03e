"""How strong is the attack that only asks? Beside gradients, and beside random sampling.

For each benchmark: the R-ACC, R-IF and R-AF that RAFair, Square and random sampling leave of a
scikit-learn MLP pipeline (which is converted to torch, so that gradients are at hand), and that the
last two leave of XGBoost and of a random forest, at equal budgets. All models are trained here.

    python benchmarks/score_only.py [--dataset adult] [--epsilon 0.05] [--queries 20000]

prints one table in Markdown, and with several budgets

    python benchmarks/score_only.py --model xgboost --epsilon 0.005 --queries 300 --queries 3000

one line per dataset and model: the R-AF that ``square-af`` and ``random-af`` leave at each, and the
proved one, between two figures where somebody stays undecided. Needs scikit-learn and xgboost.
"""

from __future__ import annotations

import argparse
import time
import warnings

import torch
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rafair
from rafair.datasets import benchmark_names
from rafair.report.tables import truth

RATES = ("r_acc", "r_if", "r_af")


def trained(kind, data, random_state=0):
    x, y = data.train.x.numpy(), data.train.y.numpy()
    if kind == "mlp":
        network = MLPClassifier((32, 32), random_state=random_state, early_stopping=True)
        estimator = make_pipeline(StandardScaler(), network)
    elif kind == "xgboost":
        estimator = xgboost.XGBClassifier(n_estimators=100, n_jobs=1, random_state=random_state)
    else:
        estimator = RandomForestClassifier(
            100, min_samples_leaf=5, n_jobs=1, random_state=random_state
        )
    with warnings.catch_warnings(action="ignore"):
        return rafair.wrap(estimator.fit(x, y), data.schema, inputs="unit")


def measured(model, data, attack, arguments, *, certify=False):
    start = time.perf_counter()
    run = rafair.audit(
        model,
        data,
        attacks=attack,
        n_seeds=arguments.seeds,
        epsilon=arguments.epsilon,
        certify=certify,
        queries=arguments.queries,
        setting=arguments.setting,
    )
    cost = [entry["forwards"] / run.metrics["n_seeds"] for entry in run.manifest["cost"].values()]
    return run.metrics, max(cost), time.perf_counter() - start


def line(name, kind, attack, rates, cost, seconds):
    figures = [f"{rates[key]:.3f}" for key in RATES]
    asked = f"{cost:,.0f}" if attack in ("square", "random", "square-af", "random-af") else ""
    print(
        f"| {name} | {kind} | {attack} | {' | '.join(figures)} | {asked} | {seconds:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=benchmark_names(), action="append")
    parser.add_argument("--model", choices=("mlp", "xgboost", "forest"), action="append")
    parser.add_argument("--epsilon", type=float, default=0.05)
    parser.add_argument("--queries", type=int, action="append")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--setting", default="paper")
    arguments = parser.parse_args()
    arguments.budgets = arguments.queries or [20_000]
    torch.set_num_threads(1)
    if len(arguments.budgets) > 1:
        compare_budgets(arguments)
    else:
        compare_attacks(arguments)


def chosen(arguments):
    for name in arguments.dataset or benchmark_names():
        data = rafair.load_dataset(name)
        for kind in arguments.model or ("mlp", "xgboost", "forest"):
            yield name, kind, data, trained(kind, data)


def compare_budgets(arguments) -> None:
    heads = [f"{budget:,}" for budget in arguments.budgets]
    print(f"| data | model | clean | {' | '.join(heads)} | proved |")
    print("|---|---|---|" + "---|" * (len(heads) + 1))
    for name, kind, data, model in chosen(arguments):
        cells = []
        for budget in arguments.budgets:
            arguments.queries = budget
            runs = [measured(model, data, row, arguments)[0] for row in ("square-af", "random-af")]
            both = [next(iter(run["attacks"].values()))["r_af"] for run in runs]
            cells.append(" / ".join(f"{rate:.3f}" for rate in both))
        proved = measured(model, data, "random-af", arguments, certify=None)[0]["robust"]["r_af"]
        cells.append(truth(proved))
        print(
            f"| {name} | {kind} | {runs[0]['clean']['af']:.3f} | {' | '.join(cells)} |", flush=True
        )


def compare_attacks(arguments) -> None:
    arguments.queries = arguments.budgets[0]
    print("| data | model | attack | R-ACC | R-IF | R-AF | rows asked, at most | s |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kind, data, model in chosen(arguments):
        attacks = ["rafair"] if kind == "mlp" else []
        for attack in [*attacks, "square", "random"]:
            metrics, cost, seconds = measured(model, data, attack, arguments)
            if attack == (attacks or ["square"])[0]:
                clean = metrics["clean"]
                before = {f"r_{key}": clean[key] for key in ("acc", "if", "af")}
                line(name, kind, "clean", before, 0, 0)
            for row, rates in metrics["attacks"].items():
                line(name, kind, row, rates, cost, seconds)


if __name__ == "__main__":
    main()
