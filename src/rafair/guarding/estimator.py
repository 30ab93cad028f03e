"""``rafair.Guard``: the consensus over I(v) as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from rafair.checks import check_one_of
from rafair.errors import InvalidInput
from rafair.guarding.classifier import GuardedClassifier
from rafair.guarding.rules import ABSTAINING, RULES
from rafair.models import Classifier, wrap
from rafair.models.extras import need
from rafair.problem import Counterparts
from rafair.schema.frames import as_pandas

need("sklearn", "sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin, clone  # noqa: E402 - after the check
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.guarding.rules import Rule
    from rafair.models import Access
    from rafair.schema import Schema

__all__ = ["Guard"]


class Guard(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answer with the consensus over I(v), so that everybody in I(v) gets the same answer.

    The answers are identical over I(v) by construction, also after any change of other features:
    IF is 1. Accuracy is not: a consensus can be wrong for all of I(v).

    Parameters
    ----------
    model : any model that ``rafair.wrap`` takes, or a wrapped one
        A fitted model stays as it is, and ``fit`` only checks. Of an estimator of scikit-learn that
        is not fitted, ``fit`` fits a clone.
    schema : Schema, optional
        The meaning of the columns, sensitive ones included. Without it X is a matrix of numbers,
        which ``model`` reads unchanged, and ``sensitive`` must be given.
    rule : {"mean", "majority", "own-or-abstain"}
        *mean*: the class with the largest mean score over I(v), of logits for a network, else of
        probabilities. *majority*: the class that most of I(v) get; of two classes with equal votes
        the first. *own-or-abstain*: the class that all of I(v) get, else no answer.
    sensitive : mapping of int to sequence of float, optional
        Only without a schema: the sensitive columns of X, and the values that each takes in I(v).
    abstention : label, optional
        What ``predict`` returns where there is no answer. With None its answers are objects.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    model_ : the model that is asked

    Raises
    ------
    InvalidInput
        When it is used: if the rule is unknown, or model, schema and X do not fit together.

    Notes
    -----
    Everybody in the grid of I(v) is asked, v's own combination only if it is in the grid. Relations
    leave out the same people for all of I(v). Where people are comparable only within a distance,
    I(v) differs from person to person; then all who are connected by a chain of comparable people
    get one answer. Nothing is guaranteed to a person with a value outside the grid that is near to
    two such chains.

    A guard is a ``Classifier`` too: ``rafair.audit``, attacks and certificates take it as it is,
    and go through it.

    Examples
    --------
    >>> data = rafair.load_dataset("credit")
    >>> guard = rafair.Guard(rafair.baseline("credit"), data.schema, rule="majority")
    >>> guard.predict(data.test.x[:2])
    array(['good', 'good'], dtype='<U4')
    """

    def __init__(
        self,
        model: Any = None,
        schema: Schema | None = None,
        rule: Rule = "mean",
        *,
        sensitive: Mapping[int, Sequence[float]] | None = None,
        abstention: Any = None,
    ) -> None:
        self.model = model
        self.schema = schema
        self.rule = rule
        self.sensitive = sensitive
        self.abstention = abstention

    def fit(self, X: Any, y: Any = None) -> Guard:
        """Fit the model if it is an estimator that is not fitted; else only check that X fits.

        Parameters
        ----------
        X : table or array, shape (n, d), in original units
        y : array-like, shape (n,), optional
            Labels; not used where the model is fitted.
        """
        check_one_of("rule", self.rule, tuple(RULES))
        self._guarded: GuardedClassifier | None = None
        if self.schema is None:
            X = validate_data(self, X, skip_check_array=_is_fitted(self.model))
        if _is_fitted(self.model):
            self.model_ = self.model
            self._rows(X)
        else:
            self.model_ = clone(self.model).fit(X, column_or_1d(y, warn=True))
        self.classes_ = self._classes()
        if len(self.classes_) < 2:
            raise InvalidInput("the guard needs two classes, and the labels hold one class")
        _ = self.guarded  # predict changes no attribute
        return self

    def set_params(self, **params: Any) -> Guard:
        """Set parameters, as scikit-learn has it."""
        self._guarded = None
        found: Guard = super().set_params(**params)
        return found

    def predict(self, X: Any) -> Any:
        """Return the consensus of everybody in I(v), an array of shape (n,).

        Parameters
        ----------
        X : table or array, shape (n, d), in original units; or Tensor, unit space
        """
        classes, found = self._classes(), self._answers(X)
        silent = found == len(classes)
        answers = classes[np.where(silent, 0, found)]
        if self.rule != ABSTAINING:
            return answers
        if self.abstention is None:
            answers = answers.astype(object)
        elif silent.any():
            answers = answers.astype(np.result_type(answers, np.asarray(self.abstention)))
        answers[silent] = self.abstention
        return answers

    def predict_proba(self, X: Any) -> Any:
        """Return mean probabilities over I(v), or for *majority* shares of votes; (n, k).

        They are given where there is no answer too.
        """
        return self.guarded.probabilities(self._rows(X)).cpu().numpy()

    def abstains(self, X: Any) -> Any:
        """Tell for whom there is no answer, an array of bool, shape (n,)."""
        return self._answers(X) == len(self._classes())

    def _answers(self, X: Any) -> np.ndarray[Any, Any]:
        x = self._rows(X)
        with torch.no_grad():
            found = self.guarded.scores(x).argmax(dim=1)
        return np.asarray(found.cpu().numpy())

    @property
    def guarded(self) -> GuardedClassifier:
        """The guard as a ``Classifier`` over unit-space rows."""
        found: GuardedClassifier | None = getattr(self, "_guarded", None)
        if found is None:
            found = self._guarded = self._made()
        return found

    def _made(self) -> GuardedClassifier:
        if self.model is None:
            raise InvalidInput("the guard has no model; give it one")
        if not _is_fitted(self.model):
            check_is_fitted(self, "model_")
        if (self.sensitive is None) == (self.schema is None):
            raise InvalidInput("give the guard either a schema or sensitive, which say who I(v) is")
        if self.schema is None and not isinstance(self.sensitive, Mapping):
            raise InvalidInput(
                "without a schema sensitive is a mapping of column numbers to values; with names, "
                "pass a schema, as that of rafair.read_test(X, y, sensitive=[…])"
            )
        model = getattr(self, "model_", self.model)
        asked = model if isinstance(model, Classifier) else wrap(model, self.schema)
        return GuardedClassifier(asked, self._people(), self.rule)

    def _people(self) -> Counterparts:
        if self.schema is not None:
            return Counterparts.of(self.schema)
        sensitive = dict(self.sensitive or {})
        return Counterparts.product(list(sensitive), list(sensitive.values()))

    def _rows(self, X: Any) -> Tensor:
        """Return X as unit-space rows on the model's device, float64."""
        guarded = self.guarded
        if not isinstance(X, Tensor):
            X = self._encoded(X)
        if X.ndim != 2 or X.shape[1] <= max(guarded.counterparts.columns):
            raise InvalidInput(f"X has shape {tuple(X.shape)}; it lacks a sensitive column")
        rows: Tensor = X.to(guarded.device)
        return rows

    def _encoded(self, X: Any) -> Tensor:
        if self.schema is None:
            if hasattr(self, "n_features_in_"):
                X = validate_data(self, X, reset=False, dtype=np.float64)
            return torch.from_numpy(np.array(X, dtype=np.float64))
        if isinstance(X, np.ndarray):
            import pandas as pd

            if X.ndim != 2 or X.shape[1] != len(self.schema.columns):
                raise InvalidInput(
                    f"X has shape {X.shape}; the schema has {len(self.schema.columns)} columns"
                )
            X = pd.DataFrame(X, columns=list(self.schema.columns))
        return self.schema.encode(as_pandas(X))

    def _classes(self) -> np.ndarray[Any, Any]:
        if self.schema is not None:
            return np.array(self.schema.classes)
        model = getattr(self, "model_", self.model)
        known = getattr(model, "classes_", None)
        if known is not None:
            return np.asarray(known)
        width = max(self.guarded.counterparts.columns) + 1
        probe = torch.zeros(1, getattr(model, "width", width), dtype=torch.float64)
        return np.arange(self.guarded.probabilities(probe).shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # whatever the sensitive columns tell is lost
        return tags

    def __sklearn_clone__(self) -> Guard:
        model = self.model
        fresh = model if model is None or _is_fitted(model) else clone(model)
        return type(self)(**{**self.get_params(deep=False), "model": fresh})

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_") or (self.model is not None and _is_fitted(self.model))

    def __getstate__(self) -> Mapping[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_guarded", None)  # made again from the parameters
        return state

    @property
    def access(self) -> Access:
        """What an attack may use; see ``Classifier``."""
        return self.guarded.access

    @property
    def dtype(self) -> torch.dtype:
        """Type of the rows that the model reads."""
        return self.guarded.dtype

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.guarded.device

    @property
    def may_abstain(self) -> bool:
        """Whether the last class of ``scores`` is no answer."""
        return self.guarded.may_abstain

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of the consensus for unit-space rows x, (n, d); see ``Classifier``."""
        return self.guarded.scores(x)

    def digest(self) -> str:
        """Return a SHA-256 of everything that determines the scores, in hexadecimal."""
        return self.guarded.digest()


def _is_fitted(model: Any) -> bool:
    """Tell whether a model can be asked: only estimators can be unfitted."""
    if not isinstance(model, BaseEstimator):
        return model is not None
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True
