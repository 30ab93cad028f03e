"""Write docs/models.md: which model, which attack, which proof; each model is fitted and asked.

python scripts/models_table.py            # half a minute
python scripts/models_table.py --check    # fails where the page says something else
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import torch
import xgboost
from sklearn import (
    calibration,
    ensemble,
    linear_model,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    svm,
    tree,
)
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from torch import nn

import rafair
from rafair.certificates import prover_of
from rafair.errors import InvalidInput
from rafair.plans import Plan
from rafair.trees import has_trees

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
FUNCTION = "any function of rows"
NUMBERS, TEXTS = ["income", "age"], ["sex", "job"]
WAYS = {"NetworkProver": "branch and bound", "TreeProver": "search over boxes"}


def people() -> tuple[pd.DataFrame, Any]:
    """Return a small table, and labels."""
    draw = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "income": draw.uniform(5.0, 90.0, n).round(1),
            "age": draw.integers(18, 70, n),
            "sex": draw.choice(["f", "m"], n),
            "job": draw.choice(["office", "shop", "none"], n),
        }
    )
    score = frame["income"] / 30 + (frame["sex"] == "m") + draw.normal(0, 0.7, n)
    return frame, (score > score.median()).astype(int)


def behind(classifier: Any, *, scaled: bool = False) -> Any:
    """Put a classifier behind transformers of columns."""
    texts = OneHotEncoder() if scaled else OrdinalEncoder()
    numbers = StandardScaler() if scaled else "passthrough"
    return make_pipeline(make_column_transformer((texts, TEXTS), (numbers, NUMBERS)), classifier)


class Residual(nn.Module):
    """A block with a connection around it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x plus what the layer makes of it."""
        return x + self.inner(x).relu()


class Embedded(nn.Module):
    """Looks up three numbers for each job, and keeps the other columns."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the other columns and the row of the table."""
        job = (2 * x[:, 3]).round().long().clamp(0, 2)
        return torch.cat([x[:, :3], self.table(job)], dim=1)


def network(*layers: nn.Module) -> nn.Module:
    """Return a network of unit-space rows, without training."""
    torch.manual_seed(0)
    return nn.Sequential(*layers, nn.Linear(4, 2)).eval().requires_grad_(False)


def forest() -> Any:
    """Return a small forest."""
    return ensemble.RandomForestClassifier(20, random_state=0)


def boosted() -> Any:
    """Return a few boosted trees."""
    return ensemble.HistGradientBoostingClassifier(max_iter=20)


def voting(how: str) -> Any:
    """Return a forest and boosted trees that vote."""
    return ensemble.VotingClassifier([("a", forest()), ("b", boosted())], voting=how)


def logistic() -> Any:
    """Return logistic regression."""
    return linear_model.LogisticRegression(max_iter=500)


def trained(depth: int) -> nn.Module:
    """Return stumps, and with more depth trees, that ``rafair train`` would make."""
    model = rafair.RobustClassifier(
        "boosted-stumps", sensitive=["sex", "age"], depth=depth, epochs=3
    )
    found: nn.Module = model.fit(*people()).network_
    return found


