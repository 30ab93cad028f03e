"""The trade-off between accuracy and certified R-AF, over methods and strengths."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from rafair.models import wrap
from rafair.training import measuring
from rafair.training.base import Options, fit_robust
from rafair.training.measuring import Measured
from rafair.training.registry import make_method
from rafair.training.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = [
    "BASELINE",
    "CONSTANT",
    "TRAININGS",
    "Point",
    "Training",
    "best_points",
    "measured_point",
    "trained_point",
]

BASELINE, CONSTANT = "baseline", "constant model"


@dataclass(frozen=True)
class Training:
    """One network of the picture: a method with its options.

    Parameters
    ----------
    method : str
        The name of a method; see ``rafair.training.method_names``.
    strength : float
    without_sensitive : bool
    balance : float
    """

    method: str
    strength: float
    without_sensitive: bool = False
    balance: float = 0.0

    @property
    def label(self) -> str:
        """The name in tables: method, strength and options."""
        parts = [f"{self.method} {self.strength:g}"]
        parts += ["without sensitive"] if self.without_sensitive else []
        parts += [f"balance {self.balance:g}"] if self.balance else []
        return ", ".join(parts)

    def cost(self, n: int, n_people: int) -> float:
        """Return about how long a training on n rows and so many proofs take, in seconds."""
        method = make_method(self.method, self.strength)
        return method.cost(n) + method.proof_time * n_people

    def network(
        self,
        data: Dataset,
        counterparts: Counterparts,
        space: PerturbationSpace,
        *,
        epochs: int | None = None,
        random_state: int = 0,
    ) -> torch.nn.Module:
        """Train it on the training split of a dataset."""
        classes, rows = len(data.schema.classes), data.train
        task = Task.of(rows.x, rows.y, classes, counterparts, space, self.balance)
        options = Options(self.without_sensitive, self.balance, epochs, random_state=random_state)
        return fit_robust(make_method(self.method, self.strength), task, options).network


TRAININGS = (
    Training("standard", 0.0),
    Training("standard", 0.0, without_sensitive=True),
    Training("counterpart", 1.0),
    Training("rafair", 0.5),
    Training("adversarial", 0.8, without_sensitive=True),
    Training("worst-counterpart", 1.0),
    Training("certified", 0.8),
    *(Training("certified", strength, without_sensitive=True) for strength in (0.4, 0.8)),
    Training("certified", 0.8, without_sensitive=True, balance=1.0),
    Training("logistic", 1.0, without_sensitive=True),
    *(Training("boosted-stumps", strength) for strength in (0.3, 0.8)),
    Training("boosted-stumps", 0.8, balance=1.0),
)


@dataclass(frozen=True)
class Point:
    """A model in the picture.

    Attributes
    ----------
    name : str
        The label of a training, ``"baseline"`` or ``"constant model"``.
    method : str
        The method, or the name.
    training : Training or None
    figures : Measured
    """

    name: str
    method: str
    training: Training | None
    figures: Measured

    def as_dict(self) -> dict[str, Any]:
        """Return the point for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Point:
        """Read what ``as_dict`` wrote."""
        training = found["training"]
        known = None if training is None else Training(**training)
        return cls(found["name"], found["method"], known, Measured(**found["figures"]))


def measured_point(
    model: Classifier,
    data: Dataset,
    counterparts: Counterparts,
    space: PerturbationSpace,
    training: Training | None = None,
) -> Point:
    """Certify and attack a model on the test split of a dataset; without a training, a baseline."""
    rows = data.test
    problem = (counterparts, space)
    figures = measuring.measured(model, rows.x, rows.y, *problem, n_people=measuring.PEOPLE)
    if training is None:
        return Point(BASELINE, BASELINE, None, figures)
    return Point(training.label, training.method, training, figures)


def trained_point(
    training: Training,
    data: Dataset,
    counterparts: Counterparts,
    space: PerturbationSpace,
    *,
    epochs: int | None = None,
    random_state: int = 0,
) -> Point:
    """Train a network, then certify and attack it."""
    how: dict[str, Any] = {"epochs": epochs, "random_state": random_state}
    network = training.network(data, counterparts, space, **how)
    model = wrap(network, data.schema, output="logits")
    return measured_point(model, data, counterparts, space, training)


def best_points(points: Sequence[Point], *, balanced: bool) -> list[Point]:
    """Return the points that no other beats in accuracy and proved R-AF at once.

    Parameters
    ----------
    balanced : bool
        Compare balanced accuracy and balanced R-AF instead.
    """

    def pair(point: Point) -> tuple[float, float]:
        found = point.figures
        if balanced:
            return found.r_af_balanced, found.balanced_accuracy
        return found.r_af, found.accuracy

    def is_beaten(point: Point, others: Iterable[Point]) -> bool:
        own = pair(point)
        return any(
            all(a >= b for a, b in zip(pair(other), own, strict=True)) and pair(other) != own
            for other in others
        )

    return sorted((p for p in points if not is_beaten(p, points)), key=pair)
