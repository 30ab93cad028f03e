"""A model without gradients: only its outputs can be used."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from rafair.errors import InvalidInput, ModelFailed
from rafair.models.agreement import random_people, unit_rows
from rafair.models.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.models.classifier import Access
    from rafair.models.inputs import Feed

__all__ = ["Answer", "QueriedClassifier", "answer_of", "asked", "reader"]

# What a model returns: predicted classes, probabilities, or logits.
Answer: TypeAlias = Literal["labels", "probabilities", "logits"]
# The digest rounds probabilities to this number of decimal places: the number of threads can change
# later ones.
PLACES = 6
TOLERANCE = 1e-4
# Breaks ties between equal log-probabilities; far too small to change the order of unequal ones.
TIE = 1e-12


@dataclass(frozen=True, eq=False)
class QueriedClassifier:
    """A classifier made of a function from rows to scores or labels.

    Attributes
    ----------
    predict : callable
        Takes n rows that ``feed`` has converted; returns numbers of shape (n, k), (n, 1) or (n,),
        or n labels.
    feed : Feed
        Converts unit-space rows to the input of ``predict``.
    answer : {"probabilities", "logits", "labels"}
        What ``predict`` returns.
    order : tuple of int
        For each class of the data, the column of its score in the model's output. Not used for
        labels.
    labels : tuple
        If ``answer == "labels"``, the label that ``predict`` returns for each class of the data.
    width : int
        Number of unit-space columns.
    kind : str
        Description of the model, for the report.
    """

    predict: Callable[[Any], Any]
    feed: Feed
    answer: Answer
    order: tuple[int, ...]
    width: int
    kind: str
    labels: tuple[Any, ...] = ()

    dtype = torch.float64
    device = torch.device("cpu")

    @property
    def access(self) -> Access:
        """``"labels"`` if the model returns labels, else ``"scores"``."""
        return "labels" if self.answer == "labels" else "scores"

    @property
    def source(self) -> Any:
        """The object that is asked: the user's model, or what stands in front of it."""
        return getattr(self.predict, "__self__", self.predict)

    @property
    def reads(self) -> str:
        """What the model reads: ``"unit"``, ``"original"`` or ``"frame"``."""
        return self.feed.inputs

    def scores(self, x: Tensor) -> Tensor:
        """Return logits or log-probabilities, shape (n, k), float64; a label gives 0 and 1.

        Raises
        ------
        InvalidInput
            If the model fails, or returns an output of an unexpected shape or an unknown label.
        """
        return self._memory.scores(x, self._told)

    @cached_property
    def _memory(self) -> Memory:
        return Memory()

    def _told(self, x: Tensor) -> Tensor:
        raw = asked(self.predict, self.feed(x))
        if self.answer == "labels":
            return _marked(raw, self.labels, len(x))
        numbers = _numbers(raw, len(x))
        if numbers.shape[1] == 1:
            numbers = _both(numbers, self.answer)
        if numbers.shape[1] != len(self.order):
            raise InvalidInput(
                f"the model returned {numbers.shape[1]} scores a row, not {len(self.order)}"
            )
        if self.answer == "logits":
            return numbers[:, list(self.order)]
        numbers = torch.log(numbers.clamp_min(torch.finfo(torch.float64).tiny))
        # Of equal scores, that of the model's first class must win, as in the model's predictions.
        places = torch.arange(numbers.shape[1], dtype=torch.float64)
        return (numbers - TIE * places)[:, list(self.order)]

    def digest(self) -> str:
        """Return a SHA-256 of the model's kind and probabilities on random rows, in hexadecimal.

        The model's weights cannot be read, so that two models of one kind with the same rounded
        probabilities have the same digest.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        schema = self.feed.schema
        x = unit_rows(self.width) if schema is None else random_people(schema)
        found = torch.softmax(self.scores(x), dim=1).numpy().round(PLACES) + 0.0
        sha = hashlib.sha256(self.kind.encode())
        sha.update(np.ascontiguousarray(found).tobytes())
        return sha.hexdigest()


def asked(predict: Callable[[Any], Any], rows: Any) -> Any:
    """Return the output of a user's model for some rows.

    Raises
    ------
    ModelFailed
        If the model raises any exception: the model is the user's code.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # every call would repeat them
            return predict(rows)
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ModelFailed(
            f"the model failed on {len(rows)} rows: {type(error).__name__}: {reason}"
        ) from error