MODELS: dict[str, Callable[[], Any]] = {
    "torch: linear layers and ReLU": lambda: network(nn.Linear(4, 4), nn.ReLU()),
    "torch: LeakyReLU, PReLU, ReLU6, Hardtanh": lambda: network(nn.Linear(4, 4), nn.LeakyReLU()),
    "torch: batch normalisation, residual connections": lambda: network(Residual()),
    "torch: tanh, sigmoid, softsign": lambda: network(nn.Linear(4, 4), nn.Tanh()),
    "torch: GELU, SiLU, Mish, Hardswish": lambda: network(nn.Linear(4, 4), nn.GELU()),
    "torch: ELU, CELU, SELU, softplus": lambda: network(nn.Linear(4, 4), nn.ELU()),
    "torch: embeddings of categories, one-hot codes": lambda: network(
        Embedded(), nn.Linear(6, 4), nn.ReLU()
    ),
    "torch: anything else, such as layer normalisation": lambda: network(
        nn.Linear(4, 4), nn.LayerNorm(4)
    ),
    "rafair train: boosted-stumps": lambda: trained(1),
    "rafair train: boosted-stumps, --depth 2": lambda: trained(2),
    "LogisticRegression": lambda: behind(logistic(), scaled=True),
    "LinearSVC": lambda: behind(svm.LinearSVC(), scaled=True),
    "MLPClassifier (relu)": lambda: behind(
        neural_network.MLPClassifier((8,), max_iter=40, random_state=0), scaled=True
    ),
    "MLPClassifier (tanh, logistic)": lambda: behind(
        neural_network.MLPClassifier((8,), "tanh", max_iter=40, random_state=0), scaled=True
    ),
    "FixedThresholdClassifier (logistic)": lambda: model_selection.FixedThresholdClassifier(
        behind(logistic(), scaled=True), threshold=0.4
    ),
    "DecisionTreeClassifier": lambda: behind(tree.DecisionTreeClassifier(random_state=0)),
    "RandomForestClassifier": lambda: behind(forest()),
    "ExtraTreesClassifier": lambda: behind(ensemble.ExtraTreesClassifier(20, random_state=0)),
    "GradientBoostingClassifier": lambda: behind(ensemble.GradientBoostingClassifier()),
    "HistGradientBoostingClassifier": lambda: behind(ensemble.HistGradientBoostingClassifier()),
    "XGBClassifier": lambda: behind(xgboost.XGBClassifier(n_estimators=20)),
    "LGBMClassifier": lambda: behind(lightgbm.LGBMClassifier(n_estimators=20, verbose=-1)),
    "CatBoostClassifier": lambda: behind(
        catboost.CatBoostClassifier(iterations=20, verbose=False, allow_writing_files=False)
    ),
    "CatBoostClassifier (Depthwise, Lossguide)": lambda: behind(
        catboost.CatBoostClassifier(
            iterations=20, grow_policy="Lossguide", verbose=False, allow_writing_files=False
        )
    ),
    "CatBoostClassifier with categories of its own": lambda: catboost.CatBoostClassifier(
        iterations=20, cat_features=TEXTS, verbose=False, allow_writing_files=False
    ),
    "AdaBoostClassifier (trees)": lambda: behind(ensemble.AdaBoostClassifier(n_estimators=20)),
    "BaggingClassifier (trees, also of some columns)": lambda: behind(
        ensemble.BaggingClassifier(max_features=0.8, random_state=0)
    ),
    "VotingClassifier, soft (trees)": lambda: behind(voting("soft")),
    "VotingClassifier, hard (trees)": lambda: behind(voting("hard")),
    "CalibratedClassifierCV, sigmoid or isotonic (trees)": lambda: behind(
        calibration.CalibratedClassifierCV(forest(), method="isotonic")
    ),
    "CalibratedClassifierCV, temperature (trees)": lambda: behind(
        calibration.CalibratedClassifierCV(forest(), method="temperature")
    ),
    "FixedThresholdClassifier, TunedThresholdClassifierCV (trees)": (
        lambda: model_selection.FixedThresholdClassifier(behind(forest()), threshold=0.4)
    ),
    "StackingClassifier (logistic regression on trees)": lambda: behind(
        ensemble.StackingClassifier([("a", forest()), ("b", boosted())], cv=2)
    ),
    "VotingClassifier, soft or hard (trees and linear models)": lambda: behind(
        ensemble.VotingClassifier([("a", forest()), ("b", logistic())], voting="soft"), scaled=True
    ),
    "StackingClassifier (trees and linear models)": lambda: behind(
        ensemble.StackingClassifier([("a", boosted()), ("b", svm.LinearSVC())], cv=2), scaled=True
    ),
    "CalibratedClassifierCV, BaggingClassifier (linear models)": lambda: behind(
        calibration.CalibratedClassifierCV(svm.LinearSVC()), scaled=True
    ),
    "VotingClassifier (trees and other models)": lambda: behind(
        ensemble.VotingClassifier(
            [("a", forest()), ("b", neighbors.KNeighborsClassifier())], voting="soft"
        )
    ),
    "SVC, KNeighborsClassifier, GaussianNB": lambda: behind(neighbors.KNeighborsClassifier()),
    FUNCTION: lambda: behind(naive_bayes.GaussianNB()),
}


