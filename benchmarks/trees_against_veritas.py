"""Compares verdicts on R-ACC of trees with those of Veritas (dtai-veritas), on Adult.

The question is the same: does anybody in the box around v get another class than y?
Run it with ``python benchmarks/trees_against_veritas.py``.
"""

import time

import numpy as np
import veritas
import xgboost

import rafair

PEOPLE, EPSILONS, SIZES = 100, (0.01, 0.05, 0.1), ((100, 6), (300, 6))
# Veritas's limits for one person.
SECONDS, STEPS = 20.0, 1_000


def verdict(trees, label, low, high):
    """Return Veritas's verdict on one person: 1 proved, −1 broken, 0 undecided."""
    above = np.nextafter(np.float32(high), np.float32(2))  # its intervals do not hold their ends
    box = [veritas.Interval(float(a), float(b)) for a, b in zip(low, above, strict=True)]
    config = veritas.Config(veritas.HeuristicType.MAX_OUTPUT)
    config.stop_when_optimal = True
    search = config.get_search(trees.negate_leaf_values() if label else trees, box)
    search.step_for(SECONDS, STEPS)
    if search.num_solutions() and search.get_solution(0).output > 0:
        return -1
    return 1 if search.is_optimal() else 0


def compare(rounds, depth):
    """Print, for each ε, how many people each calls proved, broken and undecided."""
    data = rafair.load_dataset("adult")
    x, y = data.test.x[:PEOPLE].double(), data.test.y[:PEOPLE]
    model = xgboost.XGBClassifier(n_estimators=rounds, max_depth=depth)
    model.fit(data.train.x.numpy(), data.train.y.numpy())
    wrapped = rafair.wrap(model, data.schema, inputs="unit")
    people, trees = rafair.Counterparts.of(data.schema), veritas.get_addtree(model)
    for epsilon in EPSILONS:
        space = rafair.PerturbationSpace.of(data.schema, epsilon, "paper")
        start = time.perf_counter()
        ours = rafair.certify(wrapped, x, y, people, space, claim="accurate").status.tolist()
        middle = time.perf_counter()
        bounds = zip(y.tolist(), *(end.numpy() for end in space.bounds(x)), strict=True)
        theirs = [verdict(trees, label, low, high) for label, low, high in bounds]
        end = time.perf_counter()
        told = [[found.count(status) for status in (1, -1, 0)] for found in (ours, theirs)]
        apart = sum(one * other < 0 for one, other in zip(ours, theirs, strict=True))
        print(
            f"{rounds} × {depth}, ε {epsilon}: ours {told[0]} in {middle - start:.1f} s, "
            f"Veritas {told[1]} in {end - middle:.1f} s, contradictions {apart}"
        )


if __name__ == "__main__":
    for rounds, depth in SIZES:
        compare(rounds, depth)
