"""``rafair.make_scorer``: rates of an audit as a score for scikit-learn's model selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from rafair.auditing import audit
from rafair.auditing.batches import Seeds
from rafair.auditing.inputs import wrapped
from rafair.checks import check_one_of
from rafair.errors import InvalidInput
from rafair.fairness import TF, balanced_rates, dissenting, judge
from rafair.plans import Plan
from rafair.plans.options import takes_options_of
from rafair.runs.summary import surest_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.schema import Level, Schema

__all__ = ["Scorer", "make_scorer"]

Bound: TypeAlias = Literal["auto", "at_least", "at_most"]

CLEAN = ("acc", "if", "af", "af_balanced", "neg_dissent")
ROBUST = ("r_acc", "r_if", "r_af", "r_af_balanced")
BOUNDS = ("auto", "at_least", "at_most")
# What a schema says already, and what is too long for a ``repr``.
REPLACED = ("sensitive", "reference", "positive")
TABLES = ("schema", "reference")
# Proofs end with ``max_nodes`` then: a score must not depend on how busy the machine is.
WITHOUT_LIMIT = 1e9  # seconds


@takes_options_of(Plan)
def make_scorer(
    rate: str | Sequence[str],
    *,
    sensitive: str | Sequence[str] | None = None,
    schema: Schema | None = None,
    reference: Any = None,
    feature_names: Sequence[str] | None = None,
    positive: Level | None = None,
    missing: str | Mapping[str, str] | None = None,
    within: Mapping[str, float] | None = None,
    bound: Bound = "auto",
    n_seeds: int | None = None,
    **options: Any,
) -> Scorer:
    """Make a scorer for ``cross_validate``, ``GridSearchCV`` and their like.

    It audits a fitted estimator on the rows that it is given, each of which is a seed unless
    ``n_seeds`` is given. It can be pickled, so that ``n_jobs`` works.

    Parameters
    ----------
    rate : str or list of str
        The rate to return; higher is better. Several are returned as a dict from a single audit,
        as scikit-learn's multi-metric scoring takes it. ``"acc"``, ``"if"``, ``"af"``,
        ``"af_balanced"`` and ``"neg_dissent"`` are of the rows as they are, without attacks;
        ``"r_acc"``, ``"r_if"``, ``"r_af"`` and ``"r_af_balanced"`` hold under every change in Δ.
        The balanced ones are means over the classes; a model that always gives the same of k
        classes has 1/k at most. ``"neg_dissent"`` is the negative of
        ``rafair.metrics.dissent_score``.
    sensitive : str or sequence of str
        Columns or one-hot groups that I(v) varies.
    schema : Schema, optional
        The meaning of the columns. It replaces ``sensitive``, ``reference`` and ``positive``.
    reference : table or array, optional
        Rows from which ranges and levels are taken, for instance all rows that are split into
        folds. By default the rows to be scored give them; ε is a share of the range, so that Δ then
        differs a little from fold to fold.
    feature_names : sequence of str, optional
        Names of the columns, where X is an array.
    positive : value of the label, optional
        The positive one of two classes; by default the last of the estimator's classes.
    missing, within : see ``rafair.read_test``
    bound : {"auto", "at_least", "at_most"}
        Which end of a robust rate to return: the share that is proved (``"at_least"``), or the
        share that no attack and no proof breaks (``"at_most"``). ``"auto"`` returns what is proved
        for an estimator that has certificates, else what no attack breaks. To compare estimators of
        which only some have certificates, use ``"at_most"``: the two ends cannot be compared.
    n_seeds : int, optional
        Number of k-means seeds among the rows, or all if there are fewer; by default every row.
    **options : the fields of ``Plan``

    Returns
    -------
    Scorer
        Called with a fitted estimator, X and y; returns a float, or a dict of floats.

    Raises
    ------
    InvalidInput
        If a name is unknown, a number is not possible, or neither ``sensitive`` nor ``schema`` is
        given. When it is called: see ``wrap`` and ``audit``; or if ``bound="at_least"`` and the
        estimator has no certificates.

    Notes
    -----
    Unless ``max_seconds`` is given, only ``max_nodes`` limits the proofs, so that scores are the
    same on every machine and for every ``n_jobs``.

    Examples
    --------
    >>> scorer = make_scorer("r_af", sensitive=["sex"], epsilon=0.05)
    >>> scorer
    make_scorer('r_af', sensitive=['sex'], epsilon=0.05)
    """
    rates = tuple(rate) if isinstance(rate, list | tuple) else (rate,)
    for name in rates or ("",):
        check_one_of("rate", name, (*CLEAN, *ROBUST))
    check_one_of("bound", bound, BOUNDS)
    if bound == "at_least" and options.get("certify") is False:
        raise InvalidInput("bound='at_least' is what is proved; leave certify=False away")
    columns = {
        "sensitive": [sensitive] if isinstance(sensitive, str) else sensitive and list(sensitive),
        "schema": schema,
        "reference": reference,
        "feature_names": None if feature_names is None else list(feature_names),
        "positive": positive,
        "missing": missing,
        "within": within,
    }
    if schema is None and not sensitive:
        raise InvalidInput("no sensitive column given; name at least one, or pass a schema")
    if schema is not None and any(columns[n] is not None for n in columns if n in REPLACED):
        raise InvalidInput(f"give a schema, or {', '.join(REPLACED)}; not both")
    _check_options(n_seeds=n_seeds, **options)
    found = {"max_seconds": WITHOUT_LIMIT, **_given(options), "n_seeds": n_seeds}
    return Scorer(rate if isinstance(rate, str) else rates, bound, columns, found)


def _clean(rates: Mapping[str, Any], name: str) -> float:
    """Return a rate of rows as they are; ``neg_`` is its negative, as in scikit-learn."""
    found = float(rates[name.removeprefix("neg_")])
    return -found if name.startswith("neg_") else found


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check_options(attacks: str | Sequence[str] | None = None, **options: Any) -> None:
    """Refuse options that no plan takes, before anything is fitted."""
    if attacks is not None:
        options["attacks"] = (attacks,) if isinstance(attacks, str) else tuple(attacks)
    Plan(**_given(options))


@dataclass(frozen=True, eq=False, repr=False)
class Scorer:
    """A scorer as scikit-learn calls it; see ``make_scorer``.

    Attributes
    ----------
    rate : str or tuple of str
    bound : {"auto", "at_least", "at_most"}
    columns : mapping
        What is known of the columns of X.
    options : mapping
        The fields of ``Plan`` that are not at their default.
    """

    rate: str | tuple[str, ...]
    bound: Bound
    columns: Mapping[str, Any]
    options: Mapping[str, Any]

    def __call__(self, estimator: Any, X: Any, y: Any) -> float | dict[str, float]:
        """Return the rate of a fitted estimator on the rows of X with the labels y.

        Parameters
        ----------
        estimator : fitted classifier, or any other model that ``rafair.wrap`` takes
        X : table or array, shape (n, d), in original units
        y : array-like, shape (n,)
        """
        # Rows and labels belong together by their place, whatever their indexes (scikit-learn).
        model, data = wrapped(estimator, X, np.asarray(y), self.columns)
        rates = (self.rate,) if isinstance(self.rate, str) else self.rate
        found = self._measured(model, data, rates)
        return found[self.rate] if isinstance(self.rate, str) else found

    def _measured(self, model: Classifier, data: Dataset, rates: Sequence[str]) -> dict[str, float]:
        n_seeds = self.options["n_seeds"]
        options = dict(self.options)
        options["n_seeds"] = None if n_seeds is None else min(n_seeds, len(data.test))
        if set(rates) <= set(CLEAN):
            seeds = Seeds.chosen(model, data, Plan.of(data, model.access, **options))
            size = seeds.plan.batch_size
            verdict = judge(model, seeds.x, seeds.y, seeds.counterparts, batch_size=size)
            shares = dissenting(model, seeds.x, seeds.counterparts, size)
            found = {
                **verdict.rates(dissent=shares),
                **balanced_rates({"af_balanced": verdict.cells == TF}, seeds.y),
            }
            return {name: _clean(found, name) for name in rates}
        if self.bound == "at_least":
            options["certify"] = True
        metrics = audit(model, data, progress=False, **options).metrics
        return {
            name: _clean(metrics["clean"], name)
            if name in CLEAN
            else self._end(metrics["robust"][name])
            for name in rates
        }

    def _end(self, rate: Mapping[str, Any]) -> float:
        """Return the end of a robust rate that was asked for."""
        return float(rate["at_most" if self.bound == "at_most" else surest_end(rate)])

    def __repr__(self) -> str:
        tables = {name: f"<{type(t).__name__}>" for name, t in self.columns.items()}
        named = {n: tables[n] if n in TABLES else repr(v) for n, v in _given(self.columns).items()}
        if self.bound != "auto":
            named["bound"] = repr(self.bound)
        options = {n: repr(v) for n, v in _given(self.options).items() if v != WITHOUT_LIMIT}
        parts = [repr(self.rate), *(f"{n}={text}" for n, text in {**named, **options}.items())]
        return f"make_scorer({', '.join(parts)})"