def reader(model: Any) -> Callable[[Any], str | None] | None:
    """Return a function from rows to the reason why a model fails on them, None if it does not.

    Parameters
    ----------
    model : Any
        As its library has it. Only a fitted estimator and a function read rows as a user has them;
        for others there is no such function.
    """
    is_function = callable(model) and not isinstance(model, type | torch.nn.Module)
    predict = model.predict if hasattr(model, "classes_") else model if is_function else None
    if predict is None:
        return None

    def why_not(rows: Any) -> str | None:
        try:
            asked(predict, rows)
        except ModelFailed as error:
            return error.reason
        return None

    return why_not


def answer_of(raw: Any, n: int, k: int) -> Answer:
    """Tell from a model's output for n random rows what the model returns.

    Parameters
    ----------
    raw : array-like
        The model's output.
    n : int
        Number of rows.
    k : int
        Number of classes.

    Raises
    ------
    InvalidInput
        If the output is neither n labels nor numbers for each of the n rows.
    """
    found = _array(raw)
    if found.shape == (n,) and _is_labels(found, k):
        return "labels"
    numbers = _numbers(raw, n)
    inside = bool(((numbers >= -TOLERANCE) & (numbers <= 1 + TOLERANCE)).all())
    sums = numbers.sum(dim=1)
    summing = numbers.shape[1] == 1 or bool(((sums - 1).abs() <= TOLERANCE).all())
    return "probabilities" if inside and summing else "logits"


def _is_labels(found: np.ndarray[Any, Any], k: int) -> bool:
    if np.issubdtype(found.dtype, np.floating) and not (found == np.round(found)).all():
        return False
    return len(set(found.tolist())) <= k


def _array(raw: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(raw)
    except (TypeError, ValueError) as error:
        raise InvalidInput("the model returned rows of different lengths") from error


def _numbers(raw: Any, n: int) -> Tensor:
    try:
        found = torch.from_numpy(np.asarray(raw).astype(np.float64))
    except (TypeError, ValueError) as error:
        raise InvalidInput("the model returned something that is no table of numbers") from error
    if found.ndim == 1 and len(found) == n:
        found = found.unsqueeze(1)
    if found.ndim != 2 or len(found) != n or found.shape[1] < 1:
        raise InvalidInput(
            f"the model returned shape {tuple(found.shape)} for {n} rows; "
            "it must be (n, classes), (n, 1) or (n,)"
        )
    return found


def _both(numbers: Tensor, answer: Answer) -> Tensor:
    other = torch.zeros_like(numbers) if answer == "logits" else 1 - numbers
    return torch.cat([other, numbers], dim=1)


def _marked(raw: Any, labels: tuple[Any, ...], n: int) -> Tensor:
    found = _array(raw)
    if found.ndim == 2 and found.shape[1] > 1:
        raise InvalidInput("the model decides several labels at once; wrap it for one of them")
    if found.size != n:
        raise InvalidInput(f"the model returned {found.size} labels for {n} rows")
    found = found.ravel()
    hits = np.stack([found == label for label in labels], axis=1)
    if not hits.any(axis=1).all():
        stranger = found[~hits.any(axis=1)][:1].tolist()[0]
        raise InvalidInput(
            f"the model answered {stranger!r}, which is not one of {', '.join(map(str, labels))}"
        )
    return torch.from_numpy(hits.astype(np.float64))
