"""``judge``, ``certify`` and ``certify_cells``: of tables as they are at hand, and of tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rafair import certificates, fairness
from rafair.auditing.inputs import wrapped
from rafair.certificates import CELL_NODES, MAX_NODES
from rafair.errors import InvalidInput
from rafair.fairness import CELLS
from rafair.plans import Plan
from rafair.problem import AUTO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from torch import Tensor

    from rafair.auditing.inputs import Columns
    from rafair.certificates import CellCertificate, Certificate, Property
    from rafair.datasets import Dataset
    from rafair.fairness import Verdict
    from rafair.fairness.lipschitz import (
        LabelDistance,
        LabelDistanceName,
        PersonDistance,
        PersonDistanceName,
    )
    from rafair.models import Classifier
    from rafair.problem import BatchSize, Counterparts, PerturbationSpace

__all__ = ["certify", "certify_cells", "judge"]


def judge(
    model: Any,
    x: Any,
    y: Any = None,
    counterparts: Counterparts | None = None,
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName | PersonDistance = "l1",
    *,
    batch_size: BatchSize = AUTO,
    **columns: Unpack[Columns],
) -> Verdict:
    """Judge of each person whether they are predicted accurately, and whether fairly.

    Parameters
    ----------
    model : Classifier, or any model that ``rafair.wrap`` takes
    x : table or array of shape (n, d), or Dataset, or Tensor of shape (n, d) in unit space
        People in original units; of a ``Dataset`` its test split. A tensor in unit space comes with
        ``counterparts``.
    y : sequence of shape (n,), optional
        The true labels of a table's rows; of a tensor, indexes of classes, int64.
    counterparts : Counterparts, optional
        I(v) of a tensor; of a table it follows from the columns.
    K, D, d, batch_size : see ``rafair.fairness.judge``
    **columns
        What the columns of a table mean: ``sensitive``, ``reference``, ``schema`` and the other
        keywords of ``rafair.read_test``.

    Returns
    -------
    Verdict
        Of the rows in their order, without those that ``read_test`` leaves out.

    Raises
    ------
    InvalidInput
        See ``rafair.fairness.judge`` and ``rafair.read_test``.

    Examples
    --------
    >>> verdict = judge(pipeline, X_test, y_test, sensitive=["sex"])  # doctest: +SKIP
    >>> verdict.rates()["af"]  # doctest: +SKIP
    """
    if counterparts is None:
        model, data, plan = _asked(model, x, y, columns)
        x, y = _rows(data, model)
        counterparts = plan.people(data.schema)
    else:
        _refuse(columns)
    return fairness.judge(model, x, y, counterparts, K, D, d, batch_size=batch_size)


def certify(
    model: Any,
    x: Any,
    y: Any = None,
    counterparts: Counterparts | None = None,
    space: PerturbationSpace | None = None,
    max_nodes: int = MAX_NODES,
    *,
    claim: Property = "accurate_fair",
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
    epsilon: float | None = None,
    **columns: Unpack[Columns],
) -> Certificate:
    """Prove of each person that no change in Δ breaks a claim, or find one that does.

    Parameters
    ----------
    model : Classifier, or any model that ``rafair.wrap`` takes
    x, y, counterparts : see ``rafair.judge``
    space : PerturbationSpace, optional
        Δ of a tensor.
    max_nodes, claim, K, D, d, until : see ``rafair.certificates.certify``
    epsilon : float, optional
        Radius of Δ for a table, as a share of each feature's range: by default as ``rafair.audit``.
    **columns
        What the columns of a table mean: ``sensitive``, ``reference``, ``schema`` and the other
        keywords of ``rafair.read_test``.

    Returns
    -------
    Certificate
        Of the rows in their order, without those that ``read_test`` leaves out; a witness is in
        unit space.

    Raises
    ------
    InvalidInput
        See ``rafair.certificates.certify`` and ``rafair.read_test``.
    """
    problem = _problem(model, x, y, counterparts, space, epsilon, columns)
    return certificates.certify(*problem, max_nodes, claim=claim, K=K, D=D, d=d, until=until)


def certify_cells(
    model: Any,
    x: Any,
    y: Any = None,
    counterparts: Counterparts | None = None,
    space: PerturbationSpace | None = None,
    max_nodes: int = CELL_NODES,
    *,
    cells: Sequence[str] = CELLS,
    K: float = 0.0,
    D: LabelDistanceName | LabelDistance = "discrete",
    d: PersonDistanceName = "l1",
    until: float = math.inf,
    epsilon: float | None = None,
    **columns: Unpack[Columns],
) -> CellCertificate:
    """Decide of each person and cell of Table 1 whether some δ in Δ moves them there.

    Parameters
    ----------
    model, x, y, counterparts, space, epsilon : see ``rafair.certify``
    max_nodes, cells, K, D, d, until : see ``rafair.certificates.certify_cells``
    **columns
        See ``rafair.certify``.

    Returns
    -------
    CellCertificate
        Of the rows in their order, without those that ``read_test`` leaves out; witnesses are in
        unit space.

    Raises
    ------
    InvalidInput
        See ``rafair.certificates.certify_cells`` and ``rafair.read_test``.
    """
    problem = _problem(model, x, y, counterparts, space, epsilon, columns)
    return certificates.certify_cells(*problem, max_nodes, cells=cells, K=K, D=D, d=d, until=until)


def _problem(
    model: Any,
    x: Any,
    y: Any,
    counterparts: Counterparts | None,
    space: PerturbationSpace | None,
    epsilon: float | None,
    columns: Columns,
) -> tuple[Classifier, Tensor, Tensor, Counterparts, PerturbationSpace]:
    """Return what a certificate is asked about: as it is given, or made of a table.

    Raises
    ------
    InvalidInput
        If what is said belongs to the other of the two.
    """
    if counterparts is None and space is None:
        model, data, plan = _asked(model, x, y, columns, epsilon=epsilon)
        x, y = _rows(data, model)
        return model, x, y, plan.people(data.schema), plan.space(data.schema)
    if counterparts is None or space is None or epsilon is not None:
        raise InvalidInput("a tensor in unit space comes with counterparts and space, no epsilon")
    _refuse(columns)
    return model, x, y, counterparts, space


def _asked(
    model: Any, data: Any, y: Any, columns: Columns, **options: Any
) -> tuple[Classifier, Dataset, Plan]:
    model, data = wrapped(model, data, y, columns)
    return model, data, Plan.of(data, model.access, **options)


def _rows(data: Dataset, model: Classifier) -> tuple[Tensor, Tensor]:
    return data.test.x.to(model.device), data.test.y.to(model.device)


def _refuse(columns: Columns) -> None:
    """Refuse to be told about the columns of a tensor in unit space."""
    for name in columns:
        raise InvalidInput(f"{name} is for a table; a tensor with counterparts has no columns")
