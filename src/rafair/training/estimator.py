"""``rafair.RobustClassifier``: robust training as an estimator of scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from rafair.errors import InvalidInput
from rafair.models import serialise_model, wrap
from rafair.models.extras import need
from rafair.problem import Counterparts, PerturbationSpace
from rafair.problem.batching import forward_rows
from rafair.schema import Column, Schema, as_pandas, fit_feature
from rafair.schema.inferring import infer_features
from rafair.training.base import Options, fit_robust
from rafair.training.monotone import directions_of
from rafair.training.registry import make_method, method_classes
from rafair.training.task import Task
from rafair.training.validation import is_constant

need("sklearn", "sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402 - after the check
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from rafair.models import Classifier

__all__ = ["RobustClassifier"]

LABEL = "label"


class RobustClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # untyped library
    """A network, or a sum of stumps, that is accurate and fair under every change.

    Parameters
    ----------
    method : str
        One of ``rafair.training.method_names()``.
    sensitive : sequence of str or int
        Columns that I(v) varies, by name or by place. Without any, only Δ counts.
    epsilon : float
        Radius of Δ, as a share of each range.
    setting : {"feasible", "paper"}
        See ``PerturbationSpace.of``.
    strength : float in [0, 1], optional
        Weight of the robust loss; by default the method's own.
    without_sensitive : bool
        Read no sensitive column; I(v) then cannot change a decision.
    balance : float in [0, 1]
        0 weighs people alike, 1 the classes.
    schema : Schema, optional
        The meaning of the columns of a table; it replaces ``sensitive``. By default kinds and
        ranges are inferred from the rows of ``fit``.
    epochs : int, optional
    batch_size : int, optional
    learning_rate : float, optional
        By default the method's own, as for ``strength``, ``epochs`` and ``batch_size``.
    random_state : int
    depth : int
        Of ``"boosted-stumps"``: 1 for stumps alone, up to 6 for trees of so many tests behind them.
    monotone : mapping of str or int to {"increasing", "decreasing"}, optional
        Of ``"boosted-stumps"``: columns, by name or by place, with which the probability of
        ``classes_[1]`` must not fall, or must not rise, everything else being equal.

    Attributes
    ----------
    classes_ : array, shape (k,)
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X has names.
    schema_ : Schema
        The columns, in original units.
    classifier_ : Classifier
        The model, which reads unit space: what ``rafair.certify`` and ``rafair.audit`` take.
    figures_ : Figures
        Of the epoch that was kept, on the rows that were held back; ``r_af`` is proved.
    collapsed_ : bool
        Whether the model is no better than one that gives everybody one class.

    Notes
    -----
    A number beyond the range that ``fit`` saw counts as the nearest end of the range.

    Examples
    --------
    >>> import rafair
    >>> data = rafair.load_dataset("credit")
    >>> model = rafair.RobustClassifier(schema=data.schema, without_sensitive=True, epochs=2)
    >>> model
    RobustClassifier(epochs=2,...
    """

    def __init__(
        self,
        method: str = "certified",
        *,
        sensitive: Sequence[str | int] = (),
        epsilon: float = 0.1,
        setting: str | None = None,
        strength: float | None = None,
        without_sensitive: bool = False,
        balance: float = 0.0,
        schema: Schema | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        random_state: int = 0,
        depth: int = 1,
        monotone: Mapping[str | int, str] | None = None,
    ) -> None:
        self.method = method
        self.sensitive = sensitive
        self.epsilon = epsilon
        self.setting = setting
        self.strength = strength
        self.without_sensitive = without_sensitive
        self.balance = balance
        self.schema = schema
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.depth = depth
        self.monotone = monotone

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn whether the method is for more than two classes."""
        tags = super().__sklearn_tags__()
        kind = method_classes().get(self.method)
        tags.classifier_tags.multi_class = kind is None or not kind.is_binary
        return tags

    def fit(self, X: Any, y: Any) -> RobustClassifier:
        """Train on rows X, a table or an array of shape (n, d), with labels y, shape (n,).

        Raises
        ------
        InvalidInput
            If a parameter has no meaning, a sensitive column is missing, or y has one class.
        """
        frame = self._frame(X, y, reset=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise InvalidInput("y has one class; a classifier needs two")
        self.schema_ = self._described(frame)
        people = Counterparts.of(self.schema_) if self.schema_.sensitive else None
        space = PerturbationSpace.of(self.schema_, self.epsilon, self.setting)  # type: ignore[arg-type]  # checked there
        x, labels = self._unit(frame), torch.from_numpy(codes)
        task = Task.of(x, labels, len(self.classes_), people, space, self.balance)
        method, options = make_method(self.method, self.strength), self._options(frame)
        trained = fit_robust(method, task, options)
        self.figures_, self.n_iter_ = trained.figures, trained.epochs
        self.network_ = trained.network
        self.collapsed_ = self._is_collapsed(task)
        return self

    def _options(self, frame: pd.DataFrame) -> Options:
        named = {_name_of(column, frame): word for column, word in (self.monotone or {}).items()}
        return Options(
            self.without_sensitive,
            self.balance,
            self.epochs,
            self.batch_size,
            self.learning_rate,
            self.random_state,
            self.depth,
            directions_of(self.schema_, named),
        )

    def _is_collapsed(self, task: Task) -> bool:
        """Tell, and warn, whether the network became the constant model."""
        with torch.no_grad():
            predicted = self.network_(task.x).argmax(dim=1)
        recalls = [(predicted == c)[task.y == c].double().mean() for c in task.y.unique()]  # type: ignore[no-untyped-call]
        share = float(torch.stack(recalls).mean())
        found = is_constant(share, len(predicted.unique()), len(recalls))
        if found:
            warnings.warn(
                f"the model became the constant model (balanced accuracy {share:.3f}); use "
                "balance=1, another strength or a smaller epsilon",
                UserWarning,
                stacklevel=3,
            )
        return found

    @property
    def classifier_(self) -> Classifier:
        """The network behind the ``Classifier`` protocol."""
        check_is_fitted(self)
        return wrap(self.network_, self.schema_, output="logits")

    def encode(self, X: Any) -> torch.Tensor:
        """Return rows in the unit space of ``classifier_``, shape (n, d), float64."""
        check_is_fitted(self)
        return self._unit(self._frame(X, None, reset=False))

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of each class, shape (n, k)."""
        x = self.encode(X)
        # The same bits for a row whatever other rows stand beside it.
        rows = forward_rows(self.classifier_, x.float()).double()
        found: npt.NDArray[np.float64] = torch.softmax(rows, dim=1).numpy()
        return found

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the class of each row, shape (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        found: npt.NDArray[Any] = self.classes_[best]
        return found

    def save(self, path: str | Path) -> None:
        """Write the model as ``.safetensors``, as ``rafair train`` does.

        ``rafair.load_model(path, schema)`` reads it.
        """
        check_is_fitted(self)
        figures = {name: float(value) for name, value in vars(self.figures_).items()}
        Path(path).write_bytes(serialise_model(self.network_, self.schema_, figures))

    def _frame(self, X: Any, y: Any, *, reset: bool) -> pd.DataFrame:
        """Return X as a table, checked as scikit-learn checks it."""
        if not (hasattr(X, "columns") or hasattr(X, "column_names")):
            both = {} if y is None else {"y": y}
            checked = validate_data(self, X, **both, reset=reset, dtype=np.float64)
            values = checked[0] if both else checked
            return pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])
        validate_data(self, X, reset=reset, skip_check_array=True)
        return as_pandas(X)

    def _described(self, frame: pd.DataFrame) -> Schema:
        """Return the schema of the rows to learn from."""
        if self.schema is not None:
            if len(self.sensitive):
                raise InvalidInput("give a schema or sensitive columns, not both")
            return self.schema
        classes = tuple(self.classes_.tolist())
        names = [_name_of(column, frame) for column in self.sensitive]
        lost = [name for name in names if name not in frame.columns]
        if lost:
            raise InvalidInput(f"no column {lost[0]!r}; the columns are {', '.join(frame.columns)}")
        if hasattr(self, "feature_names_in_"):
            features, _ = infer_features(frame, LABEL, tuple(names), None)
            return Schema(features, LABEL, classes)
        columns = (Column(name, "numeric", sensitive=name in names) for name in frame.columns)
        return Schema(tuple(fit_feature(frame, each) for each in columns), LABEL, classes)

    def _unit(self, frame: pd.DataFrame) -> torch.Tensor:
        """Return rows in unit space; numbers beyond a range count as its end."""
        within = {
            feature.name: frame[feature.name].clip(*map(float, feature.domain))
            for feature in self.schema_.features
            if not feature.has_levels and not feature.columns
        }
        return self.schema_.encode(frame.assign(**within))


def _name_of(column: str | int, frame: pd.DataFrame) -> str:
    """Return the name of a column that is given by name or by place."""
    if isinstance(column, str):
        return column
    if not 0 <= column < frame.shape[1]:
        raise InvalidInput(f"no column {column}; there are {frame.shape[1]}, counted from 0")
    return str(frame.columns[column])