def row(name: str, data: rafair.Dataset, frame: pd.DataFrame, labels: Any) -> str:
    """Return a model's line of the table."""
    model = MODELS[name]()
    if isinstance(model, nn.Module):
        wrapped = rafair.wrap(model, data.schema, output="logits")
    else:
        fitted = model.fit(frame, labels)
        wrapped = rafair.wrap(fitted.predict_proba if name == FUNCTION else fitted, data.schema)
    plan = Plan.of(data, wrapped.access, has_trees=has_trees(wrapped))
    try:
        prover = prover_of(wrapped)
        proof = f"{prover.certainty}: {WAYS[type(prover).__name__]}"
    except InvalidInput:
        proof = "none"
    return f"| {name} | {wrapped.access} | `{'`, `'.join(plan.attacks)}` | {proof} |"


def page() -> str:
    """Return the page."""
    frame, labels = people()
    table = frame.assign(paid=labels)
    data = rafair.read_table(table, label="paid", sensitive=["sex", "age"])
    rows = [row(name, data, frame, labels) for name in MODELS]
    return INTRODUCTION + "\n".join([HEADS, "|---|---|---|---|", *rows]) + "\n" + NOTES


HEADS = "| model | what an attack may use | attack by default | proof |"
INTRODUCTION = """\
# Which model, which attack, which proof

Made by `python scripts/models_table.py`, which fits each of these models to 300 rows, wraps it as
`rafair.audit` does, and asks what it would do. scikit-learn's models stand behind a
`ColumnTransformer`: one-hot columns and scaled numbers, or ordinal codes for trees.

"""
NOTES = """
- *Exact*: with boxes enough (`max_nodes`) the search ends in a proof or in a person who breaks the
  claim. *Sound*: what is proved is proved, but whoever comes close to a tie may stay undecided;
  smooth activations are bounded by lines, which converge to them as boxes get smaller.
  [method.md](method.md#certificates) says what a proof guarantees.
- Sums and monotone maps of models over trees are exact: what is added is bounded tree by tree, and
  mapped by logistic functions, by a temperature, by the lines of isotonic regression, or by the
  jumps of votes. Of more than two classes only plain sums are read: forests, bagging, AdaBoost,
  boosting alone, and soft votes of forests. There is no proof for votes that mix trees with
  networks, neighbours or kernels, for stacking under another model than logistic regression, and
  for CatBoost's own coding of categories.
- Linear models in such sums (LogisticRegression, LinearSVC, RidgeClassifier, SGDClassifier, LDA)
  are bounded feature by feature. *Exact* holds where a model only ever sees listed values, at most
  1,000 of each feature that the linear model reads; else a box in which all trees are constant is
  asked along its diagonal, and *sound* is what remains: somebody next to a tie may stay undecided.
- An embedding of a category (`nn.Embedding`, `one_hot`) is looked up by a code that is a monotone
  function of one column; [method.md](method.md#embeddings) says which. The proof is exact where the
  layers behind are. The gradient by such a category is zero.
- With *none*, an audit prints `at most`: what no attack broke.
- A category that a plan lets switch adds `square`, which tries all levels, to `rafair`.
- `rafair check` says the same about your model, and what made the difference where a part of it
  could not be converted.
"""


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    with warnings.catch_warnings(action="ignore"):  # of models that are trained briefly
        made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != made:
        sys.exit(f"{PAGE.name} says something else; run python scripts/models_table.py")


if __name__ == "__main__":
    main()
