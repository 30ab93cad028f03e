"""Compares verdicts on R-ACC of trees with those of Veritas (dtai-veritas), on Adult.

    python benchmarks/trees_against_veritas.py [--model "forest, depth 8"] [--people 100]

The question is the same: does anybody in the box around v get another class than y? One line for
each model and ε: how many people each calls proved, broken and undecided, the mean processor time
of one thread per person, and how often they contradict one another. Reading the trees is not
counted on either side, nor is the compilation of kernels: one more person is certified before.
"""

import argparse
import time

import numpy as np
import torch
import veritas
import xgboost
from sklearn.ensemble import RandomForestClassifier

import rafair

EPSILONS = (0.01, 0.05, 0.1)
MODELS = {
    "XGBoost 100 × 6": xgboost.XGBClassifier(n_estimators=100, max_depth=6, n_jobs=1),
    "XGBoost 300 × 6": xgboost.XGBClassifier(n_estimators=300, max_depth=6, n_jobs=1),
    "forest, depth 8": RandomForestClassifier(max_depth=8, random_state=0),
    "forest, any depth": RandomForestClassifier(random_state=0),
}
# Veritas's limits for one person.
SECONDS, STEPS = 20.0, 1_000


def verdict(trees, label, low, high, seconds):
    """Return Veritas's verdict on one person: 1 proved, −1 broken, 0 undecided."""
    low, high = (np.float64(np.float32(end)) for end in (low, high))  # as the models read them
    above = np.nextafter(high, 2)  # its intervals do not hold their ends
    box = [veritas.Interval(float(a), float(b)) for a, b in zip(low, above, strict=True)]
    config = veritas.Config(veritas.HeuristicType.MAX_OUTPUT)
    config.stop_when_optimal = True
    search = config.get_search(trees.negate_leaf_values() if label else trees, box)
    search.step_for(seconds, STEPS)
    if search.num_solutions() and search.get_solution(0).output > 0:
        return -1
    return 1 if search.is_optimal() else 0


def compare(name, model, data, options):
    """Print, for each ε, how many people each calls proved, broken and undecided."""
    x, y = data.test.x[: options.people].double(), data.test.y[: options.people]
    more = data.test.x[-1:].double(), data.test.y[-1:]
    model.fit(data.train.x.numpy(), data.train.y.numpy())
    people, trees = rafair.Counterparts.of(data.schema), veritas.get_addtree(model, silent=True)
    for epsilon in EPSILONS:
        space = rafair.PerturbationSpace.of(data.schema, epsilon, "paper")
        wrapped = rafair.wrap(model, data.schema, inputs="unit")  # which remembers no other ε
        rafair.certify(wrapped, *more, people, space, claim="accurate")
        start = time.thread_time()
        ours = rafair.certify(wrapped, x, y, people, space, claim="accurate").status.tolist()
        middle = time.thread_time()
        bounds = zip(y.tolist(), *(end.numpy() for end in space.bounds(x)), strict=True)
        theirs = [verdict(trees, label, *ends, options.seconds) for label, *ends in bounds]
        end = time.thread_time()
        told = [[found.count(status) for status in (1, -1, 0)] for found in (ours, theirs)]
        apart = sum(one * other < 0 for one, other in zip(ours, theirs, strict=True))
        print(
            f"{name}, ε {epsilon}: ours {told[0]}, {1e3 * (middle - start) / len(x):.1f} ms, "
            f"Veritas {told[1]}, {1e3 * (end - middle) / len(x):.1f} ms, contradictions {apart}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="Veritas's, for one person")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = rafair.load_dataset("adult")
    for name in options.model or MODELS:
        compare(name, MODELS[name], data, options)


if __name__ == "__main__":
    main()
