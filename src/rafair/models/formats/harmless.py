"""Types of scikit-learn that a skops file may hold without being trusted by name.

skops trusts scikit-learn's public estimators itself. The types here are what fitted classifiers
hold besides. Each was chosen by the same rule, which ``tests/models/test_harmless.py`` checks:

- It is written in Python, and creating it only stores its arguments: no ``__reduce__`` or
  ``__setstate__`` of its own, no ``__new__``, no ``__del__``. Whatever it stores is in the file
  too, so that skops has checked its type as well.
- A function only computes numbers from the arrays that it is given, whatever they are.
- Two are not Python's or scikit-learn's own Python, and store what they are given all the same:
  ``functools.partial``, whose function must be trusted too, and ``Bunch``, a dictionary.

Types that index memory without checking their numbers are left out although they are
scikit-learn's: a crafted file can crash Python. The trees of forests and boosting are looked at
after loading (``checked_trees.py``); search trees of neighbours and splines are built anew
(``rebuilt.py``).
"""

from __future__ import annotations

__all__ = ["HARMLESS"]

_CLASSES = {
    "sklearn.calibration": ("_CalibratedClassifier", "_SigmoidCalibration", "_TemperatureScaling"),
    "sklearn.compose._column_transformer": ("make_column_selector",),
    "sklearn.gaussian_process._gpc": ("_BinaryGaussianProcessClassifierLaplace",),
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel",
        "ConstantKernel",
        "DotProduct",
        "ExpSineSquared",
        "Exponentiation",
        "Matern",
        "Product",
        "RBF",
        "RationalQuadratic",
        "Sum",
        "WhiteKernel",
    ),
    "sklearn.metrics._scorer": ("_CurveScorer", "_PassthroughScorer", "_Scorer"),
    "sklearn.model_selection._split": (
        "GroupKFold",
        "GroupShuffleSplit",
        "KFold",
        "LeaveOneGroupOut",
        "LeaveOneOut",
        "PredefinedSplit",
        "RepeatedKFold",
        "RepeatedStratifiedKFold",
        "ShuffleSplit",
        "StratifiedGroupKFold",
        "StratifiedKFold",
        "StratifiedShuffleSplit",
        "TimeSeriesSplit",
    ),
    "sklearn.multiclass": ("_ConstantPredictor",),
    "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
}
_FUNCTIONS = {
    "sklearn.feature_selection._mutual_info": ("mutual_info_classif",),
    "sklearn.feature_selection._univariate_selection": ("chi2", "f_classif", "f_regression"),
    "sklearn.metrics._classification": (
        "accuracy_score",
        "balanced_accuracy_score",
        "brier_score_loss",
        "f1_score",
        "fbeta_score",
        "jaccard_score",
        "log_loss",
        "matthews_corrcoef",
        "precision_score",
        "recall_score",
    ),
    "sklearn.metrics._ranking": ("average_precision_score", "roc_auc_score"),
    "numpy": ("mean",),
    "scipy._lib.array_api_compat.numpy._aliases": ("asarray",),
    "sklearn.utils.validation": ("check_array",),
}
_STORES = {"functools": ("partial",), "sklearn.utils._bunch": ("Bunch",)}
# Types of columns: what a selector looks for, and what an imputer was fitted to.
_DTYPES = {"builtins": ("object",), "numpy": ("dtype", "number")}

HARMLESS: frozenset[str] = frozenset(
    f"{module}.{name}"
    for group in (_CLASSES, _FUNCTIONS, _STORES, _DTYPES)
    for module, names in group.items()
    for name in names
)
