"""Figures of a network on test people: its accuracy, what is proved, and what an attack leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.attacks.ensemble import Ensemble
from rafair.attacks.square import Square
from rafair.certificates import certify
from rafair.certificates.branching import BROKEN, PROVED, UNDECIDED
from rafair.fairness import TF, balanced_rates, constant_model, judge
from rafair.fairness.decisions import predict
from rafair.fairness.quality import accuracy_figures
from rafair.training.validation import is_constant

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["PEOPLE", "Measured", "constant_measured", "measured"]

# Test people who are certified and attacked, unless a call says otherwise.
PEOPLE, MAX_NODES = 1000, 2000


@dataclass(frozen=True)
class Measured:
    """Figures of a model on test people; rates are shares in [0, 1].

    Attributes
    ----------
    accuracy, balanced_accuracy : float
        On all test people.
    r_af, r_af_balanced : float
        Of whom it is proved that every v' in I(v) × Δ gets the right class: the share of people,
        and its mean over the classes.
    r_af_most, r_af_balanced_most : float
        The same of whom no counterexample is known.
    attacked, attacked_balanced : float
        The same of whom nothing breaks: neither the search for a proof, which ends in a proof or in
        a change that breaks it, nor, where it ends in neither, the strongest attack.
    n_people : int
        How many test people, drawn at random, were certified and attacked.
    n_classes : int
        How many classes the model gives to the test people.
    """

    accuracy: float
    balanced_accuracy: float
    r_af: float
    r_af_balanced: float
    r_af_most: float
    r_af_balanced_most: float
    attacked: float
    attacked_balanced: float
    n_people: int
    n_classes: int

    def collapsed(self, k: int) -> bool:
        """Tell whether this is no better than a model that gives everybody one of k classes."""
        return is_constant(self.balanced_accuracy, self.n_classes, k)

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def measured(
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
    *,
    n_people: int = PEOPLE,
    random_state: int = 0,
) -> Measured:
    """Measure a model.

    Parameters
    ----------
    model : Classifier
        One that has certificates.
    x : Tensor, shape (n, d), unit space
    y : Tensor of int64, shape (n,)
    counterparts, space : see ``rafair.certify``
    n_people : int
        How many of them, drawn at random, to certify and attack.
    random_state : int
        Seed of the draw.
    """
    rows = _drawn(len(y), n_people, random_state)
    some, labels = x[rows], y[rows]
    status = certify(model, some, labels, counterparts, space, MAX_NODES).status
    least, most = status == PROVED, status != BROKEN
    left, is_open = most.clone(), status == UNDECIDED
    left[is_open] = _unbroken(model, some[is_open], labels[is_open], counterparts, space)
    found = {"least": least, "most": most, "left": left}
    shares = {name: _share(rows) for name, rows in found.items()}
    balanced = balanced_rates(found, labels)
    clean = accuracy_figures(model, x, y)
    return Measured(
        clean["accuracy"],
        clean["balanced_accuracy"],
        shares["least"],
        balanced["least"],  # type: ignore[arg-type]  # a share, no interval
        shares["most"],
        balanced["most"],  # type: ignore[arg-type]
        shares["left"],
        balanced["left"],  # type: ignore[arg-type]
        len(rows),
        len(torch.unique(predict(model, x))),
    )


def constant_measured(y: Tensor, like: Measured, *, random_state: int = 0) -> Measured:
    """Return the figures of the constant model, proved and attacked as no other can be.

    Parameters
    ----------
    y : Tensor of int64, shape (n,)
    like : Measured
        Of another model; the R-AF of both is about the same people.
    random_state : int
        As for the other model.
    """
    found = constant_model(y)
    balanced, gives = found["af_balanced"], y.bincount().argmax()
    share = _share(y[_drawn(len(y), like.n_people, random_state)] == gives)
    return replace(
        like,
        accuracy=found["acc"],
        balanced_accuracy=balanced,
        r_af=share,
        r_af_balanced=balanced,
        r_af_most=share,
        r_af_balanced_most=balanced,
        attacked=share,
        attacked_balanced=balanced,
        n_classes=1,
    )


def _unbroken(
    model: Classifier, x: Tensor, y: Tensor, counterparts: Counterparts, space: PerturbationSpace
) -> Tensor:
    """Tell whom the strongest attack leaves accurate and fair, shape (n,), bool.

    That is ``Ensemble``, and ``Square`` where the model gives no gradients.
    """
    if not len(x):
        return torch.zeros(0, dtype=torch.bool)
    strongest = Ensemble() if model.access == "gradient" else Square()
    point = strongest.run(model, x, y, counterparts, space).x_adv
    return judge(model, point, y, counterparts).cells == TF


def _drawn(n: int, n_people: int, random_state: int) -> Tensor:
    """Return the rows of the people to certify and attack, shape (n_people,), int64; at most n."""
    generator = torch.Generator().manual_seed(random_state)
    return torch.randperm(n, generator=generator)[:n_people]


def _share(happened: Tensor) -> float:
    return float(happened.double().mean())
