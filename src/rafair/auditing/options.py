"""Changes around a model: what ``rafair advise`` measures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import nn

from rafair.bounds.network import why_not_layered
from rafair.fairness.decisions import own_scores
from rafair.guarding import GuardedClassifier, Rule, guarded
from rafair.models import wrap
from rafair.models.around import Around
from rafair.problem import Counterparts
from rafair.training.loop import usual_batch
from rafair.training.pareto import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from rafair.datasets import Dataset
    from rafair.models import Classifier
    from rafair.plans import Plan

__all__ = ["UNCHANGED", "Option", "options_for"]

# The model without any change.
UNCHANGED = "as it is"
# The robust network: the method that proves most on the benchmarks, without sensitive columns.
ROBUST = Training("certified", 0.6, without_sensitive=True)
BALANCED = Training("certified", 0.6, without_sensitive=True, balance=1.0)
# Steps of its training: far fewer than ``rafair train`` takes on large tables.
STEPS = 2_000


@dataclass(frozen=True, eq=False)
class Option:
    """A changed model, and who is still alike but for the columns that it reads.

    Attributes
    ----------
    model : Classifier
    people : Counterparts or None
        I(v) along the sensitive columns that are still read; None where none is.
    fixed : mapping of int to float
        Column → the constant that stands in its place, unit space.
    """

    model: Classifier
    people: Counterparts | None
    fixed: Mapping[int, float] = field(default_factory=dict)

    @property
    def claim(self) -> Literal["accurate_fair", "accurate"]:
        """What R-AF means here: where no sensitive column is read, everybody in I(v) is v."""
        return "accurate" if self.people is None else "accurate_fair"

    def seen(self, x: Tensor) -> Tensor:
        """Return rows as the model sees them, (n, d)."""
        rows = x.clone()
        for column, value in self.fixed.items():
            rows[:, column] = value
        return rows


def options_for(
    model: Classifier, data: Dataset, plan: Plan, *, train: bool, epochs: int | None
) -> dict[str, Callable[[], Option]]:
    """Return the options by name, each made when it is called.

    - *as it is*.
    - *without COLUMN*: the model sees a constant there, the most frequent level or the median of
      the training rows; and so for all sensitive columns together.
    - *guard by RULE*, unless the model is a guard.
    - *threshold*: of two classes, the one with the best balanced accuracy on the training rows.
    - *robust network*: trained on the training rows for I(v) × Δ, once weighing people and once
      classes alike; only with ``train``.

    Rows of training are needed for the last two; without them they are left out.

    Parameters
    ----------
    epochs : int, optional
        Of the training; by default as many as make 2,000 steps.
    """
    schema, everyone = data.schema, plan.people(data.schema)
    found: dict[str, Callable[[], Option]] = {UNCHANGED: lambda: Option(model, everyone)}
    if guarded(model) is None:
        found |= _constants(model, data)
        for rule in get_args(Rule):
            found[f"guard by {rule}"] = partial(_behind, model, data, rule, everyone)
    if not len(data.train):
        return found
    if len(schema.classes) == 2 and not getattr(model, "may_abstain", False):
        found["another threshold"] = lambda: Option(_shifted(model, data), everyone)
    if train:
        budget = epochs or -(-STEPS // -(-len(data.train) // usual_batch(len(data.train))))
        for name, training in (("robust network", ROBUST), ("robust network, balanced", BALANCED)):
            found[name] = partial(_robust, training, data, plan, budget)
    return found


def _behind(model: Classifier, data: Dataset, rule: Rule, people: Counterparts) -> Option:
    """Return a guard over all of I(v), also where the run compares with a sample of it."""
    return Option(GuardedClassifier(model, Counterparts.of(data.schema), rule), people)


def _constants(model: Classifier, data: Dataset) -> dict[str, Callable[[], Option]]:
    schema, rows = data.schema, data.train if len(data.train) else data.test
    fixed = {}
    for name in schema.sensitive:
        place = schema.index(name)
        values = rows.x[:, place]
        usual = values.mode() if schema.features[place].has_levels else values.median(dim=0)
        fixed[name] = {place: float(usual.values)}
    found: dict[str, Callable[[], Option]] = {}
    if len(fixed) > 1:
        found |= {
            f"without {name}": partial(_without, model, data, at) for name, at in fixed.items()
        }
    both = {place: value for at in fixed.values() for place, value in at.items()}
    names = " and ".join(fixed)
    return {**found, f"without {names}": partial(_without, model, data, both)}


def _without(model: Classifier, data: Dataset, fixed: Mapping[int, float]) -> Option:
    schema = data.schema
    left = [name for name in schema.sensitive if schema.index(name) not in fixed]
    people = Counterparts.of(data.with_sensitive(left).schema) if left else None
    return Option(model, people, fixed)


def _robust(training: Training, data: Dataset, plan: Plan, epochs: int) -> Option:
    people, space = plan.people(data.schema), plan.space(data.schema)
    state = plan.random_state
    network = training.network(data, people, space, epochs=epochs, random_state=state)
    return Option(wrap(network, data.schema, output="logits"), people)


def _shifted(model: Classifier, data: Dataset) -> Classifier:
    """Return the model with the threshold of the best balanced accuracy on the training rows."""
    scores = own_scores(model, data.train.x.to(model.device)).to(torch.float64).cpu()
    shift = _best_shift(scores[:, 1] - scores[:, 0], data.train.y)
    if why_not_layered(model) is None and scores.shape[1] == 2:
        network = _with_shift(model, shift)
        if network is not None:
            return wrap(network, data.schema, output="logits")
    return _Shifted(model, shift)


def _best_shift(lead: Tensor, y: Tensor) -> float:
    """Return what to add to z₁ − z₀, (n,), for the largest sum of both classes' recalls."""
    order = lead.argsort(stable=True)
    ordered, positive = lead[order], (y[order] == 1).double()
    below_1 = torch.cat([positive.new_zeros(1), positive.cumsum(0)])
    below_0 = torch.arange(len(y) + 1) - below_1
    recalls = below_0 / below_0[-1].clamp_min(1) - below_1 / below_1[-1].clamp_min(1)
    differs = torch.cat([torch.tensor([True]), ordered.diff() > 0, torch.tensor([True])])
    cut = int(torch.where(differs, recalls, -torch.inf).argmax())
    below = ordered[cut - 1] if cut else ordered[0] - 1
    above = ordered[cut] if cut < len(y) else ordered[-1] + 1
    return -float((below + above) / 2)


def _with_shift(model: Classifier, shift: float) -> nn.Module | None:
    """Return a network's body with the shift behind its two logits; None of a single logit."""
    body: nn.Module = model.body  # type: ignore[attr-defined]  # it is layered
    last = [layer for layer in body.modules() if isinstance(layer, nn.Linear)][-1]
    if last.out_features != 2:
        return None
    behind = nn.Linear(2, 2, dtype=model.dtype, device=model.device)
    behind.weight.data = torch.eye(2, dtype=model.dtype, device=model.device)
    behind.bias.data = torch.tensor([0.0, shift], dtype=model.dtype, device=model.device)
    return nn.Sequential(body, behind).eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True, eq=False)
class _Shifted(Around):
    """A model whose score of class 1 is larger by a constant."""

    shift: float

    def scores(self, x: Tensor) -> Tensor:
        scores = self.model.scores(x)
        return scores + scores.new_tensor([0.0, self.shift])

    def digest(self) -> str:
        return hashlib.sha256(f"{self.model.digest()} {self.shift!r}".encode()).hexdigest()
