"""DICE: towards more different outputs over I(v), counted in clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.attacks.discrimination import Field, choose_member, rarely_felt
from rafair.errors import InvalidInput
from rafair.fairness.decisions import counterpart_scores, own_scores, predict
from rafair.problem.batching import AUTO, BatchSize
from rafair.problem.losses import CrossEntropy
from rafair.problem.walking import AttackResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import Counterparts, PerturbationSpace

__all__ = ["DICE"]


@dataclass(frozen=True)
class DICE:
    """Information-theoretic search for discrimination.

    The outputs over I(v), the probability of the class predicted for v, fall into bins of width
    ``epsilon``. Bins that are not empty are clusters; the logarithm of their number is what the
    output tells of the sensitive attributes (QID). A global phase takes two members of the largest
    cluster and moves the features whose gradients have equal signs there, up the loss against the
    predicted class, or a random feature where there is none. A local phase moves one feature at a
    time, rather one that matters little to a pair from the lowest and the highest cluster, and
    keeps a step that does not bring these two clusters closer.

    Parameters
    ----------
    step_size : float or sequence of d floats, unit space
        The source's perturbation size, 1 on integer-coded features.
    steps : int
        Iterations of both phases together.
    max_iter : int
        Iterations of the global phase, out of ``steps``.
    epsilon : float
        Width of a bin of outputs.
    random_state : int
        Of the members and features drawn.
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.

    Source: Monjezi, Trivedi, Tan and Tizpaz-Niari, ICSE 2023, section IV and Algorithm 1. There
    every global step has a local search of its own; here one follows the last of them, so that a
    seed has ``steps`` iterations, as with the other attacks.
    """

    step_size: float | Sequence[float] = 0.01
    steps: int = 20
    max_iter: int = 10
    epsilon: float = 0.025
    random_state: int = 0
    batch_size: BatchSize = AUTO

    family: ClassVar[str] = "dice"
    aim: ClassVar[Aim] = "fairness"
    year: ClassVar[int] = 2023
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"dice": {}}

    def __post_init__(self) -> None:
        if isinstance(self.max_iter, bool) or not isinstance(self.max_iter, int):
            raise InvalidInput(f"max_iter must be a whole number, not {self.max_iter!r}")
        if self.max_iter < 0:
            raise InvalidInput(f"max_iter must be 0 or more, not {self.max_iter}")
        if not 0 < self.epsilon <= 1:
            raise InvalidInput(f"epsilon must lie in (0, 1], not {self.epsilon!r}")

    def run(
        self,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
    ) -> AttackResult:
        """Attack n seeds at once.

        Parameters
        ----------
        model : Classifier with gradients.
        x : Tensor, shape (n, d), unit space. Not modified.
        y : Tensor of int64, shape (n,)
            Checked, but not used: the search needs no label.
        counterparts, space : see ``RAFair.run``.

        Returns
        -------
        AttackResult with ``x_adv`` (n, d), inside Δ around ``x``. Cost: 2 gradients and m + 3
        forward rows per seed and step.

        Raises
        ------
        InvalidInput
            If ``x`` leaves the domain or ``space`` lets a sensitive feature move.
        """
        field = Field.of(
            "DICE",
            model,
            x,
            y,
            counterparts,
            space,
            steps=self.steps,
            step_size=self.step_size,
            random_state=self.random_state,
            batch_size=self.batch_size,
        )
        everyone = torch.arange(field.n, device=x.device)
        here, points = x, [space.round(x, x)]
        clusters = _clusters(field, points[0], self.epsilon, stream=0)
        for step in range(self.steps):
            seeking, stream = step < self.max_iter, 3 * step + 1
            first, second = self._gradients(field, here, clusters, seeking)
            if seeking:
                direction = _shared_signs(field, first, second, stream)
            else:
                weight = rarely_felt(first, second, space.movable(x))
                direction = field.random_step(weight, everyone, stream)
            there = field.step(here, direction, everyone)
            points.append(space.round(there, x))
            reached = _clusters(field, points[-1], self.epsilon, stream + 1)
            kept = (reached.spread >= clusters.spread) | seeking
            here = torch.where(kept.unsqueeze(1), there, here)
            clusters = clusters.where(kept, reached)
        looked_at = (self.steps + 1) * (len(counterparts) + 1) + 2 * self.steps
        return AttackResult(
            space.round(here, x),
            Trajectory(torch.stack(points)),
            2 * field.n * self.steps,
            field.n * looked_at,
        )

    def _gradients(
        self, field: Field, here: Tensor, clusters: _Clusters, seeking: bool
    ) -> tuple[Tensor, Tensor]:
        """Differentiate at two of the largest cluster, or one of the lowest and one of the highest.

        In the loss against the class predicted for each.
        """
        members = clusters.alike if seeking else clusters.apart
        v, w = (field.counterparts.take(here, member) for member in members.unbind(1))
        labels = predict(field.model, torch.cat([v, w]), self.batch_size).chunk(2)
        return field.pair_gradients(v, w, (labels[0], labels[1]), CrossEntropy())


@dataclass(frozen=True, eq=False)
class _Clusters:
    """How the outputs over I(v) of n people cluster."""

    alike: Tensor  # (n, 2), rows of the grid: two members of the largest cluster
    apart: Tensor  # (n, 2), rows of the grid: a member of the lowest, one of the highest
    spread: Tensor  # (n,), from the lowest to the highest cluster, in bins

    def where(self, chosen: Tensor, other: _Clusters) -> _Clusters:
        """Take the other's numbers for the chosen rows."""
        wide = chosen.unsqueeze(1)
        return _Clusters(
            torch.where(wide, other.alike, self.alike),
            torch.where(wide, other.apart, self.apart),
            torch.where(chosen, other.spread, self.spread),
        )


def _clusters(field: Field, points: Tensor, width: float, stream: int) -> _Clusters:
    drawn = field.noise.uniform(stream, 4)
    parts = []
    for block in field.counterparts.blocks(field.n):
        people, u = points[block], drawn[block]
        label = own_scores(field.model, people, field.batch_size).argmax(dim=1)
        scores = counterpart_scores(field.model, people, field.counterparts, field.batch_size)
        output = scores.to(torch.float64).softmax(dim=2)
        output = output.gather(2, label[:, None, None].expand(-1, output.shape[1], 1))[:, :, 0]
        possible = field.counterparts.valid(people)
        n_bins = int(1 / width) + 1
        bins = (output / width).long().clamp_max(n_bins - 1)
        sizes = torch.zeros(len(people), n_bins, dtype=torch.int64, device=points.device)
        sizes = sizes.scatter_add(1, bins, possible.long())
        lowest = (sizes > 0).int().argmax(dim=1)
        highest = n_bins - 1 - (sizes > 0).int().flip(1).argmax(dim=1)
        members = [
            choose_member((bins == chosen.unsqueeze(1)) & possible, u[:, place])
            for place, chosen in enumerate((*[sizes.argmax(dim=1)] * 2, lowest, highest))
        ]
        alike, apart = torch.stack(members[:2], dim=1), torch.stack(members[2:], dim=1)
        parts.append(_Clusters(alike, apart, highest - lowest))
    names = _Clusters.__dataclass_fields__
    return _Clusters(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _shared_signs(field: Field, first: Tensor, second: Tensor, stream: int) -> Tensor:
    """Where the signs agree, that sign; a gradient of zeros agrees with any; else a random step."""
    movable = field.space.movable(field.x)
    a, b = first.sign() * movable, second.sign() * movable
    a = torch.where((a == 0).all(dim=1, keepdim=True), b, a)
    b = torch.where((b == 0).all(dim=1, keepdim=True), a, b)
    direction = torch.where(a == b, a, torch.zeros_like(a))
    weight = movable.to(torch.float64).expand_as(direction)
    anywhere = field.random_step(weight, torch.arange(field.n, device=a.device), stream)
    return torch.where((direction == 0).all(dim=1, keepdim=True), anywhere, direction)
